"""Speed changes of Final Cut Pro 7 XML (`<effectid>timeremap</effectid>`), made OpenTimelineIO's time effects.

How files and exporters of the programs agree that they are to be read:

    in, out        frames of the *retimed* clip, as if the whole file ran at that speed; `duration` is its length then
    speed          percent, however small: 0.25 in the file of Hiero is a quarter of a percent (1 frame in 400)
    reverse        the retimed clip starts with the file's last picture: `in` counts back from the file's end
    graphdict      `when`, a frame of the retimed clip, shows `value`, a frame of the file, both at the clip's rate

So at speed s the first picture is frame s · in, or backwards, the one before frame (length - s · in). Where the graph
says otherwise the graph stands: in Final Cut Pro a retime may start within the file (`anchorOffset`), and all programs
follow the graph. It is rounded, so up to a frame and a picture's step it says the same.

Sources: Apple, "Final Cut Pro XML Interchange Format", XMEML Topics, Timing Values (speed alters the duration of a
clipitem); the notes in The Foundry's exporter of Hiero; a file of Resolve in which all three agree (docs/formats.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import opentimelineio as otio

from v2s_plugin.media.fcp_xml_effects import effect_id, key_frames, parameters
from v2s_plugin.media.footage import LONGEST
from v2s_plugin.timing.placement import length_of
from v2s_plugin.timing.rates import exact_rate, exact_span, rational_time

_XML = "fcp_xml"
_ROUNDED = 6  # significant digits that Final Cut Pro and Resolve write
_MAX_DENOMINATOR = 1001  # of speeds that are meant where their digits end: thirds, 960/1001
_KEY_MARKS = {"speedvirtualkf", "speedkfstart", "speedkfin", "speedkfout", "speedkfend", "anchorOffset"}
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?(e[+-]?\d{1,2})?", re.IGNORECASE)  # no exponent that fills the memory


class _UnclearError(Exception):
    """Why it is not clear which picture a clip shows; what the skip then calls its effect."""


@dataclass(frozen=True)
class _Key:
    """A point of the graph, in frames at the clip's rate."""

    when: Fraction
    """Of the retimed clip."""
    value: Fraction
    """Of the file."""


@dataclass(frozen=True)
class _Remap:
    """What a time remap says."""

    speed: Fraction
    """Frames of the file in one of the clip; negative: backwards."""
    varies: bool
    keys: tuple[_Key, ...]
    """In the order of the clip's frames; what lies outside the file is left out."""
    straight: bool
    """Whether the graph goes straight from key to key, as far as is known of the program that wrote it."""


@dataclass(frozen=True)
class _Use:
    """What a clip or nest uses of its content, before its speed is looked at."""

    rate: Fraction
    """Frames per second that the clip counts in."""
    start: Fraction
    """Seconds of the content's own time (timecode) at its first picture."""
    inside: Fraction
    """Frames of the retimed clip before the cut."""
    length: Fraction
    """Frames on the timeline."""
    held: Fraction | None
    """Frames of the content, at the clip's rate; None where nothing says."""
    own_rate: Fraction | None
    """Frames per second of the file; None where nothing says."""


def keep_switches(root: Element) -> None:
    """Note in each effect of a document that its filter is switched off: the adapter drops what stands beside it."""
    for holder in root.iter("filter"):
        effect = holder.find("effect")
        if effect is not None and (holder.findtext("enabled") or "").strip().upper() == "FALSE":
            SubElement(effect, "enabled").text = "FALSE"


def move_markers(item: Any, by: Any) -> None:
    """Move an item's markers by a `RationalTime`."""
    for marker in item.markers:
        marked = marker.marked_range
        marker.marked_range = otio.opentime.TimeRange(marked.start_time + by, marked.duration)


