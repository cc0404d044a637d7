import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from tests.engine.evaluate.seeing import THINGS, blind_model, seeing, seeing_model, shown_clip, sounding_clip
from v2s_engine.corpus.clip_material import PreparedClip
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.evaluate.alignment import Movement
from v2s_engine.evaluate.markdown import markdown_page
from v2s_engine.evaluate.measuring import MeasureOptions, measure_method, spread_clips
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.report import write_report
from v2s_engine.evaluate.results import EvaluationResult, MethodResult

OPTIONS = MeasureOptions(retrieval_clips=4, retrieval_length=2_048, generate=3, takes=2)


def some_clips(split: str, seed: int) -> list[PreparedClip]:
    rng = np.random.default_rng(seed)
    return [
        shown_clip(rng.integers(first, first + 2, 5).tolist(), category=category, name=f"{category}/{split} {number}")
        for category, first in (("dog", 0), ("drum", 2))
        for number in range(3)
    ]


SPLITS = {"train": some_clips("train", 0), "test": some_clips("test", 1)}


def still(name: str) -> Movement | str:
    return Movement(np.zeros(5), 640) if "0" in name else "it cannot be decoded"


def measured(method: Method) -> MethodResult:
    return measure_method(method, SPLITS, OPTIONS, still)


@pytest.fixture(scope="module")
def result() -> EvaluationResult:
    methods = (seeing(), Method("frame 2", (blind_model(),), merged=True), seeing("sequence"))
    return EvaluationResult(
        data="clips.csv",
        clips={"train": 6, "test": 6},
        categories=("dog", "drum"),
        seed=0,
        methods=tuple(measured(method) for method in methods),
        left_out=(("dog/bad.mp4", "it cannot be decoded"),),
    )


def test_the_method_that_sees_stands_out_in_every_table(result: EvaluationResult) -> None:
    sees, blind = result.methods[:2]
    assert [cell.split for cell in sees.cross_entropy] == ["train", "test"]
    for one, two in zip(sees.cross_entropy, blind.cross_entropy, strict=True):
        assert one.nats.mean is not None
        assert two.nats.mean is not None
        assert one.nats.mean < 0.5
        assert two.nats.mean > 5
    for one, two in zip(sees.shuffles, blind.shuffles, strict=True):
        assert one.difference.mean is not None
        assert one.difference.mean > 0.5
        assert two.difference.mean == 0
    assert sees.retrieval is not None
    assert blind.retrieval is not None
    assert sees.retrieval.by_loss.category_top1.share.mean == 1.0
    assert sees.retrieval.by_loss.instance_top1.p_value == 1 / 24
    assert blind.retrieval.by_loss.category_top1.share.mean == blind.retrieval.chance.category_top1
    assert blind.retrieval.by_loss.category_top1.p_value == 1.0


def test_what_could_not_be_computed_is_said(result: EvaluationResult) -> None:
    notes = "\n".join(result.methods[0].notes)
    assert "no movement measured in" in notes
    assert "it cannot be decoded" in notes


def test_the_json_is_whole_and_holds_no_nan(result: EvaluationResult, tmp_path: Path) -> None:
    report = write_report(result, tmp_path / "out")
    told = json.loads(report.figures.read_text(), parse_constant=pytest.fail)
    assert [method["name"] for method in told["methods"]] == ["frame", "frame 2", "sequence"]
    assert told["methods"][0]["cross_entropy"][1]["nats"]["n"] == 6
    assert told["methods"][0]["generated"]["align"]["value"]["mean"] in (None, 0.0)
    assert "examples" not in told["methods"][0]
    picture = imread(report.plots)
    assert picture.shape[1] > 1_000
    assert picture[..., :3].std() > 0.05
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "evaluation.json", "evaluation.md", "evaluation.png",
    ]  # fmt: skip


