"""Speed changes of Final Cut Pro's clips as OpenTimelineIO's time effects.

    <timeMap>                                         which second of its own time the clip shows when
      <timept time="0s" value="0s" interp="linear"/>  at 0 s of the retimed clip its second 0
      <timept time="10s" value="5s"/>                 at 10 s its second 5: half speed

A clip's `start` and `duration` count in the retimed time. Final Cut Pro writes `smooth2` for points without a curve,
too: a map of two points is a straight line whatever they say. A point between others is a corner only where it says
`linear`, or that its curve takes no time. What else there is stays an effect that tells nothing, and so the clip is
skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio

from v2s_plugin.formats.fcpxml_document import StoryItem, conform_pace, time_of
from v2s_plugin.timing.rates import exact_rate
from v2s_plugin.timing.warp import Warp


@dataclass(frozen=True)
class Retime:
    """What a clip shows of its own time."""

    start: Fraction
    """Where its source range begins, in seconds of its own time as if nothing were retimed."""
    effects: tuple[Any, ...] = ()
    """`otio.schema.TimeEffect`s."""


def retime_of(item: StoryItem, rate: Fraction) -> Retime:
    """The retimes of an item in a sequence of `rate` frames per second: its `conform-rate` and its `timeMap`."""
    time_map = item.element.find("timeMap")
    pace = conform_pace(item.element, rate)
    if not item.is_certain or pace is None:
        return Retime(item.local, (unreadable("conform-rate"),))
    if time_map is None:
        return Retime(item.local, () if pace == 1 else (_linear(1 / pace),))
    warp = _warp_of(time_map)
    if warp is None or pace != 1:
        return Retime(item.local, (unreadable("timeMap"),))
    return _shown(warp, item, rate)


def unreadable(what: str) -> Any:
    """A time effect that says nothing but its name: its clip is skipped with the reason."""
    return otio.schema.TimeEffect(name=what, effect_name=what)


def _warp_of(time_map: Element) -> Warp | None:
    """The map as straight lines; None where it is none, or bends along a curve."""
    points = [(time_of(each, "time"), time_of(each, "value"), each) for each in time_map.findall("timept")]
    knots = tuple((time, value) for time, value, _ in points if time is not None and value is not None)
    if len(points) < 2 or len(knots) < len(points) or not all(_is_corner(each) for _, _, each in points[1:-1]):
        return None
    if any(left[0] >= right[0] for left, right in pairwise(knots)):
        return None
    (first, shown_first), (second, shown_second) = knots[:2]
    if len(knots) == 2:
        speed = (shown_second - shown_first) / (second - first)
        return Warp(((first, shown_first),), speed)
    return Warp(knots, Fraction(1))


def _is_corner(point: Element) -> bool:
    said = [time_of(point, name) for name in ("inTime", "outTime")]
    return point.get("interp") == "linear" or said == [0, 0]


def _shown(warp: Warp, item: StoryItem, rate: Fraction) -> Retime:
    """A stretch of a warp as OpenTimelineIO has it: one line as a scalar, several as a table of frames."""
    begin, end = item.local, item.local + item.duration
    bends = [begin, *(time for time, _ in warp.knots if begin < time < end), end]
    slopes = {warp.speed_at(time) for time in bends[:-1]} if item.duration else {warp.speed_at(begin)}
    if len(slopes) == 1 or warp.is_even:
        (speed,) = slopes
        if speed == 0:
            return Retime(warp.at(begin), (otio.schema.FreezeFrame(),))
        lowest = warp.at(begin if speed > 0 else end)  # backwards, a source range starts at its lowest frame
        return Retime(lowest, () if speed == 1 else (_linear(speed),))
    exact = exact_rate(float(rate)) or rate
    frames = round(item.duration * exact)
    shown = [warp.at(begin + number / exact) for number in range(frames + 1)]
    # Hiero's table says which frame each frame shows; backwards it is the one before the second that is reached.
    numbers = [(this - shown[0]) * exact - (following < this) for this, following in pairwise(shown)]
    lookup = [float(number - index) for index, number in enumerate(numbers)]
    effect = otio.schema.TimeEffect(name="timeMap", effect_name="timeMap", metadata={"lookup": lookup})
    return Retime(shown[0], (effect,))


def _linear(speed: Fraction) -> Any:
    return otio.schema.LinearTimeWarp(name="retime", time_scalar=float(speed))
