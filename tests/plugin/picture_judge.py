"""Which picture of its media a clip shows at a moment of the timeline: asked from the top down, one moment at a time.

    picture_at(cut, (0, 2, 1), Fraction(5, 2), Media(Fraction(25), 100))

This is OpenTimelineIO's own description put into arithmetic, slow and plain, so that the product can be held against
it; it shares no code with the product:

- a child of a track starts where all before it end, transitions take no time; a child of a stack starts with it;
- an item's length is its source range's, else its media's, else its content's; time effects never change it;
- an item shows its content from its source range's start; a linear time warp of s runs s times as fast through it, and
  backwards from its end; a frozen item shows the start throughout; Hiero's table says which frame each frame shows;
- a clip's source range counts in its media's time, which starts where the available range does, else at the file's own
  timecode where the range lies beyond the file's length, else at 0.

A moment is never rounded to frames. Where content runs backwards, a picture is on screen until its start is reached.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio


@dataclass(frozen=True)
class Media:
    """What the judge knows of a file."""

    rate: Fraction
    frames: int
    timecode: Fraction = Fraction(0)
    """Seconds that the file's own timecode says at its first picture."""
    times: tuple[Fraction, ...] = ()
    """When each picture comes on screen, where they do not come evenly."""

    @property
    def duration(self) -> Fraction:
        return self.frames / self.rate

    def number(self, second: Fraction, *, falling: bool) -> int:
        """The picture on screen; with `falling`, when the second is being reached from above."""
        if self.times:
            assert not falling
            return max(0, sum(time <= second for time in self.times) - 1)
        count = second * self.rate
        number = math.ceil(count) - 1 if falling else math.floor(count)
        return min(max(number, 0), self.frames - 1)


def picture_at(cut: Any, path: Sequence[int], time: Fraction, media: Media) -> int:
    """Number of the picture, from the file's first, that the clip at `path` shows `time` seconds into the timeline.

    `time` may lie beyond the clip's cuts: then it is what a transition shows there.
    """
    item, second, falling = cut.tracks, time, False
    for index in path:
        children = list(item)
        if isinstance(item, otio.schema.Track):
            second -= sum((length(each, media) for each in children[:index]), Fraction(0))
        item = children[index]
        second, turned = _content(item, second, media)
        falling ^= turned
    return media.number(second - _media_zero(item, media), falling=falling)


def length(item: Any, media: Media) -> Fraction:
    """Seconds that an item takes on its track."""
    if isinstance(item, otio.schema.Transition):
        return Fraction(0)
    if item.source_range is not None:
        return seconds(item.source_range.duration)
    if isinstance(item, otio.schema.Clip):
        available = item.media_reference.available_range
        return media.duration if available is None else seconds(available.duration)
    lengths = [length(each, media) for each in item]
    return sum(lengths, Fraction(0)) if isinstance(item, otio.schema.Track) else max(lengths)


def media_stretch(clip: Any, media: Media) -> tuple[Fraction, Fraction]:
    """The first and the last second of the file that a clip can show within its cuts."""
    ends = [_content(clip, time, media)[0] - _media_zero(clip, media) for time in (Fraction(0), length(clip, media))]
    return min(ends), max(ends)


def seconds(time: Any) -> Fraction:
    return Fraction(time.value).limit_denominator(10**6) / true_rate(time.rate)


def true_rate(rate: float) -> Fraction:
    """23.976, 23.98, 23.976024627685547 ... mean 24000/1001."""
    for nominal in (24, 30, 48, 60, 120):
        if abs(rate - nominal * 1000 / 1001) < 0.005:
            return Fraction(nominal * 1000, 1001)
    return Fraction(rate).limit_denominator(1000)


def _content(item: Any, second: Fraction, media: Media) -> tuple[Fraction, bool]:
    """The second of its content that an item shows so long after its start, and whether it runs backwards there."""
    scalar, table = Fraction(1), None
    for effect in item.effects:
        if isinstance(effect, otio.schema.LinearTimeWarp):  # a freeze frame is one of scalar 0
            scalar *= Fraction(effect.time_scalar).limit_denominator(10**6)
        elif isinstance(effect, otio.schema.TimeEffect):
            table = effect.metadata.get("lookup")
    start = Fraction(0)
    if item.source_range is not None:
        start = seconds(item.source_range.start_time)
    elif isinstance(item, otio.schema.Clip) and item.media_reference.available_range is not None:
        start = seconds(item.media_reference.available_range.start_time)
    if table is not None:
        assert scalar == 1
        shown, falling = _looked_up(table, second * true_rate(item.source_range.duration.rate))
        return start + shown / true_rate(item.source_range.duration.rate), falling
    if scalar < 0:
        return start - scalar * (length(item, media) - second), True
    return start + scalar * second, False


def _looked_up(table: Sequence[float], frame: Fraction) -> tuple[Fraction, bool]:
    """Frame k shows frame k + table[k], and runs from there to what the next one shows; the last goes on likewise.

    Where that is backwards, a frame is run through from its end to its start.
    """
    shown = [number + Fraction(each).limit_denominator(10**6) for number, each in enumerate(table)]
    shown.append(2 * shown[-1] - shown[-2])
    number = min(max(math.floor(frame), 0), len(table) - 1)
    this, following = shown[number], shown[number + 1]
    falling = following < this
    return this + falling + (following - this) * (frame - number), falling


def _media_zero(clip: Any, media: Media) -> Fraction:
    """What the source range's time says at the file's first picture."""
    reference = clip.media_reference
    source = clip.source_range
    if reference.available_range is not None:
        zero = seconds(reference.available_range.start_time)
        if (
            isinstance(reference, otio.schema.ImageSequenceReference)
            and source is not None
            and 0 <= seconds(source.start_time) <= zero - seconds(source.duration)
        ):
            return Fraction(0)  # AYON's exports count image sequences from their first picture
        return zero
    beyond = source is not None and seconds(source.start_time) >= media.duration
    return media.timecode if beyond else Fraction(0)