def retime(item: Any) -> None:
    """Give a clip or nest as the adapter made it the time effect, and the source range, that its time remap means.

    Where that is not clear, it gets a time effect that says nothing, so that it is skipped with the reason.
    """
    for effect in item.effects:
        if effect.metadata.get(_XML, {}).get("enabled") == "FALSE":
            effect.enabled = False
    if _is_freeze_frame(item):
        _freeze(item)
        return
    for index, effect in enumerate(item.effects):
        if effect.enabled and effect_id(effect) == "timeremap":
            try:
                item.effects[index] = _applied(item, effect)
            except _UnclearError as error:
                item.effects[index] = otio.schema.TimeEffect(effect.name, f"timeremap, {error}", effect.metadata)


def _is_freeze_frame(item: Any) -> bool:
    """Whether a clip is a freeze frame of a film, as Final Cut Pro makes them; its images are stills of their own."""
    if item.metadata.get(_XML, {}).get("stillframe") != "TRUE" or not isinstance(item, otio.schema.Clip):
        return False
    media = item.media_reference.metadata.get(_XML, {}).get("media")
    video = media.get("video") if isinstance(media, Mapping) else None
    return not (isinstance(video, Mapping) and video.get("stillframe") == "TRUE")


def _freeze(item: Any) -> None:
    """Hold the frame of the film that `stillframeoffset` says."""
    try:
        use, frame = _use_of(item), _number(item.metadata[_XML].get("stillframeoffset") or "0")
    except _UnclearError as error:
        item.effects.append(otio.schema.TimeEffect("stillframe", f"stillframe, {error}"))
        return
    item.effects.append(otio.schema.FreezeFrame("stillframe"))
    if use is not None:
        _start_at(item, use, frame)


def _applied(item: Any, effect: Any) -> Any:
    """The time effect of a remap; moves the item's source range to the pictures that it means."""
    remap, use = _remap_of(effect), _use_of(item)
    if use is None:
        raise _UnclearError("its clip has no length")
    if remap.varies:
        shown = _shown(remap, use)
        lookup = [float(frame - shown[0] - number) for number, frame in enumerate(shown)]
        _start_at(item, use, shown[0])
        return otio.schema.TimeEffect(effect.name, "timeremap", {**effect.metadata, "lookup": lookup})
    first = _first(remap, use)
    _start_at(item, use, first + min(remap.speed, Fraction(0)) * use.length)
    if remap.speed == 1:
        return effect
    if not remap.speed:
        return otio.schema.FreezeFrame(effect.name, metadata=effect.metadata)
    return otio.schema.LinearTimeWarp(effect.name, float(remap.speed), effect.metadata)


def _use_of(item: Any) -> _Use | None:
    span = exact_span(item.source_range)
    rate = exact_rate(item.source_range.start_time.rate) if item.source_range is not None else None
    if span is None or rate is None:
        return None
    if isinstance(item, otio.schema.Clip):
        available = item.media_reference.available_range
        own = exact_span(available)
        start, held = (own.start, own.duration) if own else (Fraction(0), Fraction(0))
        own_rate = exact_rate(available.duration.rate) if own else None
    else:
        lengths = [length_of(track, lambda clip: None) or Fraction(0) for track in item]
        start, held, own_rate = Fraction(0), max(lengths, default=Fraction(0)), None
    return _Use(rate, start, (span.start - start) * rate, span.duration * rate, held * rate or None, own_rate)


def _start_at(item: Any, use: _Use, frame: Fraction) -> None:
    """Let an item's source range start at a frame of its file; its markers stay where they are on the timeline."""
    before = item.source_range
    start = rational_time(use.start + frame / use.rate, before.start_time.rate)
    item.source_range = otio.opentime.TimeRange(start, before.duration)
    move_markers(item, start - before.start_time)


def _first(remap: _Remap, use: _Use) -> Fraction:
    """The frame of the file at the cut of a clip of one speed; backwards, the one that it runs down from."""
    speed = remap.speed
    by_speed = use.inside * speed if speed > 0 else None
    if speed < 0 and use.held is not None:
        by_speed = use.held + use.inside * speed
    key = max((key for key in remap.keys if key.when <= use.inside), key=lambda key: key.when, default=None)
    if key is None:
        if by_speed is None and speed:
            raise _UnclearError("backwards, and the length of its file is not known")
        return use.inside if by_speed is None else by_speed
    # Backwards, Final Cut Pro puts the graph's very ends a frame too high.
    value = key.value - 1 if speed < 0 and not key.when else key.value
    further = speed * (use.inside - key.when)
    if by_speed is None:
        return value + further
    units = (Fraction(1), use.rate / use.own_rate if use.own_rate else Fraction(1))  # frames of the clip, of the file
    if any(abs(value * unit + further - by_speed) <= 1 + abs(speed) for unit in units):
        return by_speed
    if units[0] != units[1]:
        raise _UnclearError("its graph and its speed do not agree")
    return value + further


