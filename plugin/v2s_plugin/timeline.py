"""Timeline files: read, and written whole."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import (
    OutputError,
    TimelineNotFoundError,
    TimelineSchemaError,
    TimelineUnreadableError,
    UsageError,
)
from v2s_plugin.outputs import whole_file

SUFFIXES = (".otio",)
"""File types that can be read and written."""


def read_timeline(path: Path) -> Any:
    """The `otio.schema.Timeline` in a file, as OpenTimelineIO reads it; no plug-in of anybody runs.

    Raises `UsageError` (file type), `TimelineNotFoundError`, `TimelineSchemaError` (written by a newer OpenTimelineIO),
    `TimelineUnreadableError` (no timeline, or not whole).
    """
    check_suffix(path)
    try:
        path.stat()
        found = otio.core.deserialize_json_from_file(str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise TimelineNotFoundError(f"no timeline at {path}; check the path") from None
    except otio.exceptions.UnsupportedSchemaError as error:
        raise TimelineSchemaError(_newer_schema_message(path)) from error
    except (otio.exceptions.OTIOError, ValueError, KeyError, TypeError, OSError, MemoryError) as error:
        raise TimelineUnreadableError(
            f"{path} is not a timeline that OpenTimelineIO can read ({_one_line(error)}); export it again"
        ) from error
    if not isinstance(found, otio.schema.Timeline):
        raise TimelineUnreadableError(
            f"{path} holds a {_schema_of(found)}; wanted a Timeline: export the whole timeline, not a part of it"
        )
    if found.tracks is None:
        raise TimelineUnreadableError(f"{path} is a timeline without tracks; export it again")
    return found


@dataclass(frozen=True)
class Destination:
    """Where a changed timeline goes; made by `destination`."""

    path: Path
    """Absolute."""
    in_place: bool
    """Whether it replaces the timeline it was made from."""
    force: bool
    """Whether it may replace a file that exists."""

    def check(self) -> None:
        """Raise `OutputError` where the file cannot be written: it exists, or its folder does not."""
        if self.path.is_dir():
            raise OutputError(f"{self.path} is a folder; choose another name with -o")
        if self.path.exists() and not (self.force or self.in_place):
            raise OutputError(f"{self.path} exists already; --force replaces it, -o chooses another name")
        if not self.path.parent.is_dir():
            raise OutputError(f"there is no folder {self.path.parent} to write to; make it or choose another with -o")

    def write(self, timeline: Any) -> None:
        """Write a timeline so that the file holds all of it or what it held before. Raises `OutputError`.

        In place, the file as it was stays beside it as `.bak`.
        """
        self.check()
        text = otio.core.serialize_json_to_string(timeline, indent=4)
        if self.in_place:
            with whole_file(self.path.with_name(f"{self.path.name}.bak")) as draft:
                shutil.copyfile(self.path, draft)
        with whole_file(self.path) as draft:
            draft.write_text(text, encoding="utf-8")


def destination(source: Path, output: Path | None, *, ending: str, in_place: bool, force: bool) -> Destination:
    """Where a timeline changed from `source` goes: to `output`, else beside it with `ending` added to its name.

    Raises `UsageError` for contradictions, an unknown file type, or the input itself without `in_place` (the input is
    never touched by accident), `OutputError` where the file cannot be written.
    """
    if in_place:
        if output is not None:
            raise UsageError("--in-place and -o contradict each other; give one of them")
        return Destination(source.resolve(), True, force)  # the file, not a link to it, is replaced
    path = output or source.with_name(f"{source.stem}{ending}{source.suffix}")
    check_suffix(path)
    target = Destination(path.absolute(), False, force)
    try:
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError(f"{path} is the input itself; --in-place writes there and keeps a .bak")
        target.check()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another place with -o") from error
    return target


def check_suffix(path: Path) -> None:
    """Raise `UsageError` for a file type that is not known; the message lists those that are."""
    if path.suffix.lower() not in SUFFIXES:
        got = f"a {path.suffix} file" if path.suffix else "a file without a suffix"
        raise UsageError(
            f"{path.name} is {got}; V2S reads and writes {', '.join(SUFFIXES)}: "
            "export the timeline as OpenTimelineIO (.otio)"
        )


def _newer_schema_message(path: Path) -> str:
    known = otio.core.type_version_map()
    newer = sorted(
        {
            f"{name} (known: {base}.{known[base]})"
            for name, base, version in _schemas_in(path)
            if version > known.get(base, version)
        }
    )
    what = ", ".join(newer) or "a newer schema"
    return (
        f"{path} was written by a newer OpenTimelineIO than the installed {otio.__version__}: it holds {what}; "
        "export it for an older version (OTIO_DEFAULT_TARGET_VERSION_FAMILY_LABEL=OTIO_CORE:0.18.1) "
        "or install a newer opentimelineio"
    )


def _schemas_in(path: Path) -> set[tuple[str, str, int]]:
    """Every schema in the file as (`Marker.3`, `Marker`, 3)."""
    found: set[tuple[str, str, int]] = set()

    def note(pairs: dict[str, Any]) -> dict[str, Any]:
        name = pairs.get("OTIO_SCHEMA")
        base, dot, version = name.rpartition(".") if isinstance(name, str) else ("", "", "")
        if dot and version.isdigit():
            found.add((str(name), base, int(version)))
        return pairs

    json.loads(path.read_text(encoding="utf-8"), object_hook=note)
    return found


def _schema_of(found: Any) -> str:
    if (unknown := getattr(found, "original_schema_name", None)) is not None:  # of a plug-in that is not here
        return str(unknown)
    return str(found.schema_name()) if isinstance(found, otio.core.SerializableObject) else "plain JSON value"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
