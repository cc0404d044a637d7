"""Who is asked what: each question goes to as many different people as are wanted, and to nobody twice.

A piece that is handed to somebody is claimed for a while, so that two people at once never both give the last vote.
Everything is decided in one transaction on `vegas.db`: several servers, or an import of votes beside, do no harm.

Gold questions go to everybody, mixed into the runs of their own category and modality.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from v2s_engine.vegas.page import queries
from v2s_engine.vegas.page.options import PageOptions
from v2s_engine.vegas.page.tasks import gold_share, load_tasks, tasks_stamp
from v2s_engine.vegas.store import Note, write_notes

AHEAD = 3
"""Pieces that one person holds: the one that is looked at, and the next ones, which the page loads meanwhile."""

Answer = Literal["yes", "no", "skip", "broken"]
"""`skip`: cannot tell, comes again when nothing else is left; `broken`: the file is missing or does not play."""

Outcome = Literal["kept", "already", "full", "gone"]
"""`already`: answered before by the same person; `full`: others have answered; `gone`: there is no such question."""

_GOLD_SHARE = 0.1
"""At least so much of what somebody is asked is gold, while there is some."""


@dataclass(frozen=True)
class Task:
    """One question to one person."""

    piece_id: int
    modality: str
    category: str


@dataclass(frozen=True)
class Turn:
    """What an answer, or an undo, came to, and what is next."""

    outcome: Outcome | Literal["undone", "nothing"]
    work: tuple[Task, ...]
    """The question to answer now, and the next ones; empty: nothing is left for this person, for now."""


def utc_now() -> datetime:
    """The clock of the queue."""
    return datetime.now(UTC)


class PieceQueue:
    """The queue over one open database; for one thread.

    Raises `sqlite3.OperationalError` where somebody else holds the database for longer than it waits.
    """

    def __init__(
        self, connection: sqlite3.Connection, options: PageOptions, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._connection = connection
        self._options = options
        self._clock = clock
        self._floors: dict[str, int] = {}
        with connection:
            load_tasks(connection, options)
            self._stamp = tasks_stamp(connection)
            (self._start,) = connection.execute("SELECT coalesce(max(id), 0) FROM page_answers").fetchone()

    def hand_out(self, annotator: str) -> tuple[Task, ...]:
        """What somebody is to answer now and next; claims it."""
        with self._transaction():
            return self._work(annotator)

    def answer(self, annotator: str, task: tuple[int, str], answer: Answer, request: str) -> Turn:
        """Keep an answer to (piece id, modality). The same `request` again changes nothing and is told the same."""
        with self._transaction():
            outcome = self._replayed(request) or self._keep(annotator, task, answer, request)
            return Turn(outcome, self._work(annotator))

    def undo(self, annotator: str, request: str) -> Turn:
        """Take back somebody's last answer on this page; the piece is the first to be answered again."""
        with self._transaction():
            if self._replayed(request):
                return Turn("undone", self._work(annotator))
            last = self._row(
                "SELECT a.id, t.*, a.answer FROM page_answers AS a JOIN tasks AS t USING (piece_id, modality) "
                "WHERE a.annotator = :me AND a.outcome = 'kept' AND NOT a.undone "
                "AND a.answer IN ('yes', 'no', 'skip') ORDER BY a.id DESC LIMIT 1",
                me=annotator,
            )
            if last is None:
                return Turn("nothing", self._work(annotator))
            task = (last["piece_id"], last["modality"])
            self._execute("UPDATE page_answers SET undone = 1 WHERE id = :id", id=last["id"])
            if last["answer"] != "skip":
                self._execute(
                    "DELETE FROM votes WHERE piece_id = :piece AND modality = :modality AND annotator = :me "
                    "AND source = 'page'",
                    piece=task[0],
                    modality=task[1],
                    me=annotator,
                )
            self._log(annotator, task, "undo", request, "kept")
            self._claim_first(annotator, task)
            return Turn("undone", self._work(annotator))

    def is_question(self, piece_id: int, modality: str) -> bool:
        """Whether it is asked at all, of anybody."""
        return self._task(piece_id, modality) is not None

    def reload(self) -> bool:
        """Take in pieces, gold and verdicts that came since; within a transaction. False: there are none."""
        stamp = tasks_stamp(self._connection)
        if stamp == self._stamp:
            return False
        load_tasks(self._connection, self._options)
        self._stamp = stamp
        self._floors.clear()
        return True

    # Each of the following works within the caller's transaction.

    def _keep(self, annotator: str, task: tuple[int, str], answer: Answer, request: str) -> Outcome:
        row = self._task(*task)
        if row is None:
            return "gone"
        outcome: Outcome = "kept"
        if self._has_voted(annotator, task):
            outcome = "already"
        elif answer in {"yes", "no"}:
            if row["gold"] or self._has_room(annotator, task):
                self._execute(
                    "INSERT INTO votes (piece_id, modality, annotator, present, source, given_at) "
                    "VALUES (:piece, :modality, :me, :present, 'page', :now)",
                    piece=task[0],
                    modality=task[1],
                    me=annotator,
                    present=int(answer == "yes"),
                    now=_text(self._clock()),
                )
            else:
                outcome = "full"
        elif answer == "broken":
            reason = f"the annotation page could not play its {task[1]}; run `v2s vegas segment` again"
            write_notes(self._connection, "annotate", [Note("", None, f"piece {task[0]}", reason)])
        self._execute(
            "DELETE FROM claims WHERE piece_id = :piece AND modality = :modality AND annotator = :me",
            piece=task[0],
            modality=task[1],
            me=annotator,
        )
        self._log(annotator, task, answer, request, outcome)
        return outcome

    def _work(self, annotator: str) -> tuple[Task, ...]:
        """Somebody's claims, filled up to `AHEAD`."""
        self._drop_filled_claims(annotator)
        now = _text(self._clock())
        self._execute("UPDATE claims SET claimed_at = :now WHERE annotator = :me", now=now, me=annotator)
        held = self._held(annotator)
        while len(held) < AHEAD:
            row = self._next(annotator, len(held))
            if row is None:
                break
            held.append(row)
            self._claim(annotator, (row["piece_id"], row["modality"]))
        return tuple(Task(row["piece_id"], row["modality"], row["category"]) for row in held[:AHEAD])

    def _next(self, annotator: str, held: int) -> sqlite3.Row | None:
        """What to ask somebody after all that is claimed: from where they are to the end, then from the beginning."""
        floor = self._floors.get(annotator, 0)
        row = self._open(annotator, floor) or (self._open(annotator, 0) if floor else None)
        if row is None and self.reload():
            row = self._open(annotator, 0)
        if row is None:
            return self._row(queries.FIRST_SKIPPED, me=annotator)
        if gold := self._gold(annotator, row, held):
            return gold
        self._floors[annotator] = row["rank"]
        return row

    def _open(self, annotator: str, floor: int) -> sqlite3.Row | None:
        return self._row(queries.FIRST_OPEN, me=annotator, floor=floor)

    def _gold(self, annotator: str, neighbour: sqlite3.Row, held: int) -> sqlite3.Row | None:
        """Now and then a gold question of the same category and modality, at places drawn by seed and person."""
        group = {"category": neighbour["category"], "modality": neighbour["modality"]}
        gold = self._row(queries.FIRST_GOLD, me=annotator, **group)
        if gold is None:
            return None
        share = gold_share(self._connection, **group)
        (answers,) = self._execute("SELECT count(*) FROM page_answers WHERE annotator = :me", me=annotator).fetchone()
        drawn = hashlib.sha256(f"{self._options.seed}/gold/{annotator}/{answers + held}".encode()).digest()
        return gold if int.from_bytes(drawn[:4]) < max(share, _GOLD_SHARE) * 2**32 else None

    def _held(self, annotator: str) -> list[sqlite3.Row]:
        return self._execute(
            "SELECT t.* FROM claims AS c JOIN tasks AS t USING (piece_id, modality) WHERE c.annotator = :me "
            "ORDER BY c.rowid",
            me=annotator,
        ).fetchall()

    def _drop_filled_claims(self, annotator: str) -> None:
        """Others, of another origin too, may have given the last vote meanwhile."""
        self._execute(queries.DROP_FILLED_CLAIMS, me=annotator)

    def _claim(self, annotator: str, task: tuple[int, str]) -> None:
        self._execute(
            "INSERT INTO claims (piece_id, modality, annotator, claimed_at) VALUES (:piece, :modality, :me, :now)",
            piece=task[0],
            modality=task[1],
            me=annotator,
            now=_text(self._clock()),
        )

    def _claim_first(self, annotator: str, task: tuple[int, str]) -> None:
        """Claim a piece before all that is claimed already: claims go by the order of their rows."""
        later = [(row["piece_id"], row["modality"]) for row in self._held(annotator)]
        self._execute("DELETE FROM claims WHERE annotator = :me", me=annotator)
        for claim in (task, *(other for other in later if other != task)):
            self._claim(annotator, claim)

    def _replayed(self, request: str) -> Outcome | None:
        row = self._row("SELECT outcome FROM page_answers WHERE request = :request", request=request)
        return None if row is None else row["outcome"]

    def _log(self, annotator: str, task: tuple[int, str], answer: str, request: str, outcome: str) -> None:
        self._execute(
            "INSERT INTO page_answers (request, annotator, piece_id, modality, answer, outcome) "
            "VALUES (:request, :me, :piece, :modality, :answer, :outcome)",
            request=request,
            me=annotator,
            piece=task[0],
            modality=task[1],
            answer=answer,
            outcome=outcome,
        )

    def _task(self, piece_id: int, modality: str) -> sqlite3.Row | None:
        return self._row(
            "SELECT * FROM tasks WHERE piece_id = :piece AND modality = :modality", piece=piece_id, modality=modality
        )

    def _has_voted(self, annotator: str, task: tuple[int, str]) -> bool:
        return (
            self._row(
                "SELECT 1 FROM votes WHERE piece_id = :piece AND modality = :modality AND annotator = :me",
                piece=task[0],
                modality=task[1],
                me=annotator,
            )
            is not None
        )

    def _has_room(self, annotator: str, task: tuple[int, str]) -> bool:
        return self._row(queries.HAS_ROOM, piece=task[0], modality=task[1], me=annotator) is not None

    def _row(self, query: str, **values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._execute(query, **values).fetchone()
        return row

    def _execute(self, query: str, **values: object) -> sqlite3.Cursor:
        return self._connection.execute(query, {"wanted": self._options.wanted, "start": self._start} | values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Takes the right to write at once, so that nothing changes between what is read and what is written."""
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            self._expire_claims()
            yield

    def _expire_claims(self) -> None:
        expired = _text(self._clock() - timedelta(seconds=self._options.claim_s))
        if self._execute("DELETE FROM claims WHERE claimed_at <= :expired", expired=expired).rowcount:
            self._floors.clear()  # what nobody holds any more may lie before where people are


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
