"""A timeline file of any format as an `otio.schema.Timeline`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import opentimelineio as otio

from v2s_engine.errors import TimelineNotFoundError, TimelineUnreadableError, V2SError
from v2s_plugin.formats.aaf import read_aaf
from v2s_plugin.formats.edl import read_edl, refuse_edl_rate
from v2s_plugin.formats.fcp_xml import read_fcp_xml
from v2s_plugin.formats.fcpxml import read_fcpxml
from v2s_plugin.formats.kdenlive import read_kdenlive
from v2s_plugin.formats.mlt import read_mlt
from v2s_plugin.formats.native import one_line, read_native
from v2s_plugin.formats.timeline_format import TimelineFormat
from v2s_plugin.formats.xges import read_xges


@dataclass(frozen=True)
class ReadOptions:
    """What a timeline file may not say itself."""

    edl_rate: str | None = None
    """Frames per second of an edit decision list, as `--edl-rate` takes it."""


NOTHING_MORE = ReadOptions()
"""Where files say everything themselves."""


def read_any(path: Path, kind: TimelineFormat, options: ReadOptions, shown: Path | None = None) -> Any:
    """The `otio.schema.Timeline` in a file (of a bundle: in its JSON file); no plug-in of anybody runs.

    `shown` is what messages call it. Raises `UsageError`, `MissingExtraError` (an adapter is not installed),
    `TimelineNotFoundError`, `TimelineSchemaError`, `TimelineUnreadableError`.
    """
    shown = shown or path
    if kind.name != "edl":
        refuse_edl_rate(options.edl_rate, shown.name, kind.title)
    found = read_native(path, shown) if kind.is_native else _read_foreign(path, kind, options)
    if not isinstance(found, otio.schema.Timeline):
        raise TimelineUnreadableError(
            f"{shown} holds a {_schema_of(found)}; wanted a Timeline: export the whole timeline, not a part of it"
        )
    if found.tracks is None:
        raise TimelineUnreadableError(f"{shown} is a timeline without tracks; export it again")
    return found


def _read_foreign(path: Path, kind: TimelineFormat, options: ReadOptions) -> Any:
    """What an adapter makes of a file; adapters raise whatever they stumble over."""
    try:
        path.stat()
        if kind.name == "edl":
            return read_edl(path, options.edl_rate)
        return _READERS[kind.name](path)
    except V2SError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise TimelineNotFoundError(f"no timeline at {path}; check the path") from None
    except ParseError as error:
        raise TimelineUnreadableError(f"{path} is no {kind.title} ({one_line(error)}); export it again") from error
    except Exception as error:
        raise TimelineUnreadableError(
            f"{path} cannot be read as {kind.title} ({one_line(error)}); export it again, or as OpenTimelineIO (.otio)"
        ) from error


_READERS = {
    "fcp_xml": read_fcp_xml,
    "fcpxml": read_fcpxml,
    "aaf": read_aaf,
    "kdenlive": read_kdenlive,
    "mlt": read_mlt,
    "xges": read_xges,
}


def _schema_of(found: Any) -> str:
    if (unknown := getattr(found, "original_schema_name", None)) is not None:  # of a plug-in that is not here
        return str(unknown)
    return str(found.schema_name()) if isinstance(found, otio.core.SerializableObject) else "plain JSON value"
