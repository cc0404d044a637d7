"""Producers of MLT XML as clips: their files, image sequences, generated pictures and speed changes.

**An entry counts from its producer's own `in`**, and both ends belong to it: melt plays frames 10 to 39 for a producer
from 10 and an entry from 0 to 29.

**A `timewarp` counts in frames at its own speed**: frame p of `2:a.mov` is frame 2 · p of a.mov. Backwards (`-2:a.mov`)
it is 2 · (last − p), where the last one is the producer's `out`. A `timeremap` link maps frames by key frames
(`mlt_speeds.py`). (MLT's `producer_timewarp.c`, `link_timeremap.c`.)
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio

from v2s_engine.errors import MediaError
from v2s_engine.grid import round_half_up
from v2s_plugin.formats.mlt_document import MltDocument
from v2s_plugin.formats.mlt_effects import effects_of
from v2s_plugin.formats.mlt_elements import is_on, property_of
from v2s_plugin.formats.mlt_markers import kdenlive_markers
from v2s_plugin.formats.mlt_speeds import map_of
from v2s_plugin.media.library import MediaLibrary
from v2s_plugin.media.urls import base_name, find_on_disk, is_absolute_url
from v2s_plugin.timing.rates import rational_time

METADATA = "mlt"
"""Key of a clip's metadata under which its producer's id stands."""

_FILES = ("avformat", "avformat-novalidate", "qimage", "pixbuf", "timewarp", "loader", "abnormal")
_PICTURES = ("qimage", "pixbuf")
_COLOURS = ("color", "colour")
_GENERATORS = (*_COLOURS, "noise", "tone", "count", "blipflash", "consumer", "xml", "xml-nogl", "glaxnimate")
_BLACK = ("black", "0", "0x000000ff", "0x00000000", "#000000", "#ff000000", "#00000000", "transparent")
_SPEED = re.compile(r"([+-]?\d{1,6}(?:\.\d{0,12})?):(.+)", re.DOTALL)
_PATTERN = re.compile(r"(.*?)%(?:0?(\d))?d(?![A-Za-z0-9])([^?]*)(?:\?begin[:=](\d{1,9}))?", re.DOTALL)
_COUNT = re.compile(r"\d{1,9}")
_MOST_SPEEDS = 250_000
"""Frames up to which key frames of speed are followed: each is a number in a table."""
_PICTURE_LENGTH = 25
"""Frames that each picture of an image sequence is shown, where nothing says it (`ttl` of qimage and pixbuf)."""


@dataclass(frozen=True)
class Stretch:
    """Part of a producer's frames."""

    first: int
    """Counted from the producer's frame 0."""
    length: int


