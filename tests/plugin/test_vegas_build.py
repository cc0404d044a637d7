"""`v2s vegas segment` and `v2s vegas build` as they are typed."""

import json
from pathlib import Path

import pytest

from tests.engine.vegas.sections import Kept, judge, make_project
from v2s_engine.corpus.clips import read_clips
from v2s_plugin.cli import main

VIDEOS = {"-a": Kept("dog", [0, 1]), "b": Kept("dog", [0, 2])}


def test_segment_then_build_gives_an_index_that_trainings_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project", VIDEOS)
    assert main(["vegas", "segment", str(project.folder), "--jobs", "1"]) == 0
    assert capsys.readouterr().out == "10 pieces of 2 videos, 2 cut just now\n"
    judge(project, VIDEOS)

    code = main(
        ["vegas", "build", str(project.folder), "-o", str(tmp_path / "set"), "--test-per-category=1", "--shards=1"]
    )

    captured = capsys.readouterr()
    assert code == 0
    assert captured.out.splitlines()[-1] == str(tmp_path / "set" / "index.csv")
    assert "4 of 10 pieces kept" in captured.err
    assert len(read_clips(tmp_path / "set" / "index.csv").clips) == 3
    assert len(list((tmp_path / "set" / "shards").glob("*.tar"))) == 2


def test_a_program_gets_counts_and_what_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project(tmp_path / "project", VIDEOS)
    judge(project, VIDEOS)
    project.media_path("b").unlink()

    code = main(
        ["vegas", "build", str(project.folder), "-o", str(tmp_path / "set"), "--test-per-category", "0", "--json"]
    )

    answer = json.loads(capsys.readouterr().out)
    assert code == 3
    assert [(each["category"], each["split"], each["clips"]) for each in answer["counts"]] == [("dog", "train", 1)]
    assert len(answer["left_out"]) == 2
    assert "no fetched section" in answer["left_out"][0]["reason"]


def test_too_few_videos_are_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project(tmp_path / "project", VIDEOS, media=False)
    judge(project, VIDEOS)

    assert main(["vegas", "build", str(project.folder), "--dry-run"]) == 2
    assert "dog has 2; wanted at least 129" in capsys.readouterr().err


def test_one_category_is_built_where_another_has_too_few_videos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = VIDEOS | {"c": Kept("drum", [0])}
    project = make_project(tmp_path / "project", videos, media=False)
    judge(project, videos)
    arguments = ["vegas", "build", str(project.folder), "--test-per-category=1", "--dry-run", "--json"]

    assert main(arguments) == 2
    assert "drum has 1; wanted at least 2" in capsys.readouterr().out
    assert main([*arguments, "--category", "dog"]) == 0
    assert {each["category"] for each in json.loads(capsys.readouterr().out)["counts"]} == {"dog"}
