"""Final Cut Pro's XML: read, and our sounds put into the very document that a timeline came from.

Nothing else of the document changes. Several takes of a sound are an audition; the clip that is active there is the
chosen take. No new document is made: no other program's timeline says what Final Cut Pro wants to know.
"""

from __future__ import annotations

import json
import math
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import tostring

from v2s_engine.errors import OutputError
from v2s_engine.grid import DELIVERY_RATE
from v2s_plugin.formats.fcpxml_document import INFO, Document
from v2s_plugin.formats.fcpxml_sounds import KEPT, Sound, Take, add_sounds, remove_ours, sounds_in_nests
from v2s_plugin.formats.fcpxml_timeline import timeline_of
from v2s_plugin.formats.native import plain_json
from v2s_plugin.formats.sound_tracks import (
    FramedTracks,
    framed_tracks,
    is_our_clip,
    moved_message,
    path_on_disk,
    places,
)
from v2s_plugin.formats.spare_takes import ACTIVE
from v2s_plugin.media.urls import is_absolute_url, url_like
from v2s_plugin.timing.rates import exact_seconds

NAME, TITLE = "fcpxml", "Final Cut Pro XML"

_OLDEST = (1, 6)
"""The version since which a file is a clip of its own (`asset-clip`)."""
_NUMBER = "number"
_SLOWEST_SOUND = 8000


def read_fcpxml(path: Path) -> Any:
    """What stands in a `.fcpxml` file, or in a `.fcpxmld` folder. Raises `OSError`, `ParseError`, `TimelineError`."""
    return timeline_of(Document.read(path))


def write_fcpxml(
    timeline: Any, draft: Path, *, folder: Path, media_folder: Path, source: Path | None
) -> tuple[str, ...]:
    """Write a scored timeline into a copy of the document `source` that it was read from; returns warnings.

    Relative media of ours count from `folder`, all others from `media_folder`. `draft` is `Info.fcpxml` in a bundle.
    Raises `OutputError` without a `source`, or where it is too old, `OSError`, `ParseError`.
    """
    if source is None:
        raise OutputError(
            "V2S puts its sounds into a Final Cut Pro document and makes no new one; give the .fcpxml as the timeline, "
            "or write Final Cut Pro 7 XML or OpenTimelineIO: --format fcp_xml, --format otio"
        )
    document = Document.read(source)
    if document.version < _OLDEST:
        raise OutputError(
            f"{source.name} is FCPXML {document.root.get('version', 'without a version')} and sounds go into 1.6 and "
            "newer; export it again with a newer version, or write OpenTimelineIO: --format otio"
        )
    if not (source.is_dir() and draft.name == INFO):
        _make_independent(document, draft.parent, source)
    remove_ours(document)
    rate = document.sequence_rate(document.sequence)
    numbered = timeline.deepcopy()
    ours = [clip for track in numbered.tracks for clip in track if is_our_clip(clip)]
    for number, clip in enumerate(ours):
        clip.metadata[_NUMBER] = number
    framed = framed_tracks(numbered, float(rate), folder)
    left_out = add_sounds(document, _sounds(framed, ours, folder, rate))
    body = tostring(document.root, encoding="unicode")
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n{body}\n'
    draft.write_text(text, encoding="utf-8")
    warnings = [moved_message(framed.moved, float(rate))] if framed.moved else []
    if left_out:
        warnings.append(f"{left_out} effects on our sounds are not in this document; they were left out")
    if nested := sounds_in_nests(document):
        warnings.append(f"{nested} of our sounds stand in compound clips; they were left as they are")
    return tuple(warnings)


def _sounds(framed: FramedTracks, ours: list[Any], folder: Path, rate: Fraction) -> list[Sound]:
    found = []
    for number, track in enumerate(framed.tracks):
        note = {"track": plain_json(track.metadata["v2s"]), "name": track.name}
        for item, start, end in places(track):
            if not is_our_clip(item):
                continue
            head, frames = round(item.source_range.start_time.value), round((end - start) * rate)
            sound = Sound(
                name=item.name,
                start=round(start * rate),
                duration=frames,
                head=head,
                track=number,
                enabled=item.enabled and track.enabled,
                takes=_takes(ours[item.metadata[_NUMBER]], note, folder, (head + frames) / rate),
            )
            if sound.takes:
                found.append(sound)
    return found


def _takes(clip: Any, note: dict[str, Any], folder: Path, end: Fraction) -> tuple[Take, ...]:
    """The files of a clip that uses them up to a second `end`, the chosen one first."""
    references = clip.media_references()
    active = str(clip.active_media_reference_key)
    facts = plain_json(clip.metadata["v2s"])
    kept = plain_json(clip.metadata[KEPT]) if KEPT in clip.metadata else {}
    found = []
    for key in sorted(references, key=lambda key: (key != active, key)):
        if not (url := getattr(references[key], "target_url", None)):
            continue
        path = path_on_disk(url, folder)
        length, rate = _length(references[key].available_range)
        take = Take(
            url=url_like("file", path, folder),
            note=json.dumps(note | {"clip": facts | {ACTIVE: key}}, sort_keys=True),
            length=max(length, math.ceil(end * rate)),  # a file may end within its last frame
            rate=rate,
            channels=_channels(path),
            kept=kept.get(key, {}),
        )
        found.append(take)
    return tuple(found)


def _length(whole: Any) -> tuple[int, int]:
    """Samples, and how many of them a second has: as written, or at 48 kHz where it is written in frames."""
    if whole is None:
        return 0, DELIVERY_RATE
    rate = whole.duration.rate
    if rate == round(rate) and rate >= _SLOWEST_SOUND:
        return math.ceil(whole.duration.value), round(rate)
    return math.ceil((exact_seconds(whole.duration) or 0) * DELIVERY_RATE), DELIVERY_RATE


def _channels(path: Path) -> int | None:
    try:
        with wave.open(str(path), "rb") as file:
            return file.getnchannels()
    except (OSError, wave.Error, EOFError):
        return None


def _make_independent(document: Document, folder: Path, source: Path) -> None:
    """Have a document mean the same files in another folder. Raises `OutputError` where its clips need its bundle."""
    inside = [each for each in document.root.iter("locator") if not is_absolute_url(each.get("url", ""))]
    if source.is_dir() and inside:
        raise OutputError(
            f"{source.name} holds data that its clips need (of tracked objects, or of focus); "
            "write a bundle again: give -o a name that ends in .fcpxmld"
        )
    if document.folder != folder.absolute():
        for element in [*document.root.iter("asset"), *document.root.iter("media-rep")]:
            if (url := element.get("src")) and not is_absolute_url(url):
                element.set("src", url_like("file", document.folder / unquote(url), folder))
