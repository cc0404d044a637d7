"""Folded weights: what every sampler runs on, and the file they ship in (`sampler.safetensors` of a bundle)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save_file

from v2s_engine.errors import BundleDamagedError, UsageError
from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.sampling.quantised import (
    FOUR_BITS,
    QUANTISED,
    QuantisedMatrix,
    from_bfloat16,
    group_count,
    pack_nibbles,
    quantise,
    quantise_in_groups,
    to_bfloat16,
    unpack_nibbles,
)

Precision = Literal["fp32", "fp16", "bf16", "int8", "int4"]
"""How weights are stored, and so what every machine computes with: it is the bundle's, never the machine's.

`fp32` and `fp16` are float32 again once loaded. `bf16`, `int8` and `int4` are for the large matrices (`QUANTISED`),
with everything else in fp16: see `quantised`.
"""

FORMAT: Final = "v2s-folded-weights-1"

_SCALES: Final = ".scales"
"""Ends the name of the tensor with the scales of an int8 or int4 matrix."""

_MULTIPLIERS: Final = ".multipliers"
"""The same for the multipliers of an int4 matrix."""

_LEVELS: Final = (np.int8, np.uint8)
"""Types in the file of matrices of levels: int8, and int4 in pairs."""

Array = NDArray[np.float32]
Stored = NDArray[Any]
"""A tensor as it lies in the file."""


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
    precision: Precision = "fp32"
    """What the arrays were rounded to: they hold the values that the stored weights stand for."""
    quantised: Mapping[str, QuantisedMatrix] = field(default_factory=dict)
    """The matrices of `QUANTISED` for int8 and int4: what the float32 arrays of these names were made from."""

    def __post_init__(self) -> None:
        for name, wanted in tensor_shapes(self.config).items():
            array = getattr(self, name)
            if array.shape != wanted or array.dtype != np.float32:
                raise BundleDamagedError(
                    f"folded weights: tensor {name!r} is {array.dtype} {list(array.shape)}, "
                    f"wanted float32 {list(wanted)} for this model's options; export the bundle again"
                )
        if set(self.quantised) != (set(QUANTISED) if self.precision in ("int8", "int4") else set()):
            raise BundleDamagedError(
                f"folded weights of precision {self.precision} hold matrices of levels {sorted(self.quantised)}; "
                f"wanted all of {sorted(QUANTISED)} for int8 and int4 and none for others; export the bundle again"
            )

    def tensors(self) -> dict[str, Array]:
        """All float32 arrays by name."""
        return {name: getattr(self, name) for name in tensor_shapes(self.config)}

    def rounded(self, precision: Precision) -> FoldedWeights:
        """These weights as they will be after `save(..., precision)` and `load_folded`."""
        return self if precision == self.precision else _widened(self.config, self._stored(precision), precision)

    def save(self, path: Path, precision: Precision) -> None:
        """Write a safetensors file; raises `UsageError` where a weight is too large for the precision."""
        # One entry only: the library writes several in random order, and equal weights should give equal files.
        save_file(self._stored(precision), path, metadata={FORMAT: precision})

    def _stored(self, precision: Precision) -> dict[str, Stored]:
        if precision not in get_args(Precision):
            raise UsageError(f"precision must be one of {get_args(Precision)}; got {precision!r}")
        stored: dict[str, Stored] = {}
        for name, array in self.tensors().items():
            holds = bool(np.isfinite(array).all())
            if _stored_type(name, precision) not in _LEVELS:
                stored[name] = _narrowed(array, _stored_type(name, precision))
                holds = bool(np.isfinite(_as_float32(stored[name])).all())
            elif holds:
                stored |= _stored_levels(name, self._quantised(name, precision))
            if not holds:
                raise UsageError(
                    f"tensor {name!r} holds {np.abs(array).max():g}, which {precision} cannot; export it as fp32"
                )
        return stored

    def _quantised(self, name: str, precision: Precision) -> QuantisedMatrix:
        if precision == self.precision:
            return self.quantised[name]
        four_bits = _stored_type(name, precision) is np.uint8
        return quantise_in_groups(getattr(self, name)) if four_bits else quantise(getattr(self, name))


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
    """Read what `FoldedWeights.save` wrote, whatever its precision.

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
    precision = _precision_of(path, metadata)
    _check_stored(path, tensors, config, precision)
    return _widened(config, tensors, precision)


