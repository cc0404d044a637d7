"""Conditioning: what the coarsest tier is told of the pictures. No PyTorch where features are NumPy's.

    envelope   a vector per 16 ms: loudness and onsets around it, sound class,        (ours)
               and the timbre of its sound where the model is a source-filter one
    frame      a vector per picture: its features, sound class                        (paper, section 4a)
    sequence   a state per window of pictures, the coarsest tier starts from it       (paper, section 4b)
    flow       the same, from features of pictures and of optical flow                (paper, section 4c)

`sequence` and `flow` get a vector per picture as well, which holds nothing but the sound class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from v2s_engine.arrays import FloatArray, beside, joined
from v2s_engine.envelope import SILENCE_DBFS, Envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import steps_covering
from v2s_engine.options import ENVELOPE_WINDOW, ModelConfig
from v2s_engine.timbre.timbre import Timbre, timbre_vectors

if TYPE_CHECKING:
    from torch import Tensor

Kind = TypeVar("Kind", bound=np.generic)

StartOf = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From windows `[W, encoder_window, V]` to the coarsest tier's states `[W, d]`: the trained network, or its ONNX."""


@dataclass(frozen=True, eq=False)
class Conditioning:
    """All that the coarsest tier is told during one sound."""

    vectors: FloatArray
    """`[N, C]`, one for every `config.conditioning_length` samples. On a GPU only where features were left there for a
    sampler that runs there (`PictureEncoder`, `DeviceSampler`)."""
    starts: NDArray[np.float32] | None = None
    """`[W, d]`: the coarsest tier's state at the start of each window of `config.encoder_window` pictures. None where
    the model starts from its learned state and has no windows."""


def envelope_conditioning(
    envelope: Envelope, class_index: int, config: ModelConfig, timbre: Timbre | None = None
) -> NDArray[np.float32]:
    """Conditioning vectors `[N, C]` float32, one per envelope step, C = `config.conditioning_size`.

    Vector n holds the loudness of steps n-1, n, n+1, n+2 (0 for -80 dBFS, 1 for 0 dBFS), their onset strengths, and the
    sound class as one-hot (its embedding is a column of the network's input weights). The two steps to come let an
    attack be prepared; beyond the ends there is silence.

    The design feeds four loudness values once per video frame (64 ms). Given every 16 ms instead, a GRU need not count
    its steps to know which of the four is meant.

    Source-filter models, and no other, want the `timbre` of the same steps as well: `UsageError`. Where it is not known
    yet, leave it away, and put it in `with_timbre`; until then its place holds zeros.
    """
    steps = len(envelope)
    vectors = np.zeros((steps, config.conditioning_size), np.float32)
    loudness = np.pad(1.0 - envelope.loudness / SILENCE_DBFS, (1, ENVELOPE_WINDOW - 2))
    onset = np.pad(envelope.onset, (1, ENVELOPE_WINDOW - 2))
    for offset in range(ENVELOPE_WINDOW):
        vectors[:, offset] = loudness[offset : offset + steps]
        vectors[:, ENVELOPE_WINDOW + offset] = onset[offset : offset + steps]
    vectors[:, class_index - len(config.sound_classes)] = 1.0
    return vectors if timbre is None else with_timbre(vectors, timbre, config)


def with_timbre(vectors: NDArray[np.float32], timbre: Timbre, config: ModelConfig) -> NDArray[np.float32]:
    """Conditioning vectors `[N, C]` of a source-filter model told of a timbre of N steps, too; else `UsageError`."""
    if not config.source_filter or len(timbre) != len(vectors):
        raise UsageError(
            f"a timbre of {len(timbre)} steps came with {len(vectors)} vectors for "
            f"{'a' if config.source_filter else 'no'} source-filter model; wanted one with as many"
        )
    told = vectors.copy()
    told[:, 2 * ENVELOPE_WINDOW : -len(config.sound_classes)] = timbre_vectors(timbre)
    return told


def frame_conditioning(features: FloatArray, class_index: int, config: ModelConfig) -> FloatArray:
    """Conditioning vectors `[N, C]` of `frame`: the features `[N, V]` of each picture, and the sound class as one-hot.

    They lie where the features do.

    The paper has one model per class and so tells no class; with a single class the one-hot is a constant 1. Raises
    `UsageError` for features of another size.
    """
    _check_features(features, config)
    told_class = class_conditioning(len(features), class_index, config)
    return joined([features, beside(told_class, features)], axis=1)


def picture_conditioning(
    features: NDArray[np.float32], count: int, class_index: int, config: ModelConfig, start_of: StartOf | None
) -> Conditioning:
    """What `frame`, `sequence` and `flow` are told of a clip with features `[N, V]` during `count` picture steps.

    A clip with fewer pictures is looped. One with more is cut; but `sequence` and `flow` see whole windows of it, as
    they were trained, however short the sound is. `start_of` gives their states; without it there are vectors only.
    """
    if config.conditioning == "frame":
        return Conditioning(frame_conditioning(looped(features, count), class_index, config))
    vectors = class_conditioning(count, class_index, config)
    if start_of is None:
        return Conditioning(vectors)
    seen = features if len(features) >= count else looped(features, count)
    windows = steps_covering(count, config.encoder_window)
    return Conditioning(vectors, start_of(picture_windows(seen[: windows * config.encoder_window], config)))


def class_conditioning(count: int, class_index: int, config: ModelConfig) -> NDArray[np.float32]:
    """Conditioning vectors `[count, K]` of `sequence` and `flow`: the sound class as one-hot, K classes."""
    vectors = np.zeros((count, len(config.sound_classes)), np.float32)
    vectors[:, class_index] = 1.0
    return vectors


@overload
def looped(values: NDArray[Kind], length: int) -> NDArray[Kind]: ...
@overload
def looped(values: Tensor, length: int) -> Tensor: ...
def looped(values: NDArray[Kind] | Tensor, length: int) -> NDArray[Kind] | Tensor:
    """`values` `[n, ..]` again and again until there are `length` of them: how the paper fills short clips up to 10 s.

    Raises `UsageError` where there is nothing to repeat.
    """
    if not len(values):
        raise UsageError("nothing to repeat: a clip wants at least one picture and one sample")
    return values[np.arange(length) % len(values)]


def picture_windows(features: NDArray[np.float32], config: ModelConfig) -> NDArray[np.float32]:
    """Features `[N, V]` of a clip cut into what `sequence` and `flow` see as a whole: `[W, encoder_window, V]`.

    They were trained on 10 s: longer clips are seen in windows of 10 s, and what is too short for a window is looped.
    """
    _check_features(features, config)
    each = config.encoder_window
    windows = [features[first : first + each] for first in range(0, steps_covering(len(features), each) * each, each)]
    return np.stack([looped(window, each) for window in windows])


def _check_features(features: FloatArray, config: ModelConfig) -> None:
    if features.ndim != 2 or features.shape[1] != config.feature_size or not len(features):
        raise UsageError(
            f"features have shape {list(features.shape)}; wanted [pictures, {config.feature_size}] with at least one "
            "picture, from the encoder that the model was trained with"
        )
