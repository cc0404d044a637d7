"""Something that moves past a listener: delay, and so Doppler's shift; spreading; the dullness of what is far."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.filters import equalised
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import clock
from v2s_engine.grid import SAMPLE_RATE

_SPEED_OF_SOUND = 343.0  # m/s, at 20 °C
_DULLING_DISTANCE = 900.0  # metres beyond which only what the ground and the air let through is left


@dataclass(frozen=True)
class Passage:
    """Where a source is: `distances` `[L]` metres from the listener at each sample. Slower than sound."""

    distances: Signal

    @classmethod
    def straight(cls, length: int, *, speed: float, nearest: float, middle: float) -> Passage:
        """Past at `speed` m/s, `nearest` metres away after `middle` of the excerpt (0..1, or outside of it)."""
        along = (clock(length) - middle * length / SAMPLE_RATE) * speed
        return cls(np.hypot(nearest, along))

    @property
    def source_length(self) -> int:
        """Samples for which the source has to sound."""
        return math.ceil(float(self._positions()[-1])) + 4

    def heard(self, source: Signal) -> Signal:
        """What the listener hears `[L]` of `source` `[source_length]`; as loud as the source where it is nearest."""
        positions = self._positions()
        dull = equalised(source, [300, 1200, 4000, 8000], [0, -6, -24, -48])
        far = np.clip(self.distances / _DULLING_DISTANCE, 0, 1)
        sound = _read_at(source, positions) * (1 - far) + _read_at(dull, positions) * far
        return np.asarray(sound * self.distances.min() / self.distances)

    def _positions(self) -> Signal:
        """Which sample of the source arrives at each of the listener's."""
        delays = (self.distances - self.distances[0]) / _SPEED_OF_SOUND
        return np.asarray(1 + np.arange(len(self.distances)) - delays * SAMPLE_RATE)


def _read_at(signal: Signal, positions: Signal) -> Signal:
    """`signal` between its samples, by cubic (Catmull-Rom) interpolation."""
    whole = np.clip(positions.astype(np.int64), 1, len(signal) - 3)
    part = positions - whole
    a, b, c, d = (signal[whole + offset] for offset in (-1, 0, 1, 2))
    bend = 2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)
    return np.asarray(b + 0.5 * part * (c - a + part * bend))
