"""Every way in which other kits count onsets wrongly is a test here."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.evaluate.onset_scores import Onsets, average_precision, score_onsets, sound_onsets
from v2s_engine.grid import ENVELOPE_LENGTH
from v2s_engine.onsets import find_onsets, match_onsets

moments = st.lists(st.integers(0, 60), max_size=6, unique=True)


def at(*positions: int) -> NDArray[np.int64]:
    return np.array(positions, np.int64)


def onsets(*positions: int, confidence: float = 1.0) -> Onsets:
    return Onsets(at(*positions), np.full(len(positions), confidence))


def most_matches(found: list[int], true: list[int], tolerance: int) -> int:
    """The largest matching, by trying: slow and obvious."""
    if not found or not true:
        return 0
    rest = most_matches(found[1:], true, tolerance)
    for index, event in enumerate(true):
        if abs(event - found[0]) <= tolerance:
            rest = max(rest, 1 + most_matches(found[1:], true[:index] + true[index + 1 :], tolerance))
    return rest


@given(moments, moments, st.integers(0, 12))
def test_matching_is_one_to_one_within_reach_and_as_large_as_can_be(
    found: list[int], true: list[int], tolerance: int
) -> None:
    pairs = match_onsets(at(*found), at(*true), tolerance)
    assert len({one for one, _ in pairs}) == len({two for _, two in pairs}) == len(pairs)
    assert all(abs(found[one] - true[two]) <= tolerance for one, two in pairs)
    assert len(pairs) == most_matches(found, true, tolerance)


@given(moments, moments)
def test_matching_is_the_same_from_either_side(first: list[int], second: list[int]) -> None:
    assert len(match_onsets(at(*first), at(*second), 5)) == len(match_onsets(at(*second), at(*first), 5))


def test_equal_peaks_side_by_side_are_thinned_without_losing_others() -> None:
    """Kits that remove from the list that they iterate over skip the peak after each one removed."""
    curve = np.zeros(60)
    curve[[10, 12, 14, 16, 30, 32, 50]] = [0.9, 0.8, 0.9, 0.7, 0.6, 0.9, 0.5]
    kept = find_onsets(curve, 0.4, apart=4)
    assert kept.tolist() == [10, 14, 32, 50]
    assert all(two - one >= 4 for one, two in combinations(kept.tolist(), 2))


def test_a_curve_that_stays_where_it_is_has_no_peaks() -> None:
    assert find_onsets(np.full(100, 0.9), 0.5).tolist() == []
    assert find_onsets(np.ones(1), 0.5).tolist() == []
    plateau = np.full(100, 0.1)
    plateau[20:60] = 0.9
    assert find_onsets(plateau, 0.5).tolist() == [20]
    plateau[:3] = 1.0
    assert find_onsets(plateau, 0.5).tolist() == [0, 20]


def test_a_peak_rises_by_as_much_as_is_asked() -> None:
    curve = np.full(60, 0.8)
    curve[[10, 30]] = [0.85, 1.0]
    assert find_onsets(curve, 0.5).tolist() == [10, 30]
    assert find_onsets(curve, 0.5, rise=0.1).tolist() == [30]


def test_the_matching_window_has_nothing_to_do_with_the_threshold() -> None:
    """librosa's `delta` was given the matching window in one kit: another window then found other onsets."""
    clicks = np.zeros(32_000, np.float32)
    clicks[8_000:8_200] = 0.5
    found = sound_onsets(clicks)
    assert found.positions.tolist() == [8_000 // ENVELOPE_LENGTH * ENVELOPE_LENGTH]
    for tolerance in (160, 1_600, 4_800):
        assert score_onsets([found], [at(8_000)], tolerance=tolerance).predicted == 1


def test_missed_events_count() -> None:
    """Kits that stop when predictions run out give 1.0 here."""
    scores = score_onsets([onsets(100)], [at(100, 5_000, 10_000, 15_000)])
    assert (scores.recall, scores.precision) == (0.25, 1.0)
    assert scores.f1 == pytest.approx(0.4)
    assert scores.average_precision == pytest.approx(0.25)


def test_false_alarms_count() -> None:
    """A rattle has an "onset accuracy" (recall) of 100 %."""
    rattle = onsets(*range(0, 160_000, 2_000))
    scores = score_onsets([rattle], [at(10_000, 80_000)])
    assert scores.recall == 1.0
    assert scores.precision == pytest.approx(2 / 80)
    assert scores.average_precision == pytest.approx(2 / 80)


def test_one_prediction_pays_for_one_event_only() -> None:
    assert score_onsets([onsets(1_000)], [at(500, 1_500)]).matched == 1
    assert score_onsets([onsets(500, 1_000, 1_500)], [at(1_000)]).matched == 1


def test_the_tolerance_is_inclusive_and_exact() -> None:
    assert score_onsets([onsets(11_600)], [at(10_000)]).matched == 1
    assert score_onsets([onsets(11_601)], [at(10_000)]).matched == 0


def test_average_precision_rewards_being_sure_of_the_right_ones() -> None:
    true = [at(0, 10_000)]
    sure = Onsets(at(0, 10_000, 50_000), np.array([0.9, 0.8, 0.1]))
    wrong = Onsets(at(0, 10_000, 50_000), np.array([0.2, 0.1, 0.9]))
    assert average_precision([sure], true) == pytest.approx(1.0)
    assert average_precision([wrong], true) == pytest.approx(0.5 * 1 / 2 + 0.5 * 2 / 3)


def test_equal_confidence_is_admitted_together() -> None:
    assert average_precision([onsets(50_000, 0)], [at(0)]) == average_precision([onsets(0, 50_000)], [at(0)]) == 0.5


@given(st.lists(st.tuples(st.integers(0, 100_000), st.sampled_from([0.2, 0.5, 0.9])), max_size=8), moments)
def test_average_precision_lies_between_nothing_and_recall(predicted: list[tuple[int, float]], true: list[int]) -> None:
    guess = Onsets(at(*(position for position, _ in predicted)), np.array([value for _, value in predicted]))
    area = average_precision([guess], [at(*true)])
    if not true:
        assert area is None
    else:
        recall = score_onsets([guess], [at(*true)], event_strength=0.0).recall
        assert area is not None
        assert recall is not None
        assert 0 <= area <= recall + 1e-12


def test_shares_have_intervals_over_clips() -> None:
    """Half of the clips are wholly right, half wholly wrong: the shares are surely neither 0 nor 1, and not 0.5."""
    predicted = [onsets(100, 5_000)] * 8 + [onsets(9_000)] * 8
    scores = score_onsets(predicted, [at(100, 5_000)] * 16)
    means = scores.over_clips
    for share, mean in ((scores.recall, means.recall), (scores.precision, means.precision), (scores.f1, means.f1)):
        assert mean.mean == pytest.approx(share)
        assert mean.low is not None
        assert mean.high is not None
        assert 0.2 < mean.low < mean.mean < mean.high < 0.9
    assert score_onsets([onsets(100), onsets()], [at(100), at()]).over_clips.f1.n == 1


def test_clips_are_counted_together_but_matched_apart() -> None:
    scores = score_onsets([onsets(100), onsets()], [at(), at(100)])
    assert (scores.clips, scores.true, scores.predicted, scores.matched) == (2, 1, 1, 0)


def test_nothing_to_count_is_none_and_never_nan() -> None:
    empty = score_onsets([onsets()], [at()])
    assert (empty.recall, empty.precision, empty.f1, empty.average_precision) == (None,) * 4
    silent = score_onsets([sound_onsets(np.zeros(16_000, np.float32))], [at(100)])
    assert (silent.recall, silent.precision, silent.f1, silent.average_precision) == (0.0, None, 0.0, 0.0)
    with pytest.raises(UsageError, match="one prediction per clip"):
        score_onsets([onsets()], [])
