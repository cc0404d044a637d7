from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.evaluate.seeing import blind_model, code_of, seeing, seeing_model, shown_clip
from v2s_engine.evaluate.losses import clip_losses
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.retrieval import (
    ChanceShares,
    HitShare,
    RetrievalScores,
    chance_shares,
    first_places,
    hit_shares,
    hits,
    pair_losses,
    retrieve,
)
from v2s_engine.evaluate.statistics import Mean

CLIPS = [
    shown_clip([0, 0, 1, 1], category="dog"),
    shown_clip([0, 1, 1], category="dog"),
    shown_clip([2, 3], category="drum"),
    shown_clip([3, 2, 3, 3], category="drum"),
]


def test_a_model_that_sees_finds_the_very_sound() -> None:
    result = retrieve(seeing(), CLIPS)
    for hit in (result.by_loss.instance_top1, result.by_loss.category_top1, result.by_gain.instance_top1):
        assert hit.share.mean == 1.0
    assert (result.n, result.longest, result.class_told) == (4, 4 * 1024, False)


def test_a_blind_model_finds_what_chance_finds() -> None:
    result = retrieve(Method("frame", (blind_model(),)), CLIPS)
    assert result.by_loss == result.by_gain
    assert result.by_loss.instance_top1.share.mean == result.chance.instance_top1 == 0.25
    assert result.by_loss.category_top1.share.mean == result.chance.category_top1 == 0.5
    assert (result.by_loss.instance_top1.p_value, result.by_loss.category_top1.p_value) == (1.0, 1.0)


@pytest.mark.parametrize("conditioning", ["frame", "sequence"])
def test_scores_are_the_losses_with_the_querys_pictures(conditioning: str) -> None:
    method = seeing("sequence" if conditioning == "sequence" else "frame")
    scores = pair_losses(method, CLIPS)
    for query, shown in enumerate(CLIPS):
        expected = clip_losses(method, CLIPS, [shown] * len(CLIPS))
        np.testing.assert_allclose(scores[query], expected, rtol=1e-5)


def test_the_querys_model_scores_all_sounds() -> None:
    method = Method("frame", (seeing_model(classes=("dog",)), blind_model(("drum",))))
    scores = pair_losses(method, CLIPS)
    assert scores[2:] == pytest.approx(np.log(256))
    assert scores[0, 0] < 0.5 < scores[0, 2]


def test_by_gain_a_quiet_sound_does_not_always_come_first() -> None:
    """A model that expects one code whatever it is shown, and a little of what is shown: that code's sound is cheap."""
    model = seeing_model()
    with torch.no_grad():
        model.fine_output.bias[code_of(0)] = 12.0
    clips = [shown_clip([thing] * 3, category=f"class {thing}") for thing in range(4)]
    result = retrieve(Method("frame", (model,)), clips)
    assert result.by_loss.instance_top1.share.mean == 0.25
    assert result.by_gain.instance_top1.share.mean == 1.0


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=6))
def test_chance_is_the_mean_over_all_orders(categories: list[str]) -> None:
    n = len(categories)
    orders = [np.tile(np.array(order, np.float64), (n, 1)) for order in permutations(range(n))]
    shares = np.mean([hits(first_places(order), categories, np.arange(n)).mean(axis=1) for order in orders], axis=0)
    chance = chance_shares(categories)
    for name, share in zip(
        ("category_top1", "category_top5", "instance_top1", "instance_top5"), shares.tolist(), strict=True
    ):
        assert getattr(chance, name) == pytest.approx(share)


def test_p_of_few_clips_is_exact() -> None:
    found = hit_shares(1 - np.eye(4), ["a", "a", "b", "b"])
    assert found.instance_top1.share.mean == found.category_top1.share.mean == 1.0
    assert found.instance_top1.p_value == 1 / 24
    assert found.category_top1.p_value == 4 / 24  # either may stand for the other of its class
    assert found.instance_top5.p_value == 1.0  # all four are among the first five


def test_p_finds_what_is_there_and_only_that() -> None:
    """Under chance p is below 0.05 in one of twenty sets of clips, or, shares being steps, fewer."""
    rng = np.random.default_rng(0)
    categories = ["a", "b", "c"] * 4
    by_chance = [hit_shares(rng.random((12, 12)), categories, seed=seed) for seed in range(40)]
    for name in ("category_top1", "instance_top1"):
        assert np.mean([(getattr(found, name).p_value or 0) < 0.05 for found in by_chance]) <= 0.1
    there = hit_shares(rng.random((12, 12)) - np.eye(12), categories)
    assert there.instance_top1.p_value == pytest.approx(1 / 10_001)
    share = by_chance[0].category_top1.share
    assert share.low is not None
    assert share.mean is not None
    assert share.high is not None
    assert share.low < share.mean < share.high


def test_chance_of_the_papers_test_set() -> None:
    """128 clips of 10 categories: 10 %, 41 %, 0.078 %, 0.39 % (paper, 5c)."""
    chance = chance_shares([str(number % 10) for number in range(1_280)])
    assert chance.category_top1 == pytest.approx(0.1)
    assert chance.category_top5 == pytest.approx(0.41, abs=0.002)
    assert chance.instance_top1 == 1 / 1_280
    assert chance.instance_top5 == 5 / 1_280


def test_no_clips_are_none() -> None:
    result = retrieve(seeing(), [])
    nothing = HitShare(Mean(0, None, None, None), None)
    assert result.by_loss == result.by_gain == RetrievalScores(nothing, nothing, nothing, nothing)
    assert result.chance == ChanceShares(None, None, None, None)
