"""What media hold, written onto a timeline for formats that count a clip's in-point from the media's first picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_plugin.media.footage import media_start
from v2s_plugin.media.library import MediaLibrary, Medium
from v2s_plugin.planning.clip_job import frame_rate_of
from v2s_plugin.timing.rates import Span, exact_span, rational_time


def add_available_ranges(timeline: Any, folder: Path) -> None:
    """Give media that do not say what they hold the range that their file has. Changes the timeline.

    Without it an adapter takes the clip's own range for all there is, and the clip then starts with the first picture.
    Relative media count from `folder`. Of files that cannot be read, the range reaches from 0 to where the clip ends.
    """
    library = MediaLibrary(folder)
    for clip in timeline.find_clips():
        reference = clip.media_reference
        if isinstance(reference, otio.schema.ExternalReference) and exact_span(reference.available_range) is None:
            medium = library.find(clip)
            held = _held(clip, medium if isinstance(medium, Medium) else None)
            rate = frame_rate_of(clip)
            if held is not None:
                start, duration = (rational_time(each, rate) for each in (held.start, held.duration))
                reference.available_range = otio.opentime.TimeRange(start, duration)


def count_from_first_picture(timeline: Any, folder: Path) -> None:
    """Have every clip's range count from the first picture of its media, and not in timecode. Changes the timeline.

    Relative media count from `folder`.
    """
    add_available_ranges(timeline, folder)
    for clip in timeline.find_clips():
        reference, source = clip.media_reference, clip.source_range
        available = reference.available_range
        if isinstance(reference, otio.schema.ExternalReference) and exact_span(available) is not None:
            if exact_span(source) is not None:
                clip.source_range = otio.opentime.TimeRange(source.start_time - available.start_time, source.duration)
            zero = otio.opentime.RationalTime(0, available.duration.rate)
            reference.available_range = otio.opentime.TimeRange(zero, available.duration)


def _held(clip: Any, medium: Medium | None) -> Span | None:
    """The stretch of the clip's media time that its file holds; None where nothing says it."""
    source = exact_span(clip.source_range)
    if medium is not None and medium.reference is clip.media_reference and not medium.info.still:
        start = (source.start if source else Fraction(0)) - media_start(clip, medium)
        return Span(start, start + medium.info.duration)
    return Span(Fraction(0), source.end) if source is not None and source.start >= 0 else None
