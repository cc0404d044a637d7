"""`v2s vegas select` and `status`, as typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.vegas.small_audioset import named, write_ontology, write_segments
from v2s_plugin.cli import main


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Options that name an ontology and a file of segments with one bad row."""
    rows = [(each, "dog") for each in named("-d", 4)] + [("../etc", "dog"), ("m", "drum music"), ("n", "drum")]
    ontology = write_ontology(tmp_path / "ontology.json")
    return ["--ontology", str(ontology), "--segments", str(write_segments(tmp_path / "segments.csv", rows))]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["vegas", *arguments, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_draw_is_counted_beside_the_paper_s(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = str(tmp_path / "project")
    arguments = ["vegas", "select", project, *files, "--category", "dog=Dog", "--category", "drums=Drum;Snare drum"]
    assert main([*arguments, "--without", "Music", "--at-least", "2"]) == 3
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()[1:3]] == [["dog", "4", "4", "2785"], ["drums", "1", "1", "-"]]
    assert "The paper drew 1,500 to 3,000 per category" in out
    assert "6 rows read, 5 videos added" in err
    assert "1 row could not be used" in err
    assert "warning: drums: 1 drawn, at least 2 wanted" in err


def test_what_stands_in_a_project_is_shown(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = str(tmp_path / "project")
    answer(capsys, "select", project, *files, "--category", "Dog", code=3)
    assert main(["vegas", "status", project]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["dog", "4", "4", "0", "0", "0", "0", "0", "0", "0"]
    assert lines[-1] == "notes (--notes lists them): select 1"
    assert main(["vegas", "status", project, "--notes"]) == 0
    assert capsys.readouterr().out.startswith("select: segments.csv:8: video id: '../etc' is no video id")
    assert answer(capsys, "status", project, "--notes")["notes"][0]["line"] == 8


def test_a_second_call_adds_and_says_how_many(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = str(tmp_path / "project")
    arguments = ("select", project, *files, "--category", "dog=Dog", "--without", "Music")
    first = answer(capsys, *arguments, "--videos-per-category", "3", code=3)
    assert (first["added"], first["categories"][0]["drawn"], first["rows"], first["left_out"]) == (3, 3, 6, 1)
    assert answer(capsys, "select", project, "--videos-per-category", "4", code=3)["added"] == 1
    assert answer(capsys, "select", project, "--category", "m=Drum", code=3)["categories"][0]["drawn"] == 1
    again = answer(capsys, "select", project, "--without", "", code=3)
    assert again["categories"][0]["drawn"] == 2


def test_categories_come_from_a_file_too(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.csv").write_text("category,display_name\npets,Dog\npets,Cat\n", "utf-8")
    found = answer(capsys, "select", str(tmp_path / "p"), *files, "--categories", str(tmp_path / "c.csv"), code=3)
    assert [(each["name"], each["drawn"]) for each in found["categories"]] == [("pets", 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--category", "dog=Dgo"], "no sound class 'Dgo'; did you mean 'Dog'"),
        (["--category", "dog=Dog", "--categories", "c.csv"], "give one of them"),
        (["--category", "../dog=Dog"], "cannot name a category"),
        (["--category", "dog=Dog", "--without", "Dog"], "nothing is left of category dog"),
    ],
)
def test_wrong_use_says_what_to_do(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    found = answer(capsys, "select", str(tmp_path / "project"), *files, *arguments, code=2)
    assert message in found["error"]["message"]
    assert not (tmp_path / "project").exists()


def test_the_ten_of_the_paper_from_the_real_balanced_set(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audioset = shared / "audioset"
    files = ["--ontology", str(audioset / "ontology.json")]
    files += ["--segments", str(audioset / "balanced_train_segments.csv")]
    found = answer(capsys, "select", str(tmp_path / "project"), *files)
    assert (found["rows"], found["left_out"], len(found["categories"])) == (22_160, 0, 10)
    assert len(found["warnings"]) == 10  # the balanced set has no 1,500 of any
    drawn = {each["name"]: each["drawn"] for each in found["categories"]}
    assert all(drawn[name] == 60 for name in ("baby_crying", "chainsaw", "helicopter", "printer", "snoring"))
    assert found["added"] == sum(drawn.values())
