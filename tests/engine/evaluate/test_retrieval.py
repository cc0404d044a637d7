from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.evaluate.seeing import blind_model, seeing, seeing_model, shown_clip
from v2s_engine.evaluate.losses import clip_losses
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.retrieval import RetrievalScores, chance_shares, hit_shares, pair_losses, retrieve

CLIPS = [
    shown_clip([0, 0, 1, 1], category="dog"),
    shown_clip([0, 1, 1], category="dog"),
    shown_clip([2, 3], category="drum"),
    shown_clip([3, 2, 3, 3], category="drum"),
]


def test_a_model_that_sees_finds_the_very_sound() -> None:
    result = retrieve(seeing(), CLIPS, class_told=False)
    assert result.by_loss.instance_top1 == result.by_loss.category_top1 == result.by_gain.instance_top1 == 1.0
    assert (result.n, result.longest, result.class_told) == (4, 4 * 1024, False)


def test_a_blind_model_finds_what_chance_finds() -> None:
    result = retrieve(Method("frame", (blind_model(),)), CLIPS, class_told=False)
    assert result.by_loss == result.by_gain
    assert result.by_loss.instance_top1 == result.chance.instance_top1 == 0.25
    assert result.by_loss.category_top1 == result.chance.category_top1 == 0.5


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
    # every query prefers sound 0 by loss; relative to what a sound costs on average, each finds its own
    scores = np.array([[0.1, 2.0, 2.0], [0.2, 1.9, 2.1], [0.2, 2.1, 1.8]])
    assert hit_shares(scores, ["a", "b", "c"]).instance_top1 == pytest.approx(1 / 3)
    assert hit_shares(scores - scores.mean(axis=0), ["a", "b", "c"]).instance_top1 == 1.0


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=6))
def test_chance_is_the_mean_over_all_orders(categories: list[str]) -> None:
    n = len(categories)
    orders = [np.array(order, np.float64) for order in permutations(range(n))]
    shares = [hit_shares(np.tile(order, (n, 1)), categories) for order in orders]
    chance = chance_shares(categories)
    for name in ("category_top1", "category_top5", "instance_top1", "instance_top5"):
        assert getattr(chance, name) == pytest.approx(np.mean([getattr(share, name) for share in shares]))


def test_chance_of_the_papers_test_set() -> None:
    """128 clips of 10 categories: 10 %, 41 %, 0.078 %, 0.39 % (paper, 5c)."""
    chance = chance_shares([str(number % 10) for number in range(1_280)])
    assert chance.category_top1 == pytest.approx(0.1)
    assert chance.category_top5 == pytest.approx(0.41, abs=0.002)
    assert chance.instance_top1 == 1 / 1_280
    assert chance.instance_top5 == 5 / 1_280


def test_no_clips_are_none() -> None:
    result = retrieve(seeing(), [], class_told=False)
    assert result.by_loss == result.by_gain == result.chance == RetrievalScores(None, None, None, None)
