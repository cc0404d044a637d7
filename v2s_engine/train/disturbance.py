"""What the network sees in training made different from what it is to predict, so that it learns to forgive itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import leaky_sum
from v2s_engine.grid import ENVELOPE_LENGTH

_KNOT_LENGTH = 2_048  # samples


def disturbed(
    sound: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    level_jitter: float,
    noise_share: float,
    pre_emphasis: float,
) -> NDArray[np.float32]:
    """A sound `[L]` at a wandering level (spread `level_jitter`, dB), with noise in `noise_share` of all cases."""
    seen = sound * _slow_gain(len(sound), rng.normal, 0.0, level_jitter)
    if rng.random() < noise_share:
        seen = seen + _own_noise(seen, pre_emphasis, rng)
    return seen


def _slow_gain(length: int, draw: Callable[..., NDArray[np.float64]], *limits: float) -> NDArray[np.float32]:
    """A random gain `[length]`: straight lines in dB between knots every 128 ms, drawn as `draw(*limits, count)`."""
    knots = np.arange(0, length + _KNOT_LENGTH, _KNOT_LENGTH)
    gain_db = np.interp(np.arange(length), knots, draw(*limits, len(knots)))
    return np.asarray(10 ** (gain_db / 20), np.float32)


def _own_noise(sound: NDArray[np.float32], pre_emphasis: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise as a network adds it to a sound `[L]`: white after pre-emphasis, at a slowly varying distance from it."""
    emphasised = sound - pre_emphasis * np.concatenate([[0.0], sound[:-1]])
    level = np.sqrt(np.convolve(emphasised**2, np.full(ENVELOPE_LENGTH, 1 / ENVELOPE_LENGTH), "same"))
    distance = _slow_gain(len(sound), rng.uniform, -40.0, 0.0)
    noise = level * distance * rng.standard_normal(len(sound))
    return np.asarray(leaky_sum(noise, pre_emphasis), np.float32)
