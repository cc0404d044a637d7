"""How far the annotation is: of one person, and of everybody, category by category."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

_EVERYBODY = """
    SELECT t.category, t.modality, count(*) AS questions, coalesce(sum(min(v.given, :wanted)), 0) AS given,
           coalesce(sum(v.given >= :wanted), 0) AS done
    FROM tasks AS t
    LEFT JOIN (SELECT piece_id, modality, count(*) AS given FROM votes GROUP BY piece_id, modality) AS v
        USING (piece_id, modality)
    WHERE NOT t.gold GROUP BY t.category, t.modality
"""
_ONE = """
    SELECT s.category, v.modality, count(*) AS given
    FROM votes AS v JOIN pieces AS p ON p.id = v.piece_id JOIN videos AS s ON s.video_id = p.video_id
    WHERE v.annotator = ? GROUP BY s.category, v.modality
"""


@dataclass(frozen=True)
class GroupStanding:
    """One category in one modality; gold questions are not counted."""

    category: str
    modality: str
    questions: int
    done: int
    """Questions with as many votes as wanted."""
    votes: int
    """Votes that count, at most as many a question as wanted."""


def everybodys_standing(connection: sqlite3.Connection, wanted: int) -> tuple[GroupStanding, ...]:
    """All groups of the loaded tasks. Reads all votes: a second where there are some hundred thousand."""
    rows = connection.execute(_EVERYBODY, {"wanted": wanted})
    return tuple(
        GroupStanding(row["category"], row["modality"], row["questions"], row["done"], row["given"]) for row in rows
    )


def own_votes(connection: sqlite3.Connection, annotator: str) -> dict[tuple[str, str], int]:
    """Votes of one person by (category, modality)."""
    return {(row["category"], row["modality"]): row["given"] for row in connection.execute(_ONE, (annotator,))}


def own_count(connection: sqlite3.Connection, annotator: str) -> int:
    """All votes of one person."""
    (count,) = connection.execute("SELECT count(*) FROM votes WHERE annotator = ?", (annotator,)).fetchone()
    return int(count)
