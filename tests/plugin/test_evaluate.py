"""`v2s evaluate --data`: what lies in the output folder and what comes on stdout."""

import json
from pathlib import Path

import pytest

from tests.engine.evaluate.seeing import config_of
from tests.engine.evaluate.test_methods import write_model
from tests.media import make_clip
from v2s_plugin.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("evaluate")
    write_model(made / "frame.ckpt", config_of("frame"))
    rows = ["file,category,split"]
    for number, split in enumerate(("train", "test", "test")):
        make_clip(made / f"{number}.mp4", frames=12, flashes=(number,))
        rows.append(f"{number}.mp4,dog,{split}")
    (made / "clips.csv").write_text("\n".join(rows) + "\n")
    (made / "worse.csv").write_text("\n".join([*rows, "gone.mp4,dog,test"]) + "\n")
    return made


def arguments(folder: Path, index: str = "clips.csv") -> list[str]:
    given = ["evaluate", "--checkpoint", str(folder / "frame.ckpt"), "--data", str(folder / index)]
    small = ["--retrieval-clips", "2", "--retrieval-seconds", "0.1", "--generate", "1", "--takes", "1"]
    return [*given, "-o", str(folder / "out"), "--weights", "random:0", *small]


def test_the_tables_come_on_stdout_and_all_three_files_lie_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(folder)) == 0
    shown = capsys.readouterr()
    assert shown.out == (folder / "out" / "evaluation.md").read_text()
    assert "| frame |" in shown.out
    assert {path.name for path in (folder / "out").glob("evaluation.*")} == {
        "evaluation.json", "evaluation.md", "evaluation.png",
    }  # fmt: skip


def test_clips_left_out_are_said_and_make_exit_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments(folder, "worse.csv"), "--json"]) == 3
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert answer["left_out"][0][0] == "gone.mp4"
    assert "left out: gone.mp4" in shown.err
    assert Path(answer["plots"]).exists()
    assert answer["methods"][0]["retrieval"]["n"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--sounds", "a", "--data", "b"],
        ["--data", "b", "--output", "c"],
        ["--data", "b", "--checkpoint", "c"],
    ],
)
def test_half_a_question_is_wrong_use(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *wrong]) == 2
    assert "--data" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["--sounds", "--manifest", "--output"])
def test_judging_wants_recordings_and_a_place_for_tables(
    missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"--sounds": "a", "--manifest": "b", "--output": str(tmp_path / "out"), "--data": "c"}
    given = [name for name in places if name not in (missing, "--data" if missing != "--sounds" else "")]
    told = [word for name in given for word in (name, places[name])]
    assert main(["evaluate", "--judge", "judge.pt", *told]) == 2
    assert missing in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--retrieval-seconds", "nan"],
        ["--retrieval-seconds", "-1"],
        ["--temperature", "0"],
        ["--seed", "-1"],
        ["--takes", "0"],
    ],
)
def test_wrong_amounts_are_refused_before_anything_is_read(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = [*wrong, "--checkpoint", str(tmp_path / "none"), "--data", str(tmp_path / "none")]
    assert main(["evaluate", *nothing, "-o", str(tmp_path / "out")]) == 2
    assert "none" not in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_other_weights_than_in_the_training_are_wrong_use(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_model(tmp_path / "other.ckpt", config_of("frame"), encoder_digest="0123")
    given = arguments(folder)
    assert main([*given[:2], str(other), *given[3:]]) == 2
    assert "0123" in capsys.readouterr().err


def test_a_missing_index_or_checkpoint_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments(folder)
    assert main([*given[:4], str(folder / "none.csv"), *given[5:]]) == 1
    assert "no index of clips" in capsys.readouterr().err
    assert main([*given[:2], str(folder / "none.ckpt"), *given[3:]]) == 1
    assert "no checkpoint at" in capsys.readouterr().err
