"""Sounds for rendered scenes, made from noise and damped tones: simple, but loud when and where they should be.

All are float32 at 16 kHz. A level is the RMS in dBFS of a sound's loudest part.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE

Samples = NDArray[np.float32]
Colour = Literal["dark", "plain", "bright"]

COLOURS: tuple[Colour, ...] = ("dark", "plain", "bright")

_SMOOTHING = {"dark": 12, "plain": 4, "bright": 1}  # samples averaged: a low-pass at about 0.6, 1.8 and 8 kHz


def noise(rng: np.random.Generator, length: int, colour: Colour) -> Samples:
    """Noise with an RMS of 1."""
    width = _SMOOTHING[colour]
    white = rng.standard_normal(length + width - 1)
    smoothed = np.convolve(white, np.full(width, width**-0.5), mode="valid")
    return smoothed.astype(np.float32)


def impact(rng: np.random.Generator, *, level: float, decay: float, colour: Colour) -> Samples:
    """Two things meet: noise and three damped tones that start at once; `decay` is seconds per 8.7 dB of fall.

    The level is that of the first envelope step (16 ms). The first sample is not 0.
    """
    length = max(ENVELOPE_LENGTH, int(7 * decay * SAMPLE_RATE))
    clock = np.arange(length) / SAMPLE_RATE
    sound = noise(rng, length, colour) * np.exp(-clock / (0.3 * decay))
    for pitch in rng.uniform(120, 2500, 3):
        sound += rng.uniform(0.2, 1.0) * np.cos(2 * np.pi * pitch * clock) * np.exp(-clock / decay)
    if sound[0] == 0:
        sound[0] = 0.1
    return _at_level(sound, level, ENVELOPE_LENGTH)


def drone(rng: np.random.Generator, length: int, *, level: float, colour: Colour) -> Samples:
    """A motor: a low tone with overtones, and noise; steady."""
    clock = np.arange(length) / SAMPLE_RATE
    pitch = rng.uniform(35, 160)
    sound = rng.uniform(0.2, 1.0) * noise(rng, length, colour)
    for overtone in range(1, 7):
        turn = rng.uniform(0, 2 * np.pi)
        sound += rng.uniform(0.3, 1.0) / overtone * np.sin(2 * np.pi * pitch * overtone * clock + turn)
    return _at_level(sound, level, length)


def rush(rng: np.random.Generator, length: int, *, level: float, colour: Colour) -> Samples:
    """Water, wind, sliding: noise, steady."""
    return _at_level(noise(rng, length, colour), level, length)


def place(track: Samples, sound: Samples, start: int) -> None:
    """Add `sound` to `track` from sample `start` on, in place; what falls outside is cut."""
    begin, end = max(start, 0), min(start + len(sound), len(track))
    if begin < end:
        track[begin:end] += sound[begin - start : end - start]


def gate(length: int, clock: NDArray[np.float64], amount: NDArray[np.float64]) -> Samples:
    """A gain curve `[length]` through `amount` (0..1) at `clock` (seconds, rising)."""
    at = np.arange(length) / SAMPLE_RATE
    return np.interp(at, clock, amount).astype(np.float32)


def _at_level(sound: NDArray[np.floating], level: float, part: int) -> Samples:
    rms = float(np.sqrt(np.mean(np.square(sound[:part], dtype=np.float64))))
    return (sound * (10 ** (level / 20) / max(rms, 1e-9))).astype(np.float32)
