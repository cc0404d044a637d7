"""Helicopters: blades that beat the air, a tail rotor, a turbine; and, at times, a small drone.

Main rotors turn slowly: 10 to 30 blades a second pass. Each pass is a thump of low noise, and a slap where a blade
meets the vortex of the one before (J. G. Leishman, "Principles of Helicopter Aerodynamics", 2006, on rotor noise). The
tail rotor hums at 60 to 120 blades a second, the turbine whines, and distance takes what is high (Farnell, "Designing
Sound", 2010, builds a helicopter of these parts).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.machines import (
    around,
    bursts,
    normalised,
    phase_of,
    pulse_train,
    shaped,
    shaped_noise,
    tone,
    turn_positions,
)
from v2s_engine.corpus.synthesis.noise import wander
from v2s_engine.corpus.synthesis.passage import Passage
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.room import far_away
from v2s_engine.corpus.synthesis.shapes import clock, lengths, log_uniform, smoothed
from v2s_engine.grid import SAMPLE_RATE


def helicopter(draw: np.random.Generator, length: int) -> Samples:
    """An excerpt `[length]` of one helicopter, or of a drone (one in eight)."""
    makers = (_hovering, _hovering, _hovering, _flying_past, _flying_past, _cabin, _spooling, _drone)
    make = makers[draw.integers(len(makers))]
    return Recording(room=0.05, outside=0.35, floor=0.7, peak=(-32.0, -6.0)).take(draw, make(draw, length))


@dataclass(frozen=True)
class Rotorcraft:
    """One helicopter."""

    blades: tuple[float, ...]
    """How loud each blade of the main rotor is: no two are alike."""
    passes: float
    """Blades a second that pass at full speed, 10 to 30."""
    thump: tuple[float, float]
    """Centre (Hz) and fall (seconds) of the noise of one pass."""
    slap: float
    """How loud slaps are beside thumps."""
    crack: float
    """Seconds that a slap lasts."""
    tail: float
    """Blades of the tail rotor a second, 60 to 120."""
    tail_share: float
    """RMS of the tail rotor; that of the main rotor is 1."""
    whines: tuple[float, ...]
    """Hz of the turbine's and the gears' tones."""
    whine_share: float
    wash_share: float
    """RMS of the rush of air."""

    @classmethod
    def drawn(cls, draw: np.random.Generator) -> Rotorcraft:
        """A random one, from two blades that beat slowly to five that purr."""
        passes = log_uniform(draw, 10.0, 30.0)
        return cls(
            blades=tuple(draw.uniform(0.7, 1.0, int(draw.integers(2, 6)))),
            passes=passes,
            thump=(log_uniform(draw, 120, 550), draw.uniform(0.12, 0.35) / passes),
            slap=draw.uniform(0.0, 1.5) if draw.random() < 0.7 else 0.0,
            crack=log_uniform(draw, 0.0006, 0.003),
            tail=draw.uniform(60, 120),
            tail_share=log_uniform(draw, 0.05, 0.7),
            whines=tuple(log_uniform(draw, 900, 7000) for _ in range(int(draw.integers(1, 5)))),
            whine_share=log_uniform(draw, 0.01, 0.15),
            wash_share=log_uniform(draw, 0.05, 0.6),
        )

    def sound(self, draw: np.random.Generator, speed: Signal) -> Signal:
        """Its sound close by, for a rotor at `speed` (1: full, `[L]`); RMS about 1 at full speed."""
        length = len(speed)
        phase = phase_of(self.passes * speed, draw.random())
        positions = turn_positions(phase)
        loudness = np.resize(self.blades, len(positions)) * draw.uniform(0.85, 1.1, len(positions))
        centre, fall = self.thump
        spectrum = [(centre / 6, -16.0), (centre / 2, -2.0), (centre, 0.0), (centre * 4, -20.0), (centre * 16, -48.0)]
        thumps = bursts(draw, length, positions, loudness, fall=fall, rise=fall / 3, points=spectrum)
        sound = normalised(thumps) + self._beats(draw, length, positions, loudness)
        slaps = loudness * np.interp(positions, np.arange(length), np.clip(0.8 + 0.6 * wander(draw, length, 0.7), 0, 2))
        sound += self.slap * self._slaps(draw, length, positions, slaps)
        hum = [draw.uniform(0.3, 1.0) / number**0.7 for number in range(1, 16)]
        sound += self.tail_share * normalised(tone(self.tail * speed, hum, draw.random()))
        wash = shaped_noise(draw, length, around(log_uniform(draw, 300, 1500), 2, slope=6))
        sound += self.wash_share * wash * (1 + 0.6 * np.cos(2 * np.pi * phase + draw.uniform(0, 6)))
        return (sound + self._whine(draw, speed)) * speed**1.5

    def _beats(self, draw: np.random.Generator, length: int, positions: Signal, loudness: Signal) -> Signal:
        """The even part of the thumps, the same at every pass: low harmonics of the blades' rate."""
        width = draw.uniform(0.002, 0.007)
        at = (clock(lengths(10 * width)) - 5 * width) / width
        return draw.uniform(0.3, 1.2) * normalised(pulse_train(length, positions, loudness, -at * np.exp(-at * at / 2)))

    def _slaps(self, draw: np.random.Generator, length: int, positions: Signal, loudness: Signal) -> Signal:
        """Sharp cracks, a part of each pass after the thump."""
        late = positions + draw.uniform(0.0, 0.4) / self.passes * SAMPLE_RATE + draw.normal(0, 8, len(positions))
        at = (clock(lengths(10 * self.crack)) - 5 * self.crack) / self.crack
        pulse = (1 - at * at) * np.exp(-at * at / 2)
        noise = bursts(
            draw, length, late, loudness, fall=4 * self.crack, rise=self.crack, points=around(900, 3, slope=6)
        )
        return normalised(pulse_train(length, late, loudness, pulse)) + 0.7 * normalised(noise)

    def _whine(self, draw: np.random.Generator, speed: Signal) -> Signal:
        sound = np.zeros(len(speed))
        for pitch in self.whines:
            steady = 1 + 0.001 * wander(draw, len(speed), 3.0)
            sound += draw.uniform(0.3, 1.0) * tone(pitch * speed * steady, [1.0, 0.25], draw.random())
        hiss = shaped_noise(draw, len(speed), around(4500, 2, slope=6))
        return self.whine_share * (normalised(sound) + draw.uniform(0.1, 1.0) * hiss)


