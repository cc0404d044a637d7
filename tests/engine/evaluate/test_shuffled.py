import pytest

from tests.engine.evaluate.seeing import blind_model, seeing, shown_clip
from v2s_engine.evaluate.losses import clip_losses
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.shuffled import shuffle_pictures

# Dogs show things 0 and 1, drums 2 and 3, each clip in its own order in time.
DOGS = [shown_clip(things) for things in ([0, 0, 1, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0])]
DRUMS = [shown_clip(things, category="drum") for things in ([2, 2, 3, 3], [2, 3, 3, 2], [3, 2, 2, 3], [3, 3, 2, 2])]
BLIND = Method("frame", (blind_model(),))


def test_a_model_that_sees_what_and_when_is_hurt_by_both_shuffles() -> None:
    clips = DOGS + DRUMS
    right = clip_losses(seeing(), clips)
    across, within = (shuffle_pictures(seeing(), clips, right, kind) for kind in ("across classes", "within a class"))
    assert across.difference.n == within.difference.n == 8
    assert across.helped == within.helped == 1.0
    assert across.difference.low is not None
    assert within.difference.low is not None
    assert across.difference.low > within.difference.low > 1
    assert within.difference.p_value == 2 / 2**8
    assert across.reason is within.reason is None


def test_a_model_that_sees_only_what_is_hurt_across_classes_alone() -> None:
    """`sequence` set here knows what was shown last, not when: within a class of one thing nothing changes."""
    clips = [
        shown_clip([thing] * 3, category=str(thing), name=f"{thing}/{take}") for thing in (0, 1) for take in (0, 1)
    ]
    method = seeing("sequence")
    right = clip_losses(method, clips)
    within = shuffle_pictures(method, clips, right, "within a class")
    across = shuffle_pictures(method, clips, right, "across classes")
    assert within.difference.mean == pytest.approx(0, abs=1e-6)
    assert across.difference.mean is not None
    assert across.difference.mean > 3


def test_a_blind_model_is_hurt_by_none() -> None:
    shuffle = shuffle_pictures(BLIND, DOGS, clip_losses(BLIND, DOGS), "within a class")
    assert (shuffle.difference.mean, shuffle.difference.p_value, shuffle.helped) == (0.0, 1.0, 0.0)


def test_clips_without_a_partner_are_said() -> None:
    lonely = [*DOGS[:3], DRUMS[0]]
    right = clip_losses(BLIND, lonely)
    within = shuffle_pictures(BLIND, lonely, right, "within a class")
    assert within.difference.n == 3
    assert within.reason == "1 of 4 clips have no pictures of its own class to be exchanged with"
    nobody = shuffle_pictures(BLIND, DOGS, clip_losses(BLIND, DOGS), "across classes")
    assert (nobody.difference.n, nobody.difference.mean, nobody.helped) == (0, None, None)
    assert "4 of 4 clips" in (nobody.reason or "")
    assert shuffle_pictures(BLIND, [], clip_losses(BLIND, []), "within a class").reason == "there are no clips"
