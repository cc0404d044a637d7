"""A project's folder: its database is made once and whole, ids never become other paths, notes are kept once."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2s_engine.errors import OutputError, UsageError
from v2s_engine.vegas import store
from v2s_engine.vegas.one_run import one_run
from v2s_engine.vegas.store import Note, Project, read_fact, video_id_fault, write_fact, write_notes


def test_the_database_is_made_once_and_opened_again(tmp_path: Path) -> None:
    project = Project(tmp_path / "deep" / "project")
    with project.connect(create=True) as connection, connection:
        write_fact(connection, "colours", ["red", {"green": 1}])
    with project.connect() as connection:
        assert read_fact(connection, "colours") == ["red", {"green": 1}]
        assert read_fact(connection, "sizes") is None
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_a_run_that_cannot_be_marked_is_not_told_that_another_is_at_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*\.build\.lock: unable to open"):
        one_run(Project(tmp_path / "gone"), "build").__enter__()


def test_no_project_is_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no VEGAS project at .*; start one with: v2s vegas select"):
        Project(tmp_path / "none").connect().__enter__()
    assert not (tmp_path / "none").exists()


def test_the_database_of_another_program_is_refused_and_untouched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "vegas.db") as other:
        other.execute("CREATE TABLE videos (title TEXT)")
    other.close()
    before = (tmp_path / "vegas.db").read_bytes()
    with pytest.raises(UsageError, match="is not a project of this version"):
        Project(tmp_path).connect(create=True).__enter__()
    assert (tmp_path / "vegas.db").read_bytes() == before


def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    with Project(tmp_path).connect(create=True) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="its version 99; wanted 0x56454741, 1"):
        Project(tmp_path).connect().__enter__()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vegas.db").write_text("videos" * 1000)
    with pytest.raises(UsageError, match="cannot be used: file is not a database"):
        Project(tmp_path).connect().__enter__()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="give a folder that can be written to"):
        Project(tmp_path / "file" / "project").connect(create=True).__enter__()


def test_what_a_killed_maker_leaves_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / "vegas.db").touch()
    with Project(tmp_path).connect() as connection:
        assert connection.execute("SELECT count(*) FROM videos").fetchone()[0] == 0


def test_two_that_open_a_new_project_at_once_both_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    make = store._make_tables

    def make_second(connection: sqlite3.Connection) -> None:
        monkeypatch.setattr(store, "_make_tables", make)
        with project.connect(create=True):  # another process is quicker, right after we found no tables
            pass
        make(connection)

    monkeypatch.setattr(store, "_make_tables", make_second)
    with project.connect(create=True) as connection:
        assert connection.execute("SELECT count(*) FROM videos").fetchone()[0] == 0


def test_a_full_disk_and_a_held_database_are_errors_to_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)

    def fill() -> None:
        with project.connect(create=True) as connection, connection:
            connection.execute("PRAGMA max_page_count = 1")
            write_fact(connection, "large", "x" * 10_000_000)

    with pytest.raises(OutputError, match=r"cannot use .*database or disk is full; .*free some space"):
        fill()
    monkeypatch.setattr(store, "_BUSY_S", 0.05)
    with project.connect() as held:
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OutputError, match="database is locked; wait for other commands"):
            project.connect().__enter__()


def test_a_wrong_query_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    with (
        Project(tmp_path).connect(create=True) as connection,
        pytest.raises(sqlite3.OperationalError, match="no such table") as caught,
    ):
        connection.execute("SELECT * FROM absent")
    with pytest.raises(sqlite3.OperationalError), Project(tmp_path).connect():
        raise caught.value


def test_an_error_leaves_nothing_of_its_transaction(tmp_path: Path) -> None:
    project = Project(tmp_path)

    def fail() -> None:
        with project.connect(create=True) as connection, connection:
            write_fact(connection, "a", 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with project.connect() as connection:
        assert read_fact(connection, "a") is None


def test_a_note_is_kept_once_also_one_without_a_line(tmp_path: Path) -> None:
    notes = [Note("a.csv", 3, "x", "odd"), Note("", None, "y", "odd"), Note("a.csv", 3, "x", "odd")]
    with Project(tmp_path).connect(create=True) as connection, connection:
        write_notes(connection, "select", notes)
        write_notes(connection, "select", notes)
        write_notes(connection, "fetch", notes[:1])
        kept = connection.execute("SELECT step, source, line, about, reason FROM notes ORDER BY id").fetchall()
    assert [tuple(each) for each in kept] == [
        ("select", "a.csv", 3, "x", "odd"),
        ("select", "", None, "y", "odd"),
        ("fetch", "a.csv", 3, "x", "odd"),
    ]


@pytest.mark.parametrize("video_id", ["", "..", "a/b", "a\\b", "a.b", "C:", "a\n", "a\0", "é", "a b", "x" * 65])
def test_what_is_no_id_never_becomes_a_path(tmp_path: Path, video_id: str) -> None:
    assert "is no video id" in (video_id_fault(video_id) or "")
    with pytest.raises(UsageError):
        Project(tmp_path).media_path(video_id)
    with pytest.raises(UsageError):
        Project(tmp_path).piece_path(video_id, 0, ".mp4")


def test_ids_that_differ_in_case_alone_have_files_of_their_own(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert str(project.media_path("abc")).casefold() != str(project.media_path("ABC")).casefold()


@given(st.text(max_size=70))
def test_every_path_lies_in_the_project_and_begins_with_no_dash(video_id: str) -> None:
    project = Project(Path("/projects/one"))
    if video_id_fault(video_id):
        return
    for path in (project.media_path(video_id), project.piece_path(video_id, 4, ".jpg")):
        assert path.resolve().is_relative_to("/projects/one")
        assert not path.name.startswith(("-", "."))


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_ids_of_the_right_letters_are_ids(video_id: str) -> None:
    assert video_id_fault(video_id) is None
    assert video_id in Project(Path("/p")).media_path(video_id).name
