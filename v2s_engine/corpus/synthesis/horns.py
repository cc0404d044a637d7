"""Horns and steam whistles of trains: chords that are blown.

A horn is a set of reeds with bells, rich in overtones, a whistle a set of stopped pipes with few overtones and much
breath; both take a moment to come up to pitch (Fletcher and Rossing, "The Physics of Musical Instruments", 1998,
chapters 14 and 17). The chords are near those of common air horns and chime whistles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.filters import bandpass
from v2s_engine.corpus.synthesis.machines import normalised, shaped, tone
from v2s_engine.corpus.synthesis.noise import wander
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import add_at, clock, lengths, log_uniform, swell

_HORN_CHORDS = (
    (1.0, 1.19, 1.33, 1.59, 2.0),
    (1.0, 1.25, 1.5),
    (1.0, 1.2, 1.5, 1.78),
    (1.0, 1.33),
    (1.0, 1.26),
    (1.0,),
)
_WHISTLE_CHORDS = ((1.0, 1.25, 1.5), (1.0, 1.19, 1.41, 1.68), (1.0, 1.06, 1.33, 1.5, 1.8), (1.0, 1.2), (1.0,))


@dataclass(frozen=True)
class Horn:
    """One horn or whistle."""

    pitches: tuple[float, ...]
    """Hz of its reeds or pipes."""
    strengths: tuple[float, ...]
    """Amplitudes of the harmonics of each."""
    bell: float
    """Hz that it carries best."""
    breath: float
    """Noise beside the tones, as a share of them."""
    sag: float
    """Share of its pitch that it starts below, and falls by when the air goes."""

    @classmethod
    def drawn(cls, draw: np.random.Generator) -> Horn:
        """An air horn."""
        chord = _HORN_CHORDS[draw.integers(len(_HORN_CHORDS))]
        slope = draw.uniform(0.5, 1.5)
        return cls(
            pitches=_tuned(draw, chord, log_uniform(draw, 190, 420)),
            strengths=tuple(draw.uniform(0.5, 1.0) / number**slope for number in range(1, 24)),
            bell=log_uniform(draw, 450, 1300),
            breath=draw.uniform(0.0, 0.15),
            sag=draw.uniform(0.0, 0.05),
        )

    @classmethod
    def steam(cls, draw: np.random.Generator) -> Horn:
        """A steam whistle."""
        chord = _WHISTLE_CHORDS[draw.integers(len(_WHISTLE_CHORDS))]
        return cls(
            pitches=_tuned(draw, chord, log_uniform(draw, 330, 950)),
            strengths=(
                1.0,
                draw.uniform(0.05, 0.4),
                draw.uniform(0.05, 0.35),
                0.1 * draw.random(),
                0.1 * draw.random(),
            ),
            bell=log_uniform(draw, 600, 1500),
            breath=draw.uniform(0.15, 0.8),
            sag=draw.uniform(0.02, 0.15),
        )

    def blast(self, draw: np.random.Generator, length: int) -> Signal:
        """Blown for `length` samples."""
        rising, falling = draw.uniform(0.03, 0.2), draw.uniform(0.06, 0.4)
        pressure = swell(length, rising, falling) * (
            1 + draw.uniform(0.03, 0.2) * wander(draw, length, draw.uniform(4, 12))
        )
        bend = 1 - self.sag * (1 - swell(length, 3 * rising, 2 * falling)) + 0.002 * wander(draw, length, 3.0)
        sound = np.zeros(length)
        for pitch in self.pitches:
            # Each reed answers at its own moment.
            late = np.clip((clock(length) - draw.uniform(0, 0.06)) / 0.02, 0, 1)
            own = tone(pitch * bend, self.strengths, draw.random())
            noise = bandpass(draw.standard_normal(length), pitch, draw.uniform(4, 15))
            sound += draw.uniform(0.6, 1.0) * late * (own + 2 * self.breath * noise)
        sound += self.breath * 0.15 * draw.standard_normal(length)
        low, high = self.bell / 2, self.bell * 2
        return pressure * shaped(sound, [(low / 4, -22), (low, -2), (self.bell, 0), (high, -6), (high * 4, -20)])

    def calls(self, draw: np.random.Generator, length: int) -> Signal:
        """One to five blasts, long and short ones, somewhere in `length`; RMS of 1, at least a part of one is heard."""
        track = np.zeros(length)
        at = draw.uniform(-0.5, 0.35) * length if draw.random() < 0.5 else draw.uniform(0, 0.1) * length
        for _ in range(int(draw.integers(1, 6))):
            held = lengths(log_uniform(draw, 0.25, 0.7) if draw.random() < 0.4 else log_uniform(draw, 0.9, 4.0))
            held = max(held, int(0.3 * length - at))
            add_at(track, self.blast(draw, held), int(at))
            at += held + lengths(log_uniform(draw, 0.1, 1.0))
            if at > length:
                break
        return normalised(track)


def _tuned(draw: np.random.Generator, chord: tuple[float, ...], lowest: float) -> tuple[float, ...]:
    return tuple(lowest * step * draw.normal(1, 0.006) for step in chord)
