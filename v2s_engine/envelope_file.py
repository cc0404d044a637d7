"""Envelopes as files that an editor can open, change and give back: JSON, and CSV for spreadsheets.

    time_s,loudness_dbfs,onset                  {"format": "v2s envelope", "version": 1, "rate": 62.5,
    0.000,-80.0,0.0                              "source": "dog.mp4", "loudness_dbfs": [-80.0, -14.0],
    0.016,-14.0,1.0                              "onset": [0.0, 1.0]}

Step n stands for the 16 ms from n · 0.016 s on. `loudness_dbfs` lies between -80 (silence) and 0; `onset`, how strongly
a sound starts in the step, between 0 and 1. Where `onset` is left out it follows from the loudness: a rise of 24 dB
within 48 ms is a full one. Numbers are written so that what is read is what was written, to the bit.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import SILENCE_DBFS, Envelope
from v2s_engine.errors import MediaNotFoundError, UsageError
from v2s_engine.grid import ENVELOPE_RATE

EnvelopeKind = Literal["json", "csv"]
"""How an envelope is written."""

FORMAT, VERSION = "v2s envelope", 1
TIME, LOUDNESS, ONSET = "time_s", "loudness_dbfs", "onset"
LONGEST_STEPS = 10 * 3600 * ENVELOPE_RATE.numerator // ENVELOPE_RATE.denominator
"""Of an envelope that is read: 10 hours."""

_MOST_BYTES = 256 * 2**20
_RANGES = {LOUDNESS: (SILENCE_DBFS, 0.0), ONSET: (0.0, 1.0)}
_TIME_TOLERANCE_S = 0.001  # what a spreadsheet may round away
_HOW = f"write one with v2s envelope CLIP -o FILE, or a table with the columns {TIME},{LOUDNESS},{ONSET}"


def envelope_kind(path: Path) -> EnvelopeKind | None:
    """The kind of envelope file that a name stands for; None where its suffix is another."""
    suffix = path.suffix.lower().removeprefix(".")
    return cast("EnvelopeKind", suffix) if suffix in ("json", "csv") else None


def envelope_text(envelope: Envelope, kind: EnvelopeKind, source: str = "") -> str:
    """An envelope as the text of a file; `source` says what it was made from, and only JSON has a place for it."""
    loudness, onset = _plain(envelope.loudness), _plain(envelope.onset)
    if kind == "json":
        head = {"format": FORMAT, "version": VERSION, "rate": float(ENVELOPE_RATE), "source": source}
        return json.dumps({**head, LOUDNESS: loudness, ONSET: onset}, ensure_ascii=False) + "\n"
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([TIME, LOUDNESS, ONSET])
    times = (f"{float(step / ENVELOPE_RATE):.3f}" for step in range(len(envelope)))
    rows.writerows(zip(times, loudness, onset, strict=True))
    return text.getvalue()


def read_envelope(path: Path) -> Envelope:
    """The envelope in a .json or .csv file, as `envelope_text` writes it, maybe changed by hand.

    Raises `MediaNotFoundError` without the file, and `UsageError` for one that is no envelope: with the line, what
    stands there, and what is wanted.
    """
    kind = envelope_kind(path)
    if kind is None:
        raise UsageError(f"{path} is no envelope file: its name must end in .json or .csv; {_HOW}")
    text = _text_of(path)
    columns = _json_columns(text, path.name) if kind == "json" else _csv_columns(text, path.name)
    loudness = columns[LOUDNESS]
    if not loudness:
        raise UsageError(f"{path.name} holds no steps; wanted at least one, 16 ms long; {_HOW}")
    if len(loudness) > LONGEST_STEPS:
        raise UsageError(
            f"{path.name} holds {len(loudness)} steps; at most {LONGEST_STEPS} (10 hours) are read; cut it in parts"
        )
    curves = {name: _checked(name, values, path.name, kind) for name, values in columns.items()}
    if ONSET not in curves:
        return Envelope.from_loudness(curves[LOUDNESS])
    if len(curves[ONSET]) != len(loudness):
        raise UsageError(
            f"{path.name}: {LOUDNESS} has {len(loudness)} steps and {ONSET} {len(curves[ONSET])}; give both the same "
            f"number, or leave {ONSET} out"
        )
    return Envelope(curves[LOUDNESS], curves[ONSET])


def _plain(curve: NDArray[np.float32]) -> list[float]:
    """The shortest numbers from which single precision gives the same bits."""
    return [float(str(value)) for value in curve]


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(
                f"{path} is larger than {_MOST_BYTES // 2**20} MiB, which no envelope of 10 hours is; {_HOW}"
            )
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MediaNotFoundError(f"no envelope file at {path}") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}; allow reading it") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text; save it as UTF-8, or: {_HOW}") from error


def _json_columns(text: str, name: str) -> dict[str, list[Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no JSON: {error}; {_HOW}") from error
    if not isinstance(found, Mapping) or found.get("format") != FORMAT:
        raise UsageError(f'{name} is not an envelope of V2S: wanted an object with "format": "{FORMAT}"; {_HOW}')
    if found.get("version") != VERSION:
        raise UsageError(
            f"{name} is an envelope of version {found.get('version')!r}; this V2S reads version {VERSION}: "
            "write it again with this one, or update V2S"
        )
    if found.get("rate") != float(ENVELOPE_RATE):
        raise UsageError(
            f"{name} has {found.get('rate')!r} steps a second; wanted {float(ENVELOPE_RATE)}; resample its curves"
        )
    columns = {column: found[column] for column in (LOUDNESS, ONSET) if found.get(column) is not None}
    if LOUDNESS not in columns or not all(isinstance(values, list) for values in columns.values()):
        raise UsageError(f"{name} lacks a list {LOUDNESS!r} (and maybe {ONSET!r}) of numbers; {_HOW}")
    return columns


def _csv_columns(text: str, name: str) -> dict[str, list[Any]]:
    header, *rows = list(_csv_rows(text, name)) or [(1, [])]
    names = [cell.lower() for cell in header[1]]
    if sorted(names) not in (sorted((TIME, LOUDNESS)), sorted((TIME, LOUDNESS, ONSET))):
        got = ", ".join(header[1]) or "nothing"
        raise UsageError(f"{name} has the columns {got}; wanted {TIME},{LOUDNESS} and maybe {ONSET}; {_HOW}")
    columns: dict[str, list[Any]] = {column: [] for column in names}
    for step, (line, cells) in enumerate(rows):
        if len(cells) != len(names):
            raise UsageError(f"{name} line {line}: {len(cells)} cells; wanted {len(names)}: {','.join(names)}")
        for column, cell in zip(names, cells, strict=True):
            columns[column].append(_number(cell, f"{name} line {line}: {column}"))
        time, wanted = columns[TIME][-1], float(step / ENVELOPE_RATE)
        if not abs(time - wanted) <= _TIME_TOLERANCE_S:
            raise UsageError(
                f"{name} line {line}: {TIME} is {time:g} where {wanted:.3f} is wanted: rows stand 0.016 s apart "
                f"({float(ENVELOPE_RATE)} a second) from 0 on, none left out; resample the curve"
            )
    del columns[TIME]
    return columns


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row that is not empty; spreadsheets in some languages write `0,5;-14,2`."""
    first = text.split("\n", 1)[0]
    comma = ";" in first
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=";" if comma else ",")
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, [cell.replace(",", ".") for cell in cells] if comma else cells
    except csv.Error as error:
        raise UsageError(f"{name} line {reader.line_num}: {error}; {_HOW}") from error


def _number(cell: str, what: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise UsageError(f"{what} is {cell!r}; wanted a number") from None


def _checked(name: str, values: Sequence[Any], file: str, kind: EnvelopeKind) -> NDArray[np.float32]:
    """A column as numbers in its range; raises `UsageError` with the time of the first that is none."""
    low, high = _RANGES[name]
    for step, value in enumerate(values):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:  # NaN lies nowhere
            place = f"{float(step / ENVELOPE_RATE):.3f} s" + (f" (value {step + 1})" if kind == "json" else "")
            raise UsageError(f"{file}: {name} at {place} is {value!r}; wanted a number between {low:g} and {high:g}")
    return np.asarray(values, np.float32)
