"""One result CSV of Mechanical Turk, read by itself: assignments, and what was odd on which line.

Real exports have quirks, and requesters edit them: `Approve` and `Reject` stand in the header but not in the rows,
fields hold quotes and line breaks, columns come in any order, decisions are marks in two columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import UsageError
from v2s_engine.vegas.csv_rows import CsvRow, CsvTable, read_csv
from v2s_engine.vegas.mturk.answers import answer_column, has_answer, read_answer
from v2s_engine.vegas.mturk.batches import NOBODY
from v2s_engine.vegas.mturk.dates import utc_time
from v2s_engine.vegas.mturk.template import UNPLAYABLE
from v2s_engine.vegas.store import Note

REQUIRED = ("AssignmentId", "WorkerId", "AssignmentStatus", "SubmitTime")
"""Columns besides `Input.piece_1`, ... and their answers."""

_MARKS = ("Approve", "Reject")
_STATUSES = {"submitted": True, "approved": True, "": True, "rejected": False}
_PIECE = re.compile(r"Input\.piece_([1-9][0-9]?)")
_PRESENT = {"yes": True, "no": False}


@dataclass(frozen=True)
class Assignment:
    """One worker's work on one HIT, as a row has it."""

    id: str
    worker: str
    """Mechanical Turk's WorkerId: personal, not to be kept."""
    accepted: bool
    """False where the requester rejected it."""
    given_at: str
    """ISO 8601, UTC."""
    answers: tuple[tuple[str, bool], ...]
    """Tokens of pieces, and whether what was asked for is present; without answers that are neither."""
    tokens: tuple[str, ...]
    """Tokens of all pieces of the HIT, answered or not."""
    line: int


@dataclass(frozen=True)
class ResultFile:
    """What a file says."""

    name: str
    assignments: tuple[Assignment, ...]
    notes: tuple[Note, ...]


def read_result_file(file: Path) -> ResultFile:
    """Assignments of a file in its order, each id once.

    Rows that cannot be used are noted with the line on which they begin. Raises `UsageError` where the file cannot be
    read or lacks columns; the message names them.
    """
    table = read_csv(file)
    places = _places(table)
    notes: list[Note] = []
    found: dict[str, Assignment] = {}
    for row in table.rows:
        assignment = _read_row(table, row, places, notes)
        if assignment and assignment.id in found:
            reason = f"this AssignmentId stands on line {found[assignment.id].line} already; that row holds"
            notes.append(Note(table.name, row.line, assignment.id, reason))
        elif assignment:
            found[assignment.id] = assignment
    return ResultFile(table.name, tuple(found.values()), tuple(notes))


def _places(table: CsvTable) -> tuple[int, ...]:
    """Numbers of the places for pieces that the header has."""
    places = sorted({int(match[1]) for heading in table.header if (match := _PIECE.fullmatch(heading))})
    if not places:
        table.require(*REQUIRED, "Input.piece_1", answer_column(1))
    if unanswered := [answer_column(place) for place in places if not has_answer(table.header, place)]:
        table.require(*REQUIRED, *unanswered)
    table.require(*REQUIRED, *(f"Input.piece_{place}" for place in places))
    if double := sorted({name for name in table.header if name.startswith("Answer.") and table.header.count(name) > 1}):
        raise UsageError(f"{table.name} has columns twice: {', '.join(double)}; keep one of each")
    return tuple(places)


def _read_row(table: CsvTable, row: CsvRow, places: tuple[int, ...], notes: list[Note]) -> Assignment | None:
    values = dict(zip(table.header, (value.strip() for value in row.values), strict=False))
    about = _short(values.get("AssignmentId", ""))
    try:
        _check_row(table, row, values)
        accepted = _is_accepted(values)
        given_at = utc_time(values["SubmitTime"])
    except ValueError as error:
        notes.append(Note(table.name, row.line, about, f"{error}; the row is left out"))
        return None
    if not accepted:
        notes.append(Note(table.name, row.line, about, "the assignment was rejected; its answers do not count"))
    answers: list[tuple[str, bool]] = []
    tokens = {place: values[f"Input.piece_{place}"] for place in places}
    tokens = {place: token for place, token in tokens.items() if token not in ("", NOBODY)}
    for place, token in tokens.items():
        answer = read_answer(values, place)
        if answer in _PRESENT:
            answers.append((token, _PRESENT[answer]))
        elif accepted:
            notes.append(Note(table.name, row.line, _short(token), _answer_fault(answer, about)))
    if len(set(tokens.values())) != len(tokens) or not tokens:
        notes.append(Note(table.name, row.line, about, "wanted each piece once; the row is left out"))
        return None
    return Assignment(
        values["AssignmentId"], values["WorkerId"], accepted, given_at, tuple(answers), tuple(tokens.values()), row.line
    )


def _check_row(table: CsvTable, row: CsvRow, values: Mapping[str, str]) -> None:
    """Raises `ValueError` for a row whose values do not belong to the headings above them, or that names nobody."""
    if row.fault:
        raise ValueError(row.fault)
    cut_off = set(table.header[len(row.values) :]) - set(_MARKS)
    if len(row.values) > len(table.header) or cut_off:
        raise ValueError(f"{len(row.values)} values under {len(table.header)} headings; mend its commas and quotes")
    for name in ("AssignmentId", "WorkerId"):
        if not values[name].isascii() or not values[name].isalnum():
            raise ValueError(f"{name} {_short(values[name])!r}; wanted letters and digits")


def _is_accepted(values: Mapping[str, str]) -> bool:
    """What the requester decided: a mark in `Approve` or `Reject` is newer than the status, which it will change."""
    approve, reject = (values.get(mark, "") for mark in _MARKS)
    if approve and reject:
        raise ValueError("both Approve and Reject are filled in; keep one")
    if approve or reject:
        return bool(approve)
    status = values["AssignmentStatus"]
    if status.lower() not in _STATUSES:
        raise ValueError(f"AssignmentStatus {_short(status)!r}; wanted Submitted, Approved or Rejected")
    return _STATUSES[status.lower()]


def _answer_fault(answer: str, assignment: str) -> str:
    if answer == UNPLAYABLE:
        return f"could not be played (assignment {assignment}); look whether the piece's URL works"
    return f"the answer is {_short(answer)!r} (assignment {assignment}); wanted yes or no"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
