"""The document of MLT XML: its services by id, their properties, and its times in frames.

Shotcut (`.mlt`), Kdenlive (`.kdenlive`), Flowblade and melt write it. A service (producer, chain, playlist, tractor) is
named by its id; an entry of a playlist and a track of a tractor name the service that they show.

    <profile frame_rate_num="30000" frame_rate_den="1001"/>
    <producer id="a"><property name="resource">a.mov</property></producer>
    <playlist id="v1"><blank length="7"/><entry producer="a" in="00:00:01.001" out="59"/></playlist>
    <tractor id="main"><track producer="v1"/></tractor>

https://www.mltframework.org/docs/mltxml/; how times round is MLT's `mlt_property.c`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

from v2s_plugin.formats.mlt_elements import is_on, property_of

BIN = "main_bin"
"""Id of the playlist in which Shotcut and Kdenlive keep their media; it is no part of what is shown."""

PRODUCERS = ("producer", "chain")
"""Services that hold media; a chain is a producer with links."""

NESTS = ("tractor", "playlist")
"""Services that hold others."""

_ROOTS = ("mlt", "westley")  # the name of old
_MOST = 2**31 - 1  # MLT counts in 32 bits
_LOWEST_RATE, _HIGHEST_RATE = 1, 1000
_NUMBER = re.compile(r"([+-]?\d{1,12})(?:\.\d{0,12})?")
_CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,6}):(\d{1,9}[.,]\d{0,12})")
_TIMECODE = re.compile(r"(?:(?:(\d{1,6}):)?(\d{1,6}):)?(\d{1,6})[:;](\d{1,6})")


@dataclass(frozen=True)
class MltDocument:
    """A parsed document; made by `parse_mlt`."""

    root: Element
    rate: Fraction
    """Frames per second of all its times."""
    by_id: Mapping[str, Element]
    in_bin: Mapping[str, Element]
    """Kdenlive's clips by their `kdenlive:id`, as they stand in the bin."""

    def frames(self, text: str) -> int:
        """A time of the document in frames: a number, `HH:MM:SS.mmm`, or `HH:MM:SS:FF`. Raises `ParseError`."""
        found = frames_of(text, self.rate)
        if abs(found) > _MOST:
            raise ParseError(f"its time {text} is {found} frames, and MLT counts to {_MOST}")
        return found

    def service(self, element: Element) -> Element:
        """What an entry or a track shows: the service that it names, or that stands in it. Raises `ParseError`."""
        name = element.get("producer")
        inside = None if name else next((each for each in element if each.tag in (*PRODUCERS, *NESTS)), None)
        found = self.by_id.get(name or "") if inside is None else inside
        if found is None:
            raise ParseError(f"it names {name!r}, which it does not hold")
        return found

    @property
    def shown(self) -> Element:
        """The tractor or playlist that is played; of a Kdenlive project the open sequence. Raises `ParseError`."""
        named = self.by_id.get(self.root.get("producer", ""))
        tractors = self.root.findall("tractor")
        playlists = [each for each in self.root.findall("playlist") if not _is_bin(each)]
        marked = [each for each in tractors if property_of(each, "shotcut") == "1"]
        if named is not None and named.tag in NESTS and not _is_bin(named):
            return self._unwrapped(named)
        for found in (marked, tractors, playlists):
            if found:
                return self._unwrapped(found[-1])
        raise ParseError("it holds no tractor, so no timeline")

    def _unwrapped(self, tractor: Element) -> Element:
        """The last tractor of a Kdenlive project since 23.04 holds the open sequence alone."""
        shown = tractor.find("track")
        if property_of(tractor, "kdenlive:projectTractor") != "1" or shown is None:
            return tractor
        return self.service(shown)


def parse_mlt(path: Path) -> MltDocument:
    """Read a document. Raises `OSError`, and `ParseError` where it is no MLT XML or says no frame rate.

    Entities from outside are not fetched, and those that blow up are refused by the parser (expat 2.4 and newer).
    """
    return document_of(fromstring(path.read_bytes()))  # noqa: S314


def document_of(root: Element) -> MltDocument:
    """The document below an element. Raises `ParseError` where it is no MLT XML or says no frame rate."""
    if root.tag not in _ROOTS:
        raise ParseError(f"its first element is <{root.tag}>, not <mlt>")
    by_id = {name: each for each in root.iter() if (name := each.get("id")) and each.tag in (*PRODUCERS, *NESTS)}
    entries = root.findall(f"playlist[@id='{BIN}']/entry")
    held = [found for each in entries if (found := by_id.get(each.get("producer", ""))) is not None]
    return MltDocument(root, rate_of(root), by_id, {property_of(each, "kdenlive:id"): each for each in held})


def rate_of(root: Element) -> Fraction:
    """Frames per second. Raises `ParseError` where the profile does not say it, or nothing that can be."""
    profile = root.find("profile")
    said = {} if profile is None else profile.attrib
    try:
        rate = Fraction(int(said.get("frame_rate_num", "")), int(said.get("frame_rate_den", "1")))
    except (ValueError, ZeroDivisionError):
        raise ParseError("its profile says no frame rate") from None
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise ParseError(f"its profile says {float(rate):g} frames per second")
    return rate


def frames_of(text: str, rate: Fraction) -> int:
    """A time as MLT reads it: hours and minutes are rounded down to frames, each by itself. Raises `ParseError`."""
    text = text.strip()
    if number := _NUMBER.fullmatch(text):
        return int(number[1])
    timecode, clock = _TIMECODE.fullmatch(text), _CLOCK.fullmatch(text)
    if timecode is None and clock is None:
        raise ParseError(f"{text[:40]!r} is no time")
    hours, minutes, seconds, *frames = (timecode or clock).groups()  # type: ignore[union-attr]
    start = math.floor(rate * 3600 * int(hours or 0)) + math.floor(rate * 60 * int(minutes or 0))
    if timecode is not None:
        return start + math.ceil(rate * int(seconds)) + int(frames[0])
    return start + round(rate * Fraction(seconds.replace(",", ".").rstrip(".")))


def _is_bin(playlist: Element) -> bool:
    return playlist.get("id") in (BIN, "main bin") or is_on(playlist, "xml_retain")