@dataclass(frozen=True)
class ClipReader:
    """Makes clips of the producers of one document, which lies in `folder`."""

    document: MltDocument
    folder: Path

    def clip(self, producer: Element, shown: Stretch, kind: str, filters: list[Element]) -> Any:
        """An `otio.schema.Clip` of part of a producer, on a track of `kind`; `filters` are those of its entry."""
        name, resource, speed = _media_of(producer)
        reference = self._reference(producer, name, resource, speed or Fraction(1))
        clip = otio.schema.Clip(_name_of(producer, resource), media_reference=reference)
        clip.metadata[METADATA] = {"producer": producer.get("id", "")}
        clip.enabled = not is_on(
            producer, "set.test_audio" if kind == otio.schema.TrackKind.Audio else "set.test_image"
        )
        self._place(clip, producer, shown, speed)
        for each in (*producer.findall("filter"), *filters):
            clip.effects.extend(effects_of(each, self.document))
        clip.markers.extend(kdenlive_markers(self._noted(producer), self.document.rate))
        return clip

    def length(self, producer: Element) -> int | None:
        """Frames of a producer that its document tells of; None where only the file knows."""
        text = property_of(producer, "length")
        return max(1, self.document.frames(text)) if text else None

    def whole(self, producer: Element) -> tuple[int, int | None]:
        """The first frame of a producer that counts, and the last one where it is known."""
        start, end = producer.get("in"), producer.get("out")
        length = self.length(producer)
        first = self.document.frames(start) if start else 0
        last = self.document.frames(end) if end else None
        if length is not None:
            last = length - 1 if last is None else min(last, length - 1)
        return max(0, first), last

    def length_on_disk(self, producer: Element) -> int | None:
        """Frames of a producer of which only its file knows; None where that cannot be read."""
        name, resource, speed = _media_of(producer)
        found = otio.schema.Clip(media_reference=self._reference(producer, name, resource, Fraction(1)))
        seconds = MediaLibrary(self.folder).length(found)
        if seconds is None:
            return None
        return max(1, round_half_up(seconds * self.document.rate / abs(speed or Fraction(1))))

    def _noted(self, producer: Element) -> str:
        """Kdenlive notes the markers of a clip in the bin alone."""
        in_bin = self.document.in_bin.get(property_of(producer, "kdenlive:id"), producer)
        return property_of(in_bin, "kdenlive:markers")

    def _place(self, clip: Any, producer: Element, shown: Stretch, speed: Fraction | None) -> None:
        """Give a clip its range and its speed change."""
        rate = self.document.rate
        link = next((each for each in producer.findall("link") if _is_remap(each)), None)
        start: Fraction | None = Fraction(shown.first)
        if speed is not None and speed > 0:
            start = shown.first * speed
        elif speed is not None:
            start = self._lowest(producer, shown, speed)
        if start is None:
            clip.effects.append(otio.schema.TimeEffect("timewarp", "timewarp"))
        elif speed not in (None, 1):
            clip.effects.append(otio.schema.LinearTimeWarp("timewarp", float(speed or 1)))
        clip.source_range = _range(start or Fraction(0), shown.length, rate)
        if link is not None:
            self._remap(clip, link, shown, speed)

    def _lowest(self, producer: Element, shown: Stretch, speed: Fraction) -> Fraction | None:
        """The media frame at which a clip starts that runs backwards; None where its producer's end is not known."""
        _, last = self.whole(producer)
        if last is None:
            length = self.length_on_disk(producer)
            last = None if length is None else length - 1
        if last is None:
            return None
        return max(Fraction(0), -speed * (last - shown.first - shown.length) + _stands(speed))

    def _remap(self, clip: Any, link: Element, shown: Stretch, speed: Fraction | None) -> None:
        rate = self.document.rate
        found = None
        if speed is None and shown.first + shown.length <= _MOST_SPEEDS:
            found = map_of(link, self.document, shown.first, shown.length + 1)
        if found is None:
            clip.effects.append(otio.schema.TimeEffect("timeremap", "timeremap"))
            return
        steps = {after - before for before, after in pairwise(found)}
        if len(steps) > 1:
            table = [float(frame - number) for number, frame in enumerate(found[:-1])]
            effect = otio.schema.TimeEffect("timeremap", "timeremap", metadata={"lookup": table})
            clip.source_range = _range(Fraction(0), shown.length, rate)
        else:
            (step,) = steps
            effect = otio.schema.LinearTimeWarp("timeremap", float(step))
            clip.source_range = _range(found[-1] + _stands(step) if step < 0 else found[0], shown.length, rate)
        clip.effects.append(effect)

    def _reference(self, producer: Element, name: str, resource: str, speed: Fraction) -> Any:
        if not resource or (name and name not in _FILES):
            kind, parameters = ("SolidColor", "color") if name in _COLOURS else (name or "nothing", "resource")
            return otio.schema.GeneratorReference(name, kind, parameters={parameters: resource})
        length = self.length(producer)
        rate = self.document.rate
        if found := _PATTERN.fullmatch(base_name(Path(resource))):
            said = property_of(producer, "ttl")
            stands = int(said) if _COUNT.fullmatch(said) else _PICTURE_LENGTH
            return self._sequence(producer, resource, found, rate / max(1, stands) if name in _PICTURES else rate)
        known = None if length is None else _range(Fraction(0), length, rate, abs(speed))
        return otio.schema.ExternalReference(self._located(resource), known)

    def _sequence(self, producer: Element, resource: str, found: re.Match[str], rate: Fraction) -> Any:
        prefix, padding, suffix, begin = found.groups()
        folder = self._located(resource[: -len(found[0])] or ".")
        first = begin or property_of(producer, "begin")
        if not _COUNT.fullmatch(first):
            return otio.schema.ExternalReference(f"{folder}/{found[0]}", _range(Fraction(0), 1, rate))
        return otio.schema.ImageSequenceReference(
            target_url_base=folder,
            name_prefix=prefix,
            name_suffix=suffix,
            start_frame=int(first),
            rate=float(rate),
            frame_zero_padding=int(padding or 0),
        )

    def _located(self, resource: str) -> str:
        """Media count from the document's `root`, where they are there, else from its own folder."""
        root = self.document.root.get("root", "")
        if root and not is_absolute_url(resource):
            with contextlib.suppress(MediaError):
                find_on_disk(str(Path(root) / resource), self.folder)
                return str(Path(root) / resource)
        return resource


