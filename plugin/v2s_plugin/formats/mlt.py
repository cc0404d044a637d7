"""MLT XML, which `melt` renders and Shotcut saves: tracks of clips and gaps, in frames of one rate.

A timeline that came from such a file goes back into that very document: our tracks are put into it, and all else stays
as it was. From any other timeline a new document is made, with clips, gaps and hard cuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import opentimelineio as otio

from v2s_engine.errors import MediaError
from v2s_engine.grid import round_half_up
from v2s_plugin.formats.known_media import add_available_ranges
from v2s_plugin.formats.mlt_document import MltDocument, document_of, parse_mlt
from v2s_plugin.formats.mlt_notes import noted, recognised
from v2s_plugin.formats.mlt_project import add_tracks, remove_ours
from v2s_plugin.formats.mlt_timeline import timeline_of
from v2s_plugin.formats.sound_tracks import framed_tracks, moved_message, path_on_disk, places, timeline_rate
from v2s_plugin.formats.spare_takes import with_spare_takes
from v2s_plugin.timing.rates import exact_rate, exact_span
from v2s_plugin.tracks.writeback import without_sound_tracks

WIDTH, HEIGHT = 1920, 1080


@dataclass(frozen=True)
class _Piece:
    """One clip on a track."""

    path: Path
    first: int
    """Frame of the timeline at which it starts."""
    last: int
    """The frame after its last one."""
    head: int
    """Frame of the file that is shown first, counted from 0."""


def read_mlt(path: Path) -> Any:
    """What a document shows. Raises `OSError`, `ParseError`."""
    document = parse_mlt(path)
    return recognised(timeline_of(document, path.absolute().parent, path.stem), document)


def write_mlt(timeline: Any, draft: Path, *, folder: Path, media_folder: Path, source: Path | None) -> tuple[str, ...]:
    """Write a scored timeline, into the document `source` where it was read from one; returns warnings.

    Relative media of ours count from `folder`, all others from `media_folder`. Raises `OSError`, `ParseError`,
    `OutputError` where the source has no tractor.
    """
    said: tuple[str, ...] = ()
    if source is None:
        document = _new_document(without_sound_tracks(timeline), timeline_rate(timeline), media_folder)
        said = (f"the project is {WIDTH} × {HEIGHT}: set its profile if the pictures have another size",)
    else:
        document = parse_mlt(source)
        remove_ours(document)
        if folder != media_folder and not Path(document.root.get("root") or ".").is_absolute():
            document.root.set("root", str(media_folder))
    rate = float(document.rate)
    framed = framed_tracks(with_spare_takes(timeline), rate, folder)
    add_tracks(document, noted(framed.tracks, folder))
    body = tostring(document.root, encoding="unicode")
    draft.write_text(f"<?xml version='1.0' encoding='utf-8'?>\n{body}\n", encoding="utf-8")
    moved = framed_tracks(timeline, rate, folder).moved  # without spare takes
    return (*said, moved_message(moved, rate)) if moved else said


def _new_document(timeline: Any, said_rate: float, folder: Path) -> MltDocument:
    """A document of a timeline's own tracks, the first one at the bottom; its relative media count from `folder`."""
    rate = exact_rate(said_rate) or Fraction(25)
    timeline = timeline.deepcopy()
    add_available_ranges(timeline, folder)
    root = Element("mlt", {"LC_NUMERIC": "C", "producer": "main"})
    profile = {"frame_rate_num": rate.numerator, "frame_rate_den": rate.denominator, "width": WIDTH, "height": HEIGHT}
    profile |= {"progressive": 1, "sample_aspect_num": 1, "sample_aspect_den": 1}
    profile |= {"display_aspect_num": 16, "display_aspect_den": 9}
    SubElement(root, "profile", {key: str(value) for key, value in profile.items()})
    end = 0
    tracks = [each for each in timeline.tracks if isinstance(each, otio.schema.Track)]
    for number, track in enumerate(tracks):
        pieces = _pieces(track, rate, folder) if track.enabled else []
        _add_playlist(root, f"track{number}", track.name, pieces)
        end = max([end, *(piece.last for piece in pieces)])
    _add_background(root, end)
    _add_tractor(root, [str(track.kind) for track in tracks])
    indent(root)
    return document_of(root)


def _pieces(track: Any, rate: Fraction, folder: Path) -> list[_Piece]:
    found = []
    for item, start, stop in places(track):
        url = getattr(getattr(item, "media_reference", None), "target_url", None)
        if not isinstance(item, otio.schema.Clip) or not item.enabled or not url:
            continue
        shown, media = exact_span(item.source_range), exact_span(item.media_reference.available_range)
        head = (shown.start if shown else Fraction(0)) - (media.start if media and shown else Fraction(0))
        try:
            path = path_on_disk(url, folder)
        except MediaError:  # on a network service
            continue
        first, last = round_half_up(start * rate), round_half_up(stop * rate)
        found.append(_Piece(path, first, last, max(0, round_half_up(head * rate))))
    return [piece for piece in found if piece.last > piece.first]


def _add_playlist(root: Element, name: str, title: str, pieces: list[_Piece]) -> None:
    playlist = Element("playlist", id=name)
    if title:
        SubElement(playlist, "property", name="shotcut:name").text = title
    end = 0
    for number, piece in enumerate(pieces):
        if piece.first > end:
            SubElement(playlist, "blank", length=str(piece.first - end))
        producer = SubElement(root, "producer", id=f"{name}_{number}")
        SubElement(producer, "property", name="resource").text = str(piece.path)
        last = piece.head + piece.last - piece.first - 1
        SubElement(playlist, "entry", {"producer": producer.get("id", ""), "in": str(piece.head), "out": str(last)})
        end = piece.last
    root.append(playlist)


def _add_background(root: Element, end: int) -> None:
    """Black under everything: where nothing stands MLT would show the last picture on."""
    producer = SubElement(root, "producer", id="black")
    for key, value in {"length": str(max(end, 1)), "mlt_service": "color", "resource": "black"}.items():
        SubElement(producer, "property", name=key).text = value
    playlist = SubElement(root, "playlist", id="background")
    SubElement(playlist, "entry", {"producer": "black", "in": "0", "out": str(max(end, 1) - 1)})


def _add_tractor(root: Element, kinds: list[str]) -> None:
    tractor = SubElement(root, "tractor", id="main")
    multitrack = SubElement(tractor, "multitrack")
    SubElement(multitrack, "track", producer="background")
    sound = otio.schema.TrackKind.Audio
    for number, kind in enumerate(kinds):
        # Where sound stands on tracks of its own, that of the pictures' files would be heard twice.
        hidden = {"hide": "video"} if kind == sound else {"hide": "audio"} if sound in kinds else {}
        SubElement(multitrack, "track", {"producer": f"track{number}"} | hidden)
    for number in range(1, len(kinds) + 1):
        _add_mix(tractor, number, {"mlt_service": "mix", "sum": "1", "always_active": "1"})
        if kinds[number - 1] != otio.schema.TrackKind.Audio:
            _add_mix(tractor, number, {"mlt_service": "composite", "fill": "1", "halign": "centre", "valign": "centre"})


def _add_mix(tractor: Element, track: int, properties: dict[str, str]) -> None:
    mix = SubElement(tractor, "transition")
    for key, value in {"a_track": "0", "b_track": str(track), **properties}.items():
        SubElement(mix, "property", name=key).text = value
