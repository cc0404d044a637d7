"""`v2s vegas fetch` as a command."""

import json
from pathlib import Path

import pytest

from tests.engine.vegas.fetch_cases import fetch_states, make_film, make_project
from v2s_plugin.cli import main


@pytest.fixture
def lying(tmp_path: Path) -> Path:
    folder = tmp_path / "lying"
    make_film(folder / "-a.mp4", flash=5)
    return folder


def test_it_shows_what_came_and_what_did_not(tmp_path: Path, lying: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_project(tmp_path / "p", {"dog": ["-a", "b"]})
    assert main(["vegas", "fetch", str(tmp_path / "p"), "--from", str(lying)]) == 3
    shown = capsys.readouterr()
    assert [line.split() for line in shown.out.splitlines()[:2]] == [
        ["category", "selected", "fetched", "duplicate", "failed", "later", "waiting"],
        ["dog", "2", "1", "0", "0", "1", "0"],
    ]
    assert shown.out.splitlines()[-1].split() == ["not", "in", "the", "folder", "1"]
    assert "2 videos tried" in shown.err


def test_it_answers_a_program(tmp_path: Path, lying: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_project(tmp_path / "p", {"dog": ["-a"], "rain": ["b"]})
    only = ["--category", "dog", "--limit", "1", "--jobs", "1", "--files-hold", "section"]
    assert main(["vegas", "fetch", str(tmp_path / "p"), "--from", str(lying), *only, "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert (answer["tried"], answer["stopped"], answer["reasons"]) == (1, None, {})
    assert [(each["name"], each["fetched"], each["waiting"]) for each in answer["categories"]] == [
        ("dog", 1, 0),
        ("rain", 0, 1),
    ]


def test_nothing_missing_is_plain_success(tmp_path: Path, lying: Path) -> None:
    project = make_project(tmp_path / "p", {"dog": ["-a"]})
    template = f"{lying.as_uri()}/{{id}}.mp4"
    assert main(["vegas", "fetch", str(tmp_path / "p"), "--url", template]) == 0
    assert fetch_states(project) == {"-a": ("fetched", None)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "where from?"),
        (["--url", "http://127.0.0.1:9/{id}", "--yt-dlp"], "give one of them"),
        (["--from", ".", "--files-hold", "both"], "wanted auto, section, video"),
        (["--from", ".", "--rate", "0"], "wanted above 0"),
        (["--from", "."], "start one with: v2s vegas select"),
    ],
)
def test_wrong_use_is_said(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vegas", "fetch", str(tmp_path / "p"), *arguments]) == 2
    assert words in capsys.readouterr().err
