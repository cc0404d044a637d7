"""The timbre of a new sound: stretches of recordings whose loudness runs as it is asked for, one after the other.

Unit selection (Hunt and Black 1996): where a sound starts, where a stretch ends, or where its loudness leaves what is
asked for, the next stretch is chosen by how well its loudness fits the next 0.4 s, and how well its timbre joins on. Of
the best some are as good as each other: the take decides. All sums are of whole numbers, so that all machines choose
alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope
from v2s_engine.timbre.palette import STEPS_PER_DB, Exemplars, loudness_steps
from v2s_engine.timbre.timbre import BANDS, LEVELS_PER_DB, Timbre

AHEAD = 24
"""Steps that are compared; a step's timbre is known when this many after it, and one more, are asked for."""

_BEFORE = 2  # steps before a stretch that are compared as well: what starts is not what goes on
_FLOOR = 20 * STEPS_PER_DB  # -60 dBFS: below, nothing is compared
_ONSET = 0.5
_BETWEEN_ONSETS = 4  # steps
_MOST_GAIN = 12 * STEPS_PER_DB  # a recording may be used louder or quieter by so much
_MISFIT = 8 * STEPS_PER_DB  # mean difference over the next steps at which a stretch is left
_MISFIT_STEPS = 8
_LEAST_STRETCH = 6  # steps
_MOST_HELD = 60  # steps: how long the last step of a recording may be held
_CHOICE = 6  # stretches that the take chooses from
_APART = 12  # steps between their beginnings
_REMEMBERED = 4  # stretches that are used again only rather than going to another recording
_STRANGER = (10 * STEPS_PER_DB) ** 2  # what it costs to go to another recording: one sound has one dog
_MORE_THAN_BEST = 3  # as good as the best: costs up to 3/2 of it, and a little
_A_LITTLE = 4 * STEPS_PER_DB**2
_AT_ONCE = 16  # steps of a long envelope that are chosen before whoever asked is asked again

Ints = NDArray[np.int32]


