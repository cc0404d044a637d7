"""Our sounds in a Final Cut Pro document: connected below the storyline, each with its takes.

    <audition lane="-1" offset="3601s">              several takes: the chosen one first, as Final Cut Pro has it
      <asset-clip ref="v2s1" name="a (dog)" duration="2s" audioRole="effects.V2S">
        <note>v2s {"clip": ..., "track": ..., "name": "V2S dog"}</note>
      </asset-clip>
      <asset-clip ref="v2s2" ...>

A note is shown in the timeline index, and stays with its clip. What an editor did to a clip of ours besides moving and
trimming it (its volume, its role, effects, markers) goes through the timeline as it stands in the document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

import opentimelineio as otio

from v2s_plugin.formats.fcpxml_document import (
    CLIPS,
    Document,
    StoryItem,
    conform_pace,
    source_of,
    time_of,
    time_text,
)
from v2s_plugin.formats.fcpxml_tracks import Entry
from v2s_plugin.formats.spare_takes import ACTIVE
from v2s_plugin.formats.xml_lines import insert_line, lead_of, remove_line
from v2s_plugin.timing.rates import rational_time

KEPT = "fcpxml"
"""Key of a clip's metadata: by take, what stood on the take's clip in the document beside what V2S writes itself."""

_NOTE = "v2s "
_ROLE = "effects.V2S"
_MEDIA_REPS = (1, 9)
"""The version since which an asset says in `media-rep` where its file lies."""
_EMPTIED = "v2s"  # marks a gap while sounds are taken out
_OWN = frozenset(("ref", "lane", "offset", "name", "start", "duration", "enabled", "format"))
_MARKS = ("marker", "chapter-marker", "rating", "keyword", "analysis-marker", "hidden-clip-marker")
_SOURCES = ("audio-channel-source", "audio-role-source", "sync-source")
_FILTERS = ("filter-video", "filter-video-mask", "filter-audio")
_AFTER_CONNECTED = frozenset((*_MARKS, *_SOURCES, *_FILTERS, "metadata", "reserved"))
"""What the format wants behind the connected items of a clip."""


@dataclass(frozen=True)
class Take:
    """One file of a sound."""

    url: str
    note: str
    """JSON of what V2S knows of the clip."""
    length: int
    """Samples."""
    rate: int
    """Samples per second."""
    channels: int | None
    """None where the file is not there to be asked."""
    kept: Mapping[str, Any] = field(default_factory=dict)
    """Attributes and inner elements of an earlier run's clip, as `our_entry` read them."""


@dataclass(frozen=True)
class Sound:
    """One clip of ours, in frames of the sequence."""

    name: str
    start: int
    """Frames since the sequence's first."""
    duration: int
    """Frames."""
    head: int
    """The frame of its files at which it begins."""
    track: int
    """Number of its track, from the storyline downwards."""
    enabled: bool
    takes: tuple[Take, ...]
    """The chosen one first."""


def is_our_element(element: Element) -> bool:
    """Whether an item, or the active clip of an audition, is a sound of ours."""
    return _note_of(_takes_in(element)[0]) is not None


def our_entry(item: StoryItem, document: Document, rate: Fraction) -> Entry:
    """A sound of ours as it stands in a sequence of `rate` frames per second."""
    note = _note_of(item.element) or {}
    clip = otio.schema.Clip(item.element.get("name", ""), metadata={"v2s": note["clip"], KEPT: {}})
    chosen = str(clip.metadata["v2s"].pop(ACTIVE, otio.schema.Clip.DEFAULT_MEDIA_KEY))
    references: dict[str, Any] = {}
    for element in _takes_in(item.outer):
        facts = _note_of(element)
        asset = document.resource(element)
        if facts is not None and asset is not None:
            key = str(facts["clip"].get(ACTIVE, chosen))
            references.setdefault(key, _reference(asset))
            clip.metadata[KEPT][key] = _kept_of(element, document)
    references = references or {chosen: otio.schema.MissingReference()}
    clip.set_media_references(references, chosen if chosen in references else next(iter(references)))
    clip.source_range = otio.opentime.TimeRange(
        rational_time(item.local, float(rate)), rational_time(item.duration, float(rate))
    )
    clip.enabled = item.element.get("enabled") != "0"
    return Entry(item.start, item.end, item, "Audio", clip, str(note["name"]), note["track"])


