"""One project: a folder with `vegas.db`, which holds all that is known, and the files that it speaks of.

    PROJECT/vegas.db
            media/ab/ab12cd34_VIDEOID.mkv           a fetched section, normalised: H.264 and 16 kHz mono FLAC
            pieces/ab/ab12cd34_VIDEOID_0.mp4        picture alone
                                      _0.flac       sound alone
                                      _0.jpg        thumbnail

A step that is killed leaves whole rows and whole files: rows come in transactions, files are renamed into place.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from v2s_engine.errors import OutputError, UsageError
from v2s_engine.grid import SAMPLE_RATE

PIECE_LENGTH = 32_000
"""Samples of a piece: 2 s (paper, section 3)."""

SHORTEST_PIECE = PIECE_LENGTH - SAMPLE_RATE // 10
"""Samples that the last piece of a section must have: many end a few pictures early, and 0.1 s is not missed."""

DATABASE = "vegas.db"
_SCHEMA_VERSION = 1
_APPLICATION_ID = 0x56454741  # "VEGA": tells our files from other SQLite files
_BUSY_S = 20.0
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Note(NamedTuple):
    """Something that was left out, or is odd, and where it stands."""

    source: str
    """Name of a file, or empty."""
    line: int | None
    about: str
    reason: str


def video_id_fault(video_id: str) -> str | None:
    """Why a text cannot be a video's id, and so never becomes part of a path or a URL; None where it can.

    YouTube's ids have eleven letters, digits, `-` and `_`; ids of other sources may have up to 64.
    """
    if _VIDEO_ID.fullmatch(video_id):
        return None
    return f"{video_id!r} is no video id; wanted 1 to 64 letters, digits, - or _"


@dataclass(frozen=True)
class Project:
    """A project's folder. Raises nothing by itself; see `connect`."""

    folder: Path

    @property
    def database(self) -> Path:
        """Its `vegas.db`."""
        return self.folder / DATABASE

    def media_path(self, video_id: str) -> Path:
        """Where the normalised section of a video lies. Raises `UsageError` for what is no id."""
        return self.folder / "media" / f"{_file_stem(video_id)}.mkv"

    def piece_path(self, video_id: str, ordinal: int, suffix: str) -> Path:
        """Where a piece's preview lies: suffix `.mp4` picture alone, `.flac` sound alone, `.jpg` thumbnail."""
        return self.folder / "pieces" / f"{_file_stem(video_id)}_{ordinal}{suffix}"

    @contextmanager
    def connect(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """The project's database, closed at the end; `with connection:` makes a transaction of its own.

        `create` makes folder and database where there are none. Raises `UsageError` where there is no project, or one
        that another version made; `OutputError` where it cannot be made, and where what is done with it fails since
        another command holds it for long, or the disk is full.
        """
        if not self.database.is_file() and not create:
            raise UsageError(f"no VEGAS project at {self.folder}; start one with: v2s vegas select")
        connection = _open(self.database)
        try:
            _check_schema(connection, self.database)
            yield connection
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
                raise  # a query of ours is wrong
            raise OutputError(
                f"cannot use {self.database}: {error}; wait for other commands that are at work on the project, or "
                "free some space, and run this again: what was finished before is kept"
            ) from error
        finally:
            connection.close()


def read_fact(connection: sqlite3.Connection, name: str) -> Any:
    """What `write_fact` kept, None where nothing was."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else json.loads(row[0])


def write_fact(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Keep a value that JSON can hold, within the caller's transaction."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value, sort_keys=True)))


def write_notes(connection: sqlite3.Connection, step: str, notes: Iterable[Note]) -> None:
    """Keep notes of a step, within the caller's transaction; one that is kept already is not kept twice."""
    connection.executemany(
        "INSERT INTO notes (step, source, line, about, reason) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS "
        "(SELECT 1 FROM notes WHERE step = ?1 AND source = ?2 AND line IS ?3 AND about = ?4 AND reason = ?5)",
        ((step, *note) for note in notes),
    )


def _file_stem(video_id: str) -> str:
    """Folder and beginning of a video's file names.

    The digest in front keeps ids apart that differ in case alone, on file systems that do not, and no name begins
    with a `-`.
    """
    if fault := video_id_fault(video_id):
        raise UsageError(fault)
    digest = hashlib.sha256(video_id.encode()).hexdigest()
    return f"{digest[:2]}/{digest[:8]}_{video_id}"


def _open(database: Path) -> sqlite3.Connection:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(database, timeout=_BUSY_S)
    except (OSError, sqlite3.Error) as error:
        raise OutputError(f"cannot open {database}: {error}; give a folder that can be written to") from error
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _check_schema(connection: sqlite3.Connection, database: Path) -> None:
    """Makes the tables of an empty database; refuses one that is not ours."""
    try:
        # The tables first: they come in one transaction with the marks, maybe another process's, right now.
        if _is_empty(connection):
            _make_tables(connection)
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.Error as error:
        raise UsageError(f"{database} cannot be used: {error}; give another folder") from error
    if application != _APPLICATION_ID or version != _SCHEMA_VERSION:
        raise UsageError(
            f"{database} is not a project of this version of V2S (its mark is {application:#x}, its version {version}; "
            f"wanted {_APPLICATION_ID:#x}, {_SCHEMA_VERSION}); give another folder"
        )


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None


def _make_tables(connection: sqlite3.Connection) -> None:
    """All tables in one transaction: a kill leaves an empty file or a whole schema.

    Of two processes that make them at once, the second waits, and then finds those of the first.
    """
    schema = resources.files("v2s_engine.vegas").joinpath("schema.sql").read_text("utf-8")
    with connection:
        connection.execute("BEGIN EXCLUSIVE")
        if not _is_empty(connection):
            return
        for statement in _statements(schema):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, each of which ends with a line; `executescript` would end our transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
