"""Which videos are drawn: by labels, by seed, and again."""

import csv
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.vegas.small_audioset import named, write_ontology, write_segments
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.categories import Category
from v2s_engine.vegas.selection import SelectResult, select_videos
from v2s_engine.vegas.selection_options import SelectOptions
from v2s_engine.vegas.store import Project

DOG = Category("dog", ("Dog",))
DRUM = Category("drum", ("Drum",))
Select = Callable[..., SelectResult]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def select(tmp_path: Path, project: Project) -> Select:
    """Draws dogs and drums of these rows (in `segments.csv`, or in one file per list), at least 0 of each."""

    def run(*files: list[tuple[str, str]], **options: object) -> SelectResult:
        paths = [write_segments(tmp_path / f"segments{number}.csv", rows) for number, rows in enumerate(files)]
        asked = SelectOptions(write_ontology(tmp_path / "ontology.json"), tuple(paths), (DOG, DRUM), at_least=0)
        return select_videos(project, replace(asked, **options))  # type: ignore[arg-type]

    return run


def drawn(project: Project, category: str | None = None) -> list[str]:
    """Ids in the order of drawing."""
    with project.connect() as connection:
        rows = connection.execute("SELECT video_id, category FROM videos ORDER BY category, position").fetchall()
    return [video_id for video_id, name in rows if category in (None, name)]


