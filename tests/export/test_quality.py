"""What was measured reaches the bundle and its card as tables, and nothing of the machine that measured it does."""

import json
from typing import Any

import pytest

from tests.engine.evaluate.seeing import THINGS, blind_model, seeing, shown_clip
from tests.export.test_card import description
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.alignment import Movement
from v2s_engine.evaluate.measuring import MeasureOptions, measure_method
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.results import EvaluationResult
from v2s_export.card import model_card
from v2s_export.quality import bundle_quality

HERE = "/home/ann/clips"


def still(name: str) -> Movement | str:
    return f"{HERE}/{name} cannot be decoded; leave it out"


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    """What `v2s evaluate --data --json` says."""
    clips = [
        shown_clip([thing, (thing + take) % THINGS], category=category, name=f"{category}/{thing}{take}")
        for category, things in (("dog", (0, 1)), ("drum", (2, 3)))
        for thing in things
        for take in (0, 1)
    ]
    options = MeasureOptions(retrieval_clips=6, retrieval_length=2_048, generate=4, takes=1)
    methods = [seeing(), Method("frame 2", (blind_model(),), merged=True)]
    found = EvaluationResult(
        data=f"{HERE}/index.csv",
        clips={"train": 8, "test": 8},
        categories=("dog", "drum"),
        seed=0,
        methods=tuple(measure_method(each, {"train": clips, "test": clips}, options, still) for each in methods),
        left_out=(("gone.mp4", f"there is no file {HERE}/gone.mp4"),),
    )
    told: dict[str, Any] = json.loads(json.dumps(found.to_json()))
    return told | {"tables": f"{HERE}/out/evaluation.md", "plots": f"{HERE}/out/evaluation.png"}


def test_the_card_shows_the_tables_of_every_method(evaluation: dict[str, Any]) -> None:
    assert HERE in json.dumps(evaluation)
    card = model_card(description(quality=bundle_quality(evaluation)))
    rows = [line for line in card.splitlines() if line.startswith("| frame")]
    test = next(cell for cell in evaluation["methods"][0]["cross_entropy"] if cell["split"] == "test")
    for row in (
        f"| frame, test | 8 | {test['nats']['mean']:.3f} |",
        "| frame 2, test | 8 | 5.545 |",
        "| frame, across classes | 8 | ",
        "| frame 2, within a class | 8 | 0.000 |",
        "| frame, by loss | 6 | 1.000 | ",
        "| frame 2, by gain | 6 | ",
        "| frame, onset F1 | 4 |",
    ):
        assert any(line.startswith(row) for line in rows), row
    assert "| chance among 6 | 6 | " in card
    for title in ("Cross entropy, nats", "wrong pictures", "Sounds found by pictures", "Starts of made", "Level of"):
        assert title in card
    assert "Measured on: clips: 8 train, 8 test; categories: dog, drum; seed 0." in card
    assert "Nothing was measured" not in card


def test_no_path_of_this_machine_reaches_the_bundle(evaluation: dict[str, Any]) -> None:
    kept = json.dumps(bundle_quality(evaluation))
    assert "/home" not in kept
    assert "gone.mp4" not in kept


def test_an_evaluation_on_recordings_and_notes_of_ones_own_are_kept_but_for_paths() -> None:
    following = {"dog": {"recordings": 3, "model": 0.9}, "all": {"recordings": 3, "model": 0.9}}
    said = {"bundle": "mine", "digest": "ab" * 32, "following": following}
    assert bundle_quality(said) == said
    card = model_card(description(quality=bundle_quality(said)))
    assert "| dog | 3 | 0.900 |" in card
    local = {
        "data": HERE,
        "home": "~/clips",
        "disk": "C:\\clips\\a.wav",
        "address": "file:///a.wav",
        "text": f"read from '{HERE}'",
        "list": [f"{HERE}/a.wav", "dog/a.wav", 3],
        "rows": {f"{HERE}/a.wav": {"model": 1.0}, "dog/a.wav": {"model": 1.0}},
    }
    assert bundle_quality(said | local) == said | {"list": ["dog/a.wav", 3], "rows": {"dog/a.wav": {"model": 1.0}}}
    kept = {"by": "N/A, and/or see https://example.org/a", "measured": "by ear / by eye"}
    assert bundle_quality(kept) == kept


@pytest.mark.parametrize("part", ["cross_entropy", "retrieval", "generated"])
def test_half_an_evaluation_is_refused(evaluation: dict[str, Any], part: str) -> None:
    methods = [{name: value for name, value in method.items() if name != part} for method in evaluation["methods"]]
    with pytest.raises(UsageError, match="no whole evaluation"):
        bundle_quality(evaluation | {"methods": methods})
