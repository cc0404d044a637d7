"""Rows of CSV files that people and services hand in: each with its line, whatever else is wrong with the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from v2s_engine.errors import UsageError


class CsvRow(NamedTuple):
    """One row, or why there is none."""

    line: int
    """The file's line on which the row begins; 1 is the first. Fields may hold line breaks."""
    values: tuple[str, ...]
    fault: str | None = None
    """Why the row cannot be read; `values` are then empty."""


@dataclass(frozen=True)
class CsvTable:
    """Headings, and the rows below them."""

    name: str
    """The file's name, for notes."""
    header: tuple[str, ...]
    rows: tuple[CsvRow, ...]

    def require(self, *columns: str) -> None:
        """Raises `UsageError` that names the columns that are missing, or that stand there twice."""
        if missing := [column for column in columns if column not in self.header]:
            found = ", ".join(column[:40] for column in self.header[:40])
            raise UsageError(f"{self.name} lacks the columns {', '.join(missing)}; it has: {found or 'none'}")
        if double := [column for column in columns if self.header.count(column) > 1]:
            raise UsageError(f"{self.name} has columns twice: {', '.join(double)}; keep one of each")


def read_csv(file: Path) -> CsvTable:
    """The table in a file. Blank rows are left away; bytes that are no UTF-8 are read as U+FFFD.

    Raises `UsageError` where the file cannot be read.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}; give a CSV file") from error
    rows = [row for row in _rows(text) if row.fault or any(value.strip() for value in row.values)]
    header = rows[0].values if rows else ()
    return CsvTable(file.name, tuple(heading.strip() for heading in header), tuple(rows[1:]))


def _rows(text: str) -> Iterator[CsvRow]:
    # newline="": line breaks inside of fields stay what they are, and the reader counts the file's own lines.
    reader = csv.reader(io.StringIO(text, newline=""))
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # a field beyond all bounds: a quote that is never closed
            yield CsvRow(line, (), f"the row cannot be read: {error}; mend its quotes")
            continue
        yield CsvRow(line, tuple(values))
