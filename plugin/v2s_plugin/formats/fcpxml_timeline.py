"""What stands in a Final Cut Pro document, as an `otio.schema.Timeline`.

Final Cut Pro has no tracks: a storyline and what is connected to it, in lanes above and below. Each lane is a track
here, or several where clips in it overlap; the sounds of clips that are seen and heard stand on tracks of their own. A
compound, synchronized or multicam clip is a nested stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import opentimelineio as otio

from v2s_plugin.formats.fcpxml_document import CLIPS, Document, StoryItem, conform_pace, source_of, time_of
from v2s_plugin.formats.fcpxml_retimes import Retime, retime_of, unreadable
from v2s_plugin.formats.fcpxml_sounds import is_our_element, our_entry
from v2s_plugin.formats.fcpxml_tracks import Entry, stack_of
from v2s_plugin.media.fcpxml_effects import ADJUSTMENTS
from v2s_plugin.media.urls import is_absolute_url
from v2s_plugin.timing.rates import rational_time

_SILENT_DB = -96
_CONTENT = CLIPS | {"spine", "gap", "audition"}
_MARKERS = ("marker", "chapter-marker")
_Part = tuple[Element, Fraction]
"""A component of a clip, and what is added to the clip's local time to get the component's."""


def timeline_of(document: Document) -> Any:
    """The timeline of a document. Raises `ParseError`, `TimelineUnreadableError`."""
    document.check_nests()
    rate = document.sequence_rate(document.sequence)
    start = rational_time(time_of(document.sequence, "tcStart") or Fraction(0), float(rate))
    made = otio.schema.Timeline(document.project.get("name", ""), global_start_time=start)
    reader = _Reader(document, rate)
    made.tracks = stack_of(reader.entries(document.storyline()), rate, document.project.get("name", ""))
    return made


class _Reader:
    """Items of one sequence as entries of tracks."""

    def __init__(self, document: Document, rate: Fraction) -> None:
        self._document = document
        self._rate = rate

    def entries(self, items: Iterable[StoryItem]) -> Iterator[Entry]:
        """All that these items and what is connected to them show and sound, with the transitions between them."""
        for item in items:
            for each in (item, *self._document.connected_to(item, self._rate)):
                if is_our_element(each.outer):
                    yield our_entry(each, self._document, self._rate)
                elif each.element.tag != "gap":
                    yield from self._entries_of(each)

    def _entries_of(self, item: StoryItem) -> Iterator[Entry]:
        element = item.element
        if element.tag == "title":
            reference = otio.schema.GeneratorReference(element.get("name", ""), "title")
            yield self._entry(item, self._clip(item, reference, Fraction(0)))
        elif element.tag == "ref-clip":
            yield from self._compound(item)
        elif element.tag == "mc-clip":
            yield from self._multicam(item)
        elif element.tag == "asset-clip":
            yield from self._shown(item, [(element, Fraction(0))], [(element, Fraction(0))])
        elif element.tag in ("video", "audio"):
            yield from self._shown(item, *_by_kind([(element, Fraction(0))]))
        else:
            content = [each for each in element if each.tag in _CONTENT and not each.get("lane")]
            if element.tag == "clip" and len(content) == 1 and content[0].tag in ("video", "audio", "gap"):
                yield from self._shown(item, *_by_kind(list(self._component(content[0], Fraction(0)))))
            else:
                yield from self._contained(item, content)

    def _component(self, element: Element, shift: Fraction) -> Iterator[_Part]:
        shift += self._document.local_start(element) - (time_of(element, "offset") or 0)
        yield element, shift
        yield from self._parts(element, shift)

    def _parts(self, element: Element, shift: Fraction) -> Iterator[_Part]:
        for child in element:
            if child.tag in ("video", "audio", "gap"):
                yield from self._component(child, shift)

    def _shown(self, item: StoryItem, pictures: list[_Part], sounds: list[_Part]) -> Iterator[Entry]:
        """The first picture and the first sound of a clip of media, as far as it uses them."""
        used = item.element.get("srcEnable", "all")
        for part, shift in pictures[:1]:
            asset = self._document.resource(part)
            if used != "audio" and (asset is None or asset.tag != "asset" or _has(asset, "Video")):
                yield self._entry(item, self._clip(item, self._reference(asset), shift, part))
        for part, shift in sounds[:1]:
            asset = self._document.resource(part)
            if used != "video" and asset is not None and _has(asset, "Audio"):
                begin = time_of(item.element, "audioStart")
                duration = time_of(item.element, "audioDuration")
                moved = Fraction(0) if begin is None else (begin - item.local) * item.pace
                clip = self._clip(item, self._reference(asset), shift + moved, part, duration)
                clip.enabled = clip.enabled and not _is_silent(item.element)
                yield self._entry(item, clip, "Audio", moved)

    def _compound(self, item: StoryItem) -> Iterator[Entry]:
        media = self._document.resource(item.element)
        inside = None if media is None else media.find("sequence")
        spine = None if inside is None else inside.find("spine")
        if media is None or inside is None or spine is None:
            yield self._entry(item, self._clip(item, otio.schema.MissingReference(), Fraction(0)))
            return
        rate = self._document.sequence_rate(inside)
        origin = self._document.origin_of(spine, inside)
        reader = _Reader(self._document, rate)
        used = item.element.get("srcEnable", "all")
        found = list(reader.entries(self._document.items_of(spine, -origin, (0,), rate)))
        kept = [each for each in found if used == "all" or each.kind == used.title()]
        kind = "Audio" if used == "audio" else "Video"
        yield self._entry(item, self._nest(item, stack_of(kept, rate, media.get("name", "")), origin), kind)

    def _multicam(self, item: StoryItem) -> Iterator[Entry]:
        media = self._document.resource(item.element)
        inside = None if media is None else media.find("multicam")
        angles = [] if inside is None else inside.findall("mc-angle")
        if media is None or inside is None or not angles:
            yield self._entry(item, self._clip(item, otio.schema.MissingReference(), Fraction(0)))
            return
        rate = self._document.rate_of(inside) or self._rate
        origin = min(Fraction(0), time_of(inside, "tcStart") or Fraction(0))
        for kind in ("Video", "Audio"):
            if item.element.get("srcEnable", "all") not in ("all", kind.lower()):
                continue
            wanted = [
                each.get("angleID")
                for each in item.element.findall("mc-source")
                if each.get("srcEnable", "all") in ("all", kind.lower())
            ]
            angle = next((each for each in angles if each.get("angleID") in wanted), angles[0])
            reader = _Reader(self._document, rate)
            items = self._document.items_of(angle, -origin, (0,), rate)
            found = [each for each in reader.entries(items) if each.kind == kind]
            if found:
                yield self._entry(item, self._nest(item, stack_of(found, rate, media.get("name", "")), origin), kind)

    def _contained(self, item: StoryItem, content: list[Element]) -> Iterator[Entry]:
        """A clip that holds several items, or a storyline: their offsets count in its local time."""
        holder = Element("spine")
        holder.extend(each for each in content if each.tag != "spine")
        found = list(self._document.items_of(holder, Fraction(0), (0,), self._rate))
        for spine in (each for each in content if each.tag == "spine"):
            at = time_of(spine, "offset") or Fraction(0)
            found += self._document.items_of(spine, at, (0,), self._rate)
        origin = min([item.local, *(each.start for each in found)])
        reader = _Reader(self._document, self._rate)
        entries = [each.earlier(origin) for each in reader.entries(found)]
        yield self._entry(item, self._nest(item, stack_of(entries, self._rate, item.element.get("name", "")), origin))

    def _nest(self, item: StoryItem, stack: Any, origin: Fraction) -> Any:
        self._set_range(stack, item, retime_of(item, self._rate), -origin)
        return stack

    def _clip(
        self,
        item: StoryItem,
        reference: Any,
        shift: Fraction,
        part: Element | None = None,
        duration: Fraction | None = None,
    ) -> Any:
        """A clip of one medium; `shift` leads from the item's local time to the medium's."""
        clip = otio.schema.Clip(item.element.get("name", ""), media_reference=reference)
        retime = retime_of(item, self._rate)
        if part is not None and part is not item.element and _is_retimed(part, self._rate):
            retime = Retime(retime.start, (unreadable("timeMap"),))
        self._set_range(clip, item, retime, shift, duration)
        return clip

    def _set_range(
        self, made: Any, item: StoryItem, retime: Retime, shift: Fraction, duration: Fraction | None = None
    ) -> None:
        rate = float(self._rate)
        begin = retime.start + shift
        length = item.duration if duration is None else duration * item.pace
        made.source_range = otio.opentime.TimeRange(rational_time(begin, rate), rational_time(length, rate))
        made.effects.extend(retime.effects)
        made.enabled = item.element.get("enabled") != "0"
        for marker in (each for each in item.element if each.tag in _MARKERS):
            at = time_of(marker, "start") or Fraction(0)
            span = otio.opentime.TimeRange(
                rational_time(begin + (at - item.local) * item.pace, rate),
                rational_time(time_of(marker, "duration") or Fraction(0), rate),
            )
            note = otio.schema.Marker(name=marker.get("value", ""), marked_range=span, comment=marker.get("note", ""))
            made.markers.append(note)

    def _entry(self, item: StoryItem, made: Any, kind: str = "Video", moved: Fraction = Fraction(0)) -> Entry:
        if kind == "Video":
            made.effects.extend(_adjustments(item.element))
        length = made.source_range.duration
        start = item.start + moved
        return Entry(start, start + Fraction(length.value).limit_denominator(10**6) / self._rate, item, kind, made)

    def _reference(self, asset: Element | None) -> Any:
        if asset is None:  # the document does not say what its `ref` is
            return otio.schema.MissingReference()
        name = asset.get("name", "")
        if asset.tag != "asset":
            return otio.schema.GeneratorReference(name, asset.tag)
        rate = float(self._document.rate_of(asset) or self._rate)
        duration = time_of(asset, "duration")
        available = None
        if duration:
            start = time_of(asset, "start") or Fraction(0)
            available = otio.opentime.TimeRange(rational_time(start, rate), rational_time(duration, rate))
        url = source_of(asset)
        if not url:
            return otio.schema.MissingReference(name=name, available_range=available)
        if not is_absolute_url(url):
            url = str(self._document.folder / unquote(url))
        return otio.schema.ExternalReference(url, available)


def _adjustments(element: Element) -> list[Any]:
    """What makes a picture smaller or see-through, for those who ask what is below it."""
    found = []
    for each in element:
        if each.tag in ADJUSTMENTS and each.get("enabled") != "0":
            facts = dict(each.attrib) | {"animated": each.find(".//keyframe") is not None}
            found.append(otio.schema.Effect(name=each.tag, effect_name=each.tag, metadata={"fcpxml": facts}))
    return found


def _is_retimed(part: Element, rate: Fraction) -> bool:
    return part.find("timeMap") is not None or conform_pace(part, rate) != 1


def _by_kind(parts: list[_Part]) -> tuple[list[_Part], list[_Part]]:
    return [each for each in parts if each[0].tag == "video"], [each for each in parts if each[0].tag == "audio"]


def _has(asset: Element, what: str) -> bool:
    """Whether an asset has pictures, or sound; one that says of neither has pictures."""
    said = asset.get(f"has{what}")
    silent_about_both = asset.get("hasVideo") is None and asset.get("hasAudio") is None
    return said == "1" or (what == "Video" and silent_about_both)


def _is_silent(element: Element) -> bool:
    """Whether a clip's own sound is turned off: its volume, or every one of its channels."""
    volume = element.find("adjust-volume")
    if volume is not None and len(volume) == 0:
        try:
            if float(volume.get("amount", "0dB").removesuffix("dB")) <= _SILENT_DB:
                return True
        except ValueError:
            return False
    channels = [*element.findall("audio-channel-source"), *element.findall("audio-role-source")]
    return bool(channels) and all("0" in (each.get("enabled"), each.get("active")) for each in channels)
