"""`v2s vegas annotate` with Mechanical Turk and gold questions."""

import json
from pathlib import Path

import pytest

from tests.engine.vegas.turk import URL, assignment, make_project, query, read_rows, write_export
from v2s_engine.vegas.store import Project
from v2s_plugin.cli import main


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", {"dog": 2, "drum": 1})


def run(project: Project, *arguments: object) -> int:
    return main(["vegas", "annotate", str(project.folder), *map(str, arguments)])


def test_from_gold_to_votes(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold, out = tmp_path / "gold.csv", tmp_path / "out"
    assert run(project, "--gold-sample", 2, "-o", gold) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [str(gold)]
    assert "dog: 2 pieces" in shown.err
    gold.write_text(gold.read_text().replace(",,,", ",yes,no,"))
    assert run(project, "--gold", gold) == 0
    assert "8 gold answers added" in capsys.readouterr().err

    assert run(project, "--mturk-batches", out, "--media-url", URL, "--hits-per-batch", 3, "--pieces-per-hit", 3) == 0
    shown = capsys.readouterr()
    files = [Path(line) for line in shown.out.splitlines()]
    assert all(file.exists() for file in files)
    assert [file.name for file in files if file.suffix == ".csv"] == [
        "picture_0001.csv", "picture_0002.csv", "sound_0003.csv", "sound_0004.csv",
    ]  # fmt: skip
    assert "picture: 11 pieces in 6 HITs" in shown.err
    assert "36 assignments to pay" in shown.err

    first, second = (
        write_export(tmp_path / f"{n}.csv", [assignment(read_rows(files[n])[0], "W1", ["yes", "no", "yes"])])
        for n in (0, 2)
    )
    assert run(project, "--mturk-results", first, second) == 0  # as a shell writes *.csv
    assert "2 assignments: 2 new or changed, 0 rejected; 6 votes" in capsys.readouterr().err
    assert query(project, "SELECT modality, count(*) FROM votes GROUP BY 1") == [("picture", 3), ("sound", 3)]


def test_what_is_left_out_is_said_and_makes_exit_3(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("video_id,ordinal,picture,sound\n../x,0,yes,yes\n-dog_00,0,yes,\n")
    assert run(project, "--gold", gold) == 3
    assert "gold.csv, line 2: ../x:" in capsys.readouterr().err
    assert run(project, "--gold", gold, "--json") == 3
    answer = json.loads(capsys.readouterr().out)
    assert (answer["known"], answer["notes"][0]["line"]) == (1, 2)


def test_json_is_all_that_is_on_stdout(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "--mturk-batches", tmp_path / "out", "--media-url", URL, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["hits"] == {"picture": 3, "sound": 3}
    row = read_rows(Path(answer["batches"][0]))[0]
    results = write_export(tmp_path / "results.csv", [assignment(row, "W1", ["maybe"] * 5)])
    assert run(project, "--mturk-results", results, "--json") == 3
    answer = json.loads(capsys.readouterr().out)
    assert (answer["assignments"], answer["votes"], len(answer["notes"])) == (1, 0, 5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "got nothing to do; give one of --serve, --mturk-batches"),
        (["--gold", "a", "--gold-sample", "2"], "got --gold and --gold-sample"),
        (["--mturk-batches", "out"], "needs --media-url"),
        (["--mturk-batches", "out", "--media-url", "http://a.example"], "wanted the https URL"),
        (["--serve", "--gold", "a"], "got --serve and --gold"),
        (["--serve", "--conflicts", "3"], "give at least 4"),
        (["--serve", "--seed", "1", "-o", "a"], "--serve goes without --output"),
        (["--gold", "a", "--port", "1"], "--gold goes without --port"),
        (["--gold", "a", "--again"], "--gold goes without --again"),
        (["--gold", "a", "b.csv"], "--gold goes without more files"),
        (["--gold-sample", "2"], "needs -o"),
        (["--mturk-results", "gone.csv"], "cannot read gone.csv"),
    ],
)
def test_wrong_use_is_explained(
    project: Project,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(project, *arguments) == 2
    assert says in capsys.readouterr().err


def test_no_project_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("video_id,ordinal,picture,sound\n")
    assert main(["vegas", "annotate", str(tmp_path / "none"), "--gold", str(gold)]) == 2
    assert "no VEGAS project at" in capsys.readouterr().err