def test_the_tables_say_n_chance_and_intervals(result: EvaluationResult) -> None:
    page = markdown_page(result)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert any(line.startswith("| frame | ") and "| test | 6 | 0." in line and "[" in line for line in rows)
    assert any(line.startswith("| chance | ") and "50.0 %" in line and "25.0 %" in line for line in rows)
    assert any("within a class | 6 | +" in line for line in rows)
    assert any(
        line.startswith("| frame | by loss | no | 4 ") and "100.0 % [100.0, 100.0], p 0.0417" in line for line in rows
    )
    assert any(line.startswith("| frame | onset F1, mean over clips") and "within a class" in line for line in rows)
    assert "dog/bad.mp4: it cannot be decoded" in page
    assert "nan" not in page.lower()
    widths = {line.count("|") for line in rows if line.startswith(("| method | clips", "| frame, null"))}
    assert len(widths) == 1


def test_bad_clips_are_left_out_with_their_reason() -> None:
    bad = [
        replace(shown_clip([0], name="empty"), length=0, read_samples=lambda: np.zeros(0, np.float32)),
        replace(shown_clip([0], name="blind"), read_features=lambda: np.zeros((0, THINGS), np.float32)),
        replace(shown_clip([0], name="wide"), read_features=lambda: np.zeros((1, 9), np.float32)),
        replace(shown_clip([0], name="nan"), read_features=lambda: np.full((1, THINGS), np.nan, np.float32)),
        shown_clip([0], category="cat", name="cat"),
    ]
    method = Method("frame", (seeing_model(classes=("dog", "drum")),))
    found = measure_method(method, {"test": [*SPLITS["test"], *bad]}, OPTIONS, still)
    reasons = dict(found.left_out)
    assert list(reasons) == ["empty", "blind", "wide", "nan", "cat"]
    assert reasons["cat"] == "its category 'cat' is none of the method's: dog, drum"
    assert found.cross_entropy[0].nats.n == 6


def test_silent_and_very_short_clips_are_measured_without_nan(tmp_path: Path) -> None:
    odd = [sounding_clip(np.zeros(length, np.float32), name=str(length)) for length in (1, 300, 5_000)]
    found = measure_method(seeing(), {"train": [], "test": odd}, OPTIONS, still)
    shown = EvaluationResult("x", {"train": 0, "test": 3}, ("dog",), 0, (found,), ())
    json.dumps(shown.to_json(), allow_nan=False)
    assert write_report(shown, tmp_path).plots.exists()
    assert "no usable clips in the split train" in found.notes


def test_nothing_at_all_still_makes_a_page(tmp_path: Path) -> None:
    found = measure_method(seeing(), {"train": [], "test": []}, OPTIONS, still)
    assert write_report(EvaluationResult("x", {}, (), 0, (found,), ()), tmp_path).tables.exists()
    none_asked = measure_method(seeing(), SPLITS, replace(OPTIONS, retrieval_clips=0, generate=0), still)
    assert none_asked.retrieval is none_asked.generated is None
    shown = EvaluationResult("x", {}, ("dog", "drum"), 0, (none_asked,), ())
    assert write_report(shown, tmp_path).tables.exists()


def test_a_method_that_knows_the_category_says_so() -> None:
    told = measured(Method("frame", (seeing_model(classes=("dog", "drum")),)))
    assert told.class_told
    assert told.retrieval is not None
    assert told.retrieval.class_told
    assert any("knows the category" in note for note in told.notes)
    assert not measured(seeing()).class_told


def test_clips_are_drawn_evenly_over_the_categories() -> None:
    clips = [shown_clip([0], category="a", name=str(number)) for number in range(20)]
    clips += [shown_clip([0], category="b", name=str(number)) for number in range(3)]
    chosen = spread_clips(clips, 6, seed=1)
    assert sorted(clip.category for clip in chosen) == ["a"] * 3 + ["b"] * 3
    assert chosen == spread_clips(clips, 6, seed=1) != spread_clips(clips, 6, seed=2)
    assert spread_clips(clips, 100) == clips


def test_wrong_amounts_are_refused() -> None:
    for wrong in ({"takes": 0}, {"generate": -1}, {"retrieval_length": 0}, {"retrieval_clips": -1}):
        with pytest.raises(UsageError, match="an evaluation wants"):
            MeasureOptions(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0.0}, {"temperature": float("nan")}, {"seed": -1}, {"retrieval_length": float("nan")}]
)
def test_what_would_fail_after_hours_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        MeasureOptions(**wrong)


def test_a_folder_that_cannot_be_written_is_an_error(result: EvaluationResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="another place"):
        write_report(result, tmp_path / "file" / "below")
