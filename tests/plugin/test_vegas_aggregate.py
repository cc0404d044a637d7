"""`v2s vegas aggregate` and `v2s vegas stats` as a user calls them."""

import json
import subprocess
import sys

import pytest

from tests.engine.vegas.sections import write_section
from tests.engine.vegas.voting import make_gold, make_project, vote
from v2s_plugin.cli import main


@pytest.fixture
def project(tmp_path):
    project = make_project(tmp_path / "project", {"video": ("dog", 3)})
    vote(project, 1, "111", "111")
    vote(project, 2, "110", "111")
    vote(project, 3, "000", "111")
    return project


def aggregate(project, *options):
    return main(["vegas", "aggregate", str(project.folder), *options])


def test_it_tells_what_is_kept_beside_the_paper(project, capsys):
    assert aggregate(project) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[1].split() == ["here", "3", "1", "2", "0.00111"]
    assert lines[2].split() == ["the", "paper", "132209", "34392", "97817", "54.3"]
    assert f"1 piece: {project.folder / 'conflicts.csv'}" in told.err
    # 18 answers: all but the 2:1 are alike; 14 of them are yes.
    alike, chance = (5 + 1 / 3) / 6, (14**2 + 4**2) / 18**2
    (overall,) = (line.split() for line in lines if line.startswith("all "))
    assert overall[1] == "6"
    assert overall[-2:] == [f"{100 * alike:.1f}", f"{(alike - chance) / (1 - chance):.3f}"]


def test_json_has_the_same_and_annotators(project, capsys):
    assert aggregate(project, "--json", "--method", "dawid-skene") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["method"] == "dawid-skene"
    assert answer["counts"] | {"kept_hours": 0} == {
        "pieces": 3, "labelled": 3, "kept": 2, "removed": 1, "undecided": 0, "kept_hours": 0,
    }  # fmt: skip
    assert answer["paper"]["kept_hours"] == pytest.approx(54.34, abs=0.01)
    assert [row["name"] for row in answer["annotators"]] == ["page:a", "page:b", "page:c"]


def test_pieces_without_three_votes_and_bad_annotators_are_told(project, tmp_path, capsys):
    make_gold(project, 3, picture=1, sound=1)
    with project.connect() as connection, connection:
        connection.execute("UPDATE votes SET present = 0 WHERE piece_id = 3 AND annotator = 'page:c'")
        connection.execute("UPDATE votes SET present = 1 WHERE piece_id = 3 AND annotator <> 'page:c'")
    listed = tmp_path / "again.csv"
    options = ("--min-gold-accuracy", "0.5", "--min-gold-answers", "2", "--conflicts", str(listed))
    assert aggregate(project, *options) == 3
    told = capsys.readouterr()
    assert "left out: page:c: 0 of 2 gold answers are right" in told.err
    assert "not decided, for want of votes: 2 pieces, 2 of them begun" in told.err
    assert ["page:c", "0", "2", "0.0", "6"] in [line.split() for line in told.out.splitlines()]
    assert listed.read_text(encoding="utf-8").count("has 2 of 3 votes") == 4


def test_wrong_options_are_wrong_use(project, capsys):
    assert aggregate(project, "--method", "oracle") == 2
    assert "unknown method 'oracle'; known: majority, dawid-skene" in capsys.readouterr().err
    assert aggregate(project, "--min-gold-accuracy", "80") == 2
    assert main(["vegas", "aggregate", str(project.folder / "none")]) == 2


def test_stats_write_a_page_and_say_what_comes_next(project, tmp_path, capsys):
    write_section(project.media_path("video"), length=96_000)
    assert aggregate(project) == 0
    capsys.readouterr()
    assert main(["vegas", "stats", str(project.folder), "-o", str(tmp_path / "stats")]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(tmp_path / "stats" / "statistics.html")
    assert "no clips are built yet: v2s vegas build" in told.err
    assert {path.name for path in (tmp_path / "stats").iterdir()} == {
        "statistics.html", "statistics.json", "samples.png",
    }  # fmt: skip


def test_stats_without_media_tell_what_could_not_be_shown(project, tmp_path, capsys):
    assert main(["vegas", "stats", str(project.folder), "-o", str(tmp_path / "stats"), "--json"]) == 3
    told = capsys.readouterr()
    assert "no sample of dog: " in told.err
    answer = json.loads(told.out)
    assert answer["samples"] == answer["drawings"] == []
    assert answer["total"]["pieces"] == 3


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom v2s_plugin.cli import main\nmain(['vegas', 'stats', '--help'])\n"
        "main(['vegas', 'aggregate', '--help'])\n"
        "sys.exit(sorted({'numpy', 'torch', 'matplotlib', 'jinja2', 'av'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
