"""Timbre: the spectral envelope and the pitch of a sound, 62.5 times a second, as exact numbers.

A source-filter model makes a sound in two: the network makes an excitation that is nearly white, and filters that
follow the timbre colour it. So LPCNet does for speech (Valin and Skoglund 2019): a small network need not learn what a
filter can do. Here filters have unit gain for white noise; how loud a sound is remains the network's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.options import TIMBRE_BANDS

BANDS = TIMBRE_BANDS
"""Bands of the spectral envelope, equally wide on the mel scale, from 30 Hz to 7,900 Hz."""

LEVELS_PER_DB = 3
FLOOR_DB = -60.0
"""Level 0: a band's power beside the mean over all frequencies. Level 255 is 25 dB."""

LEAST_LAG, MOST_LAG = 12, 400
"""Samples at 16 kHz: pitches from 40 Hz to 1,333 Hz."""

MOST_STRENGTH = 0.95
"""What strength 255 stands for; at 1 a pitch filter would ring for ever."""


@dataclass(frozen=True, eq=False)
class Timbre:
    """Spectral envelope and pitch of N steps of 256 samples. Whole numbers, so that all machines hold the same.

    Raises `UsageError` where shapes or lags do not fit.
    """

    levels: NDArray[np.uint8]
    """`[N + 1, BANDS]`: at the start of every step and at the end of the last, a third dB each above `FLOOR_DB`."""
    lags: NDArray[np.uint16]
    """`[N]`: the period in samples, `LEAST_LAG` to `MOST_LAG`; 0 where there is no pitch."""
    strengths: NDArray[np.uint8]
    """`[N]`: how strongly a period repeats the one before; 0 where there is no pitch."""

    def __post_init__(self) -> None:
        steps = len(self.lags)
        if self.levels.shape != (steps + 1, BANDS) or not self.lags.shape == self.strengths.shape == (steps,):
            raise UsageError(
                f"a timbre of {steps} steps wants levels [{steps + 1}, {BANDS}], lags and strengths [{steps}]; got "
                f"{list(self.levels.shape)}, {list(self.lags.shape)} and {list(self.strengths.shape)}"
            )
        voiced = self.lags[self.lags > 0]
        if len(voiced) and (voiced.min() < LEAST_LAG or voiced.max() > MOST_LAG):
            raise UsageError(f"lags must be 0 or lie in {LEAST_LAG}..{MOST_LAG}; got {voiced.min()}..{voiced.max()}")

    def __len__(self) -> int:
        return len(self.lags)

    def __getitem__(self, steps: slice) -> Timbre:
        """Some steps that follow each other, with the levels at both their ends."""
        first, last, stride = steps.indices(len(self))
        if stride != 1:
            raise UsageError(f"steps of a timbre must follow each other; got a stride of {stride}")
        last = max(first, last)
        return Timbre(self.levels[first : last + 1], self.lags[first:last], self.strengths[first:last])

    @classmethod
    def neutral(cls, steps: int) -> Timbre:
        """White and without pitch: filters that change nothing."""
        return cls(
            np.full((steps + 1, BANDS), round(-FLOOR_DB * LEVELS_PER_DB), np.uint8),
            np.zeros(steps, np.uint16),
            np.zeros(steps, np.uint8),
        )

    @classmethod
    def join(cls, parts: Sequence[Timbre]) -> Timbre:
        """One timbre of parts, at least one, that follow each other; where two meet, the later one's levels hold."""
        return cls(
            np.concatenate([part.levels[:-1] for part in parts] + [parts[-1].levels[-1:]]),
            np.concatenate([part.lags for part in parts]),
            np.concatenate([part.strengths for part in parts]),
        )

    def levels_db(self) -> NDArray[np.float64]:
        """The levels `[N + 1, BANDS]` in dB."""
        return self.levels / LEVELS_PER_DB + FLOOR_DB

    def pitch_gains(self) -> NDArray[np.float64]:
        """Gain `[N]` in [0, 0.95] with which a period repeats the one before."""
        return np.where(self.lags > 0, self.strengths * (MOST_STRENGTH / 255), 0.0)


def timbre_vectors(timbre: Timbre) -> NDArray[np.float32]:
    """What the coarsest tier is told of a timbre: `[N, TIMBRE_SIZE]` float32.

    Pitch in octaves around 250 Hz and its strength (0, 0 without), then the levels at the step's start and at its end,
    20 dB being 1.
    """
    gains = timbre.pitch_gains()
    octaves = np.log2(64.0 / np.where(timbre.lags > 0, timbre.lags, 64)) / 2
    levels = timbre.levels_db() / 20
    told = np.concatenate([(octaves * (gains > 0))[:, None], gains[:, None], levels[:-1], levels[1:]], axis=1)
    return told.astype(np.float32)