def _precision_of(path: Path, metadata: Mapping[str, str]) -> Precision:
    known: tuple[Precision, ...] = get_args(Precision)
    for precision in known:
        if metadata.get(FORMAT) == precision:
            return precision
    raise BundleDamagedError(
        f"{path}: header says {metadata!r}; wanted {FORMAT!r} with one of {known}. "
        "It was written by another version: export it again"
    )


def _widened(config: ModelConfig, stored: Mapping[str, Stored], precision: Precision) -> FoldedWeights:
    """Stored tensors as the weights that they stand for."""
    quantised, tensors = {}, {}
    for name in tensor_shapes(config):
        array = stored[name]
        if array.dtype in _LEVELS:
            quantised[name] = _loaded_levels(name, stored, tensor_shapes(config)[name][0])
            tensors[name] = quantised[name].values()
        else:
            tensors[name] = _as_float32(array)
    return FoldedWeights(config=config, **tensors, precision=precision, quantised=quantised)


def _check_stored(path: Path, tensors: Mapping[str, Stored], config: ModelConfig, precision: Precision) -> None:
    """Raise `BundleDamagedError` where a file's tensors are not those of this precision."""
    wanted: dict[str, type[np.generic]] = {}
    for name in tensor_shapes(config):
        wanted[name] = _stored_type(name, precision)
        if wanted[name] in _LEVELS:
            wanted[name + _SCALES] = np.float32
        if wanted[name] is np.uint8:
            wanted[name + _MULTIPLIERS] = np.uint8
    if set(tensors) != set(wanted):
        raise BundleDamagedError(
            f"{path}: missing tensors: {', '.join(sorted(set(wanted) - set(tensors))) or 'none'}; unknown tensors: "
            f"{', '.join(sorted(set(tensors) - set(wanted))) or 'none'}; install or export the bundle again"
        )
    for name, array in tensors.items():
        if array.dtype != wanted[name] or not np.isfinite(_as_float32(array)).all():
            raise BundleDamagedError(
                f"{path}: tensor {name!r} is {array.dtype} or not finite, wanted finite "
                f"{wanted[name].__name__}; install or export the bundle again"
            )
        shape = _stored_shape(name, config, precision)
        if array.shape != shape:
            raise BundleDamagedError(
                f"{path}: tensor {name!r} is {list(array.shape)}, wanted {list(shape)}; export the bundle again"
            )


def _stored_shape(name: str, config: ModelConfig, precision: Precision) -> tuple[int, ...]:
    inputs, *outputs = tensor_shapes(config)[name.removesuffix(_SCALES).removesuffix(_MULTIPLIERS)]
    if name.endswith(_SCALES):
        return tuple(outputs)
    if name.endswith(_MULTIPLIERS):
        return group_count(inputs), *outputs
    return -(-inputs // 2) if _stored_type(name, precision) is np.uint8 else inputs, *outputs


def _stored_levels(name: str, matrix: QuantisedMatrix) -> dict[str, Stored]:
    if matrix.multipliers is None:
        return {name: matrix.levels, name + _SCALES: matrix.scales}
    levels = pack_nibbles(matrix.levels)
    return {name: levels, name + _SCALES: matrix.scales, name + _MULTIPLIERS: matrix.multipliers}


def _loaded_levels(name: str, stored: Mapping[str, Stored], inputs: int) -> QuantisedMatrix:
    if stored[name].dtype == np.int8:
        return QuantisedMatrix(stored[name], stored[name + _SCALES])
    return QuantisedMatrix(unpack_nibbles(stored[name], inputs), stored[name + _SCALES], stored[name + _MULTIPLIERS])


def _stored_type(name: str, precision: Precision) -> type[np.generic]:
    """In what a tensor lies in the file; uint16 are the bits of bfloat16, uint8 pairs of 4-bit levels."""
    if precision == "fp32":
        return np.float32
    if precision == "fp16" or name not in QUANTISED:
        return np.float16
    if precision == "bf16":
        return np.uint16
    return np.uint8 if precision == "int4" and name in FOUR_BITS else np.int8


def _narrowed(array: Array, stored_type: type[np.generic]) -> Stored:
    if stored_type is np.uint16:
        return to_bfloat16(array)
    with np.errstate(over="ignore"):  # the caller says it in our own words
        return np.ascontiguousarray(array, dtype=stored_type)


def _as_float32(array: Stored) -> Array:
    return from_bfloat16(array) if array.dtype == np.uint16 else array.astype(np.float32)