def sounds_in_nests(document: Document) -> int:
    """How many sounds of ours stand in compound clips and the like."""
    nests = document.root.iterfind("resources/media")
    return sum(is_our_element(each) for nest in nests for parent in nest.iter() for each in _items_in(parent))


def remove_ours(document: Document) -> None:
    """Take our sounds out of a document's sequence, with their assets. Raises `ParseError` where clips hang on them.

    In a storyline a gap stays where a sound lay.
    """
    freed: set[str] = set()
    for parent in list(document.sequence.iter()):
        for child in list(_items_in(parent)):
            freed |= _remove_from(parent, child)
    for parent in list(document.sequence.iter()):
        for spine in parent.findall("spine"):
            empty = all(each.get(_EMPTIED) or each.tag == "transition" for each in spine)
            if spine.get("lane") and len(spine) and empty:
                remove_line(parent, spine)
    for gap in document.sequence.iter("gap"):
        gap.attrib.pop(_EMPTIED, None)
    unused = freed - {each.get("ref") for each in document.root.iter()}
    for resources in document.root.findall("resources"):
        for asset in [each for each in resources.findall("asset") if each.get("id") in unused]:
            remove_line(resources, asset)


def _remove_from(parent: Element, child: Element) -> set[str]:
    """Take a child out as far as it is ours; returns the ids of its assets."""
    takes = _takes_in(child)
    ours = [each for each in takes if _note_of(each) is not None]
    if len(ours) < len(takes):  # the editor has added to our audition, or it is none of ours
        for each in ours:
            remove_line(child, each)
    elif parent.tag == "spine":
        _make_gap(child)
    elif any(each.get("lane") for take in ours for each in take):
        name = ours[0].get("name", "")
        raise ParseError(f"something is connected to the sound {name!r}; connect that to the storyline")
    else:
        remove_line(parent, child)
    return {each.get("ref", "") for each in ours}


def add_sounds(document: Document, sounds: Sequence[Sound]) -> int:
    """Connect sounds to the storyline, each track of theirs in a lane of its own below all others.

    Returns how many effects on them were left out, as they are of another document. Raises `ParseError` for a storyline
    that can hold none.
    """
    left_out = 0
    rate = document.sequence_rate(document.sequence)
    story = document.storyline()
    lanes = [sum(each.lanes) for item in story for each in document.connected_to(item, rate)]
    lowest = min([0, *lanes])
    shelf = _Shelf(document)
    parents = {child: parent for parent in document.root.iter() for child in parent}
    unit = _unit(document.root)
    for sound in sounds:
        second = sound.start / rate
        host = _host(story, second, rate)
        place = {"lane": str(lowest - 1 - sound.track), "offset": time_text(host.local_at(second))}
        clips = [_asset_clip(sound, take, shelf.asset_of(take), document) for take in sound.takes]
        if len(clips) == 1:
            element = clips[0]
            element.attrib = {"ref": element.get("ref", "")} | place | element.attrib
        else:
            element = Element("audition", place)
            element.extend(clips)
        into = host.element
        index = next((at for at, each in enumerate(into) if each.tag in _AFTER_CONNECTED), len(into))
        insert_line(into, index, element, lead_of(parents[into], into), unit)
        left_out += sum(len(each.kept.get("inner", ())) for each in sound.takes) - sum(len(each) - 1 for each in clips)
    return left_out


class _Shelf:
    """The assets of a document, one for each file."""

    def __init__(self, document: Document) -> None:
        resources = document.root.find("resources")
        if resources is None:
            raise ParseError("it holds no resources")
        self._resources = resources
        self._lead, self._unit = lead_of(document.root, resources), _unit(document.root)
        self._has_media_reps = document.version >= _MEDIA_REPS
        self._ids = {source_of(each): each.get("id", "") for each in resources.findall("asset")}
        taken = {each.get("id") for each in document.root.iter()}
        self._free: Iterator[str] = (name for name in map("v2s{}".format, count(1)) if name not in taken)

    def asset_of(self, take: Take) -> str:
        """The id of a file's asset, which is made where there is none."""
        if take.url not in self._ids:
            self._ids[take.url] = next(self._free)
            asset = Element("asset", id=self._ids[take.url], name=take.url.rpartition("/")[2].rpartition(".")[0])
            if not self._has_media_reps:
                asset.set("src", take.url)
            said = {"start": "0s", "duration": f"{take.length}/{take.rate}s", "hasAudio": "1", "audioSources": "1"}
            asset.attrib |= said | ({"audioChannels": str(take.channels)} if take.channels else {})
            asset.set("audioRate", str(take.rate))
            if self._has_media_reps:
                SubElement(asset, "media-rep", kind="original-media", src=take.url)
            insert_line(self._resources, len(self._resources), asset, self._lead, self._unit)
        return self._ids[take.url]


