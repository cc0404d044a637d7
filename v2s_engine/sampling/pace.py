"""How many samples a sampler is asked for at a time, so that work can be stopped between two calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.sampling.sampler import Sampler

PIECE_LENGTH: Final = 8 * FRAME_LENGTH
"""Samples that one call of a sampler makes at most (half a second)."""

CALL_DURATION: Final = 0.08
"""Seconds that a call should last at most. Cancelling takes one call and what else is to be put away: below 0.2 s."""

_FIRST_LENGTH = 64
_MOST_GROWTH = 4  # from call to call: a first call that was held up by loading code says little


class Pace:
    """Finds out how long calls of a sampler last, and says how long the next may be.

    Pieces are whole frames of 1,024 samples, or whole fractions of a frame that are powers of two: so rows that began
    at different times meet at the edges of frames, and a sampler that works frame by frame (`cuda`) is given frames.
    How a sound is cut into calls never shows in it (see `Sampler`). Use one for each run.
    """

    def __init__(self, sampler: Sampler, clock: Callable[[], float] = time.perf_counter) -> None:
        self._least = FRAME_LENGTH if sampler.name == "cuda" else sampler.config.coarse_unit
        self._most = max(self._least, _FIRST_LENGTH)
        self._clock = clock
        self._rows = 1

    def length(self, position: int, rows: int) -> int:
        """Samples that the next call for `rows` rows should make at most; all stand `position` samples into a frame."""
        allowed = max(self._least, self._most * self._rows // max(rows, self._rows))
        left = FRAME_LENGTH - position % FRAME_LENGTH
        if left < FRAME_LENGTH:
            return min(_power_of_two(allowed), left)
        if allowed < FRAME_LENGTH:
            return _power_of_two(allowed)
        return min(allowed, PIECE_LENGTH) // FRAME_LENGTH * FRAME_LENGTH

    @contextmanager
    def timed(self, length: int, rows: int) -> Iterator[None]:
        """Measure a call for `length` samples of `rows` rows."""
        start = self._clock()
        yield
        took = self._clock() - start
        if length:
            fits = PIECE_LENGTH if took <= 0 else int(length * CALL_DURATION / took)
            self._most, self._rows = max(self._least, min(fits, _MOST_GROWTH * length, PIECE_LENGTH)), rows


def _power_of_two(number: int) -> int:
    """The greatest that is not above `number`."""
    return 1 << (number.bit_length() - 1)
