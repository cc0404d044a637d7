"""MLT XML, which `melt` renders and Shotcut and Flowblade open: tracks of clips and gaps, in frames of one rate.

Written here and not by OpenTimelineIO's adapter, which leaves clips out, escapes paths that MLT does not unescape, and
counts from timecode where MLT counts from the first frame of the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import opentimelineio as otio

from v2s_engine.errors import MediaError
from v2s_engine.grid import round_half_up
from v2s_plugin.formats.known_media import add_available_ranges
from v2s_plugin.formats.sound_tracks import moved_message, path_on_disk, places, timeline_rate
from v2s_plugin.ours import is_ours
from v2s_plugin.timing.rates import exact_rate, exact_span

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


def write_mlt(timeline: Any, draft: Path, *, folder: Path, media_folder: Path) -> tuple[str, ...]:
    """Write a scored timeline, first track at the bottom; returns warnings. Raises `OSError`.

    Relative media of ours count from `folder`, all others from `media_folder`.
    """
    rate = exact_rate(timeline_rate(timeline)) or Fraction(25)
    timeline = timeline.deepcopy()
    add_available_ranges(timeline, media_folder)
    root = Element("mlt", {"LC_NUMERIC": "C", "producer": "main"})
    profile = {"frame_rate_num": rate.numerator, "frame_rate_den": rate.denominator, "width": WIDTH, "height": HEIGHT}
    profile |= {"progressive": 1, "sample_aspect_num": 1, "sample_aspect_den": 1}
    profile |= {"display_aspect_num": 16, "display_aspect_den": 9}
    SubElement(root, "profile", {key: str(value) for key, value in profile.items()})
    moved = end = 0
    kinds = []
    for number, track in enumerate(each for each in timeline.tracks if isinstance(each, otio.schema.Track)):
        pieces = _pieces(track, rate, folder, media_folder) if track.enabled else []
        moved += _count_moved(track, rate) if is_ours(track) else 0
        _add_playlist(root, f"track{number}", pieces)
        kinds.append(str(track.kind))
        end = max([end, *(piece.last for piece in pieces)])
    _add_background(root, end)
    _add_tractor(root, kinds)
    tree = ElementTree(root)
    indent(tree)
    tree.write(draft, encoding="utf-8", xml_declaration=True)
    warnings = [f"the project is {WIDTH} × {HEIGHT}: set its profile if the pictures have another size"]
    return (*warnings, moved_message(moved, float(rate))) if moved else tuple(warnings)


def _pieces(track: Any, rate: Fraction, folder: Path, media_folder: Path) -> list[_Piece]:
    found = []
    for item, start, stop in places(track):
        url = getattr(getattr(item, "media_reference", None), "target_url", None)
        if not isinstance(item, otio.schema.Clip) or not item.enabled or not url:
            continue
        shown, media = exact_span(item.source_range), exact_span(item.media_reference.available_range)
        head = (shown.start if shown else Fraction(0)) - (media.start if media and shown else Fraction(0))
        try:
            path = path_on_disk(url, folder if is_ours(item) else media_folder)
        except MediaError:  # on a network service
            continue
        first, last = round_half_up(start * rate), round_half_up(stop * rate)
        found.append(_Piece(path, first, last, max(0, round_half_up(head * rate))))
    return [piece for piece in found if piece.last > piece.first]


def _count_moved(track: Any, rate: Fraction) -> int:
    clips = [(start, stop) for item, start, stop in places(track) if isinstance(item, otio.schema.Clip)]
    return sum(math.lcm((start * rate).denominator, (stop * rate).denominator) != 1 for start, stop in clips)


def _add_playlist(root: Element, name: str, pieces: list[_Piece]) -> None:
    playlist = Element("playlist", id=name)
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
    for number, kind in enumerate(kinds):
        hidden = {"hide": "video"} if kind == otio.schema.TrackKind.Audio else {}
        SubElement(multitrack, "track", {"producer": f"track{number}"} | hidden)
    for number in range(1, len(kinds) + 1):
        _add_mix(tractor, number, {"mlt_service": "mix", "sum": "1", "always_active": "1"})
        if kinds[number - 1] != otio.schema.TrackKind.Audio:
            _add_mix(tractor, number, {"mlt_service": "composite", "fill": "1", "halign": "centre", "valign": "centre"})


def _add_mix(tractor: Element, track: int, properties: dict[str, str]) -> None:
    mix = SubElement(tractor, "transition")
    for key, value in {"a_track": "0", "b_track": str(track), **properties}.items():
        SubElement(mix, "property", name=key).text = value
