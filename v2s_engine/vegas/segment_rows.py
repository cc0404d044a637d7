"""Google's segment CSVs, row by row: every line is a row, a note of what is wrong with it, a comment, or empty.

    # Segments csv created Sun Mar  5 10:54:31 2017
    # num_ytids=22160, num_segs=22160, num_unique_labels=527, num_positive_labels=52882
    # YTID, start_seconds, end_seconds, positive_labels
    --PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"

Google's files have `, ` between fields, copies `,`; labels are quoted, in copies only where there are several. A line
is read by itself, so that a quote that is never closed spoils no other line.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Container, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from v2s_engine.errors import UsageError
from v2s_engine.vegas.store import Note, video_id_fault

LONGEST_LINE = 1 << 16
"""Bytes; a longer line is no row, and is not held in memory."""

REPEATED = "a row before has the same video id; only the first counts"
"""What is noted of a row that is right in itself, but repeats a video."""

_SECONDS = re.compile(r"([0-9]{1,7})(?:\.([0-9]{1,9}))?")
_SHOWN = 40


class SegmentRow(NamedTuple):
    """One section of a source video, and what is heard in it."""

    line: int
    """1 is the file's first."""
    video_id: str
    begin_ms: int
    end_ms: int
    labels: tuple[str, ...]
    """AudioSet ids, in the row's order."""


class RowError(ValueError):
    """Why a line is no row, and what of it is wrong; becomes a note."""

    def __init__(self, about: str, reason: str) -> None:
        super().__init__(reason)
        self.about = about


def read_rows(
    path: Path, known: Container[str], seen: set[str], report: Callable[[int], None] = lambda position: None
) -> Iterator[SegmentRow | Note]:
    """The rows of a segment CSV in their order, and a note in place of each that cannot be used.

    `known` holds the ids of all sound classes. `seen` holds the ids of videos in rows before, of other files too: a row
    that repeats one becomes a note; ids of good rows are added. `report` is told now and then how many bytes are read.
    Raises `UsageError` where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for line, raw in _lines(partial(file.readline, LONGEST_LINE)):
                if line % 10_000 == 0:
                    report(file.tell())
                if raw.startswith(b"#") or not raw.strip():
                    continue
                try:
                    row = parse_row(line, raw, known)
                    if row.video_id in seen:
                        raise RowError(row.video_id, REPEATED)
                except RowError as fault:
                    yield Note(path.name, line, fault.about, str(fault))
                    continue
                seen.add(row.video_id)
                yield row
            report(file.tell())
    except OSError as error:
        raise UsageError(f"cannot read the segments in {path}: {error.strerror or error}") from error


def parse_row(line: int, raw: bytes, known: Container[str]) -> SegmentRow:
    """A line as a row; raises `RowError`."""
    if len(raw) >= LONGEST_LINE:
        raise RowError("line", f"longer than {LONGEST_LINE:,} bytes; wanted one row to a line")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise RowError("line", f"no UTF-8 text: {_shown(raw[error.start : error.end])} at byte {error.start}") from None
    if "\0" in text:
        raise RowError("line", "holds a NUL byte")
    try:
        fields = next(csv.reader((text.rstrip(),), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise RowError("line", f"is broken as CSV: {error}") from None
    if len(fields) != 4:
        raise RowError("line", f"{len(fields)} fields; wanted 4: video id, start, end, labels in quotes")
    video_id = fields[0].strip()
    if fault := video_id_fault(video_id):
        raise RowError("video id", fault if len(video_id) <= _SHOWN else f"{_shown(video_id)} is no video id")
    begin_ms, end_ms = _milliseconds(video_id, "start", fields[1]), _milliseconds(video_id, "end", fields[2])
    if end_ms <= begin_ms:
        raise RowError(video_id, f"ends at {_shown(fields[2])} s, not after it starts, at {_shown(fields[1])} s")
    labels = tuple(label.strip() for label in fields[3].split(","))
    for label in labels:
        if label not in known:
            reason = f"{_shown(label)} is no sound class of the ontology" if label else "a label is empty"
            raise RowError(video_id, reason)
    return SegmentRow(line, video_id, begin_ms, end_ms, labels)


def _lines(read: Callable[[], bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers; of one that is too long, the first bytes alone. A byte order mark is taken off."""
    number = 0
    while raw := read():
        number += 1
        yield number, raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        while len(raw) >= LONGEST_LINE and not raw.endswith(b"\n"):
            raw = read()
            if not raw:
                return


def _milliseconds(video_id: str, which: str, text: str) -> int:
    """A time of a row, exactly to the millisecond that is nearest."""
    found = _SECONDS.fullmatch(text.strip())
    if not found:
        raise RowError(video_id, f"its {which}, {_shown(text)}, is no time; wanted seconds from 0, e.g. 30.000")
    whole, decimals = found.groups("0")
    return int(whole) * 1000 + (int(decimals.ljust(9, "0")) + 500_000) // 1_000_000


def _shown(text: str | bytes) -> str:
    """A text of a stranger's file, quoted, and cut where it is long."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."
