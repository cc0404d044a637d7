"""The `--map` file: what clips sound like by their names, for a whole project at once.

    # first row that fits wins
    pattern,sound
    *_dog_*,dog
    kitchen*,water|baby_crying      two sounds
    title*,skip                     none

A pattern is a glob (`*`, `?`, `[ab]`) that is held against the clip's name and its media file's, capitals or not. UTF-8
as a spreadsheet writes it; the header row and lines with # are optional.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import UsageError
from v2s_plugin.globs import fits

_HEADER = ["pattern", "sound"]
_WANTED = "wanted: pattern,sound"


@dataclass(frozen=True)
class MapRow:
    """One row of the file."""

    line: int
    """Number of its line, from 1."""
    pattern: str
    sound_classes: tuple[str, ...]
    """Empty: clips that fit are not sounded."""


@dataclass(frozen=True)
class ClassMap:
    """The rows of a map file; without any it decides nothing."""

    rows: tuple[MapRow, ...] = ()
    file_name: str = ""
    """For messages."""

    def row_for(self, names: Sequence[str]) -> MapRow | None:
        """The first row that fits one of a clip's names."""
        return next((row for row in self.rows if fits(row.pattern, names)), None)

    def place_of(self, row: MapRow) -> str:
        """File and line of a row, for messages."""
        return f"{self.file_name} line {row.line}"

    def check_classes(self, known: Sequence[str]) -> None:
        """Raise `UsageError` where a row names a class that the bundle lacks."""
        for row in self.rows:
            for sound_class in row.sound_classes:
                if sound_class not in known:
                    raise UsageError(
                        f"{self.place_of(row)}: the bundle has no sound class {sound_class!r}; it has: "
                        f"{', '.join(known)}"
                    )

    def unused(self, clips: Iterable[Sequence[str]]) -> tuple[str, ...]:
        """A warning for every row that decides nothing for clips of these names."""
        used = {row.line for names in clips if (row := self.row_for(names)) is not None}
        return tuple(
            f"{self.place_of(row)}: {row.pattern!r} fits no clip that a row above it does not fit"
            for row in self.rows
            if row.line not in used
        )


NO_MAP = ClassMap()


def read_class_map(path: Path) -> ClassMap:
    """The rows of a map file. Raises `UsageError` for one that cannot be read or understood, with the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the map {path}: {error.strerror}; give --map a CSV file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text; save the map as CSV UTF-8") from error
    lines = text.splitlines()
    reader = csv.reader(lines, strict=True, skipinitialspace=True, delimiter=_delimiter(lines))
    rows: list[MapRow] = []
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row) or row[0].startswith("#") or (not rows and [cell.lower() for cell in row] == _HEADER):
                continue
            rows.append(_row_of(row, f"{path.name} line {reader.line_num}", reader.line_num))
    except csv.Error as error:
        raise UsageError(f"{path.name} line {reader.line_num}: {error}; {_WANTED}") from error
    if not rows:
        raise UsageError(f"the map {path} holds no rows; {_WANTED}, one row a line")
    return ClassMap(tuple(rows), path.name)


def _delimiter(lines: Sequence[str]) -> str:
    """A comma, or the semicolon of spreadsheets in languages that write numbers with a comma."""
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return ";" if ";" in first and "," not in first else ","


def _row_of(cells: Sequence[str], place: str, line: int) -> MapRow:
    if len(cells) != len(_HEADER):
        raise UsageError(f"{place}: {len(cells)} cells ({', '.join(cells)}); {_WANTED}")
    pattern, sound = cells
    if not pattern:
        raise UsageError(f"{place}: the pattern is empty; {_WANTED}")
    if sound.lower() in ("", "skip"):
        return MapRow(line, pattern, ())
    classes = [name.strip() for name in sound.split("|")]
    if not all(classes):
        raise UsageError(f"{place}: {sound!r} names an empty class; write dog or dog|water")
    return MapRow(line, pattern, tuple(dict.fromkeys(classes)))
