"""From a bare sound to an excerpt of a recording: a room, a microphone, a floor of noise, a level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.filters import equalised, highpass, lowpass, soft_clip
from v2s_engine.corpus.synthesis.noise import coloured, wander
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.room import convolved, open_response, room_response
from v2s_engine.corpus.synthesis.shapes import at_peak, decibels
from v2s_engine.grid import SAMPLE_RATE


@dataclass(frozen=True)
class Recording:
    """How excerpts of one class are usually recorded; what is given are chances (0..1) and ranges (dBFS)."""

    room: float = 0.5
    """In a room."""
    outside: float = 0.0
    """Out of doors, with echoes; the rest is recorded dry."""
    floor: float = 0.6
    """With noise of the place and the device."""
    clipped: float = 0.08
    """Too loud for the device."""
    peak: tuple[float, float] = (-30.0, -6.0)

    def take(self, draw: np.random.Generator, signal: Signal) -> Samples:
        """`signal` `[L]` of any scale as it was recorded, `[L]` in [-1, 1]."""
        place = draw.random()
        if place < self.room:
            signal = convolved(signal, room_response(draw))
        elif place < self.room + self.outside:
            signal = convolved(signal, open_response(draw))
        signal = at_peak(_microphone(draw, signal))
        if draw.random() < self.clipped:
            signal = soft_clip(signal, draw.uniform(1.5, 4.0))
        # More often loud than faint: those who record turn the level up.
        low, high = self.peak
        level = high - (high - low) * draw.uniform(0, 1) ** 1.7
        signal = signal * decibels(level)
        if draw.random() < self.floor:
            signal = signal + _floor(draw, len(signal), min(draw.uniform(-74, -50), level - 34))
        return np.clip(signal, -1.0, 1.0).astype(np.float32)


def _microphone(draw: np.random.Generator, signal: Signal) -> Signal:
    """A random device: its range, and a few dB of colour."""
    if draw.random() < 0.5:
        signal = highpass(signal, draw.uniform(30, 160))
    if draw.random() < 0.3:
        signal = lowpass(signal, draw.uniform(4000, 7500))
    gains = draw.normal(0, draw.uniform(0.5, 3.5), 6)
    return equalised(signal, [80, 250, 700, 1800, 4000, 7500], gains.tolist())


def _floor(draw: np.random.Generator, length: int, level: float) -> Signal:
    """Noise of a place with an RMS of `level` dBFS: its colour, a slow coming and going, at times the hum of mains."""
    noise = coloured(draw, length, draw.uniform(2, 8)) * np.exp(0.15 * wander(draw, length, draw.uniform(0.2, 2)))
    if draw.random() < 0.25:
        mains = float(draw.choice([50.0, 60.0]))
        turns = 2 * np.pi * mains * np.arange(length) / SAMPLE_RATE
        for overtone in (1, 2, 3, 5):
            noise += draw.uniform(0, 0.7) / overtone * np.sin(overtone * turns + draw.uniform(0, 6.28))
    return noise * decibels(level)
