"""Gold questions: pieces whose answers an expert gave, mixed in to see how well annotators work.

An expert fills in a CSV, `video_id,ordinal,picture,sound` with yes, no or nothing; more columns are allowed.
`sample_gold` writes such a file with pieces drawn by seed, `read_gold` reads it.
"""

from __future__ import annotations

import csv
import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.csv_rows import CsvRow, CsvTable, read_csv
from v2s_engine.vegas.questions import MODALITIES
from v2s_engine.vegas.store import Note, Project, video_id_fault, write_notes
from v2s_engine.vegas.whole_file import whole_file

COLUMNS = ("video_id", "ordinal", *MODALITIES)
"""What a gold file must have."""

_PRESENT = {"yes": 1, "no": 0}


@dataclass(frozen=True)
class GoldOptions:
    """Which answers to take over."""

    file: Path
    """CSV with the columns `COLUMNS`."""


@dataclass(frozen=True)
class GoldRead:
    """What came of a gold file; an answer is one modality of one piece."""

    added: int
    changed: int
    """Answers that were known and said otherwise; the file's hold now."""
    known: int
    """Answers that were known and say the same."""
    blank: int
    """Rows without any answer."""
    notes: tuple[Note, ...]
    """Rows that were left out."""


@dataclass(frozen=True)
class GoldSampleOptions:
    """Which pieces to lay before an expert."""

    output: Path
    """The CSV to write; must not exist yet: an expert's work is never overwritten."""
    count: int
    """Pieces per category."""
    seed: int = 0
    """The same seed draws the same pieces; a larger count draws the same and more."""


@dataclass(frozen=True)
class GoldSample:
    """A file for an expert."""

    output: Path
    counts: dict[str, int]
    """Pieces per category; fewer than asked for where a category has fewer."""


def read_gold(project: Project, options: GoldOptions, progress: Progress) -> GoldRead:
    """Take over an expert's answers; a second call with the same file changes nothing.

    Rows that name no piece of the project, repeat one, or say something else than yes, no or nothing are noted with
    their line and left out as a whole. Raises `UsageError` for a file without the columns.
    """
    table = read_csv(options.file)
    table.require(*COLUMNS)
    notes: list[Note] = []
    with project.connect() as connection, connection:
        before = {(row[0], row[1]): row[2] for row in connection.execute("SELECT * FROM gold")}
        read = _read_rows(connection, table, notes, progress)
        answers = {key: present for answered in read.values() for key, present in answered.items()}
        connection.executemany(
            "INSERT OR REPLACE INTO gold VALUES (?, ?, ?)", ((*key, answers[key]) for key in sorted(answers))
        )
        write_notes(connection, "annotate", notes)
    return GoldRead(
        added=len(answers.keys() - before.keys()),
        changed=sum(before.get(key, present) != present for key, present in answers.items()),
        known=sum(before.get(key) == present for key, present in answers.items()),
        blank=sum(not answered for answered in read.values()),
        notes=tuple(notes),
    )


def sample_gold(project: Project, options: GoldSampleOptions, progress: Progress) -> GoldSample:
    """Write a CSV of random pieces of each category for an expert to fill in; answers that are known stand in it.

    Raises `UsageError` for a count below 1 or a project without pieces, `OutputError` where the file exists or cannot
    be written.
    """
    if options.count < 1:
        raise UsageError(f"{options.count} pieces per category; wanted 1 or more")
    if options.output.exists():
        raise OutputError(f"{options.output} exists, perhaps with answers in it; give another name")
    with project.connect() as connection:
        known = {(row[0], row[1]): row[2] for row in connection.execute("SELECT * FROM gold")}
        drawn = _drawn_pieces(connection, options)
    if not drawn:
        raise UsageError(f"{project.folder} has no pieces yet; run v2s vegas segment first")
    progress.step("gold", 0, 1)
    with whole_file(options.output) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS, "category", "picture_file", "sound_file"])
        writer.writerows(_sample_row(project, row, known) for row in drawn)
    progress.step("gold", 1, 1)
    counts: dict[str, int] = {}
    for row in drawn:
        counts[row["category"]] = counts.get(row["category"], 0) + 1
    return GoldSample(options.output, counts)


def _read_rows(
    connection: sqlite3.Connection, table: CsvTable, notes: list[Note], progress: Progress
) -> dict[int, dict[tuple[int, str], int]]:
    """By piece: its answers by piece and modality, none where the row is blank; faults go into `notes`."""
    read: dict[int, dict[tuple[int, str], int]] = {}
    for number, row in enumerate(table.rows, 1):
        values = dict(zip(table.header, (value.strip() for value in row.values), strict=False))
        about = values.get("video_id", "")[:80]
        piece = _piece(connection, row, values)
        if isinstance(piece, int) and piece in read:
            piece = "the piece stands in this file already; keep one row"
        if isinstance(piece, str):
            notes.append(Note(table.name, row.line, about, piece))
            continue
        given = {modality: values.get(modality, "").lower() for modality in MODALITIES}
        if wrong := [f"{modality} {text[:40]!r}" for modality, text in given.items() if text and text not in _PRESENT]:
            notes.append(Note(table.name, row.line, about, f"got {' and '.join(wrong)}; write yes, no or nothing"))
            continue
        read[piece] = {(piece, modality): _PRESENT[text] for modality, text in given.items() if text}
        progress.step("gold", number, len(table.rows))
    return read


def _piece(connection: sqlite3.Connection, row: CsvRow, values: dict[str, str]) -> int | str:
    """The piece that a row is about, or what is wrong with the row."""
    if row.fault:
        return row.fault
    video_id, ordinal = values.get("video_id", ""), values.get("ordinal", "")
    if fault := video_id_fault(video_id):
        return fault
    if not (ordinal.isascii() and ordinal.isdigit() and len(ordinal) < 9):
        return f"ordinal {ordinal[:40]!r} is no piece's number; 0 is a video's first"
    found = connection.execute(
        "SELECT id FROM pieces WHERE video_id = ? AND ordinal = ?", (video_id, int(ordinal))
    ).fetchone()
    return found[0] if found else f"the project has no piece {ordinal} of this video; remove the row"


def _drawn_pieces(connection: sqlite3.Connection, options: GoldSampleOptions) -> list[sqlite3.Row]:
    """The first pieces of each category in an order that the seed gives, categories in their own order."""

    def drawing(row: sqlite3.Row) -> str:
        return hashlib.sha256(f"{options.seed}/gold/{row['video_id']}/{row['ordinal']}".encode()).hexdigest()

    rows = connection.execute(
        "SELECT p.id, p.video_id, p.ordinal, c.name AS category, c.position FROM pieces p "
        "JOIN videos v ON v.video_id = p.video_id JOIN categories c ON c.name = v.category"
    ).fetchall()
    by_category: dict[int, list[sqlite3.Row]] = {}
    for row in rows:
        by_category.setdefault(row["position"], []).append(row)
    return [row for _, group in sorted(by_category.items()) for row in sorted(group, key=drawing)[: options.count]]


def _sample_row(project: Project, row: sqlite3.Row, known: dict[tuple[int, str], int]) -> Iterator[str | int]:
    yield row["video_id"]
    yield row["ordinal"]
    for modality in MODALITIES:
        present = known.get((row["id"], modality))
        yield "" if present is None else ("no", "yes")[present]
    yield row["category"]
    for suffix in (".mp4", ".flac"):
        yield str(project.piece_path(row["video_id"], row["ordinal"], suffix))
