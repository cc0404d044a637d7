"""The questions of a project in the order in which they are asked.

A question is one modality of one piece. They come in runs of one category and one modality, so that a person stays
with a category for a while; the runs of all categories take turns. Picture and sound of a piece stand far apart: who
answers one is not to remember the other.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from typing import NamedTuple

from v2s_engine.vegas.page.options import PageOptions

RUN_LENGTH = 25
"""Questions of a run: a good minute of work."""

_TABLE = """
    CREATE TEMP TABLE IF NOT EXISTS tasks (
        rank     INTEGER PRIMARY KEY,
        piece_id INTEGER NOT NULL,
        modality TEXT NOT NULL,
        category TEXT NOT NULL,
        gold     INTEGER NOT NULL,
        UNIQUE (piece_id, modality)
    )"""

_GOLD_FIRST = "CREATE INDEX IF NOT EXISTS temp.gold_tasks ON tasks (category, modality, rank) WHERE gold"

_GROUPS = """
    CREATE TEMP TABLE IF NOT EXISTS task_groups (
        category TEXT NOT NULL, modality TEXT NOT NULL, gold_share REAL NOT NULL, PRIMARY KEY (category, modality)
    )"""

_ALL = """
    SELECT p.id AS piece_id, m.modality, v.category, p.video_id, p.ordinal, g.present IS NOT NULL AS gold
    FROM (SELECT 'picture' AS modality UNION ALL SELECT 'sound') AS m, pieces AS p
    JOIN videos AS v ON v.video_id = p.video_id
    LEFT JOIN gold AS g ON g.piece_id = p.id AND g.modality = m.modality
"""

_DISPUTED = (
    _ALL
    + """
    LEFT JOIN verdicts AS d ON d.piece_id = p.id
    WHERE gold OR (d.conflict AND CASE m.modality
        WHEN 'picture' THEN d.picture_for NOT IN (0, d.picture_votes)
        ELSE d.sound_for NOT IN (0, d.sound_votes) END)
"""
)
"""Of pieces with a conflict, the modality that people answered differently."""


class _Question(NamedTuple):
    digest: bytes
    piece_id: int
    modality: str
    category: str
    gold: int


def load_tasks(connection: sqlite3.Connection, options: PageOptions) -> None:
    """Fill the temporary table `tasks` of a connection, within the caller's transaction."""
    for statement in (_TABLE, _GROUPS, _GOLD_FIRST, "DELETE FROM tasks", "DELETE FROM task_groups"):
        connection.execute(statement)
    groups: dict[tuple[str, str], list[_Question]] = defaultdict(list)
    for row in connection.execute(_ALL if options.conflicts is None else _DISPUTED):
        name = f"{options.seed}/{row['modality']}/{row['video_id']}/{row['ordinal']}"
        question = _Question(_digest(name), row["piece_id"], row["modality"], row["category"], row["gold"])
        groups[row["category"], row["modality"]].append(question)
    connection.executemany(
        "INSERT INTO tasks (rank, piece_id, modality, category, gold) VALUES (?, ?, ?, ?, ?)",
        ((rank, *question[1:]) for rank, question in enumerate(_in_runs(groups, options.seed), 1)),
    )
    connection.execute("INSERT INTO task_groups SELECT category, modality, avg(gold) FROM tasks GROUP BY 1, 2")


def gold_share(connection: sqlite3.Connection, category: str, modality: str) -> float:
    """How much of the questions of a category and modality is gold, 0 to 1."""
    row = connection.execute(
        "SELECT gold_share FROM task_groups WHERE category = ? AND modality = ?", (category, modality)
    ).fetchone()
    return 0.0 if row is None else float(row["gold_share"])


def tasks_stamp(connection: sqlite3.Connection) -> tuple[int, ...]:
    """Differs when `load_tasks` would fill the table otherwise: pieces, gold or verdicts came since."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM pieces), (SELECT count(*) FROM gold), "
        "(SELECT coalesce(sum(conflict * piece_id), 0) FROM verdicts)"
    ).fetchone()
    return tuple(row)


def _in_runs(groups: dict[tuple[str, str], list[_Question]], seed: int) -> list[_Question]:
    """Rounds in which each category and modality has one run; the order within a round changes from round to round."""
    runs: list[tuple[int, bytes, list[_Question]]] = []
    for (category, modality), questions in groups.items():
        questions.sort()
        for turn, first in enumerate(range(0, len(questions), RUN_LENGTH)):
            key = _digest(f"{seed}/run/{turn}/{category}/{modality}")
            runs.append((turn, key, questions[first : first + RUN_LENGTH]))
    runs.sort(key=lambda run: run[:2])
    return [question for _, _, questions in runs for question in questions]


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]