class TimbreChooser:
    """Chooses the timbre of one take step by step, as its envelope comes in. Keeps only what it still needs of it."""

    def __init__(self, exemplars: Exemplars, seed: int, take: int) -> None:
        self._exemplars = exemplars
        self._numbers = np.random.Philox(key=np.array([seed, take], np.uint64))
        self._wanted: Ints = np.full(_BEFORE, _FLOOR, np.int32)  # from _BEFORE steps before the next one to be chosen
        self._onsets: NDArray[np.bool_] = np.zeros(0, np.bool_)  # from the next one on
        ends = np.cumsum(exemplars.lengths.astype(np.int32), dtype=np.int32)
        self._end = np.repeat(ends, exemplars.lengths)  # [U]: where the recording of each step ends
        weights = np.concatenate([np.full(_BEFORE, 4), np.maximum(1, 8 - np.arange(AHEAD) // 3)])
        self._weights = weights.astype(np.int32)  # [_BEFORE + AHEAD]
        # Steps come last: sums over the others are then three times as fast.
        self._curves = _curves(exemplars, ends)  # [_BEFORE + AHEAD, U]
        self._curve_sums = self._weights @ self._curves  # [U]
        self._levels = np.ascontiguousarray(exemplars.timbre.levels.T, np.int16)  # [BANDS, U + 1]
        self._at: int | None = None
        self._gain = 0
        self._since = 0
        self._held = 0
        self._since_onset = _BETWEEN_ONSETS
        self._used: deque[int] = deque(maxlen=_REMEMBERED)
        self._chosen: list[int] = []  # exemplars' steps that are not given yet
        self._rests: list[bool] = []

    def add(self, envelope: Envelope) -> Timbre | None:
        """The timbre of as many more steps as can be known now; None where that is none yet."""
        loudness = np.maximum(loudness_steps(envelope.loudness), _FLOOR).astype(np.int32)
        self._wanted = np.concatenate([self._wanted, loudness])
        self._onsets = np.concatenate([self._onsets, envelope.onset >= _ONSET])
        self._choose_next(max(0, len(self._onsets) - AHEAD))
        return self._give(len(self._chosen) - 1)

    def parts(self, envelope: Envelope) -> Iterator[Timbre]:
        """What `add` gives, a few steps at a time: so a long envelope need not be waited for."""
        for first in range(0, len(envelope), _AT_ONCE):
            here = slice(first, first + _AT_ONCE)
            timbre = self.add(Envelope(envelope.loudness[here], envelope.onset[here]))
            if timbre is not None:
                yield timbre

    def finish(self) -> Timbre | None:
        """The timbre of all steps that are left; after the last one silence is expected."""
        self._wanted = np.concatenate([self._wanted, np.full(AHEAD, _FLOOR, np.int32)])
        self._choose_next(len(self._onsets))
        return self._give(len(self._chosen))

    def _choose_next(self, count: int) -> None:
        """Choose so many more steps, and forget what was asked for in them."""
        for step in range(count):
            self._choose(self._wanted[step : step + _BEFORE + AHEAD], starts=bool(self._onsets[step]))
        self._wanted, self._onsets = self._wanted[count:], self._onsets[count:]

    def _give(self, count: int) -> Timbre | None:
        """The first steps of those not given yet; where the step after them is known, its level ends the last one."""
        if count <= 0:
            return None
        held = self._exemplars.timbre
        at = np.array(self._chosen[:count])
        last = self._chosen[count] if count < len(self._chosen) else self._chosen[-1] + 1
        sounding = ~np.array(self._rests[:count])
        del self._chosen[:count], self._rests[:count]
        return Timbre(
            held.levels[np.append(at, last)],
            np.where(sounding, held.lags[at], 0).astype(np.uint16),
            np.where(sounding, held.strengths[at], 0).astype(np.uint8),
        )

    def _choose(self, wanted: Ints, *, starts: bool) -> None:
        """The exemplars' step for a step of the sound, from what is asked for around it `[_BEFORE + AHEAD]`.

        At rest the last timbre stays, without its pitch.
        """
        is_onset = starts and self._since_onset >= _BETWEEN_ONSETS
        self._since_onset = 0 if is_onset else self._since_onset + 1
        if wanted[_BEFORE] <= _FLOOR and not is_onset:
            self._rests.append(True)
            self._chosen.append(self._chosen[-1] if self._chosen else 0)
            self._at = None
            return
        following = None if self._at is None else self._at + 1
        if self._at is not None and following == self._end[self._at] and self._fades(wanted, is_onset=is_onset):
            self._held += 1
        elif following is not None and self._stays(following, wanted, is_onset=is_onset):
            self._at, self._since = following, self._since + 1
        else:
            self._at, self._since, self._held = self._draw(wanted, following), 0, 0
        self._rests.append(False)
        self._chosen.append(self._at)

    def _fades(self, wanted: Ints, *, is_onset: bool) -> bool:
        """Whether the last step of a recording is to be held, since what is asked for dies away longer than it did."""
        near = wanted[_BEFORE : _BEFORE + _MISFIT_STEPS]
        return not is_onset and self._held < _MOST_HELD and bool((np.diff(near) <= 2 * STEPS_PER_DB).all())

    def _stays(self, following: int, wanted: Ints, *, is_onset: bool) -> bool:
        """Whether the stretch goes on with the exemplars' step `following`."""
        if self._at is None or following >= self._end[self._at]:
            return False
        if is_onset:
            near = self._curves[:, following]
            return bool(near[_BEFORE] - near[0] > 12 * STEPS_PER_DB)  # it starts there as well
        if self._since < _LEAST_STRETCH:
            return True
        span = slice(_BEFORE, _BEFORE + _MISFIT_STEPS)
        expected = np.maximum(self._curves[span, following] + self._gain, _FLOOR)
        return bool(np.abs(wanted[span] - expected).sum() <= _MISFIT * _MISFIT_STEPS)

    def _draw(self, wanted: Ints, following: int | None) -> int:
        """A new stretch, where the loudness asked for fits best."""
        total = int(self._weights.sum())
        gains = np.clip((int(wanted @ self._weights) - self._curve_sums) // total, -_MOST_GAIN, _MOST_GAIN)
        misfits = np.maximum(self._curves + gains, _FLOOR) - wanted[:, None]
        misfits *= misfits
        misfits *= self._weights[:, None]
        costs = misfits.sum(axis=0, dtype=np.int32) // total
        if following is not None:
            costs = costs + self._join_costs(following)
        if self._used:
            costs = costs + np.where(self._end == self._end[self._used[-1]], 0, _STRANGER)
        for used in self._used:
            costs[max(0, used - _APART) : used + _APART + 1] += _STRANGER // 2
        chosen = self._one_of_the_best(costs)
        self._gain = int(gains[chosen])
        self._used.append(chosen)
        return chosen

    def _join_costs(self, following: int) -> Ints:
        """How far the timbre at the start of each step `[U]` is from where the present stretch ends: 6 dB cost as much
        as a misfit of 6 dB.
        """
        distance = np.abs(self._levels[:, :-1] - self._levels[:, following, None]).sum(axis=0, dtype=np.int32)
        return np.asarray((distance * STEPS_PER_DB // (LEVELS_PER_DB * BANDS)) ** 2, np.int32)

    def _one_of_the_best(self, costs: Ints) -> int:
        limit = int(costs.min()) * _MORE_THAN_BEST // 2 + _A_LITTLE
        good = np.flatnonzero(costs <= limit)
        best: list[int] = []
        for at in good[np.argsort(costs[good], kind="stable")].tolist():
            if all(abs(at - other) >= _APART for other in best):
                best.append(at)
            if len(best) == _CHOICE:
                break
        return best[int(self._numbers.random_raw() % len(best))]


def choose_timbre(
    exemplars: Exemplars, envelope: Envelope, seed: int, take: int, check: Callable[[], None] = lambda: None
) -> Timbre:
    """The timbre of a whole sound of at least one step: what a `TimbreChooser` gives, put together.

    `check` is called again and again meanwhile; what it raises ends the work.
    """
    chooser, parts = TimbreChooser(exemplars, seed, take), []
    for part in chooser.parts(envelope):
        parts.append(part)
        check()
    rest = chooser.finish()
    return Timbre.join(parts if rest is None else [*parts, rest])


def _curves(exemplars: Exemplars, ends: Ints) -> Ints:
    """Loudness around every step `[_BEFORE + AHEAD, U]`; beyond the ends of a recording there is silence."""
    rows = []
    for end, length in zip(ends, exemplars.lengths.astype(np.int32), strict=True):
        own = np.pad(exemplars.loudness[end - length : end].astype(np.int32), (_BEFORE, AHEAD - 1))
        rows.append(np.lib.stride_tricks.sliding_window_view(own, _BEFORE + AHEAD))
    return np.ascontiguousarray(np.concatenate(rows).T)
