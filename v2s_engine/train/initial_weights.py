"""Weights that a new training starts from: those of another one, as far as both models mean the same by them.

    origin = read_origin("starter")            # a checkpoint's path, or a bundle's name or folder
    taken = take_over(SampleRNN(config), origin)

All that is not the coarsest tier's input is copied. That input is taken over by meaning: samples, envelope or features,
and the columns of each sound class by its name. What is new there starts at 0, a new class as the mean of the old ones;
so at first the model computes what the old one did, told no more than that one knows. (One exception: `take_over`.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from v2s_engine.bundle import TRAINABLE, known_bundles, load_bundle
from v2s_engine.errors import BundleNotFoundError, UsageError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.train.checkpoint import read_checkpoint
from v2s_engine.train.parameters import numpy_parameters, set_parameters

Parameters = Mapping[str, NDArray[np.float32]]

_WEIGHT, _BIAS = "coarse_gru.weight_ih_l0", "coarse_gru.bias_ih_l0"
_EXPANSION, _EXPANSION_BIAS = "coarse_input.weight", "coarse_input.bias"
_COARSE_START, _COARSE_GRU, _PICTURES = "coarse_start", "coarse_gru.", "pictures."
_INPUTS = (_WEIGHT, _BIAS, _EXPANSION, _EXPANSION_BIAS)

_SAME = (
    "hidden_size",
    "mlp_size",
    "embedding_size",
    "coarse_unit",
    "mid_unit",
    "window",
    "quantisation",
    "pre_emphasis",
    "source_filter",
)
"""Fields of `ModelConfig` without which no weight of the one model means anything in the other."""


@dataclass(frozen=True, eq=False)
class Origin:
    """A trained model that another training may start from."""

    name: str
    """What it is called in lists: a bundle's name, or a checkpoint's file and folder."""
    config: ModelConfig
    parameters: Parameters
    """As `numpy_parameters` gives them, without weight norm; of a checkpoint the averaged ones."""
    material: list[dict[str, Any]] = field(default_factory=list)
    """What it was trained on: whoever goes on from it owes the same credits."""


@dataclass(frozen=True)
class TakenOver:
    """What a training started from."""

    origin: str
    taken: tuple[str, ...]
    """Parameters that hold what the origin knows, all or in part."""
    left: tuple[str, ...]
    """Parameters at their random start."""
    new_classes: tuple[str, ...]
    """Sound classes that the origin does not have."""

    def __str__(self) -> str:
        """One line for whoever trains."""
        parts = [f"started from {self.origin}: {len(self.taken)} of {len(self.taken) + len(self.left)} weights"]
        if self.left:
            parts.append(f"at their random start: {', '.join(self.left)}")
        if self.new_classes:
            parts.append(f"classes new to it: {', '.join(self.new_classes)}")
        return "; ".join(parts)


def read_origin(where: str) -> Origin:
    """What is there to start from: the path of a checkpoint, or the name or folder of a bundle.

    A bundle's weights were rounded to half precision. Raises `BundleNotFoundError` where there is neither, and
    `BundleDamagedError` for files that are not what they should be.
    """
    path = Path(where)
    if path.is_file():
        checkpoint = read_checkpoint(path)
        model = SampleRNN(checkpoint.config)
        model.load_state_dict(checkpoint.averaged)
        name = f"{path.absolute().parent.name}/{path.name}"
        return Origin(name, checkpoint.config, numpy_parameters(model), checkpoint.material)
    try:
        bundle = load_bundle(where)
    except BundleNotFoundError as error:
        raise BundleNotFoundError(
            f"nothing to start from at {where!r}: no checkpoint of that path and no bundle of that name or folder; "
            f"name the last.ckpt that a training left, or a bundle (known: {', '.join(known_bundles()) or 'none'})"
        ) from error
    tensors = load_file(bundle.path / TRAINABLE)
    parameters = {
        name.removeprefix("sampler."): tensor.astype(np.float32)
        for name, tensor in tensors.items()
        if name.startswith("sampler.")
    }
    return Origin(bundle.name, bundle.config, parameters, list(bundle.description.get("material", [])))


def check_origin(config: ModelConfig, origin: Origin) -> None:
    """Raise `UsageError`, which names each difference, where a model of this shape cannot start from the origin.

    Conditioning, sound classes, visual networks, `sample_expansion`, `encoder_window` and weight norm may differ.
    """
    pairs = [(name, getattr(origin.config, name), getattr(config, name)) for name in _SAME]
    differences = [f"{name} is {got} there and {wanted} here" for name, got, wanted in pairs if got != wanted]
    expansion = config.sample_expansion
    if expansion != origin.config.sample_expansion and 0 < expansion < config.coarse_unit:
        differences.append(f"sample_expansion {expansion} here is less than coarse_unit, {config.coarse_unit}")
    if differences:
        raise UsageError(
            f"cannot start from {origin.name}: {'; '.join(differences)}. Choose the preset and the sizes that it was "
            "trained with (--preset, --hidden-size, --coarse-unit, ...), or start from another"
        )


def take_over(model: SampleRNN, origin: Origin) -> TakenOver:
    """Give `model` what the origin knows; the rest keeps its random start.

    Where only one of the two starts from pictures (`sequence`, `flow`), neither start means anything to the other: the
    coarsest tier's start is left. Where that is the new one, its whole coarsest tier is: the old one was told of its
    sound all the time and never had to remember, and what has learned to forget does not unlearn it. The GRU over
    pictures is taken where features are of the same size; that they come from the same weights of the same networks
    is for the caller to see to. Raises as `check_origin`.
    """
    check_origin(model.config, origin)
    own = numpy_parameters(model)
    taken = dict(_copied(own, model.config, origin))
    if not _must_remember(model.config, origin):
        taken |= _coarsest_input(own, model.config, origin)
    set_parameters(model, taken)
    return TakenOver(
        origin=origin.name,
        taken=tuple(name for name in own if name in taken),
        left=tuple(name for name in own if name not in taken),
        new_classes=tuple(name for name in model.config.sound_classes if name not in origin.config.sound_classes),
    )


def _must_remember(config: ModelConfig, origin: Origin) -> bool:
    """Whether the new model's coarsest tier hears in its first state only what the old one's was told all along."""
    return config.starts_from_pictures and not origin.config.starts_from_pictures


def _copied(own: Parameters, config: ModelConfig, origin: Origin) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """What is taken over as it is."""
    left = set(_INPUTS)
    if config.starts_from_pictures or origin.config.starts_from_pictures:
        left.add(_COARSE_START)
    if _must_remember(config, origin):
        left |= {name for name in own if name.startswith(_COARSE_GRU)}
    for name in own:
        is_other = name.startswith(_PICTURES) and config.feature_size != origin.config.feature_size
        if name in origin.parameters and name not in left and not is_other:
            yield name, origin.parameters[name]


def _coarsest_input(own: Parameters, config: ModelConfig, origin: Origin) -> dict[str, NDArray[np.float32]]:
    """The coarsest GRU's input matrix `[3d, samples | envelope or features | classes]`, put together by meaning."""
    before = origin.config
    weight = origin.parameters[_WEIGHT]
    first_class = weight.shape[1] - len(before.sound_classes)
    samples, told, classes = np.split(weight, [weight.shape[1] - before.conditioning_size, first_class], axis=1)
    if (before.conditioning, before.visual) != (config.conditioning, config.visual):
        told = np.zeros((len(weight), config.conditioning_size - len(config.sound_classes)), np.float32)
    of_classes = {name: classes[:, index] for index, name in enumerate(before.sound_classes)}
    columns = [of_classes.get(name, classes.mean(axis=1)) for name in config.sound_classes]
    taken = _sample_input(samples, own, config, origin)
    return taken | {_WEIGHT: np.concatenate([taken[_WEIGHT], told, np.stack(columns, axis=1)], axis=1)}


def _sample_input(
    samples: NDArray[np.float32], own: Parameters, config: ModelConfig, origin: Origin
) -> dict[str, NDArray[np.float32]]:
    """How samples enter the coarsest GRU: the columns `samples` of the old matrix, its bias, and their expansion.

    Where one model expands them and the other does not, the same function is put together: the old expansion is
    multiplied out, and one of full rank, which every random one is, can be undone by the matrix behind it.
    """
    bias, old = origin.parameters[_BIAS], origin.parameters
    if config.sample_expansion == origin.config.sample_expansion:
        return {name: old[name] for name in (_EXPANSION, _EXPANSION_BIAS) if name in old} | {
            _WEIGHT: samples,
            _BIAS: bias,
        }
    if origin.config.sample_expansion:
        samples, bias = samples @ old[_EXPANSION], bias + samples @ old[_EXPANSION_BIAS]
    if config.sample_expansion:
        samples = samples @ np.linalg.pinv(own[_EXPANSION])
        bias = bias - samples @ own[_EXPANSION_BIAS]
    return {_WEIGHT: samples, _BIAS: bias}
