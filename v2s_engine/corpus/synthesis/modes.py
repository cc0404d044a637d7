"""Things that ring: sums of damped tones.

Van den Doel and Pai, "The sounds of physical shapes" (Presence 7, 1998); Cook, "Real Sound Synthesis for Interactive
Applications" (A K Peters 2002), chapter 4: modal synthesis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.synthesis.compiling import compiled
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.grid import SAMPLE_RATE

CIRCULAR_MEMBRANE = (1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501, 3.6, 3.652, 4.06, 4.154)
"""Modes of an ideal circular membrane over its lowest: zeros of Bessel functions (Fletcher and Rossing, "The Physics of
Musical Instruments", section 3.3)."""


@dataclass(frozen=True)
class Modes:
    """How something rings."""

    frequencies: NDArray[np.float64]
    """`[K]` Hz; those above 7.9 kHz stay silent."""
    decays: NDArray[np.float64]
    """`[K]` seconds per 60 dB."""
    gains: NDArray[np.float64]
    """`[K]` amplitudes at the start."""

    def struck(self, draw: np.random.Generator, length: int, bend: Signal | None = None) -> Signal:
        """All modes struck at once, `[length]`; `bend` `[length]` multiplies their frequencies over time."""
        audible = self.frequencies * (1.0 if bend is None else float(bend.max())) < 7900
        gains = np.where(audible, self.gains, 0.0) * draw.choice([-1.0, 1.0], len(self.gains))
        turns = 2 * np.pi * self.frequencies / SAMPLE_RATE
        radii = 0.001 ** (1 / (self.decays * SAMPLE_RATE))
        ringing: Signal = _ring(length, turns, radii, gains) if bend is None else _ring_bent(bend, turns, radii, gains)
        return ringing

    def driven(self, excitation: Signal) -> Signal:
        """The modes as resonators of an excitation `[L]`: an impulse of 1 starts each at its gain."""
        audible = self.frequencies < 7900
        turns = 2 * np.pi * self.frequencies[audible] / SAMPLE_RATE
        radii = 0.001 ** (1 / (self.decays[audible] * SAMPLE_RATE))
        ringing: Signal = _drive(excitation, turns, radii, self.gains[audible])
        return ringing


@compiled
def _ring(length: int, turns: Signal, radii: Signal, gains: Signal) -> Signal:
    total = np.zeros(length)
    for k in range(len(turns)):
        if gains[k] == 0.0:
            continue
        real, imaginary = gains[k], 0.0
        cosine, sine = radii[k] * np.cos(turns[k]), radii[k] * np.sin(turns[k])
        floor = 1e-7 * abs(gains[k])
        for n in range(length):
            total[n] += imaginary
            real, imaginary = cosine * real - sine * imaginary, sine * real + cosine * imaginary
            if abs(real) + abs(imaginary) < floor:
                break
    return total


@compiled
def _ring_bent(bend: Signal, turns: Signal, radii: Signal, gains: Signal) -> Signal:
    total = np.zeros(len(bend))
    for k in range(len(turns)):
        if gains[k] == 0.0:
            continue
        phase, gain = 0.0, gains[k]
        floor = 1e-7 * abs(gains[k])
        for n in range(len(bend)):
            total[n] += gain * np.sin(phase)
            phase += turns[k] * bend[n]
            gain *= radii[k]
            if abs(gain) < floor:
                break
    return total


@compiled
def _drive(excitation: Signal, turns: Signal, radii: Signal, gains: Signal) -> Signal:
    total = np.zeros(len(excitation))
    for k in range(len(turns)):
        feedback, loss = 2 * radii[k] * np.cos(turns[k]), radii[k] * radii[k]
        entry = gains[k] * np.sin(turns[k])
        last, older = 0.0, 0.0
        for n in range(len(excitation)):
            out = entry * excitation[n] + feedback * last - loss * older + 1e-30
            older, last = last, out
            total[n] += out
    return total
