"""The case of a printer, and all that sounds in it: stepper motors, fan, clunks.

(Farnell, "Designing Sound", 2010, on motors: a tone that follows the speed, brush noise with it, and the housing's
modes over both.)
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
    shaped,
    shaped_noise,
    struck,
    tone,
)
from v2s_engine.corpus.synthesis.noise import wander
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import at_peak, lengths, log_uniform, smoothed


@dataclass(frozen=True)
class Housing:
    """One printer's case and frame: what colours its motors, and how it rings when something strikes it."""

    colour: Points
    modes: Modes
    overtones: tuple[float, ...]
    """Amplitudes of a stepper's harmonics."""

    @classmethod
    def drawn(cls, draw: np.random.Generator) -> Housing:
        """A random one."""
        bumps = sorted(log_uniform(draw, 150, 7000) for _ in range(9))
        slope = draw.uniform(0.3, 1.4)
        return cls(
            colour=[(60.0, -25.0), *((at, draw.normal(0, 7)) for at in bumps), (7900.0, -20.0)],
            modes=drawn_modes(draw, 7, 120, 4500, sharpness=draw.uniform(2, 7)),
            overtones=tuple(draw.uniform(0.1, 1.0) / number**slope for number in range(1, 13)),
        )

    def motor(self, draw: np.random.Generator, speed: Signal, steps: float, *, rub: float) -> Signal:
        """A stepper at `speed` (0..1, `[L]`; silent at 0) that makes `steps` a second at 1, and what it moves.

        `rub` is the noise of that, as a share of the motor's tone.
        """
        running = smoothed(np.clip(speed * 20, 0, 1), lengths(0.006))
        rate = np.maximum(speed, 0.02) * steps * (1 + 0.002 * wander(draw, len(speed), 40))
        friction = draw.standard_normal(len(speed)) * speed * (1 + 0.3 * wander(draw, len(speed), 50))
        return shaped((tone(rate, self.overtones) + rub * friction) * running, self.colour)

    def clunks(self, draw: np.random.Generator, length: int, positions: Signal, gains: Signal | float) -> Signal:
        """Levers, clutches and stops that strike the case at `positions`; highest amplitude 1, silence where none."""
        spectrum = around(log_uniform(draw, 700, 4000), 3, slope=6)
        tick = bursts(draw, length, positions, gains, fall=log_uniform(draw, 0.002, 0.012), points=spectrum)
        return at_peak(at_peak(struck(draw, length, positions, gains, self.modes)) + 0.7 * at_peak(tick))

    def fan(self, draw: np.random.Generator, length: int) -> Signal:
        """Noise of air and the tone of the blades; RMS of 1."""
        blades = log_uniform(draw, 90, 700) * (1 + 0.004 * wander(draw, length, 1.0))
        hum = draw.uniform(0.0, 0.6) * tone(blades, [1.0, 0.5, 0.25, 0.15], draw.random())
        air = shaped_noise(draw, length, [(60, 0), (500, -2), (2000, -10), (8000, -24)])
        return normalised((air + hum) * np.exp(draw.uniform(0.0, 0.2) * wander(draw, length, 0.8)))