def _hovering(draw: np.random.Generator, length: int) -> Signal:
    """In one place, near or far; gusts carry its sound to and fro."""
    speed = 1 + 0.006 * wander(draw, length, 0.5)
    sound = far_away(Rotorcraft.drawn(draw).sound(draw, speed), log_uniform(draw, 20, 1500))
    return np.asarray(sound * np.exp(draw.uniform(0.0, 0.25) * wander(draw, length, draw.uniform(0.3, 1.5))))


def _flying_past(draw: np.random.Generator, length: int) -> Signal:
    """Over or past the listener; it slaps most while it comes."""
    nearest, pace = log_uniform(draw, 30, 400), draw.uniform(20, 75)
    passage = Passage.straight(length, speed=pace, nearest=nearest, middle=draw.uniform(-0.3, 1.3))
    craft = Rotorcraft.drawn(draw)
    return passage.heard(craft.sound(draw, 1 + 0.004 * wander(draw, passage.source_length, 0.5)))


def _cabin(draw: np.random.Generator, length: int) -> Signal:
    """From within: the low part through the walls, gears above it."""
    craft = Rotorcraft.drawn(draw)
    speed = 1 + 0.004 * wander(draw, length, 0.5)
    walls = [(40.0, 0.0), (250.0, 0.0), (1000.0, draw.uniform(-15, -5)), (6000.0, draw.uniform(-30, -15))]
    rumble = shaped_noise(draw, length, [(40, 0), (120, 0), (1000, -18), (8000, -36)])
    gears = tone(log_uniform(draw, 500, 2500) * speed, [1.0, 0.4, 0.2], draw.random())
    return (
        shaped(craft.sound(draw, speed), walls) + draw.uniform(0.2, 1.0) * rumble + log_uniform(draw, 0.01, 0.2) * gears
    )


def _spooling(draw: np.random.Generator, length: int) -> Signal:
    """On the ground: started, or running down."""
    first, last = np.sort(draw.uniform(0.15, 1.0, 2))
    speed = smoothed(np.linspace(first, max(last, first + 0.2), length), lengths(0.5))
    if draw.random() < 0.35:
        speed = speed[::-1].copy()
    return far_away(Rotorcraft.drawn(draw).sound(draw, speed), log_uniform(draw, 10, 150))


def _drone(draw: np.random.Generator, length: int) -> Signal:
    """Four or six small rotors, none quite as fast as another, that follow the wind and the pilot."""
    passes = log_uniform(draw, 120, 330)
    pilot = 0.05 * wander(draw, length, draw.uniform(0.2, 1.0))
    sound = np.zeros(length)
    strengths = [draw.uniform(0.2, 1.0) / number ** draw.uniform(0.3, 0.8) for number in range(1, 22)]
    for _ in range(int(draw.choice([4, 6]))):
        own = draw.normal(0, 0.02) + 0.012 * wander(draw, length, 2.5)
        sound += draw.uniform(0.5, 1.0) * tone(passes * (1 + pilot + own), strengths, draw.random())
    air = shaped_noise(draw, length, around(4000, 3, slope=6)) * (1 + 0.3 * wander(draw, length, 12.0))
    return far_away(normalised(sound) + draw.uniform(0.1, 0.6) * air, log_uniform(draw, 3, 300))