def everything(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """All that the database holds."""
    with project.connect() as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            table: [tuple(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608
            for table in tables
        }


def fetch(project: Project, *video_ids: str) -> None:
    """As if these had been fetched."""
    with project.connect() as connection, connection:
        connection.executemany(
            "INSERT INTO fetches (video_id, state, attempts) VALUES (?, 'fetched', 1)", [(each,) for each in video_ids]
        )


def test_sub_classes_belong_to_a_category_and_rows_say_where_they_stand(select: Select, project: Project) -> None:
    result = select([("a", "dog"), ("b", "rain"), ("c", "rain bark"), ("d", "snare")])
    assert [(each.name, each.candidates, each.drawn) for each in result.categories] == [("dog", 2, 2), ("drum", 1, 1)]
    with project.connect() as connection:
        video = dict(connection.execute("SELECT * FROM videos WHERE video_id = 'c'").fetchone())
        categories = [tuple(each) for each in connection.execute("SELECT * FROM categories ORDER BY position")]
    del video["position"]
    assert video == {
        "video_id": "c",
        "category": "dog",
        "begin_ms": 30_000,
        "end_ms": 40_000,
        "labels": '["/m/rain", "/m/bark"]',
        "source": "segments0.csv",
        "line": 6,
    }
    assert categories == [
        ("dog", 0, '["Dog"]', '["/m/bark", "/m/dog", "/m/growl"]', 2),
        ("drum", 1, '["Drum"]', '["/m/drum", "/m/snare"]', 1),
    ]


def test_the_draw_is_the_first_by_hash_of_seed_and_id(select: Select, project: Project) -> None:
    ids = named("d", 50)
    select([(each, "dog") for each in ids], videos_per_category=20, seed=3)
    assert drawn(project) == sorted(ids, key=lambda each: hashlib.sha256(f"3/{each}".encode()).digest())[:20]


def test_the_draw_does_not_depend_on_the_order_of_rows_or_on_other_categories(select: Select, project: Project) -> None:
    rows = [(each, "dog") for each in named("d", 30)]
    select(rows, videos_per_category=10)
    first = drawn(project)
    select([(each, "drum") for each in named("m", 30)] + rows[::-1], videos_per_category=10)
    assert drawn(project, "dog") == first


def test_the_category_with_fewer_candidates_takes_what_fits_both(select: Select, project: Project) -> None:
    select([("a", "dog"), ("b", "dog drum"), ("c", "bark"), ("d", "drum")])
    assert drawn(project, "drum") == ["d", "b"] or drawn(project, "drum") == ["b", "d"]
    assert sorted(drawn(project, "dog")) == ["a", "c"]


def test_of_two_with_as_many_candidates_the_first_named_takes_it(select: Select, project: Project) -> None:
    select([("a", "dog drum"), ("b", "drum dog")])
    assert sorted(drawn(project, "dog")) == ["a", "b"]
    select([("a", "dog drum"), ("b", "drum dog")], categories=(DRUM, DOG))
    assert sorted(drawn(project, "drum")) == ["a", "b"]


def test_exclusions_hold_for_what_stands_below_too(select: Select, project: Project) -> None:
    result = select([("a", "dog"), ("b", "dog music"), ("c", "dog guitar"), ("d", "dog snare")], without=("Music",))
    assert drawn(project, "dog") == ["a"]
    assert result.categories[0].candidates == 1


def test_a_category_is_not_left_out_for_what_it_is_made_of(select: Select, project: Project) -> None:
    rows = [("a", "drum percussion"), ("b", "drum music"), ("c", "drum guitar"), ("d", "snare")]
    result = select(rows, without=("Music",))
    assert sorted(drawn(project, "drum")) == ["a", "d"]
    assert any("without 'Music'" in warning and "drum" in warning for warning in result.warnings)


def test_part_of_a_category_can_be_left_out(select: Select, project: Project) -> None:
    select([("a", "dog"), ("b", "dog bark"), ("c", "growl")], without=("Bark",))
    assert sorted(drawn(project, "dog")) == ["a", "c"]


def test_a_category_may_take_out_what_it_does_not_mean(select: Select, project: Project) -> None:
    animals = Category("animals", ("Animal", "-Cat", "Growling"))
    select([("a", "dog"), ("b", "cat"), ("c", "growl"), ("d", "cat bark"), ("e", "bark")], categories=(animals,))
    assert sorted(drawn(project)) == ["a", "c", "d", "e"]
    with pytest.raises(UsageError, match="no sound class 'Cta'; did you mean 'Cat'"):
        select([("a", "dog")], categories=(Category("animals", ("Animal", "-Cta")),))


def test_leaving_out_what_is_asked_for_is_an_error(select: Select) -> None:
    with pytest.raises(UsageError, match="without 'Dog' nothing is left of category dog"):
        select([("a", "dog")], without=("Dog",))


def test_an_unknown_name_is_an_error_and_makes_no_project(select: Select, project: Project) -> None:
    with pytest.raises(UsageError, match="no sound class 'Musik'; did you mean 'Music'"):
        select([("a", "dog")], without=("Musik",))
    assert not project.folder.exists()


def test_bad_rows_are_noted_and_the_rest_goes_on(select: Select, project: Project) -> None:
    result = select([("a", "dog"), ("-b", "dog"), ("../c", "dog"), ("a", "bark"), ("d", "dgo"), ("e", "dog")])
    assert sorted(drawn(project)) == ["-b", "a", "e"]
    assert (result.rows, result.left_out) == (3, 3)
    with project.connect() as connection:
        notes = connection.execute("SELECT source, line, about, reason FROM notes WHERE step = 'select'").fetchall()
    assert [(source, line, about) for source, line, about, _ in notes] == [
        ("segments0.csv", 6, "video id"),
        ("segments0.csv", 7, "a"),
        ("segments0.csv", 8, "d"),
    ]


def test_a_section_too_short_for_a_piece_is_noted_where_it_would_be_drawn(select: Select, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("a,0,1.899,/m/dog\nb,0,1.9,/m/dog\nc,0,1,/m/rain\n", "utf-8")
    result = select(segments=(path,))
    assert (result.rows, result.left_out, result.categories[0].drawn) == (3, 1, 1)


def test_a_file_in_which_no_row_is_right_is_an_error(select: Select, tmp_path: Path, project: Project) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("index,mid,display_name\n0,/m/09x0r,Speech\n", "utf-8")
    with pytest.raises(UsageError, match=r"no row of .*labels.csv can be used \(line 1: 3 fields; wanted 4"):
        select(segments=(path,))
    path.write_text("# nothing\n", "utf-8")
    with pytest.raises(UsageError, match=r"can be used \(it is empty\)"):
        select(segments=(path,))
    assert not project.folder.exists()


def test_a_file_that_repeats_another_is_noted_row_by_row(select: Select) -> None:
    result = select([("a", "dog"), ("b", "dog")], [("b", "bark")])
    assert (result.rows, result.left_out) == (2, 1)


def test_files_that_rows_could_not_be_traced_to_are_refused(select: Select, tmp_path: Path) -> None:
    one = write_segments(tmp_path / "one.csv", [("a", "dog")])
    (tmp_path / "sub").mkdir()
    same_name = write_segments(tmp_path / "sub" / "one.csv", [("b", "dog")])
    copy = write_segments(tmp_path / "copy.csv", [("a", "dog")])
    with pytest.raises(UsageError, match=r"two files of segments are called one.csv"):
        select(segments=(one, same_name))
    with pytest.raises(UsageError, match="are the same, byte for byte"):
        select(segments=(one, copy))
    with pytest.raises(UsageError, match=r"cannot read the segments in .*none.csv: No such file"):
        select(segments=(tmp_path / "none.csv",))


def test_what_is_missing_is_asked_for(tmp_path: Path, project: Project) -> None:
    with pytest.raises(UsageError, match=r"no ontology is given; get ontology.json"):
        select_videos(project, SelectOptions())
    with pytest.raises(UsageError, match="no segments are given"):
        select_videos(project, SelectOptions(write_ontology(tmp_path / "o.json")))


@pytest.mark.parametrize("options", [{"videos_per_category": 0}, {"at_least": -1}, {"categories": (DOG, DOG)}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        SelectOptions(**options)  # type: ignore[arg-type]


def test_fewer_than_wanted_is_a_warning(select: Select) -> None:
    result = select([("a", "dog"), ("b", "dog"), ("c", "drum")], at_least=2)
    assert result.warnings == ("drum: 1 drawn, at least 2 wanted; more segment files may have more",)
    with pytest.raises(UsageError, match="at least 2 videos are wanted per category, but at most 1"):
        select([("a", "dog")], at_least=2, videos_per_category=1)


class TestAgain:
    """A second run."""

    ROWS = [(each, "dog") for each in named("d", 12)] + [(each, "drum") for each in named("m", 5)]

    def test_the_same_again_changes_nothing(self, select: Select, project: Project) -> None:
        select([*self.ROWS, ("bad row", "dog")], without=("Music",))
        before = everything(project)
        result = select([*self.ROWS, ("bad row", "dog")], without=("Music",))
        assert everything(project) == before
        assert result.added == 0
        fetch(project, *drawn(project)[:3])
        before = everything(project)
        assert select_videos(project, SelectOptions()).added == 0
        assert everything(project) == before

    def test_what_is_left_out_stays_as_it_was(self, select: Select, project: Project) -> None:
        select([*self.ROWS, ("x", "dog cat")], without=("Cat",), videos_per_category=3, seed=5)
        ids = drawn(project)
        result = select_videos(project, SelectOptions(videos_per_category=4))
        assert [each.drawn for each in result.categories] == [4, 4]
        assert set(ids) < set(drawn(project))
        assert result.added == 2
        assert "x" not in drawn(project)

    def test_before_anything_is_fetched_other_options_draw_anew(self, select: Select, project: Project) -> None:
        select(self.ROWS, videos_per_category=10)
        result = select(self.ROWS, videos_per_category=4, seed=1, categories=(DRUM,), without=("Guitar",))
        assert [each.name for each in result.categories] == ["drum"]
        assert len(drawn(project)) == 4

    def test_more_videos_are_the_same_as_if_drawn_at_once(self, select: Select, project: Project) -> None:
        select(self.ROWS, videos_per_category=9)
        at_once = everything(project)["videos"]
        select(self.ROWS, videos_per_category=3)
        fetch(project, drawn(project)[0])
        assert select(self.ROWS, videos_per_category=9).added == 8
        assert sorted(everything(project)["videos"]) == sorted(at_once)

    def test_another_file_adds_to_what_is_fetched(self, select: Select, project: Project) -> None:
        select(self.ROWS)
        before = drawn(project)
        fetch(project, before[0])
        # Now there are so many drums that a row with both labels would be a dog, and `d` is drawn already.
        more = [(each, "drum") for each in named("n", 50)] + [("new", "dog"), ("d0000000000", "drum")]
        result = select(self.ROWS, more, videos_per_category=12)
        assert drawn(project, "dog") == [each for each in before if each.startswith("d")]
        assert drawn(project, "drum")[:5] == [each for each in before if each.startswith("m")]
        assert [(each.candidates, each.drawn) for each in result.categories] == [(13, 12), (55, 12)]

    def test_another_category_is_added_to_what_is_fetched(self, select: Select, project: Project) -> None:
        rows = [*self.ROWS, ("c1", "cat"), ("c2", "growl")]
        select(rows, categories=(DOG,))
        fetch(project, "c2")
        result = select(rows, categories=(Category("cat", ("Cat",)), DOG))
        assert [(each.name, each.drawn) for each in result.categories] == [("dog", 13), ("cat", 1)]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"seed": 1}, "the seed was 0, now 1"),
            ({"without": ("Rain",)}, "left out were none, now 'Rain'"),
            ({"categories": (DOG,)}, "category drum is not given any more"),
            ({"categories": (DOG, Category("drum", ("Guitar",)))}, "category drum was made of 'Drum', now of 'Guitar'"),
            ({"videos_per_category": 11}, "12 videos of dog are drawn and fetching has begun; wanted now at most 11"),
        ],
    )
    def test_nothing_fetched_is_lost(
        self, select: Select, project: Project, options: dict[str, object], message: str
    ) -> None:
        select(self.ROWS)
        fetch(project, "d0000000000")
        before = everything(project)
        with pytest.raises(UsageError, match=message):
            select(self.ROWS, **options)
        assert everything(project) == before

    def test_a_file_that_changed_is_not_taken_for_the_old_one(self, select: Select, project: Project) -> None:
        select(self.ROWS)
        fetch(project, "d0000000000")
        with pytest.raises(UsageError, match=r"segments0.csv is not given any more, or has changed"):
            select(self.ROWS[1:])

    def test_files_may_have_moved(self, select: Select, project: Project, tmp_path: Path) -> None:
        select(self.ROWS)
        fetch(project, "d0000000000")
        moved = (tmp_path / "segments0.csv").rename(tmp_path / "moved.csv")
        assert select_videos(project, SelectOptions(segments=(moved,))).added == 0

    def test_a_run_that_is_stopped_leaves_what_was_there(self, select: Select, project: Project) -> None:
        select(self.ROWS)
        before = everything(project)
        progress = Progress()
        progress.cancel.set()
        with pytest.raises(CancelledError):
            select_videos(project, SelectOptions(seed=1), progress)
        assert everything(project) == before

    def test_a_run_that_is_killed_while_it_writes_leaves_what_was_there(
        self, select: Select, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        select(self.ROWS)
        before = everything(project)
        monkeypatch.setattr("v2s_engine.vegas.selection.write_fact", _raise)
        with pytest.raises(KeyboardInterrupt):
            select_videos(project, SelectOptions(seed=1))
        assert everything(project) == before

    def test_a_fetch_that_begins_meanwhile_is_seen(self, select: Select, project: Project) -> None:
        select(self.ROWS)
        progress = Progress(lambda event: fetch(project, "d0000000000"))
        with pytest.raises(UsageError, match="another run changed the project while this one read"):
            select_videos(project, SelectOptions(seed=1), progress)
        assert "d0000000000" in drawn(project)

    def test_a_project_that_is_held_is_an_error(
        self, select: Select, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        select(self.ROWS)
        monkeypatch.setattr("v2s_engine.vegas.store._BUSY_S", 0.05)
        held = sqlite3.connect(project.database)
        held.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputError, match="database is locked; wait for other commands"):
            select_videos(project, SelectOptions(seed=1))
        held.close()


LABELS = st.lists(st.sampled_from(["dog", "bark", "growl", "drum", "snare", "music", "percussion", "rain"]), min_size=1)


@settings(max_examples=20, deadline=None)  # the time is the disk's
@given(st.lists(st.tuples(st.integers(0, 30), LABELS), min_size=1, max_size=30), st.integers(1, 5), st.booleans())
def test_the_draw_is_what_a_slow_judge_says(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, list[str]]], most: int, music: bool
) -> None:
    folder = tmp_path_factory.getbasetemp() / "judged"  # nothing is fetched: every example draws anew
    folder.mkdir(exist_ok=True)
    segments = write_segments(folder / "s.csv", [(f"v{number}", " ".join(labels)) for number, labels in rows])
    options = SelectOptions(
        write_ontology(folder / "o.json"), (segments,), (DOG, DRUM), () if music else ("Music",), most, 0
    )
    select_videos(Project(folder), options)

    videos: dict[str, set[str]] = {}
    for number, labels in rows:
        videos.setdefault(f"v{number}", set(labels))  # the first row counts
    fits = {
        "dog": [each for each, labels in videos.items() if labels & {"dog", "bark", "growl"}],
        "drum": [each for each, labels in videos.items() if labels & {"drum", "snare"}],
    }
    if not music:
        spoilt = {"music", "percussion", "drum", "snare"}
        fits["dog"] = [each for each in fits["dog"] if not videos[each] & spoilt]
        fits["drum"] = [each for each in fits["drum"] if "music" not in videos[each]]
    fewer, more = ("drum", "dog") if len(fits["drum"]) < len(fits["dog"]) else ("dog", "drum")
    fits[more] = [each for each in fits[more] if each not in fits[fewer]]
    for category, fitting in fits.items():
        expected = sorted(fitting, key=lambda each: hashlib.sha256(f"0/{each}".encode()).digest())[:most]
        assert drawn(Project(folder), category) == expected


def test_the_real_balanced_set_has_the_published_counts(shared: Path, tmp_path: Path) -> None:
    """Every class of the map by itself; the counts there are of rows that are labelled with it."""
    audioset = shared / "audioset"
    with (audioset / "vegas_categories.csv").open(encoding="utf-8", newline="") as file:
        listed = {row["mid"]: int(row["n_balanced_train"]) for row in csv.DictReader(file)}
    segments = audioset / "balanced_train_segments.csv"
    project = Project(tmp_path)
    options = SelectOptions(audioset / "ontology.json", (segments,), (Category("all", tuple(listed)),), (), 22_160, 0)
    result = select_videos(project, options)
    assert (result.rows, result.left_out) == (22_160, 0)
    with project.connect() as connection:
        labels = [json.loads(text) for (text,) in connection.execute("SELECT labels FROM videos")]
        sources = connection.execute("SELECT video_id, line FROM videos").fetchall()
    counts = Counter(mid for each in labels for mid in set(each))
    assert {mid: counts[mid] for mid in listed} == listed
    lines = segments.read_text("utf-8").splitlines()
    assert all(lines[line - 1].startswith(f"{video_id},") for video_id, line in sources)


def _raise(*_: object) -> None:
    raise KeyboardInterrupt
