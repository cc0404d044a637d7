"""Where a project stands after each step, counted from rows that each step writes."""

import sqlite3
from pathlib import Path

import pytest

from v2s_engine.errors import UsageError
from v2s_engine.vegas.status import CategoryStatus, read_notes, read_status
from v2s_engine.vegas.store import Note, Project, write_notes


def fill(connection: sqlite3.Connection) -> None:
    """Six dogs: one fetched in three pieces, one failed, one a duplicate, three waiting; no drum."""
    connection.execute("INSERT INTO categories VALUES ('drum', 1, '[]', '[]', 0), ('dog', 0, '[]', '[]', 9)")
    connection.executemany(
        "INSERT INTO videos VALUES (?, 'dog', 0, 10000, '[]', 'a.csv', 1, 0)", [(each,) for each in "abcdef"]
    )
    connection.execute(
        "INSERT INTO fetches (video_id, state, attempts) "
        "VALUES ('a', 'fetched', 1), ('b', 'failed', 3), ('c', 'duplicate', 1)"
    )
    connection.execute("INSERT INTO pieces VALUES (1, 'a', 0, 32000), (2, 'a', 1, 32000), (3, 'a', 2, 32000)")
    asked = {1: {"picture": "xyz", "sound": "xyzu"}, 2: {"picture": "xyz", "sound": "xy"}, 3: {"picture": "uvwxyz"}}
    connection.executemany(
        "INSERT INTO votes VALUES (?, ?, ?, 1, 'page', NULL, '2026-01-01T00:00:00Z')",
        [(piece, side, who) for piece, sides in asked.items() for side, names in sides.items() for who in names],
    )
    connection.executemany("INSERT INTO verdicts VALUES (?, 3, 3, 1.0, 3, 3, 1.0, ?, 0)", [(1, 1), (2, 1), (3, 0)])
    connection.execute("INSERT INTO clips VALUES (1, 'a', 0, 1, 64000, 'train', 'clips/dog/a.mkv')")


def test_every_step_is_counted(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with project.connect(create=True) as connection, connection:
        fill(connection)
        write_notes(connection, "select", [Note("a.csv", 3, "x", "odd"), Note("a.csv", 2, "y", "odd")])
        write_notes(connection, "fetch", [Note("", None, "b", "gone")])
    status = read_status(project)
    assert status.categories == (
        CategoryStatus("dog", 9, 6, fetched=1, failed=1, duplicates=1, pieces=3, voted=1, kept=2, clips=1),
        CategoryStatus("drum", 0, 0, fetched=0, failed=0, duplicates=0, pieces=0, voted=0, kept=0, clips=0),
    )
    assert status.categories[0].waiting == 3
    assert status.notes == {"select": 2, "fetch": 1}
    assert read_notes(project) == [
        ("fetch", Note("", None, "b", "gone")),
        ("select", Note("a.csv", 2, "y", "odd")),
        ("select", Note("a.csv", 3, "x", "odd")),
    ]


def test_no_project_is_an_error(tmp_path: Path) -> None:
    for read in (read_status, read_notes):
        with pytest.raises(UsageError, match="no VEGAS project at"):
            read(Project(tmp_path / "none"))
