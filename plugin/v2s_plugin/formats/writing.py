"""An `otio.schema.Timeline` as a file of any format but a bundle."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from v2s_engine.errors import OutputError, TimelineError, V2SError
from v2s_plugin.formats.aaf import write_aaf
from v2s_plugin.formats.adapters import has_adapter, load_adapter
from v2s_plugin.formats.fcp_xml import write_fcp_xml
from v2s_plugin.formats.fcpxml import write_fcpxml
from v2s_plugin.formats.kdenlive import write_kdenlive
from v2s_plugin.formats.losses import losses
from v2s_plugin.formats.mlt import write_mlt
from v2s_plugin.formats.native import one_line, write_native
from v2s_plugin.formats.reading import NOTHING_MORE, read_any
from v2s_plugin.formats.timeline_format import TimelineFormat
from v2s_plugin.formats.xges import write_xges


def require_adapter(kind: TimelineFormat) -> None:
    """Raise `MissingExtraError` where a format cannot be written here; asked before any work is done."""
    if has_adapter(kind.name):
        load_adapter(kind.name, kind.title)


def rehearse(timeline: Any, kind: TimelineFormat, *, name: str, folder: Path, source: Path | None) -> None:
    """Raise what `write_any` would raise for a timeline that is not scored yet, so that no sound is made in vain.

    `name` is that of the file.
    """
    if kind.is_native or kind.name == "aaf":  # of an AAF nothing would be there to be written
        return
    with tempfile.TemporaryDirectory(prefix="v2s-rehearsal-") as scratch:
        draft = Path(scratch) / name
        write_any(timeline, draft, kind, folder=folder, media_folder=folder, source=source)


def write_any(
    timeline: Any, draft: Path, kind: TimelineFormat, *, folder: Path, media_folder: Path, source: Path | None = None
) -> tuple[str, ...]:
    """Write a timeline to `draft`; returns what was lost and what else is to be known, one line each.

    Relative media of ours count from `folder`, all others from `media_folder`; `source` is the file it was read from,
    where that is of the same format: what a format's adapter cannot hold may stay in it. Raises `MissingExtraError` (an
    adapter is not installed), `OutputError` (the format cannot hold it at all), `OSError`.
    """
    if kind.is_native:
        write_native(timeline, draft)
        return ()
    try:
        if into := _INTO_DOCUMENTS.get(kind.name):
            said = into(timeline, draft, folder=folder, media_folder=media_folder, source=source)
        else:
            write = {"aaf": write_aaf, "xges": write_xges}[kind.name]
            said = write(timeline, draft, folder=folder, media_folder=media_folder)
        read_any(draft, kind, NOTHING_MORE)  # what cannot be read again is not written
    except TimelineError as error:
        raise OutputError(
            f"this timeline comes out as {kind.title} that cannot be read again ({one_line(error)}); "
            "write it as OpenTimelineIO: --format otio"
        ) from error
    except (V2SError, OSError):
        raise
    except Exception as error:  # adapters raise whatever they stumble over
        raise OutputError(
            f"this timeline cannot be written as {kind.title} ({one_line(error)}); "
            "write it as OpenTimelineIO: --format otio"
        ) from error
    stays = kind.name in _INTO_DOCUMENTS and source is not None
    return (*losses(timeline, kind, ours_only=stays), *said)


_INTO_DOCUMENTS = {"fcp_xml": write_fcp_xml, "fcpxml": write_fcpxml, "kdenlive": write_kdenlive, "mlt": write_mlt}
"""Those that put our tracks into the document that the timeline was read from."""
