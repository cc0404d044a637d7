from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.engine.vegas.turk import URL, assignment, batches_in, change, make_project, query, read_rows, write_export
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vegas.mturk.batches import BatchOptions, write_batches
from v2s_engine.vegas.mturk.hits import HitOptions
from v2s_engine.vegas.mturk.results import ResultOptions, import_results
from v2s_engine.vegas.store import Project

ASKED = (
    "SELECT h.modality, v.category, p.id FROM mturk_questions q JOIN mturk_hits h ON h.hit = q.hit "
    "JOIN pieces p ON p.id = q.piece_id JOIN videos v ON v.video_id = p.video_id"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", {"dog": 5, "drum": 2})


def add_gold(project: Project, share: int = 5) -> set[int]:
    """Every so manyth piece is gold in both modalities."""
    pieces = [row[0] for row in query(project, "SELECT id FROM pieces")][::share]
    change(project, "INSERT INTO gold VALUES (?, ?, 1)", [(p, m) for p in pieces for m in ("picture", "sound")])
    return set(pieces)


def test_every_piece_is_asked_about_once_in_each_modality(project: Project, tmp_path: Path) -> None:
    rows = batches_in(project, tmp_path / "out", pieces=4)
    assert Counter(query(project, ASKED)).most_common(1)[0][1] == 1
    assert len(query(project, ASKED)) == 2 * 35
    assert Counter((row["modality"], row["category"]) for row in rows) == {
        ("picture", "dog"): 7, ("picture", "drum"): 3, ("sound", "dog"): 7, ("sound", "drum"): 3,
    }  # fmt: skip
    first = rows[0]
    assert [first[f"url_{place}"].rsplit(".", 1)[1] for place in range(1, 5)] == ["mp4"] * 4
    assert first["url_1"].startswith(f"{URL}/pieces/")
    assert first["question"].startswith("Is the source of the sound visible")
    assert rows[-1]["url_1"].endswith(".flac")


def test_the_last_hit_of_a_category_has_none_where_pieces_are_missing(project: Project, tmp_path: Path) -> None:
    rows = [row for row in batches_in(project, tmp_path / "out", pieces=4) if row["category"] == "drum"]
    filled = [sum(row[f"piece_{place}"] != "none" for place in range(1, 5)) for row in rows]
    assert filled == [4, 4, 2] * 2
    assert rows[2]["url_3"] == rows[2]["url_4"] == "none"
    assert all(value for row in rows for value in row.values())


def test_nothing_tells_gold_from_other_pieces(project: Project, tmp_path: Path) -> None:
    gold = add_gold(project)
    rows = batches_in(project, tmp_path / "out", pieces=5, gold=1)
    tokens = dict(query(project, "SELECT token, piece_id FROM mturk_questions"))
    assert len(tokens) == len({row[f"piece_{n}"] for row in rows for n in range(1, 6)} - {"none"})
    places = []
    for row in rows:
        of_gold = [n for n in range(1, 6) if tokens.get(row[f"piece_{n}"]) in gold]
        assert len(of_gold) == 1
        places += of_gold
    assert set(places) == {1, 2, 3, 4, 5}
    text = "".join(path.read_text() for path in (tmp_path / "out").glob("*.csv"))
    assert "gold" not in text
    assert {len(token) for token in tokens} == {20}


def test_gold_is_mixed_in_by_itself_and_refused_where_there_is_not_enough(project: Project, tmp_path: Path) -> None:
    dogs = query(project, "SELECT min(id) FROM pieces")
    change(project, "INSERT INTO gold VALUES (?, 'sound', 0)", dogs)
    with pytest.raises(UsageError, match="2 gold pieces per HIT, but dog has 0 in modality picture"):
        batches_in(project, tmp_path / "refused", pieces=5, gold=2)
    assert not (tmp_path / "refused").exists()
    assert not query(project, ASKED)
    batches_in(project, tmp_path / "out", pieces=5)
    asked = Counter(query(project, ASKED))
    assert asked["sound", "dog", dogs[0][0]] == 6  # 24 dogs by 4 a HIT
    assert asked["picture", "dog", dogs[0][0]] == 1  # there it is a piece as any


def test_pieces_that_are_out_or_have_three_votes_are_not_put_in_again(project: Project, tmp_path: Path) -> None:
    voted = query(project, "SELECT min(id) FROM pieces")[0][0]
    change(
        project,
        "INSERT INTO votes VALUES (?, 'picture', ?, 1, 'page', NULL, '2026-01-01')",
        [(voted, f"page:{name}") for name in "abc"],
    )
    first = batches_in(project, tmp_path / "out")
    assert ("picture", "dog", voted) not in query(project, ASKED)
    assert ("sound", "dog", voted) in query(project, ASKED)
    assert batches_in(project, tmp_path / "out") == []
    again = batches_in(project, tmp_path / "out", again=True)
    assert len(again) == len(first)
    assert ("picture", "dog", voted) not in query(project, ASKED)
    assert not {row["hit"] for row in again} & {row["hit"] for row in first}


def test_a_finished_hit_without_enough_votes_goes_out_again(project: Project, tmp_path: Path) -> None:
    row = batches_in(project, tmp_path / "out")[0]
    done = [assignment(row, f"W{n}", ["yes", "no", "yes", "yes", "unplayable"]) for n in range(3)]
    results = write_export(tmp_path / "results.csv", done[:2])
    import_results(project, ResultOptions((results,)), Progress())
    assert batches_in(project, tmp_path / "out") == []  # one assignment is missing yet
    write_export(results, done)
    import_results(project, ResultOptions((results,)), Progress())
    (again,) = batches_in(project, tmp_path / "out")
    assert again["url_1"] == row["url_5"]
    assert again["url_2"] == "none"


def test_batches_have_at_most_so_many_rows_and_hits_know_theirs(project: Project, tmp_path: Path) -> None:
    written = write_batches(project, BatchOptions(tmp_path / "out", URL, HitOptions(pieces=2), rows=4), Progress())
    assert [path.name for path in written.batches[:2]] == ["picture_0001.csv", "picture_0002.csv"]
    assert max(len(read_rows(path)) for path in written.batches) == 4
    assert written.hits == {"picture": 18, "sound": 18}
    assert written.pieces == {"picture": 35, "sound": 35}
    assert written.assignments == 108
    for path in written.batches:
        lines = path.read_text().splitlines()
        for hit, line in query(project, "SELECT hit, line FROM mturk_hits WHERE source = ?", path.name):
            assert lines[line - 1].startswith(hit)


def test_the_seed_decides_and_nothing_else(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> list[dict[str, str]]:
        made = make_project(tmp_path / name, {"dog": 5, "drum": 2})
        add_gold(made)
        return batches_in(made, tmp_path / f"out_{name}", seed=seed)

    assert written("a", 0) == written("b", 0)
    assert written("c", 1) != written("a2", 0)


@pytest.mark.parametrize("stop", range(1, 13, 2))
def test_a_killed_call_goes_on_to_the_same_batches(tmp_path: Path, stop: int) -> None:
    def prepared(name: str) -> tuple[Project, BatchOptions]:
        made = make_project(tmp_path / name, {"dog": 5, "drum": 2})
        add_gold(made)
        return made, BatchOptions(tmp_path / f"out_{name}", URL, HitOptions(pieces=3), rows=3)

    whole, whole_options = prepared("whole")
    write_batches(whole, whole_options, Progress())
    killed, killed_options = prepared("killed")
    steps = 0

    def kill(event: ProgressEvent) -> None:
        nonlocal steps
        steps += 1
        if steps == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_batches(killed, killed_options, Progress(kill))
    # A batch's file comes before its rows: killed between the two, the file lies there alone.
    last = query(killed, "SELECT hit FROM mturk_hits WHERE batch = (SELECT max(batch) FROM mturk_hits)")
    change(killed, "DELETE FROM mturk_questions WHERE hit = ?", last)
    change(killed, "DELETE FROM mturk_hits WHERE hit = ?", last)
    write_batches(killed, killed_options, Progress())
    assert contents(killed_options.output) == contents(whole_options.output)
    for rows in ("SELECT * FROM mturk_hits ORDER BY 1", "SELECT * FROM mturk_questions ORDER BY 1"):
        assert query(killed, rows) == query(whole, rows)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def test_a_batch_of_another_project_is_not_overwritten(project: Project, tmp_path: Path) -> None:
    batches_in(project, tmp_path / "out")
    other = make_project(tmp_path / "other", {"printer": 3})
    with pytest.raises(OutputError, match=r"picture_0001\.csv is there and is not what this project would write"):
        batches_in(other, tmp_path / "out")
    assert query(other, "SELECT * FROM mturk_hits") == []


def test_texts_go_into_the_template_as_html(tmp_path: Path) -> None:
    made = make_project(tmp_path / "project", {"<R&B> né 🎸": 1})
    row = batches_in(made, tmp_path / "out")[0]
    assert row["category"] == "&lt;R&amp;B&gt; n&#233; &#127928;"
    assert (tmp_path / "out" / "picture_0001.csv").read_bytes().isascii()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("http://pieces.example", "https"),
        ("pieces.example/a", "https"),
        ("https:///a", "https"),
        ("https://a.example/?key=1", "without"),
        ("https://me:secret@a.example/", "passwords"),
        ('https://a.example/"><script>', "no URL may hold"),
        ("https://[a", "https"),
    ],
)
def test_a_url_that_workers_cannot_load_is_refused(wrong: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        BatchOptions(Path("out"), wrong)


def test_numbers_that_leave_no_room_are_refused(project: Project, tmp_path: Path) -> None:
    wrongs: list[dict[str, Any]] = [{"pieces": 0}, {"pieces": 51}, {"pieces": 3, "gold": 3}, {"gold": -1}]
    for wrong in wrongs:
        with pytest.raises(UsageError, match="wanted"):
            HitOptions(**wrong)
    with pytest.raises(UsageError, match="wanted 1 or more"):
        BatchOptions(tmp_path, URL, rows=0)
    change(project, "DELETE FROM pieces")
    with pytest.raises(UsageError, match="v2s vegas segment first"):
        batches_in(project, tmp_path / "out")
