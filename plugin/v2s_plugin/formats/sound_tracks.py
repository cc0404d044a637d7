"""Our sound tracks as formats without OpenTimelineIO's freedom need them.

There every length is a whole number of frames of one rate, a clip holds one file, and files are `file:` URLs.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import MediaError
from v2s_engine.grid import round_half_up
from v2s_plugin.media.urls import find_on_disk, is_windows_path, paths_of_url, url_like
from v2s_plugin.ours import is_ours
from v2s_plugin.timing.rates import exact_rate, exact_seconds, exact_span

FALLBACK_RATE = 25.0

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True)
class FramedTracks:
    """Our tracks in whole frames of one rate."""

    tracks: tuple[Any, ...]
    """`otio.schema.Track`s of gaps and clips; transitions are left out."""
    moved: int
    """Clips of which a cut did not fall on a frame of that rate and was rounded to the nearest one."""


def sound_tracks_of(timeline: Any) -> list[Any]:
    """The tracks on which clips of ours stand, also where an editor has put one on a track of their own."""
    return [each for each in timeline.tracks if isinstance(each, otio.schema.Track) and any(map(is_our_clip, each))]


def places(track: Any) -> list[tuple[Any, Fraction, Fraction]]:
    """Every item of a track but transitions with its start and end on the track, in exact seconds."""
    found = []
    at = Fraction(0)
    for item in track:
        if not isinstance(item, otio.schema.Transition):
            end = at + (exact_seconds(item.duration()) or Fraction(0))
            found.append((item, at, end))
            at = end
    return found


def is_our_clip(item: Any) -> bool:
    """Whether something on a track is a clip that V2S made."""
    return isinstance(item, otio.schema.Clip) and is_ours(item)


def timeline_rate(timeline: Any) -> float:
    """The rate in which a timeline counts: that of its start, else that of its first picture clip, else of a sound."""
    start = timeline.global_start_time
    if start is not None and exact_rate(start.rate) is not None:
        return float(start.rate)
    clips = sorted(timeline.find_clips(), key=is_ours)  # stable: pictures come first
    for clip in clips:
        if clip.source_range is not None and exact_rate(clip.source_range.duration.rate) is not None:
            return float(clip.source_range.duration.rate)
    return FALLBACK_RATE


def framed_tracks(timeline: Any, rate: float, folder: Path) -> FramedTracks:
    """Our clips on a timeline that lies in `folder`, track by track in frames of `rate`; nobody else's clips.

    Cuts are rounded as absolute positions, so nothing drifts.
    """
    exact = exact_rate(rate)
    if exact is None:
        raise ValueError(f"a track needs a positive rate; got {rate}")
    rate = float(exact)
    moved = 0
    tracks = []
    for track in sound_tracks_of(timeline):
        made = otio.schema.Track(track.name, kind=otio.schema.TrackKind.Audio, metadata=_own_facts(track))
        made.enabled = track.enabled
        end = 0
        for item, start, stop in places(track):
            if not is_our_clip(item):
                continue
            first, last = round_half_up(start * exact), round_half_up(stop * exact)
            moved += not (first == start * exact and last == stop * exact)
            if first > end:
                made.append(otio.schema.Gap(source_range=_frames(0, first - end, rate)))
            if last > first:
                made.append(_framed_clip(item, last - first, rate, exact, folder))
            end = max(end, last)
        tracks.append(made)
    return FramedTracks(tuple(tracks), moved)


def _own_facts(track: Any) -> dict[str, Any]:
    return {"v2s": track.metadata["v2s"] if is_ours(track) else {"generated": True}}


def moved_message(count: int, rate: float) -> str:
    """What to tell the user about `FramedTracks.moved`."""
    return f"{count} of our clips do not start and end on frames at {rate:g} per second; their cuts were moved to those"


def _framed_clip(clip: Any, frames: int, rate: float, exact: Fraction, folder: Path) -> Any:
    reference = clip.media_reference
    head = exact_seconds(clip.source_range.start_time) if clip.source_range else None
    first = round_half_up((head or Fraction(0)) * exact)
    url = getattr(reference, "target_url", "")
    available = getattr(reference, "available_range", None)
    whole = exact_seconds(available.duration) if available else None
    # At least what the clip shows: a file may end within its last frame.
    length = max(first + frames, math.ceil((whole or Fraction(0)) * exact))
    made = otio.schema.Clip(
        clip.name,
        media_reference=otio.schema.ExternalReference(
            target_url=url_like("file", path_on_disk(url, folder), folder), available_range=_frames(0, length, rate)
        ),
        source_range=_frames(first, frames, rate),
        metadata=clip.metadata,
    )
    made.enabled = clip.enabled
    return made


def snap_rates(timeline: Any) -> None:
    """Write every rate as the fraction that was meant (30000/1001 for 29.97), for formats that count in seconds."""
    for item in timeline.find_children():
        if isinstance(item, otio.core.Item) and item.source_range is not None:
            item.source_range = _snapped(item.source_range)
        for reference in item.media_references().values() if isinstance(item, otio.schema.Clip) else ():
            whole = reference.available_range
            if whole is not None:  # Kdenlive writes ranges at rate 0 for sound files
                reference.available_range = _snapped(whole) if exact_span(whole) is not None else None
        if isinstance(item, otio.schema.Transition):
            item.in_offset, item.out_offset = _snapped_time(item.in_offset), _snapped_time(item.out_offset)


def _snapped(shown: Any) -> Any:
    return otio.opentime.TimeRange(_snapped_time(shown.start_time), _snapped_time(shown.duration))


def _snapped_time(time: Any) -> Any:
    rate = exact_rate(time.rate)
    return time if rate is None else otio.opentime.RationalTime(time.value, float(rate))


def make_urls_absolute(timeline: Any, folder: Path) -> None:
    """Give every medium on a timeline an absolute `file:` URL, where it has a plain or relative path of this machine.

    For formats that take nothing else. Changes the timeline.
    """
    for clip in timeline.find_clips():
        for reference in clip.media_references().values():
            url = getattr(reference, "target_url", None)
            if url and not is_windows_path(url) and not _SCHEME.match(url):
                reference.target_url = url_like("file", path_on_disk(url, folder), folder)


def path_on_disk(url: str, folder: Path) -> Path:
    """Absolute path of a `target_url`, whether or not the file is there."""
    try:
        return find_on_disk(url, folder).absolute()
    except MediaError:
        return paths_of_url(url, folder)[0].absolute()


def _frames(start: int, duration: int, rate: float) -> Any:
    return otio.opentime.TimeRange(otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(duration, rate))
