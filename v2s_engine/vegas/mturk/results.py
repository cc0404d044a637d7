"""Results of Mechanical Turk into the project: assignments as the files have them, votes as they follow.

WorkerIds are personal data: they belong to a person's account and have led to people's names. A project keeps a
digest instead, keyed by a secret of its own, so that its votes can be given to others; the requester, who must pay
and answer workers, has the WorkerIds in the result files, and every vote names file and line.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.mturk.hits import ASSIGNMENTS
from v2s_engine.vegas.mturk.result_file import Assignment, ResultFile, read_result_file
from v2s_engine.vegas.store import Note, Project, read_fact, write_fact, write_notes

SALT_FACT = "mturk_worker_key"
"""Name of the fact that keeps the secret."""


@dataclass(frozen=True)
class ResultOptions:
    """Which results to take over."""

    files: tuple[Path, ...]


@dataclass(frozen=True)
class ResultsImported:
    """What came of result files."""

    votes: int
    """Votes that are new or say otherwise than before."""
    assignments: int
    """Assignments in the files that belong to the project."""
    changed: int
    """Of these, new or otherwise than before; 0 where a file was imported before."""
    rejected: int
    """Of these, rejected by the requester."""
    open_hits: int
    """HITs of the project that have fewer than three accepted assignments now."""
    notes: tuple[Note, ...]


def import_results(project: Project, options: ResultOptions, progress: Progress) -> ResultsImported:
    """Take over result files; importing one again, or a later export of the same batch, changes only what is new.

    An assignment that is rejected (by status or mark) has no votes; one that is approved later has them again. Where a
    worker answered a piece more than once, the answer submitted first is the vote. Every oddity is noted with file and
    line. Raises `UsageError` for a file that is no result of our batches, before anything is taken over.
    """
    if not options.files:
        raise UsageError("no result files; give at least one")
    files = [read_result_file(file) for file in options.files]
    notes: list[Note] = []
    votes = assignments = changed = rejected = 0
    with project.connect() as connection:
        for number, file in enumerate(files):
            progress.step("results", number, len(files), file.name)
            with connection:
                importing = _FileImport(connection, file)
                votes += importing.run()
            notes += importing.notes
            assignments += importing.assignments
            changed += importing.changed
            rejected += importing.rejected
        progress.step("results", len(files), len(files))
        (open_hits,) = connection.execute(_OPEN_HITS, (ASSIGNMENTS,)).fetchone()
    return ResultsImported(votes, assignments, changed, rejected, open_hits, tuple(notes))


def annotator_name(connection: sqlite3.Connection, worker: str) -> str:
    """`mturk:` and 16 hexadecimal digits, the same for a worker throughout a project and for nobody else's project.

    Makes the project's secret where there is none yet, within the caller's transaction.
    """
    key = read_fact(connection, SALT_FACT)
    if key is None:
        key = secrets.token_hex(32)
        write_fact(connection, SALT_FACT, key)
    digest = hmac.new(bytes.fromhex(key), worker.encode(), hashlib.sha256).hexdigest()
    return f"mturk:{digest[:16]}"


class _FileImport:
    """One file into the database, within one transaction."""

    def __init__(self, connection: sqlite3.Connection, file: ResultFile) -> None:
        self.notes = list(file.notes)
        self.assignments = self.changed = self.rejected = 0
        self._connection = connection
        self._file = file
        self._names: dict[str, str] = {}
        self._touched: set[tuple[int, str, str]] = set()  # piece, modality, annotator

    def run(self) -> int:
        """Returns how many votes changed."""
        for assignment in self._file.assignments:
            self._take(assignment)
        votes = sum(self._vote(*touched) for touched in sorted(self._touched))
        write_notes(self._connection, "annotate", self.notes)
        return votes

    def _take(self, assignment: Assignment) -> None:
        questions = self._questions(assignment)
        if questions is None:
            return
        hit, modality, pieces = questions
        self.assignments += 1
        self.rejected += not assignment.accepted
        answers = {pieces[token]: int(present) for token, present in assignment.answers if token in pieces}
        row = (hit, self._annotator(assignment.worker), int(assignment.accepted), assignment.given_at)
        before = self._connection.execute(
            "SELECT hit, annotator, accepted, given_at FROM mturk_assignments WHERE id = ?", (assignment.id,)
        ).fetchone()
        known = dict(
            self._connection.execute(
                "SELECT piece_id, present FROM mturk_answers WHERE assignment = ?", (assignment.id,)
            ).fetchall()
        )
        if before and tuple(before) == row and known == answers:
            return
        self.changed += 1
        self._touched.update((piece, modality, row[1]) for piece in answers)
        if before:
            self._touched.update((piece, self._modality(before["hit"]), before["annotator"]) for piece in known)
        self._write(assignment, row, answers)

    def _write(self, assignment: Assignment, row: tuple[str, str, int, str], answers: dict[int, int]) -> None:
        hit, annotator, accepted, given_at = row
        self._connection.execute("DELETE FROM mturk_answers WHERE assignment = ?", (assignment.id,))
        self._connection.execute(
            "INSERT INTO mturk_assignments VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "hit = excluded.hit, annotator = excluded.annotator, accepted = excluded.accepted, "
            "source = excluded.source, line = excluded.line, given_at = excluded.given_at",
            (assignment.id, hit, annotator, accepted, self._file.name, assignment.line, given_at),
        )
        self._connection.executemany(
            "INSERT INTO mturk_answers VALUES (?, ?, ?, ?)",
            ((assignment.id, piece, annotator, present) for piece, present in answers.items()),
        )

    def _questions(self, assignment: Assignment) -> tuple[str, str, dict[str, int]] | None:
        """The assignment's HIT, its modality, and pieces by token; None where they are not one HIT of ours."""
        hits: set[tuple[str, str]] = set()
        pieces: dict[str, int] = {}
        for token in assignment.tokens:
            found = self._connection.execute(
                "SELECT q.hit, h.modality, q.piece_id FROM mturk_questions q JOIN mturk_hits h ON h.hit = q.hit "
                "WHERE q.token = ?",
                (token,),
            ).fetchone()
            if found:
                hits.add((found["hit"], found["modality"]))
                pieces[token] = found["piece_id"]
            else:
                self._note(assignment, token[:60], "unknown piece: no batch of this project asked about it; left out")
        if len(hits) > 1:
            self._note(assignment, assignment.id, "its pieces belong to different HITs; the row is left out")
        if len(hits) != 1:
            return None
        ((hit, modality),) = hits
        return hit, modality, pieces

    def _vote(self, piece: int, modality: str, annotator: str) -> int:
        """Make the vote of one annotator on one piece anew from all accepted answers; 1 where it changed."""
        key = (piece, modality, annotator)
        first, *others = self._connection.execute(_ANSWERS, key).fetchall() or [None]
        if others:
            gold = self._connection.execute(
                "SELECT 1 FROM gold WHERE piece_id = ? AND modality = ?", key[:2]
            ).fetchone()
            self._note_repeats(first, [row for row in others if not gold or row["hit"] == first["hit"]])
        before = self._connection.execute(
            "SELECT present, source, line, given_at FROM votes WHERE piece_id = ? AND modality = ? AND annotator = ?",
            key,
        ).fetchone()
        wanted = tuple(first)[:4] if first else None
        if (tuple(before) if before else None) == wanted:
            return 0
        self._connection.execute("DELETE FROM votes WHERE piece_id = ? AND modality = ? AND annotator = ?", key)
        if wanted:
            self._connection.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)", (*key, *wanted))
        return int(before is None or wanted is None or before["present"] != wanted[0])

    def _note_repeats(self, first: sqlite3.Row, others: Iterable[sqlite3.Row]) -> None:
        """Gold pieces of other HITs are not among `others`: batches show them to a worker again and again."""
        for row in others:
            where = "in the same HIT" if row["hit"] == first["hit"] else "in another HIT"
            reason = (
                f"its worker answered this piece before {where} ({first['source']}, line {first['line']}); "
                "the first answer holds"
            )
            self.notes.append(Note(row["source"], row["line"], row["token"], reason))

    def _modality(self, hit: str) -> str:
        (modality,) = self._connection.execute("SELECT modality FROM mturk_hits WHERE hit = ?", (hit,)).fetchone()
        return str(modality)

    def _annotator(self, worker: str) -> str:
        if worker not in self._names:
            self._names[worker] = annotator_name(self._connection, worker)
        return self._names[worker]

    def _note(self, assignment: Assignment, about: str, reason: str) -> None:
        self.notes.append(Note(self._file.name, assignment.line, about, reason))


_ANSWERS = """
SELECT a.present, s.source, s.line, s.given_at, s.hit, q.token
FROM mturk_answers a
JOIN mturk_assignments s ON s.id = a.assignment
JOIN mturk_hits h ON h.hit = s.hit
JOIN mturk_questions q ON q.hit = s.hit AND q.piece_id = a.piece_id
WHERE a.piece_id = ?1 AND a.annotator = ?3 AND h.modality = ?2 AND s.accepted
ORDER BY s.given_at, s.id
"""

_OPEN_HITS = """
SELECT count(*) FROM mturk_hits WHERE hit NOT IN
    (SELECT hit FROM mturk_assignments WHERE accepted GROUP BY hit HAVING count(*) >= ?)
"""
