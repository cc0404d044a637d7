"""Kdenlive projects: our tracks are put into the document itself, and all else stays as Kdenlive wrote it.

They are MLT XML and read as such (`mlt_timeline.py`); `mlt_notes.py` says how our takes stand in them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import tostring

from v2s_engine.errors import OutputError
from v2s_plugin.formats.kdenlive_project import add_tracks, remove_ours, sequence_of
from v2s_plugin.formats.mlt_document import parse_mlt
from v2s_plugin.formats.mlt_notes import noted, recognised
from v2s_plugin.formats.mlt_timeline import timeline_of
from v2s_plugin.formats.sound_tracks import framed_tracks, moved_message
from v2s_plugin.formats.spare_takes import with_spare_takes


def read_kdenlive(path: Path) -> Any:
    """What stands in a project, the open sequence. Raises `OSError`, `ParseError`."""
    document = parse_mlt(path)
    return recognised(timeline_of(document, path.absolute().parent, path.stem), document)


def write_kdenlive(
    timeline: Any, draft: Path, *, folder: Path, media_folder: Path, source: Path | None
) -> tuple[str, ...]:
    """Write a scored timeline into the project `source` that it was read from; returns warnings.

    Relative media of ours count from `folder`, all others from `media_folder`. Raises `OutputError` without a `source`,
    `OSError`, `ParseError`.
    """
    if source is None:
        raise OutputError(
            "V2S puts its tracks into a Kdenlive project and makes no new one; give the .kdenlive as the timeline, or "
            "write OpenTimelineIO, which Kdenlive 25.04 and newer read: --format otio"
        )
    document = parse_mlt(source)
    root, rate = document.root, float(document.rate)
    sequence = sequence_of(root)
    remove_ours(root, sequence, document.frames)
    framed = framed_tracks(with_spare_takes(timeline), rate, folder)
    add_tracks(root, sequence, noted(framed.tracks, folder))
    if folder != media_folder and not Path(root.get("root") or ".").is_absolute():
        root.set("root", str(media_folder))
    body = tostring(root, encoding="unicode")
    draft.write_text(f"<?xml version='1.0' encoding='utf-8'?>\n{body}\n", encoding="utf-8")
    moved = framed_tracks(timeline, rate, folder).moved  # without spare takes
    return (moved_message(moved, rate),) if moved else ()
