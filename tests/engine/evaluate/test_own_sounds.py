"""What the report on a sound of one's own says, and by which thresholds."""

from dataclasses import replace

import pytest

from v2s_engine.evaluate.own_sounds import FOLLOWS, MORE_NOISE_DB, SOUNDS_LIKE, OwnFigures

GOOD = OwnFigures(
    pieces=8,
    following=FOLLOWS,
    following_noise=0.99,
    following_pieces=8,
    distance_db=2 * SOUNDS_LIKE,
    halves_db=2.0,
    floor_db=-40.0,
    floor_recorded_db=-40.0 - MORE_NOISE_DB,
)
UNLIKE = {"distance_db": 2 * SOUNDS_LIKE + 0.01}
LOST = {"following": FOLLOWS - 0.01}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "good enough to try"),
        (UNLIKE, "follows the timing but sounds unlike the recordings: more recordings or longer training"),
        (LOST, "sounds like the recordings but does not follow the timing"),
        (UNLIKE | LOST, "not good enough"),
        ({"following": None}, "whose loudness is too even to tell"),
        ({"following": None, **UNLIKE}, "sounds unlike the recordings"),
        ({"halves_db": None}, "too little was held back to tell whether it sounds like the recordings"),
        ({"halves_db": None, **LOST}, "does not follow the timing"),
        ({"halves_db": None, "following": None}, "too little was held back to tell anything"),
    ],
)
def test_one_line_says_whether_it_is_good_enough(changes: dict[str, float | None], verdict: str) -> None:
    assert replace(GOOD, **changes).verdict.startswith(verdict) or verdict in replace(GOOD, **changes).verdict


def test_noise_behind_the_sound_is_said() -> None:
    assert "more noise behind it" not in GOOD.verdict
    assert replace(GOOD, floor_db=GOOD.floor_db + 0.1).verdict.endswith("there is more noise behind it than in them")


def test_figures_that_cannot_be_told_are_null() -> None:
    told = replace(GOOD, halves_db=None).to_json()
    assert (told["halves_db"], told["distance_ratio"]) == (None, None)
    assert told["verdict"]
