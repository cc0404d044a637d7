"""What lies beside the clips of a built set: the index that trainings read, what it was built by, and checksums.

build.json      what was asked for; marks the folder as a built set (see set_folder.py)
index.csv       one row per clip, as `v2s_engine.corpus.clips.read_clips` reads it; there once all clips are
checksums.txt   SHA-256 of every file, as `sha256sum --check` reads it; written last: with it the set is whole
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from v2s_engine.vegas.dataset_clips import DatasetClip
from v2s_engine.vegas.whole_file import whole_file

MARK, INDEX, CARD, CHECKSUMS = "build.json", "index.csv", "README.md", "checksums.txt"

COLUMNS = ("file", "category", "split", "licence", "attribution", "video_id", "begin_s", "length")
"""`begin_s`: seconds at which the clip begins in the source video; `length`: samples at 16 kHz."""


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
