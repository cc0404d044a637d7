"""What a clip shows: its media, and which of the media's pictures stands on screen when.

    media second = warp(seconds since the clip's start on the timeline)

Media time is always counted in seconds, never in frames: Resolve writes source ranges at 25 on media at 24. The warp
holds everything that lies between the two: where the clip starts in its media, its time effects, and the retimes of the
nests around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import opentimelineio as otio

from v2s_plugin.media.library import MediaLibrary, Medium
from v2s_plugin.timing.placement import Obstacle, PlacedClip, length_of
from v2s_plugin.timing.rates import Span, exact_rate, exact_span, timecode_seconds
from v2s_plugin.timing.retimes import RetimeError, own_warp
from v2s_plugin.timing.warp import Warp

if TYPE_CHECKING:
    from v2s_engine.video import Pictures, VideoInfo

LONGEST = 24 * 3600
"""Seconds that one clip may last: a longer one is a broken number, and would fill the memory."""


@dataclass(frozen=True)
class Footage:
    """The pictures of one clip."""

    media: Pictures
    info: VideoInfo
    warp: Warp
    """From seconds since the start of what is seen of the clip to seconds in the media, which may lie outside it."""
    duration: Fraction
    """Seconds on the timeline."""

    @property
    def start(self) -> Fraction:
        """The media second at which the clip starts; may lie outside the media."""
        return self.warp.at(Fraction(0))

    @property
    def moves(self) -> bool:
        """Whether time passes in it: not in a still image, nor in a freeze frame."""
        shown = self.warp.media_span(Span(Fraction(0), self.duration))
        return not self.info.still and shown.duration > 0

    @property
    def media_span(self) -> Span | None:
        """All that the media hold; None for a still, which holds as much as is asked for."""
        return None if self.info.still else Span(Fraction(0), self.info.duration)

    def media_time(self, position: Fraction) -> Fraction:
        """The media second seen `position` seconds after the clip's start, held at the media's two ends."""
        second = self.warp.picture_at(position)
        return max(second, Fraction(0)) if self.info.still else min(max(second, Fraction(0)), self.info.duration)


def footage_of(placed: PlacedClip, library: MediaLibrary) -> Footage | Obstacle:
    """The pictures of a placed clip, or why there are none."""
    if (obstacle := placed.obstacle) is not None:
        return obstacle
    try:
        warp = own_warp(placed.clip, length_of(placed.clip, library.length) or Fraction(0))
    except RetimeError as error:
        return Obstacle.of_error(error)
    medium = library.find(placed.clip)
    if isinstance(medium, Obstacle):
        return medium
    if placed.span.duration > LONGEST:
        return Obstacle(
            f"it lasts {float(placed.span.duration):.0f} s on the timeline, more than a day",
            "trim it in the editing program and export again",
        )
    warp = warp.later(media_start(placed.clip, medium)).seen_from(placed.head, placed.speed)
    return _inside_media(Footage(medium.media, medium.info, warp, placed.span.duration))


def media_start(clip: Any, medium: Medium) -> Fraction:
    """Seconds from the file's first picture at which the clip's own range starts.

    The source range counts in the media's own time (often its timecode), whose start the available range gives. Without
    one, the file's start timecode is taken off only where the source range cannot mean the file's own seconds.
    """
    # The source range counts in the time of the active reference, also where the file is another reference's.
    active = clip.media_reference
    available = (exact_span(active.available_range) if active else None) or exact_span(medium.reference.available_range)
    source = exact_span(clip.source_range) or available
    if source is None:
        return Fraction(0)
    if available is not None:
        counts_from_zero = isinstance(medium.reference, otio.schema.ImageSequenceReference)
        if counts_from_zero and source.start >= 0 and source.end <= available.start:
            return source.start  # AYON's exporters count image sequences from their first picture
        return source.start - available.start
    if not medium.info.still and source.start >= medium.info.duration:
        return source.start - (_first_second(medium) or 0)
    return source.start


def _first_second(medium: Medium) -> Fraction | None:
    """What the media's own count says at its first picture, in seconds; None where it does not count or not readably.

    Files count in timecode, image sequences in frame numbers.
    """
    reference = medium.reference
    if isinstance(reference, otio.schema.ImageSequenceReference):
        rate = exact_rate(reference.rate)
        return None if rate is None else reference.start_frame / rate
    timecode = medium.info.start_timecode
    return None if timecode is None else timecode_seconds(timecode, medium.info.rate)


def _inside_media(footage: Footage) -> Footage | Obstacle:
    """The footage itself where any of it lies inside its media."""
    media = footage.media_span
    shown = footage.warp.media_span(Span(Fraction(0), footage.duration))
    if media is None or not footage.duration or (shown.start < media.end and shown.end > media.start):
        return footage
    if not shown.duration and media.start <= shown.start < media.end:
        return footage
    return Obstacle(
        f"it uses {float(shown.start):.3f} s to {float(shown.end):.3f} s of {footage.media.name}, "
        f"which lasts {float(media.end):.3f} s",
        "relink the clip to the right file, or trim it in the editing program and export again",
    )
