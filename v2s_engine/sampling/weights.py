"""Folded weights: what every sampler runs on, and the file they ship in (`sampler.safetensors` of a bundle)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save_file

from v2s_engine.errors import BundleDamagedError, UsageError
from v2s_engine.options import LEVELS, ModelConfig

Precision = Literal["fp32", "fp16"]
"""How weights are stored. They are float32 again once loaded, so every machine samples from the same bits."""

FORMAT: Final = "v2s-folded-weights-1"

_STORED: Final[dict[str, np.dtype[Any]]] = {"fp32": np.dtype(np.float32), "fp16": np.dtype(np.float16)}

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FoldedWeights:
    """A SampleRNN with all linear chains multiplied out; every matrix is used as `row_vector @ matrix`.

    d = hidden_size, H = mlp_size, C = conditioning_size; gates in the order reset, update, candidate. Made by
    `fold_weights`. Raises `BundleDamagedError` where an array is not float32 of the shape that `config` asks for.
    """

    config: ModelConfig
    conditioning: Array
    """`[C, 3d]`: conditioning to the coarse GRU's input."""
    conditioning_bias: Array
    """`[3d]`: all biases of the coarse GRU but the candidate's recurrent one."""
    coarse_samples: Array
    """`[coarse_unit, 3d]`: past amplitudes, oldest first, to the coarse GRU's input."""
    coarse_recurrent: Array
    """`[d, 3d]`."""
    coarse_candidate_bias: Array
    """`[d]`: stays apart because the reset gate multiplies it."""
    coarse_up: Array
    """`[d, coarse_unit / mid_unit, 3d]`: coarse state to the mid GRU's input, for each mid step of the unit."""
    coarse_up_bias: Array
    """`[coarse_unit / mid_unit, 3d]`: with all biases of the mid GRU but the candidate's recurrent one."""
    mid_samples: Array
    """`[mid_unit, 3d]`: past amplitudes, oldest first, to the mid GRU's input."""
    mid_recurrent: Array
    """`[d, 3d]`."""
    mid_candidate_bias: Array
    """`[d]`."""
    mid_up: Array
    """`[d, mid_unit, H]`: mid state to the MLP's first hidden layer, for each sample of the unit."""
    mid_up_bias: Array
    """`[mid_unit, H]`."""
    tables: Array
    """`[window, 256, H]`: what a past code, oldest first, adds to the MLP's first hidden layer."""
    fine_hidden: Array
    """`[H, H]`: the MLP's second hidden layer."""
    fine_hidden_bias: Array
    """`[H]`."""
    fine_output: Array
    """`[H, 256]`."""
    fine_output_bias: Array
    """`[256]`."""
    coarse_start: Array
    """`[d]`: state of the coarse GRU before the first sample."""
    mid_start: Array
    """`[d]`."""

    def __post_init__(self) -> None:
        for name, wanted in tensor_shapes(self.config).items():
            array = getattr(self, name)
            if array.shape != wanted or array.dtype != np.float32:
                raise BundleDamagedError(
                    f"folded weights: tensor {name!r} is {array.dtype} {list(array.shape)}, "
                    f"wanted float32 {list(wanted)} for this model's options; export the bundle again"
                )

    def tensors(self) -> dict[str, Array]:
        """All arrays by name."""
        return {name: getattr(self, name) for name in tensor_shapes(self.config)}

    def rounded(self, precision: Precision) -> FoldedWeights:
        """These weights as they will be after `save(..., precision)` and `load_folded`."""
        stored = self._stored(precision)
        return FoldedWeights(self.config, **{name: array.astype(np.float32) for name, array in stored.items()})

    def save(self, path: Path, precision: Precision) -> None:
        """Write a safetensors file; raises `UsageError` where a weight is too large for the precision."""
        # One entry only: the library writes several in random order, and equal weights should give equal files.
        save_file(self._stored(precision), path, metadata={FORMAT: precision})

    def _stored(self, precision: Precision) -> dict[str, NDArray[np.floating]]:
        if precision not in _STORED:
            raise UsageError(f"precision must be one of {get_args(Precision)}; got {precision!r}")
        stored = {}
        for name, array in self.tensors().items():
            with np.errstate(over="ignore"):  # said in our own words below
                stored[name] = np.ascontiguousarray(array, dtype=_STORED[precision])
            if not np.isfinite(stored[name]).all():
                raise UsageError(
                    f"tensor {name!r} holds {np.abs(array).max():g}, which {precision} cannot; export it as fp32"
                )
        return stored


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of `FoldedWeights`, in the order of its fields."""
    size, mlp, mids = config.hidden_size, config.mlp_size, config.coarse_unit // config.mid_unit
    return {
        "conditioning": (config.conditioning_size, 3 * size),
        "conditioning_bias": (3 * size,),
        "coarse_samples": (config.coarse_unit, 3 * size),
        "coarse_recurrent": (size, 3 * size),
        "coarse_candidate_bias": (size,),
        "coarse_up": (size, mids, 3 * size),
        "coarse_up_bias": (mids, 3 * size),
        "mid_samples": (config.mid_unit, 3 * size),
        "mid_recurrent": (size, 3 * size),
        "mid_candidate_bias": (size,),
        "mid_up": (size, config.mid_unit, mlp),
        "mid_up_bias": (config.mid_unit, mlp),
        "tables": (config.window, LEVELS, mlp),
        "fine_hidden": (mlp, mlp),
        "fine_hidden_bias": (mlp,),
        "fine_output": (mlp, LEVELS),
        "fine_output_bias": (LEVELS,),
        "coarse_start": (size,),
        "mid_start": (size,),
    }


def load_folded(path: Path, config: ModelConfig) -> FoldedWeights:
    """Read what `FoldedWeights.save` wrote, widened to float32.

    Raises `BundleDamagedError` where the file is missing, is no safetensors file of this format, or where a tensor is
    missing, unknown, of the wrong shape or not finite.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, safetensors.SafetensorError) as error:
        raise BundleDamagedError(
            f"{path}: cannot be read as folded weights ({error}); install or export the bundle again"
        ) from error
    precision = metadata.get(FORMAT)
    if precision not in _STORED:
        raise BundleDamagedError(
            f"{path}: header says {metadata!r}; wanted {FORMAT!r} with one of {get_args(Precision)}. "
            "It was written by another version: export it again"
        )
    _check_names(path, set(tensors), set(tensor_shapes(config)))
    for name, array in tensors.items():
        if array.dtype != _STORED[precision] or not np.isfinite(array).all():
            raise BundleDamagedError(
                f"{path}: tensor {name!r} is {array.dtype} or not finite, wanted finite "
                f"{_STORED[precision]}; install or export the bundle again"
            )
    return FoldedWeights(config=config, **{name: array.astype(np.float32) for name, array in tensors.items()})


def _check_names(path: Path, got: set[str], wanted: set[str]) -> None:
    if got != wanted:
        raise BundleDamagedError(
            f"{path}: missing tensors: {', '.join(sorted(wanted - got)) or 'none'}; unknown tensors: "
            f"{', '.join(sorted(got - wanted)) or 'none'}; install or export the bundle again"
        )
