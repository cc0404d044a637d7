import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2s_engine.errors import UsageError
from v2s_engine.evaluate.statistics import bootstrap_mean, derangement, paired_difference

values = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)


@settings(max_examples=25)
@given(values, st.integers(0, 100))
def test_a_mean_lies_in_its_interval_and_comes_back_the_same(data: list[float], seed: int) -> None:
    mean = bootstrap_mean(data, seed=seed)
    assert mean.mean is not None
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low <= mean.mean <= mean.high
    assert mean.mean == pytest.approx(np.mean(data), abs=1e-9)
    assert bootstrap_mean(data, seed=seed) == mean


@settings(max_examples=25)
@given(values)
def test_a_difference_is_turned_round_with_its_series(data: list[float]) -> None:
    zeros = [0.0] * len(data)
    one, two = paired_difference(data, zeros), paired_difference(zeros, data)
    assert one.mean == pytest.approx(-(two.mean or 0.0))
    assert one.p_value == pytest.approx(two.p_value)
    assert one.p_value is not None
    assert 0 < one.p_value <= 1


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(120):
        mean = bootstrap_mean(rng.normal(3.0, 1.0, 40).tolist(), seed=seed)
        covered += mean.low is not None and mean.high is not None and mean.low <= 3.0 <= mean.high
    assert 0.86 <= covered / 120 <= 0.99


def test_weights_count_samples_not_clips() -> None:
    assert bootstrap_mean([1.0, 4.0], [3, 1]).mean == pytest.approx(1.75)


def test_p_of_few_pairs_is_exact() -> None:
    # of 2^5 sign patterns only all-plus and all-minus have a mean as far from 0
    assert paired_difference([1, 2, 3, 4, 5], [0] * 5).p_value == 2 / 32
    assert paired_difference([1, -1], [0, 0]).p_value == 1.0
    assert paired_difference([2.0, 2.0], [2.0, 2.0]).p_value == 1.0


def test_p_of_many_pairs_finds_what_is_there_and_only_that() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, 60)
    there = paired_difference((noise + 1.0).tolist(), [0.0] * 60)
    assert there.p_value is not None
    assert there.p_value < 0.001
    absent = paired_difference((noise - noise.mean()).tolist(), [0.0] * 60)
    assert absent.p_value is not None
    assert absent.p_value > 0.9


def test_too_little_is_none() -> None:
    nothing, one = paired_difference([], []), paired_difference([2.0], [1.0])
    assert (nothing.n, nothing.mean, nothing.low, nothing.p_value) == (0, None, None, None)
    assert (one.n, one.mean, one.low, one.p_value) == (1, 1.0, None, None)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="finite"):
        bootstrap_mean([1.0, float("nan")])
    with pytest.raises(UsageError, match="one length"):
        paired_difference([1.0], [])
    with pytest.raises(UsageError, match="positive weight"):
        bootstrap_mean([1.0, 2.0], [1.0, 0.0])


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(0, 20))
def test_a_derangement_gives_each_clip_another_and_uses_each_once(groups: list[str], seed: int) -> None:
    within, across = (derangement(groups, within=choice, seed=seed) for choice in (True, False))
    for partner in (within, across):
        used = partner[partner >= 0].tolist()
        assert len(used) == len(set(used))
        assert all(other != index for index, other in enumerate(partner.tolist()))
    for index, other in enumerate(within.tolist()):
        assert (other < 0) == (groups.count(groups[index]) == 1)
        assert other < 0 or groups[other] == groups[index]
    assert all(other < 0 or groups[other] != groups[index] for index, other in enumerate(across.tolist()))
    if groups and max(map(groups.count, groups)) * 2 <= len(groups):
        assert (across >= 0).all()
