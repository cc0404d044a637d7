"""What a clip shows: its media file, and which of the file's pictures stands on screen when.

    media second = start + scalar · (seconds since the clip's start on the timeline)

Media time is always counted in seconds, never in frames: Resolve writes source ranges at 25 on media at 24.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import opentimelineio as otio

from v2s_plugin.media_library import MediaLibrary, Medium
from v2s_plugin.placement import Obstacle, PlacedClip
from v2s_plugin.rates import exact_seconds, exact_span

if TYPE_CHECKING:
    from v2s_engine.video import VideoInfo


@dataclass(frozen=True)
class Footage:
    """The pictures of one clip."""

    path: Path
    url: str
    """The media's `target_url` as the timeline writes it."""
    info: VideoInfo
    start: Fraction
    """Seconds in the file at which the clip starts; may lie outside the file."""
    duration: Fraction
    """Seconds on the timeline."""
    scalar: Fraction
    """Seconds of media that pass in one second of timeline; positive."""

    def media_time(self, position: Fraction) -> Fraction:
        """The second of the file seen `position` seconds after the clip's start, held at the file's two ends."""
        return min(max(self.start + self.scalar * position, Fraction(0)), self.info.duration)


def footage_of(placed: PlacedClip, library: MediaLibrary) -> Footage | Obstacle:
    """The pictures of a placed clip, or why there are none."""
    if (obstacle := placed.obstacle) is not None:
        return obstacle
    scalar = _time_scalar(placed.clip)
    if isinstance(scalar, Obstacle):
        return scalar
    medium = library.find(placed.clip)
    if isinstance(medium, Obstacle):
        return medium
    start = _media_start(placed.clip, medium) + placed.head * scalar
    return _inside_media(Footage(medium.path, medium.url, medium.info, start, placed.span.duration, scalar))


def _time_scalar(clip: Any) -> Fraction | Obstacle:
    """How fast the clip runs; several linear warps multiply."""
    scalar = Fraction(1)
    for effect in clip.effects:
        if isinstance(effect, otio.schema.FreezeFrame):
            return Obstacle("it is a freeze frame, in which nothing moves", "nothing to do")
        if isinstance(effect, otio.schema.LinearTimeWarp) and math.isfinite(effect.time_scalar):
            scalar *= Fraction(effect.time_scalar).limit_denominator(10**6)
        elif isinstance(effect, otio.schema.TimeEffect):
            name = effect.effect_name or effect.name or effect.schema_name()
            return Obstacle(f"its speed changes within the clip ({name}): not yet", "render the clip to a video file")
    if scalar < 0:
        return Obstacle("it runs backwards: not yet", "render the clip to a video file")
    return scalar or Obstacle("it is a freeze frame, in which nothing moves", "nothing to do")


def _media_start(clip: Any, medium: Medium) -> Fraction:
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
        return source.start - available.start
    if source.start >= medium.info.duration and (timecode := _timecode_seconds(medium.info)) is not None:
        return source.start - timecode
    return source.start


def _timecode_seconds(info: VideoInfo) -> Fraction | None:
    """The file's start timecode in seconds; None where it has none that can be read."""
    if info.start_timecode is None:
        return None
    rate = otio.opentime.RationalTime.nearest_smpte_timecode_rate(float(info.rate))
    try:
        return exact_seconds(otio.opentime.from_timecode(info.start_timecode, rate))
    except ValueError:
        return None


def _inside_media(footage: Footage) -> Footage | Obstacle:
    """The footage itself where any of it lies inside its file."""
    end = footage.start + footage.scalar * footage.duration
    if not footage.duration or (footage.start < footage.info.duration and end > 0):
        return footage
    return Obstacle(
        f"it uses {float(footage.start):.3f} s to {float(end):.3f} s of {footage.path.name}, "
        f"which lasts {float(footage.info.duration):.3f} s",
        "relink the clip to the right file, or trim it in the editing program and export again",
    )
