"""What is seen of each picture: everything but what an opaque clip on a higher track covers.

    V2             ├──── b ────┤
    V1   ├─────── a ───────┤                 seen of a: its start, until b begins

A clip covers what is below it where its media are there, have no alpha channel, it does not fade in or out just then,
and neither it nor a nest around it is made smaller or see-through by an effect that is known here (Resolve's transform,
cropping and composite; the opacity of Final Cut Pro 7 XML; what Final Cut Pro adjusts; filters of MLT). An effect that
is not known is taken for one that leaves the picture as large and as dense as it was.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from v2s_plugin.media import fcpxml_effects
from v2s_plugin.media.fcp_xml_effects import effect_id, key_frames, parameters
from v2s_plugin.media.library import MediaLibrary
from v2s_plugin.timing.placement import Obstacle, PlacedClip
from v2s_plugin.timing.rates import Span


def visible_parts(
    placed: Sequence[PlacedClip], is_opaque: Callable[[PlacedClip], bool]
) -> dict[tuple[int, ...], tuple[Span, ...]]:
    """What is seen of every video clip, by its index path, in seconds from its start; nothing: wholly covered.

    `placed` are the clips of one timeline from the bottom of its stack to its top, as `place_clips` yields them. Clips
    that count for nothing (disabled, not placed) are not in the result.
    """
    seen: dict[tuple[int, ...], tuple[Span, ...]] = {}
    covered = _Covered()
    for clip in reversed(placed):
        if clip.kind == otio.schema.TrackKind.Video and clip.obstacle is None:
            seen[clip.index_path] = tuple(part.shifted(-clip.span.start) for part in covered.left_of(clip.span))
            start, end = clip.span.start + clip.fades.before, clip.span.end - clip.fades.after
            if start < end and is_opaque(clip):
                covered.add(Span(start, end))
    return seen


def covers(clip: PlacedClip, library: MediaLibrary) -> bool:
    """Whether a clip hides what is below it: see the module."""
    medium = library.find(clip.clip)
    if isinstance(medium, Obstacle) or medium.info.has_alpha:
        return False
    item = clip.clip
    while item is not None:
        effects = [each for each in item.effects if each.enabled]
        if any(_shows_below(each) or _is_see_through(each) or fcpxml_effects.shows_below(each) for each in effects):
            return False
        if any(_is_noted(each) for each in effects):
            return False
        item = item.parent()
    return True


class _Covered:
    """Stretches of time, growing together where they touch."""

    def __init__(self) -> None:
        self._starts: list[Fraction] = []
        self._ends: list[Fraction] = []

    def add(self, span: Span) -> None:
        first, last = bisect_left(self._ends, span.start), bisect_right(self._starts, span.end)
        start, end = span.start, span.end
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def left_of(self, span: Span) -> Iterator[Span]:
        """What of a span none of the stretches covers."""
        at = span.start
        first, last = bisect_right(self._ends, span.start), bisect_left(self._starts, span.end)
        for start, end in zip(self._starts[first:last], self._ends[first:last], strict=True):
            if at < start:
                yield Span(at, start)
            at = end
        if at < span.end:
            yield Span(at, span.end)


def _shows_below(effect: Any) -> bool:
    """Whether an effect as Resolve writes it lets what is below its clip be seen; only changed values are in it."""
    facts = effect.metadata.get("Resolve_OTIO")
    if not isinstance(facts, Mapping) or not facts.get("Enabled", True):
        return False
    values = _values(facts.get("Parameters"))
    match facts.get("Effect Name"):
        case "Composite":
            return min(values.get("opacity", [100.0])) < 100 or bool(values.keys() - {"opacity"})
        case "Cropping":
            return any(value > 0 for name, each in values.items() if name.startswith("crop") for value in each)
        case "Transform":
            zooms = [min(values.get(f"transformationZoom{axis}", [1.0])) for axis in "XY"]
            moved = any(
                value for name, each in values.items() if not name.startswith("transformationZoom") for value in each
            )
            return min(zooms) < 1 or (moved and min(zooms) == 1)
        case _:
            return False


def _is_see_through(effect: Any) -> bool:
    """Whether an effect of Final Cut Pro 7 XML makes its clip less than 100 % opaque, at any of its key frames."""
    opacity = parameters(effect).get("opacity") if effect_id(effect) == "opacity" else None
    if opacity is None:
        return False
    return any(_percent(each.get("value")) < 100 for each in key_frames(opacity) or [opacity])


def _is_noted(effect: Any) -> bool:
    """Whether the reader of an MLT document has found that an effect lets what is below its clip be seen."""
    facts = effect.metadata.get("mlt")
    return isinstance(facts, Mapping) and facts.get("shows_below") is True


def _percent(text: Any) -> float:
    """The number in a text; without one, what leaves a picture as it is."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return 100.0


def _values(parameters: Any) -> dict[str, list[float]]:
    """Every value that each parameter takes: its own and those of its key frames, which replace it."""
    found: dict[str, list[float]] = {}
    for parameter in parameters if isinstance(parameters, Sequence) else ():
        if isinstance(parameter, Mapping):
            frames = parameter.get("Key Frames")
            keyed = [frame.get("Value") for frame in frames.values()] if isinstance(frames, Mapping) else []
            values = [value for value in keyed or [parameter.get("Parameter Value")] if isinstance(value, int | float)]
            if values and parameter.get("Parameter ID"):
                found[str(parameter["Parameter ID"])] = values
    return found
