"""Moments at which sounds start: found in a curve, and held against the true ones.

Matching is one to one: an onset that was matched is used up, so neither a volley of predictions around one event nor
one prediction between two events is paid twice. What is left over on either side counts: misses and false alarms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PEAK_REACH = 2
"""Steps on either side over which a peak must be the highest."""


def find_onsets(
    strength: NDArray[np.floating], threshold: float, apart: int = 6, rise: float = 0.0
) -> NDArray[np.int64]:
    """Steps `[E]`, rising, of the peaks of a curve `[N]` from `threshold` on.

    A peak stands out from what was there before: it is higher than the step before it (so a plateau is one peak, at its
    first step), and by more than `rise` than the lowest of the `apart` steps before. A curve that stays where it is has
    no peaks. The very first step has nothing before it; it stands out from the `apart` steps that follow.

    Peaks are at least `apart` steps from each other; the highest are taken first, the earlier one where two are equal.
    """
    found: list[int] = []
    for step in np.argsort(-strength, kind="stable").tolist():
        height = strength[step]
        if height < threshold:
            break
        near = strength[max(0, step - PEAK_REACH) : step + PEAK_REACH + 1]
        if height < near.max() or any(abs(step - other) < apart for other in found):
            continue
        around = strength[max(0, step - apart) : step] if step else strength[1 : 1 + apart]
        flat = step > 0 and height <= strength[step - 1]
        if not flat and height - around.min(initial=height) > rise:
            found.append(step)
    return np.array(sorted(found), np.int64)


def match_onsets(found: NDArray[np.int64], true: NDArray[np.int64], tolerance: int) -> list[tuple[int, int]]:
    """Pairs (index into `found`, index into `true`) no further than `tolerance` apart, each index at most once.

    As many pairs as there can be: with one tolerance for all, giving each found onset, earliest first, the earliest
    true one within reach is optimal. Positions are in any one unit and in any order.
    """
    by_time, wanted = np.argsort(found, kind="stable").tolist(), np.argsort(true, kind="stable").tolist()
    pairs: list[tuple[int, int]] = []
    next_true = 0
    for index in by_time:
        while next_true < len(wanted) and true[wanted[next_true]] < found[index] - tolerance:
            next_true += 1
        if next_true < len(wanted) and true[wanted[next_true]] <= found[index] + tolerance:
            pairs.append((index, wanted[next_true]))
            next_true += 1
    return pairs
