"""The folder of a built set: only the project that built it may change it.

A set is known again by the time of change of its mark, which the project notes before the mark is put in place, and
which later builds leave as it is: two sets never have the same one, and nothing of the moment stands in any file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from v2s_engine.errors import OutputError
from v2s_engine.vegas.built_files import describe_file
from v2s_engine.vegas.dataset_files import CARD, CHECKSUMS, INDEX, MARK
from v2s_engine.vegas.whole_file import whole_file

_FORMAT = "v2s-vegas-dataset 1"


def check_folder(connection: sqlite3.Connection, folder: Path) -> None:
    """Raise `OutputError` where a folder holds anything but a set of this project: nothing foreign is deleted.

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
    if holds and _own_mark(connection, folder) is None:
        raise OutputError(
            f"{folder} holds a set that this project did not build, or one that was copied since; its clips would be "
            "deleted: give a new folder, or empty this one"
        )


def begin_folder(connection: sqlite3.Connection, folder: Path, options: Mapping[str, Any]) -> None:
    """Mark a folder as a set of this project that is being built: what tells that one is whole goes away.

    The folder must have passed `check_folder`. Raises `OutputError`.
    """
    try:
        for name in (CHECKSUMS, INDEX, CARD):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot change the set in {folder}: {error}; give another folder") from error
    text = json.dumps({"format": _FORMAT, **options}, indent=2, sort_keys=True) + "\n"
    before = _own_mark(connection, folder)
    with whole_file(folder / MARK) as draft:
        draft.write_text(text, "utf-8", newline="\n")
        if before is not None:
            os.utime(draft, ns=(before, before))
        noted = describe_file(draft, _FORMAT)
        with connection:  # noted first: a kill in between leaves no set that nobody may go on with
            connection.execute(
                "INSERT OR REPLACE INTO built_files VALUES (?, ?, ?, ?, ?, ?)", (str(folder.resolve()), MARK, *noted)
            )


def _own_mark(connection: sqlite3.Connection, folder: Path) -> int | None:
    """When the mark of a folder was changed (ns), where that is this project's; wherever the set was moved."""
    try:
        changed = (folder / MARK).stat().st_mtime_ns
    except OSError:
        return None
    noted = connection.execute("SELECT 1 FROM built_files WHERE file = ? AND mtime_ns = ?", (MARK, changed))
    return changed if noted.fetchone() else None


def _read_mark(folder: Path) -> dict[str, Any]:
    try:
        mark = json.loads((folder / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}
