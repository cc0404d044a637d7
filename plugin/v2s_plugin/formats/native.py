"""OpenTimelineIO's own JSON, as it stands in `.otio` files and inside bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import TimelineNotFoundError, TimelineSchemaError, TimelineUnreadableError


def read_native(path: Path, shown: Path | None = None) -> Any:
    """What stands in a JSON file, as OpenTimelineIO reads it; no plug-in of anybody runs.

    `shown` is what messages call it. Raises `TimelineNotFoundError`, `TimelineSchemaError` (written by a newer
    OpenTimelineIO), `TimelineUnreadableError`.
    """
    shown = shown or path
    try:
        path.stat()
        return otio.core.deserialize_json_from_file(str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise TimelineNotFoundError(f"no timeline at {shown}; check the path") from None
    except otio.exceptions.UnsupportedSchemaError as error:
        raise TimelineSchemaError(_newer_schema_message(path, shown)) from error
    except (otio.exceptions.OTIOError, ValueError, KeyError, TypeError, OSError, MemoryError) as error:
        raise TimelineUnreadableError(
            f"{shown} is not a timeline that OpenTimelineIO can read ({one_line(error)}); export it again"
        ) from error


def write_native(timeline: Any, draft: Path) -> None:
    """Write a timeline as JSON; raises `OSError`."""
    draft.write_text(otio.core.serialize_json_to_string(timeline, indent=4), encoding="utf-8")


def plain_json(value: Any) -> Any:
    """An object or metadata of OpenTimelineIO as dictionaries, lists, numbers and texts."""
    return json.loads(otio.core.serialize_json_to_string(value))


def one_line(error: Exception) -> str:
    """An error's own words, short and without line breaks."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _newer_schema_message(path: Path, shown: Path) -> str:
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
        f"{shown} was written by a newer OpenTimelineIO than the installed {otio.__version__}: it holds {what}; "
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