def _asset_clip(sound: Sound, take: Take, asset: str, document: Document) -> Element:
    rate = document.sequence_rate(document.sequence)
    made = Element(
        "asset-clip",
        ref=asset,
        name=sound.name,
        start=time_text(sound.head / rate),
        duration=time_text(sound.duration / rate),
        audioRole=_ROLE,
    )
    made.attrib |= {str(name): str(value) for name, value in take.kept.get("attributes", {}).items()}
    if not sound.enabled:
        made.set("enabled", "0")
    SubElement(made, "note").text = _NOTE + take.note
    for each in take.kept.get("inner", ()):
        inner = fromstring(each["xml"])  # noqa: S314  (written by `_kept_of`)
        if each["effects"] == {
            part.get("ref", ""): _uid_of(part, document) for part in inner.iter() if part.get("ref")
        }:
            made.append(inner)
    return made


def _host(story: Sequence[StoryItem], second: Fraction, rate: Fraction) -> StoryItem:
    """The item of the storyline that a sound hangs on: the one above it, or the nearest whose time is known."""
    known = [each for each in story if conform_pace(each.element, rate) is not None]
    if not known:
        raise ParseError("there is no clip or gap in its storyline to which a sound could be connected")
    return min(known, key=lambda each: (max(each.start - second, second - each.end, 0), second >= each.end))


def _make_gap(element: Element) -> None:
    """Leave a gap where a sound of ours lay in a storyline; what is connected to it stays."""
    active = _takes_in(element)[0]
    said = {"offset": element.get("offset"), "start": active.get("start"), "duration": active.get("duration")}
    connected = [each for each in active if each.get("lane")]
    tail = element.tail
    element.clear()
    element.tag, element.tail = "gap", tail
    element.attrib = {"name": "Gap", _EMPTIED: "1"} | {name: value for name, value in said.items() if value is not None}
    element.extend(connected)


def _items_in(parent: Element) -> Iterator[Element]:
    """The items right in an element; the takes in an audition are one."""
    return (each for each in parent if parent.tag != "audition" and (each.tag in CLIPS or each.tag == "audition"))


def _takes_in(element: Element) -> list[Element]:
    return [each for each in element if each.tag in CLIPS] or [element] if element.tag == "audition" else [element]


def _note_of(element: Element) -> dict[str, Any] | None:
    """What V2S noted on a clip; None where it is none of ours, or the note is damaged."""
    text = (element.findtext("note") or "").strip()
    if element.tag != "asset-clip" or not text.startswith(_NOTE):
        return None
    try:
        note = json.loads(text.removeprefix(_NOTE))
    except ValueError:
        return None
    whole = isinstance(note, dict) and all(isinstance(note.get(key), dict) for key in ("clip", "track"))
    return note if whole and isinstance(note.get("name"), str) else None


def _kept_of(element: Element, document: Document) -> dict[str, Any]:
    """What stood on a clip of ours beside what V2S writes; with the effects' uids, as ids mean nothing elsewhere."""
    inner = []
    for child in (each for each in element if each.tag != "note" and not each.get("lane")):
        effects = {each.get("ref", ""): _uid_of(each, document) for each in child.iter() if each.get("ref")}
        text = tostring(child, encoding="unicode").strip()
        inner.append({"xml": text, "effects": effects})
    return {"attributes": {name: value for name, value in element.attrib.items() if name not in _OWN}, "inner": inner}


def _uid_of(element: Element, document: Document) -> str:
    effect = document.resource(element)
    return "" if effect is None else effect.get("uid", "")


def _reference(asset: Element) -> Any:
    samples = int(asset.get("audioRate", "0") or 0)
    duration = time_of(asset, "duration")
    whole = None
    if samples > 0 and duration is not None:
        zero = otio.opentime.RationalTime(0, samples)
        whole = otio.opentime.TimeRange(zero, otio.opentime.RationalTime(float(duration * samples), samples))
    return otio.schema.ExternalReference(source_of(asset), whole)


def _unit(root: Element) -> str:
    """One step of a document's indentation; empty where it has no lines."""
    return (root.text or "").rpartition("\n")[2] if "\n" in (root.text or "") else ""