def _shown(remap: _Remap, use: _Use) -> list[Fraction]:
    """The frame of the file that each frame of a clip shows, where its graph goes straight forward."""
    if not remap.straight:
        raise _UnclearError("its graph is not known to go straight from key to key")
    if use.own_rate not in (None, use.rate):
        raise _UnclearError("its graph may count in frames of the clip or of the file")
    if use.length.denominator != 1 or not 2 <= use.length <= LONGEST * use.rate:
        raise _UnclearError("its clip does not last whole frames, two at least, or lasts more than a day")
    shown = [_on_graph(remap.keys, use.inside + number) for number in range(int(use.length))]
    if any(following < this for this, following in pairwise(shown)):
        raise _UnclearError("its graph runs backwards")
    return shown


def _on_graph(keys: Sequence[_Key], when: Fraction) -> Fraction:
    for left, right in pairwise(keys):
        if left.when <= when <= right.when and left.when < right.when:
            return left.value + (right.value - left.value) * (when - left.when) / (right.when - left.when)
    raise _UnclearError("its graph does not reach over the clip")


def _remap_of(effect: Any) -> _Remap:
    found = parameters(effect)
    said = {name: str(each.get("value") or "").strip() for name, each in found.items()}
    speed = _speed(said.get("speed", "100"))
    graph = found.get("graphdict", {})
    points = key_frames(graph)
    known = graph.get("@authoringApp") == "PremierePro" or "mappedduration" in found  # the latter: Final Cut Pro
    return _Remap(
        speed=-abs(speed) if said.get("reverse", "").upper() == "TRUE" else speed,
        varies=said.get("variablespeed", "0").upper() in ("1", "TRUE"),
        keys=tuple(_keys(graph, points)),
        straight=known
        and all(point.keys() <= {"when", "value"} | _KEY_MARKS for point in points)
        and _interpolation(graph) in ("FCPCurve", "linear"),
    )


def _interpolation(graph: Mapping[str, Any]) -> str:
    """How a graph goes from key to key; Final Cut Pro's curve is straight where keys have no handles."""
    found = graph.get("interpolation")
    return str(found.get("name") if isinstance(found, Mapping) else found or "FCPCurve")


def _keys(graph: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> Iterator[_Key]:
    """Premiere's `speedvirtualkf` may hold any number; what lies outside the file's frames is none of the graph."""
    low, high = (_number(graph.get(end) or "0") for end in ("valuemin", "valuemax"))
    found = [_Key(_number(each.get("when")), _number(each.get("value"))) for each in points]
    for key in sorted(found, key=lambda key: key.when):
        if low - 1 <= key.value <= high + 2 or low == high:
            yield key


def _speed(text: str) -> Fraction:
    """A speed in percent as a factor. Of rounded digits, as in 33.3333, the simplest fraction that they may mean."""
    percent = _number(text)
    digits = text.strip().lstrip("+-").lstrip("0.")
    if "." not in text or len(digits.replace(".", "")) < _ROUNDED:
        return percent / 100
    half = Fraction(1, 2 * 10 ** len(text.strip().partition(".")[2]))
    for denominator in range(1, _MAX_DENOMINATOR + 1):
        simple = Fraction(round(percent / 100 * denominator), denominator)
        if abs(simple * 100 - percent) <= half:
            return simple
    return percent / 100


def _number(text: Any) -> Fraction:
    if _NUMBER.fullmatch(found := str(text).strip()) is None:
        raise _UnclearError(f"it holds {found[:20]!r} where a number should stand")
    return Fraction(found)
