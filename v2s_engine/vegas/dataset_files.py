"""What lies beside the clips of a built set: the index that trainings read, what it was built by, and checksums.

build.json      what was asked for; marks the folder as one that `build` may change
index.csv       one row per clip, as `v2s_engine.corpus.clips.read_clips` reads it; there once all clips are
checksums.txt   SHA-256 of every file, as `sha256sum --check` reads it; written last: with it the set is whole
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from v2s_engine.errors import OutputError
from v2s_engine.vegas.dataset_clips import DatasetClip
from v2s_engine.vegas.whole_file import whole_file

MARK, INDEX, CARD, CHECKSUMS = "build.json", "index.csv", "README.md", "checksums.txt"

COLUMNS = ("file", "category", "split", "licence", "attribution", "video_id", "begin_s", "length")
"""`begin_s`: seconds at which the clip begins in the source video; `length`: samples at 16 kHz."""

_FORMAT = "v2s-vegas-dataset 1"


def check_folder(folder: Path) -> None:
    """Raise `OutputError` where a folder holds something that is no built set: nothing foreign is written over.

    Hidden files do not count: they are what a file manager leaves (`.DS_Store`), or drafts of ours.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is no folder; give another one")
    try:
        holds = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise OutputError(f"cannot look into {folder}: {error}; give another folder") from error
    if holds and _read_mark(folder).get("format") != _FORMAT:
        raise OutputError(f"{folder} holds {holds[0]} and is no built set; give a new folder, or empty this one")


def begin_folder(folder: Path, options: Mapping[str, Any]) -> None:
    """Mark the folder as a set that is being built: what tells that one is whole goes away. Raises `OutputError`."""
    try:
        for name in (CHECKSUMS, INDEX, CARD):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot change the set in {folder}: {error}; give another folder") from error
    write_text(folder / MARK, json.dumps({"format": _FORMAT, **options}, indent=2, sort_keys=True) + "\n")


def index_text(clips: Iterable[DatasetClip]) -> str:
    """`index.csv`, by file."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for clip in sorted(clips, key=lambda each: each.file):
        rows.writerow([getattr(clip, column) for column in COLUMNS])
    return text.getvalue()


def checksums_text(digests: Mapping[str, str]) -> str:
    """`checksums.txt` from the SHA-256 of each file, by file."""
    return "".join(f"{digest}  {file}\n" for file, digest in sorted(digests.items()))


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, as UTF-8. Raises `OutputError`."""
    with whole_file(path) as draft:
        draft.write_text(text, "utf-8", newline="\n")


def _read_mark(folder: Path) -> dict[str, Any]:
    try:
        mark = json.loads((folder / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}
