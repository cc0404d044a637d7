"""MLT XML as an `otio.schema.Timeline`: tracks of clips, gaps, dissolves and nested sequences.

A dissolve between neighbours is two clips that overlap; programs write it in two ways:

    Shotcut, melt   A ── tractor of A's last and B's first frames ── B     in one playlist
    Kdenlive        A in one playlist of the track, B in the other

Both become one track on which the cut lies inside the overlap and a transition over the cut. Where Kdenlive notes the
cut it is taken, else the middle.

What hides of a track is in its tractor: `hide="video"` is a sound track, `audio` pictures alone, `both` is off. Where
nothing is hidden the sound of the files is heard too: it comes as a sound track of its own where the document says that
the files have sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import opentimelineio as otio

from v2s_plugin.formats.mlt_clips import METADATA, ClipReader, Stretch, has_sound, is_black
from v2s_plugin.formats.mlt_document import NESTS, PRODUCERS, MltDocument
from v2s_plugin.formats.mlt_effects import effects_of
from v2s_plugin.formats.mlt_elements import property_of
from v2s_plugin.formats.mlt_markers import timeline_markers
from v2s_plugin.formats.mlt_nesting import check_nesting, repeats_of, track_elements

_BOTH = frozenset({"video", "audio"})
_HIDES = {
    **dict.fromkeys(("video", "1"), frozenset({"video"})),
    **dict.fromkeys(("audio", "2"), frozenset({"audio"})),
    **dict.fromkeys(("both", "3"), _BOTH),
}
"""What is not seen or heard of a track, as MLT writes it: the word in a tractor, the number as a property."""


@dataclass(frozen=True)
class _Piece:
    """A stretch of a service on a track, in frames."""

    service: Element
    start: int
    """Frame of the track."""
    shown: Stretch
    filters: tuple[Element, ...] = ()
    joins: bool = False
    """Whether it comes out of a dissolve, so that it is one with what goes on where it ends."""

    @property
    def end(self) -> int:
        """The frame of the track after its last one."""
        return self.start + self.shown.length

    def goes_on_in(self, service: Element, first: int) -> bool:
        """Whether the next frame of what it shows is `first` of a service."""
        same = service is self.service or _same_media(service, self.service)
        return same and self.shown.first + self.shown.length == first

    def longer(self, length: int) -> _Piece:
        """The same with so many frames more at its end."""
        return replace(self, shown=Stretch(self.shown.first, self.shown.length + length))


def timeline_of(document: MltDocument, folder: Path, name: str) -> Any:
    """The timeline that a document shows; it lies in `folder`. Raises `ParseError` where it cannot be followed."""
    check_nesting(document)
    shown = document.shown
    found = otio.schema.Timeline(name)
    found.tracks.extend(_Reader(document, ClipReader(document, folder)).tracks(shown))
    found.tracks.markers.extend(timeline_markers(shown, document))
    return found


@dataclass(frozen=True)
class _Reader:
    """Reads the tracks of one document, in which nothing contains itself."""

    document: MltDocument
    clips: ClipReader
    lengths: dict[Element, int] = field(default_factory=dict)
    """Of nested sequences that do not say it, as far as they were met: else deep nests are read over and over."""

    def tracks(self, nest: Element) -> list[Any]:
        """The tracks of a tractor, the lowest first; a playlist is one track."""
        elements = [nest] if nest.tag == "playlist" else list(track_elements(nest))
        found, sounds = [], []
        for index, element in enumerate(elements):
            service = self.document.service(element) if element.tag == "track" else element
            if index or not self._is_background(service):
                track, sound = self._track(element, service)
                found.append(track)
                sounds += [sound] if sound is not None else []
        return found + sounds

    def _track(self, element: Element, service: Element) -> tuple[Any, Any]:
        """A track, and the sound of its pictures as another one where that is heard."""
        rolls = self._rolls(service)
        hidden = _hidden(element, service)
        if len(rolls) > 1:
            hidden |= frozenset.intersection(*(_hidden(each, each) for each in service.findall("track")))
        is_sound = hidden == {"video"} or any(property_of(service, name) for name in _SOUND_TRACKS)
        kind = otio.schema.TrackKind.Audio if is_sound else otio.schema.TrackKind.Video
        track = otio.schema.Track(_name_of(service), kind=kind)
        track.enabled = hidden != _BOTH
        pieces = [piece for roll in rolls for piece in self._pieces(roll)]
        track.extend(self._items(pieces, kind, self._cuts(service)))
        if element.get("in") or element.get("out"):
            first, length = self._ends(element, service)
            track.source_range = self._range(first, length)
        if hidden or is_sound or len(rolls) > 1:
            return track, None
        return track, self._own_sound(track)

    def _rolls(self, service: Element) -> list[Element]:
        """The playlists of a track: Kdenlive has two for each, between which clips dissolve."""
        if service.tag == "tractor" and any(each.get("name") in _KDENLIVE_TRACKS for each in service.iter("property")):
            found = [self.document.service(each) for each in service.findall("track")]
            if found and all(each.tag == "playlist" for each in found):
                return found
        return [service]

    def _pieces(self, roll: Element) -> list[_Piece]:
        """What stands where on a playlist; any other service is one piece."""
        if roll.tag != "playlist":
            first, length = self._ends(Element("entry"), roll)
            return [_Piece(roll, 0, Stretch(first, length))]
        pieces: list[_Piece] = []
        at = 0
        for element in roll:
            if element.tag == "blank":
                at += max(0, self.document.frames(element.get("length", "0")))
            elif element.tag in ("entry", *PRODUCERS, *NESTS):
                for _ in range(repeats_of(self.document, element)):
                    at = self._append(pieces, element, at)
        return pieces

    def _append(self, pieces: list[_Piece], element: Element, at: int) -> int:
        """Put an entry behind the others; returns where it ends."""
        service = self.document.service(element) if element.tag == "entry" else element
        first, length = self._ends(element, service)
        if (mixed := self._mixed(service, first, length)) is not None:
            for (part, start), joins in zip(mixed, (False, True), strict=True):
                if pieces and not joins and pieces[-1].end == at and pieces[-1].goes_on_in(part, start):
                    pieces[-1] = pieces[-1].longer(length)
                else:
                    pieces.append(_Piece(part, at, Stretch(start, length), joins=joins))
        elif pieces and pieces[-1].joins and pieces[-1].end == at and pieces[-1].goes_on_in(service, first):
            filters = tuple(element.findall("filter"))
            pieces[-1] = replace(pieces[-1].longer(length), joins=False, filters=filters)
        else:
            pieces.append(_Piece(service, at, Stretch(first, length), tuple(element.findall("filter"))))
        return at + length

    def _ends(self, element: Element, service: Element) -> tuple[int, int]:
        """The first frame of a service that an entry or track shows, and how many. Both ends of the document belong."""
        if service.tag in PRODUCERS:
            base, last = self.clips.whole(service)
            known = self.clips.length(service)
            if last is None and not element.get("out"):
                last = self._length_on_disk(service) - 1
        else:
            start, end = service.get("in"), service.get("out")
            base = self.document.frames(start) if start else 0
            last = self.document.frames(end) if end else self._length(service) - 1
            known = None
        first = self._given(element, "in", 0) if element is not service else 0
        end_of = self._given(element, "out", (last or 0) - base) if element is not service else (last or 0) - base
        first, end_of = base + min(first, end_of), base + max(first, end_of)
        if known is not None:
            first, end_of = min(first, known - 1), min(end_of, known - 1)
        return first, end_of - first + 1

    def _length_on_disk(self, producer: Element) -> int:
        found = self.clips.length_on_disk(producer)
        if found is None:
            named = property_of(producer, "resource") or producer.get("id", "")
            raise ParseError(f"an entry of {named!r} does not say where it ends, and the file cannot be read")
        return found

    def _given(self, element: Element, name: str, otherwise: int) -> int:
        text = element.get(name)
        found = self.document.frames(text) if text else -1
        return found if found >= 0 else max(0, otherwise)

    def _length(self, nest: Element) -> int:
        """Frames of a nested sequence that does not say it."""
        if nest not in self.lengths:
            self.lengths[nest] = max([1, *(round(track.duration().value) for track in self.tracks(nest))])
        return self.lengths[nest]

    def _mixed(self, service: Element, first: int, length: int) -> list[tuple[Element, int]] | None:
        """The two services of a dissolve and their first frames; None for anything else."""
        tracks = list(track_elements(service)) if service.tag == "tractor" else []
        if len(tracks) != 2 or first or not _dissolves(service):
            return None
        if not all(each.tag == "track" and each.get("in") and each.get("out") for each in tracks):
            return None
        services = [self.document.service(each) for each in tracks]
        parts = [self._ends(each, found) for each, found in zip(tracks, services, strict=True)]
        if any(part[1] != length for part in parts):
            return None
        return [(found, part[0]) for found, part in zip(services, parts, strict=True)]

    def _cuts(self, service: Element) -> Mapping[int, int]:
        """Where Kdenlive notes the cuts of its dissolves, by the frames at which they start."""
        found = {}
        for each in service.findall("transition"):
            if text := property_of(each, "kdenlive:mixcut"):
                start = self.document.frames(each.get("in", "0"))
                found[start] = start + self.document.frames(text)
        return found

    def _items(self, pieces: list[_Piece], kind: str, cuts: Mapping[int, int]) -> Iterator[Any]:
        """Clips, gaps and transitions in their order on the track."""
        pieces = sorted(pieces, key=lambda piece: (piece.start, piece.end))
        at = 0
        for index, piece in enumerate(pieces):
            before = pieces[index - 1].end if index else 0
            after = pieces[index + 1].start if index + 1 < len(pieces) else piece.end
            begin = _cut(piece.start, before, cuts) if index and piece.start < before else piece.start
            finish = _cut(after, piece.end, cuts) if after < piece.end else piece.end
            if begin > at:
                yield otio.schema.Gap(source_range=self._range(0, begin - at))
            if finish <= begin:
                continue
            if piece.start < begin and index:
                offsets = [
                    otio.opentime.RationalTime(each, self._rate) for each in (begin - piece.start, before - begin)
                ]
                dissolve = otio.schema.TransitionTypes.SMPTE_Dissolve
                yield otio.schema.Transition("dissolve", dissolve, in_offset=offsets[0], out_offset=offsets[1])
            yield self._item(piece, Stretch(piece.shown.first + begin - piece.start, finish - begin), kind)
            at = finish

    def _item(self, piece: _Piece, shown: Stretch, kind: str) -> Any:
        if piece.service.tag in PRODUCERS:
            return self.clips.clip(piece.service, shown, kind, list(piece.filters))
        nest = otio.schema.Stack(_name_of(piece.service), source_range=self._range(shown.first, shown.length))
        nest.extend(self.tracks(piece.service))
        for each in piece.filters:
            nest.effects.extend(effects_of(each, self.document))
        return nest

    def _own_sound(self, track: Any) -> Any:
        """The sound of a track of pictures as a track of its own; None where the document tells of none."""
        if not any(self._is_heard(item) for item in track):
            return None
        sound = track.deepcopy()
        sound.kind = otio.schema.TrackKind.Audio
        for index, item in enumerate(sound):
            if isinstance(item, otio.schema.Transition | otio.schema.Gap):
                continue
            if self._is_heard(item):
                item.markers.clear()
            else:
                sound[index] = otio.schema.Gap(source_range=self._range(0, round(item.duration().value)))
        return sound

    def _is_heard(self, item: Any) -> bool:
        name = item.metadata[METADATA]["producer"] if isinstance(item, otio.schema.Clip) else ""
        return name in self.document.by_id and has_sound(self.document.by_id[name])

    def _is_background(self, service: Element) -> bool:
        """Whether a lowest track is nothing but the black that programs put below all others."""
        held = [service]
        if service.tag == "playlist":
            held = [self.document.service(each) for each in service.findall("entry")]
        return len(held) == 1 and is_black(held[0])

    @property
    def _rate(self) -> float:
        return float(self.document.rate)

    def _range(self, first: int, length: int) -> Any:
        times = [otio.opentime.RationalTime(each, self._rate) for each in (first, length)]
        return otio.opentime.TimeRange(*times)


_KDENLIVE_TRACKS = ("kdenlive:track_name", "kdenlive:audio_track", "kdenlive:timeline_active", "kdenlive:trackheight")
_SOUND_TRACKS = ("kdenlive:audio_track", "shotcut:audio")


def _hidden(element: Element, service: Element) -> frozenset[str]:
    said = element.get("hide") or service.get("hide") or property_of(service, "hide")
    return _HIDES.get(said, frozenset())


def _dissolves(tractor: Element) -> bool:
    services = {property_of(each, "mlt_service") for each in tractor.findall("transition")}
    return bool(property_of(tractor, "shotcut:transition")) or "luma" in services


def _cut(start: int, end: int, cuts: Mapping[int, int]) -> int:
    """Where the cut lies in an overlap."""
    return min(max(start, cuts.get(start, (start + end) // 2)), end)


def _same_media(one: Element, other: Element) -> bool:
    resource = property_of(one, "resource")
    same = all(property_of(one, name) == property_of(other, name) for name in ("resource", "mlt_service", "in"))
    return bool(resource) and one.tag in PRODUCERS and other.tag in PRODUCERS and same


def _name_of(service: Element) -> str:
    names = ("shotcut:name", "kdenlive:track_name", "kdenlive:clipname", "shotcut:caption")
    return next((found for name in names if (found := property_of(service, name))), "")
