"""Manifests: a CSV with one row per file that says what the file is, whom to credit, and what may be done with it."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from v2s_engine.errors import MediaNotFoundError, UsageError


def manifest_rows(path: Path, columns: Collection[str]) -> list[tuple[Path, dict[str, str]]]:
    """Every row with the path of its `file` (relative to the manifest's folder), in the manifest's order.

    Raises `MediaNotFoundError` without a manifest, and `UsageError` where it lacks one of the `columns`.
    """
    if not path.is_file():
        raise MediaNotFoundError(f"no manifest at {path}; wanted a CSV file that lists files, one per row")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if missing := sorted(set(columns) - set(rows.fieldnames or ())):
            raise UsageError(f"{path} lacks the columns {', '.join(missing)}; wanted: {', '.join(sorted(columns))}")
        return [(path.parent / row["file"], row) for row in rows]
