"""Sounds of the staged set: one maker per category, each easy to tell from the others by ear and by a small network.

All are float32 at 16 kHz. `strike` makers give a whole sound that dies away; `hold` makers give a steady one of any
length. Pitch and level vary from clip to clip, not within one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from v2s_engine.grid import SAMPLE_RATE

Samples = NDArray[np.float32]
Maker = Callable[[np.random.Generator, int], Samples]
"""From a clip's random generator and a length in samples to a sound of that length with a peak of about 1."""

_EDGE_LENGTH = 64  # samples over which steady sounds are switched on and off: 4 ms, no click


def bell(rng: np.random.Generator, length: int) -> Samples:
    """Two damped tones that are no octave apart."""
    clock = _clock(length)
    pitch = rng.uniform(620, 780)
    tone = np.sin(2 * np.pi * pitch * clock) + 0.5 * np.sin(2 * np.pi * 2.76 * pitch * clock)
    return _narrow(tone * np.exp(-clock / 0.07) / 1.5)


def drum(rng: np.random.Generator, length: int) -> Samples:
    """A low tone that falls, under a short burst of noise."""
    clock = _clock(length)
    turns = 70 * clock + rng.uniform(60, 90) * 0.04 * (1 - np.exp(-clock / 0.04))
    skin = np.sin(2 * np.pi * turns) * np.exp(-clock / 0.06)
    return _narrow(0.8 * skin + 0.3 * rng.uniform(-1, 1, length) * np.exp(-clock / 0.012))


def sparks(rng: np.random.Generator, length: int) -> Samples:
    """A hiss that dies away and breaks up into crackles."""
    clock = _clock(length)
    crackle = np.repeat(rng.random(-(-length // 160)) < np.exp(-np.arange(-(-length // 160)) / 8), 160)[:length]
    return _narrow(rng.uniform(-1, 1, length) * crackle * np.exp(-clock / 0.07))


def engine(rng: np.random.Generator, length: int) -> Samples:
    """A saw tooth of low pitch."""
    turns = rng.uniform(55, 85) * _clock(length)
    return _edged(0.7 * (2 * (turns % 1) - 1))


def water(rng: np.random.Generator, length: int) -> Samples:
    """Noise without its highest part."""
    white = rng.uniform(-1, 1, length + 2)
    return _edged((white[:-2] + white[1:-1] + white[2:]) / 3)


def whistle(rng: np.random.Generator, length: int) -> Samples:
    """A high tone that wavers eleven times a second."""
    clock = _clock(length)
    pitch = rng.uniform(1600, 2000)
    waver = 60 / (2 * np.pi * 11) * np.sin(2 * np.pi * 11 * clock)
    return _edged(0.7 * np.sin(2 * np.pi * (pitch * clock + waver)))


def _clock(length: int) -> NDArray[np.float64]:
    return np.arange(length) / SAMPLE_RATE


def _edged(sound: NDArray[np.float64]) -> Samples:
    edge = np.minimum(1.0, (np.arange(len(sound)) + 1) / _EDGE_LENGTH)
    return _narrow(sound * edge * edge[::-1])


def _narrow(sound: NDArray[np.float64]) -> Samples:
    return np.asarray(sound, np.float32)