def is_black(producer: Element) -> bool:
    """Whether a producer is the black, or the nothing, that programs put below all tracks."""
    service, resource, _ = _media_of(producer)
    return service in _COLOURS and resource.lower() in _BLACK


def has_sound(producer: Element) -> bool:
    """Whether the document says of a producer that it has sound, which is heard.

    It says so in what it notes of the file's streams. Where a program saves without that (`no_meta`, as Shotcut asks
    for), the number of the chosen stream says it, which is -1 where there is none.
    """
    chosen = property_of(producer, "audio_index").strip()
    if is_on(producer, "set.test_audio") or chosen == "-1":
        return False
    streams = [each.text for each in producer.findall("property") if _STREAM.fullmatch(each.get("name", ""))]
    return "audio" in streams if streams else chosen == "all" or chosen.isdecimal()


_STREAM = re.compile(r"meta\.media\.\d+\.stream\.type")


def _media_of(producer: Element) -> tuple[str, str, Fraction | None]:
    """A producer's service, its file (the original one, not a proxy), and its speed where that is changed."""
    service = property_of(producer, "mlt_service").strip()
    resource = property_of(producer, "resource").strip()
    before, colon, after = resource.partition(":")
    if colon and not service and before in (*_FILES, *_GENERATORS):  # as melt takes it on its command line
        service, resource = before, after
    speed = None
    if service == "timewarp":
        found = _SPEED.fullmatch(resource)
        said = property_of(producer, "warp_speed") or (found[1] if found else "")
        resource = found[2] if found else property_of(producer, "warp_resource") or resource
        speed = (Fraction(said) if re.fullmatch(r"[+-]?\d{1,6}(\.\d{0,12})?", said) else None) or Fraction(1)
    elif service in ("loader", "abnormal"):
        service = ""
    for original in ("kdenlive:originalurl", "shotcut:originalResource"):
        if (kept := property_of(producer, original)) and service in (*_FILES, ""):
            resource = kept
    return service, resource, speed


def _name_of(producer: Element, resource: str) -> str:
    for name in ("shotcut:caption", "kdenlive:clipname"):
        if found := property_of(producer, name):
            return found
    return base_name(Path(resource)) if resource else ""


def _stands(speed: Fraction) -> Fraction:
    """Frames by which a clip that runs backwards starts later: a picture is seen until its start is reached."""
    return min(Fraction(1), -speed)


def _is_remap(link: Element) -> bool:
    service = link.get("mlt_service") or property_of(link, "mlt_service")
    return service == "timeremap" and not is_on(link, "disable")


def _range(first: Fraction, length: int, rate: Fraction, speed: Fraction = Fraction(1)) -> Any:
    start, duration = rational_time(first / rate, float(rate)), rational_time(length * speed / rate, float(rate))
    return otio.opentime.TimeRange(start, duration)
