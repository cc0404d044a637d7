"""Where a project stands: how many videos, pieces and clips each category has after each step."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from v2s_engine.vegas.store import Note, Project


@dataclass(frozen=True)
class CategoryStatus:
    """One category. Everything but `candidates` and `clips` counts what the steps before it left."""

    name: str
    candidates: int
    """Videos that could have been drawn."""
    selected: int
    fetched: int
    failed: int
    """Videos that could not be fetched, those to be tried again included."""
    duplicates: int
    """Videos with the same content as another."""
    pieces: int
    voted: int
    """Pieces with three votes or more in both modalities."""
    kept: int
    """Pieces in which the thing is seen and heard."""
    clips: int

    @property
    def waiting(self) -> int:
        """Videos that nobody tried to fetch yet."""
        return self.selected - self.fetched - self.failed - self.duplicates


@dataclass(frozen=True)
class Status:
    """A whole project."""

    categories: tuple[CategoryStatus, ...]
    notes: Mapping[str, int]
    """How many notes each step left."""


def read_status(project: Project) -> Status:
    """Where a project stands. Raises `UsageError` where there is none."""
    with project.connect() as connection:
        candidates = connection.execute("SELECT name, candidates FROM categories ORDER BY position").fetchall()
        counts = {name: _counts(connection, query) for name, query in _QUERIES.items()}
        notes = _counts(connection, "SELECT step, count(*) FROM notes GROUP BY step")
    return Status(
        tuple(
            CategoryStatus(name, number, **{column: each.get(name, 0) for column, each in counts.items()})
            for name, number in candidates
        ),
        notes,
    )


def read_notes(project: Project) -> list[tuple[str, Note]]:
    """All notes with the steps that left them, by step, file and line. Raises `UsageError` without a project."""
    query = "SELECT step, source, line, about, reason FROM notes ORDER BY step, source, line, id"
    with project.connect() as connection:
        return [(step, Note(*rest)) for step, *rest in connection.execute(query)]


def _counts(connection: sqlite3.Connection, query: str) -> dict[str, int]:
    return dict(connection.execute(query).fetchall())


_FETCHES = "SELECT category, count(*) FROM fetches JOIN videos USING (video_id) WHERE state = '{}' GROUP BY category"
_QUERIES = {
    "selected": "SELECT category, count(*) FROM videos GROUP BY category",
    "fetched": _FETCHES.format("fetched"),
    "failed": _FETCHES.format("failed"),
    "duplicates": _FETCHES.format("duplicate"),
    "pieces": "SELECT category, count(*) FROM pieces JOIN videos USING (video_id) GROUP BY category",
    "voted": """
        SELECT category, count(*) FROM pieces JOIN videos USING (video_id) WHERE pieces.id IN (
            SELECT piece_id FROM votes GROUP BY piece_id
            HAVING sum(modality = 'picture') >= 3 AND sum(modality = 'sound') >= 3  -- as many as the paper asked
        ) GROUP BY category""",
    "kept": """
        SELECT category, count(*) FROM verdicts JOIN pieces ON pieces.id = piece_id JOIN videos USING (video_id)
        WHERE kept GROUP BY category""",
    "clips": "SELECT category, count(*) FROM clips JOIN videos USING (video_id) GROUP BY category",
}
"""For each figure how many there are of each category."""
