"""All votes of a project as arrays, read in one pass. Modalities go as in `MODALITIES`: picture 0, sound 1."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.progress import Progress
from v2s_engine.vegas.agreement import Answers
from v2s_engine.vegas.questions import MODALITIES

_CHUNK = 50_000


@dataclass(frozen=True)
class Ballots:
    """P pieces and the votes on them, as they stood at one moment. Pieces go by category, video and ordinal."""

    piece_ids: NDArray[np.int64]
    """`[P]`."""
    video_ids: tuple[str, ...]
    ordinals: NDArray[np.int64]
    """`[P]`."""
    categories: tuple[str, ...]
    """Names, in the project's order."""
    category: NDArray[np.int64]
    """`[P]`, index into `categories`."""
    gold: NDArray[np.int64]
    """`[2, P]` by modality: the known answer, -1 where none is."""
    annotators: tuple[str, ...]
    """Names, sorted."""
    answers: tuple[Answers, Answers]
    """By modality; question q is piece q here."""

    @property
    def is_gold(self) -> NDArray[np.bool_]:
        """Which pieces `[P]` have a known answer in any modality."""
        return np.asarray((self.gold >= 0).any(axis=0))

    @property
    def votes(self) -> int:
        """How many there are."""
        return sum(len(answers.present) for answers in self.answers)


def read_ballots(connection: sqlite3.Connection, progress: Progress) -> Ballots:
    """Pieces, gold and votes of one moment: a page that takes votes meanwhile changes nothing of it."""
    connection.execute("BEGIN")
    try:
        return _read(connection, progress)
    finally:
        connection.rollback()


def _read(connection: sqlite3.Connection, progress: Progress) -> Ballots:
    categories = tuple(row[0] for row in connection.execute("SELECT name FROM categories ORDER BY position"))
    rows = connection.execute(
        "SELECT p.id, p.video_id, p.ordinal, v.category FROM pieces p JOIN videos v USING (video_id) "
        "JOIN categories c ON c.name = v.category ORDER BY c.position, p.video_id, p.ordinal"
    ).fetchall()
    number = {name: index for index, name in enumerate(categories)}
    piece_ids = np.array([row[0] for row in rows], np.int64)
    by_id = np.argsort(piece_ids)

    def places(ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(by_id[np.searchsorted(piece_ids, ids, sorter=by_id)])

    gold = np.full((len(MODALITIES), len(rows)), -1, np.int64)
    known = connection.execute("SELECT piece_id, modality = 'sound', present FROM gold").fetchall()
    if known:
        ids, modality, present = np.array([tuple(row) for row in known], np.int64).T
        gold[modality, places(ids)] = present
    annotators, votes = _read_votes(connection, progress)
    questions = places(votes[:, 0])
    # One order whatever the order of voting, so that sums of floats come out alike.
    order = np.lexsort((votes[:, 2], questions))
    answers = []
    for modality_number in range(len(MODALITIES)):
        chosen = order[votes[order, 1] == modality_number]
        answers.append(Answers(questions[chosen], votes[chosen, 2], votes[chosen, 3], len(rows), len(annotators)))
    return Ballots(
        piece_ids=piece_ids,
        video_ids=tuple(row[1] for row in rows),
        ordinals=np.array([row[2] for row in rows], np.int64),
        categories=categories,
        category=np.array([number[row[3]] for row in rows], np.int64),
        gold=gold,
        annotators=annotators,
        answers=(answers[0], answers[1]),
    )


def _read_votes(connection: sqlite3.Connection, progress: Progress) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of annotators, sorted, and `[V, 4]`: piece id, modality, annotator, present."""
    (total,) = connection.execute("SELECT count(*) FROM votes").fetchone()
    names = tuple(row[0] for row in connection.execute("SELECT DISTINCT annotator FROM votes ORDER BY annotator"))
    number = {name: index for index, name in enumerate(names)}
    chunks = [np.zeros((0, 4), np.int64)]
    cursor = connection.cursor()
    cursor.row_factory = None  # plain tuples: there are hundreds of thousands
    cursor.execute("SELECT piece_id, modality = 'sound', annotator, present FROM votes")
    done = 0
    for rows in _chunks(cursor):
        chunks.append(np.array([(piece, sound, number[name], said) for piece, sound, name, said in rows], np.int64))
        done += len(rows)
        progress.step("reading the votes", done, total)
    return names, np.concatenate(chunks)


def _chunks(cursor: sqlite3.Cursor) -> Iterator[list[tuple[int, int, str, int]]]:
    while rows := cursor.fetchmany(_CHUNK):
        yield rows
