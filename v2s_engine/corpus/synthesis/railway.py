"""What a train is made of: wheels on rails, joints, motors, squealing wheels.

D. Thompson, "Railway Noise and Vibration" (2009): rolling noise comes from the roughness of wheel and rail and grows by
about 9 dB per doubling of speed; squeal is the wheel's own modes, which friction drives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.machines import (
    Modes,
    Points,
    around,
    bursts,
    drawn_modes,
    normalised,
    phase_of,
    shaped,
    shaped_noise,
    struck,
    tone,
    turn_positions,
)
from v2s_engine.corpus.synthesis.noise import wander
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import at_peak, log_uniform, smoothed
from v2s_engine.grid import SAMPLE_RATE

_USUAL_SPEED = 25.0  # m/s at which rolling has an RMS of about 1


@dataclass(frozen=True)
class Line:
    """Wheels and rails."""

    axles: tuple[float, ...]
    """Metres of each axle of a car behind its first."""
    car: float
    """Metres from a car's first axle to the next car's."""
    rail: float
    """Metres from joint to joint."""
    modes: Modes
    """How wheel, rail and floor ring when struck."""
    clatter: float
    """Peak of the joints over the RMS of the rolling; 0: rails without joints."""
    roughness: Points
    """Spectrum of the rolling."""
    hiss: float
    """RMS of what is high in the rolling; that of the rest is 1."""

    @classmethod
    def drawn(cls, draw: np.random.Generator, *, inside: bool) -> Line:
        """A random line and train; of what is heard inside, walls leave the low part."""
        base, apart = draw.uniform(1.8, 2.8), draw.uniform(9.0, 19.0)
        tilt = draw.uniform(-10, -3) if inside else draw.uniform(-4, 0)
        peak = log_uniform(draw, 60, 400) if inside else log_uniform(draw, 120, 900)
        falling = [(peak * 2**octave, tilt * octave + draw.normal(0, 2)) for octave in range(1, 6)]
        highest = 1200 if inside else 3500
        return cls(
            axles=(0.0, base, apart, apart + base),
            car=apart + base + draw.uniform(4.0, 7.0),
            rail=float(draw.choice([12.5, 15.0, 18.0, 25.0, 36.0])),
            modes=[*drawn_modes(draw, 5, 60, 400, sharpness=1.8), *drawn_modes(draw, 4, 350, highest, sharpness=6)],
            clatter=log_uniform(draw, 4, 40) if draw.random() < (0.8 if inside else 0.55) else 0.0,
            roughness=[(peak / 8, -26.0), (peak / 2, -4.0), (peak, 0.0), *falling],
            hiss=draw.uniform(0.0, 0.05 if inside else 0.3),
        )

    def rolling(self, draw: np.random.Generator, speed: Signal) -> Signal:
        """Wheels that roll at `speed` (m/s, `[L]`)."""
        length = len(speed)
        turns = phase_of(speed / draw.uniform(2.2, 3.2), draw.random())  # round once every 2.2 to 3.2 m
        unround = 1 + draw.uniform(0.0, 0.3) * np.cos(2 * np.pi * turns) + 0.12 * wander(draw, length, 3.0)
        hiss = self.hiss * shaped_noise(draw, length, around(log_uniform(draw, 900, 2500), 1.5, slope=9))
        bumps = np.exp(draw.uniform(0.05, 0.45) * wander(draw, length, draw.uniform(4, 14)))
        noise = bumps * shaped_noise(draw, length, self.roughness) + hiss * (1 + 0.4 * wander(draw, length, 1.5))
        return np.asarray(noise * unround * (speed / _USUAL_SPEED) ** 1.5)

    def clattering(self, draw: np.random.Generator, speed: Signal, *, beside: bool) -> Signal:
        """Joints struck at `speed` (m/s, `[L]`): one joint by the whole train, for who stands `beside` the line; else
        joint after joint by the car in which one sits.
        """
        way = np.cumsum(speed) / SAMPLE_RATE + draw.uniform(0, 100)
        period = self.car if beside else self.rail
        near = (1.0, 1.0, 0.9, 0.9) if beside else (1.0, 1.0, *draw.uniform(0.15, 0.7, 2))
        hits = [turn_positions((way - axle) / period) for axle in self.axles]
        forces = np.concatenate([np.full(len(at), share) for at, share in zip(hits, near, strict=True)])
        positions = np.concatenate(hits) + draw.normal(0, 0.002 * SAMPLE_RATE, len(forces))
        forces *= draw.uniform(0.5, 1.3, len(forces)) * np.interp(positions, np.arange(len(speed)), speed)
        ringing = struck(draw, len(speed), positions, forces, self.modes)
        fall, centre = log_uniform(draw, 0.006, 0.04), log_uniform(draw, 300, 1800)
        knock = bursts(draw, len(speed), positions, forces, fall=fall, rise=fall / 8, points=around(centre, 2, slope=4))
        loudness = self.clatter * float(speed.max()) / _USUAL_SPEED
        return loudness * (at_peak(ringing) + draw.uniform(0.5, 1.5) * at_peak(knock))


def diesel(draw: np.random.Generator, speed: Signal) -> Signal:
    """A diesel engine that runs in notches, faster at a higher `speed` (m/s, `[L]`); RMS of 1."""
    firing = draw.uniform(18, 35) * (1 + 0.6 * np.round(np.clip(speed / 20, 0, 1.5) * 4) / 4)
    firing = smoothed(firing, SAMPLE_RATE // 2) * (1 + 0.01 * wander(draw, len(speed), 6.0))
    rough = draw.uniform(0.3, 1.0, 40) / np.arange(1, 41) ** draw.uniform(0.4, 1.0)
    sound = normalised(tone(firing / 2, rough.tolist(), draw.random()))  # every other firing is like the one before
    blower = draw.uniform(0.1, 0.5) * shaped_noise(draw, len(speed), around(log_uniform(draw, 300, 1500), 2, slope=7))
    return normalised(shaped(sound, [(40, 0), (150, draw.uniform(-3, 6)), (1000, -6), (6000, -22)]) + blower)


def traction(draw: np.random.Generator, speed: Signal) -> Signal:
    """Electric motors and their inverter: tones that rise with `speed` (m/s, `[L]`), in steps at times; RMS of 1."""
    gear = draw.uniform(18, 60) * speed
    sound = tone(gear, [1.0, draw.uniform(0.1, 0.6), draw.uniform(0.0, 0.4), draw.uniform(0.0, 0.3)], draw.random())
    steps = draw.integers(3, 7)
    pulses = np.maximum(1, steps - np.floor(speed / draw.uniform(2, 5)))  # fewer pulses per turn the faster it goes
    switched = smoothed(gear * draw.uniform(0.4, 1.1) * pulses, 800)
    sound += draw.uniform(0.0, 0.9) * tone(switched, [1.0, 0.3, 0.3], draw.random())
    return normalised(sound * (1 + 0.2 * wander(draw, len(speed), 4.0)))


def squeal(draw: np.random.Generator, length: int) -> Signal:
    """Wheels that squeal: two to five modes that come and go and drift a little; peaks near 1."""
    sound = np.zeros(length)
    for pitch in np.sort([log_uniform(draw, 700, 6000) for _ in range(int(draw.integers(2, 6)))]):
        drift = 1 + 0.004 * wander(draw, length, 2.0) + 0.001 * wander(draw, length, 30.0)
        heard = np.clip(draw.uniform(-0.2, 0.6) + wander(draw, length, draw.uniform(0.5, 3)), 0, None)
        flutter = 1 + 0.5 * wander(draw, length, 25.0)
        sound += 0.3 * heard * flutter * tone(pitch * drift, [1.0, 0.2], draw.random())
    return sound
