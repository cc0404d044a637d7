"""Our sounds under somebody's speech: where a track of the timeline really sounds, and how far they are turned down.

    speech                 ▂▅▇▅▂        ▅▇▅▂
    sounding           |  |─────────────────|  |          louder than -40 dBFS; pauses under 0.95 s do not count
    our gain     0 dB ──╲                       ╲──
                     -9 dB ╲___________________╱╱         down 150 ms ahead, held for 300 ms, up within 500 ms

Speech is found in exact seconds and the gain is a ramp between exact samples, so both are right to the sample but for
the 5 ms over which a level is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
from numpy.typing import NDArray

from v2s_engine.errors import MediaError, TimelineError, UsageError
from v2s_engine.loudness import LEVELS_PER_SECOND, read_levels
from v2s_plugin.globs import fits
from v2s_plugin.media.urls import find_on_disk
from v2s_plugin.ours import is_ours
from v2s_plugin.timing.placement import PlacedClip, length_of, place_clips, source_span
from v2s_plugin.timing.rates import Span, exact_span, joined
from v2s_plugin.timing.retimes import own_warp
from v2s_plugin.timing.warp import Warp

THRESHOLD_DBFS = -40.0
"""RMS level from which a track sounds: under speech at any usual level, over a room without it."""

ATTACK = Fraction(15, 100)
"""Seconds before speech begins in which the gain goes down: all the way down when it begins."""

HOLD = Fraction(30, 100)
"""Seconds after speech ends before the gain goes up."""

RELEASE = Fraction(50, 100)
"""Seconds in which it goes up."""

SHORTEST = Fraction(5, 100)
"""Seconds that something must sound to be ducked under: a click is no speech."""

_STEP = Fraction(1, LEVELS_PER_SECOND)


@dataclass(frozen=True)
class Ducking:
    """Where our sounds are turned down."""

    stretches: tuple[Span, ...]
    """Seconds of the timeline that sound, rising, so far apart that the gain is back at 0 dB between them."""
    by_db: float
    """Positive."""
    warnings: tuple[str, ...] = ()

    def gain(self, first: int, length: int, rate: int) -> NDArray[np.float32]:
        """Factors `[length]` for samples from `first` on, counted at `rate` from the timeline's start."""
        gain = np.ones(length, np.float32)
        for stretch in self.stretches:
            corners = (stretch.start - ATTACK, stretch.start, stretch.end + HOLD, stretch.end + HOLD + RELEASE)
            positions = [float(corner * rate) - first for corner in corners]
            begin, end = max(0, math.floor(positions[0])), min(length, math.ceil(positions[-1]))
            if begin < end:
                decibels = np.interp(np.arange(begin, end), positions, [0.0, -self.by_db, -self.by_db, 0.0])
                gain[begin:end] *= 10 ** (decibels / 20)
        return gain


NO_DUCKING = Ducking((), 0.0)


def duck_tracks(timeline: Any, wanted: Sequence[str]) -> tuple[int, ...]:
    """Indices in the stack of the audio tracks that are meant, ours left out.

    Each of `wanted` is a track's name, a glob, or (where no name fits) its number among these tracks, from 1. Raises
    `UsageError` for one that means none.
    """
    tracks = [
        (index, str(track.name))
        for index, track in enumerate(timeline.tracks)
        if isinstance(track, otio.schema.Track) and track.kind == otio.schema.TrackKind.Audio and not is_ours(track)
    ]
    found: set[int] = set()
    for text in wanted:
        meant = [index for index, name in tracks if fits(text, [name])]
        if not meant and text.isdecimal() and 1 <= int(text) <= len(tracks):
            meant = [tracks[int(text) - 1][0]]
        if not meant:
            known = ", ".join(f"{number} {name!r}" for number, (_, name) in enumerate(tracks, start=1)) or "none"
            raise UsageError(f"--duck {text}: no audio track of that name or number; the timeline's are: {known}")
        found.update(meant)
    return tuple(sorted(found))


def find_ducking(timeline: Any, wanted: Sequence[str], by_db: float, *, folder: Path, spans: Iterable[Span]) -> Ducking:
    """Where the tracks that are meant sound, as far as it matters to sounds that stand at `spans`.

    `folder` is what relative media count from. A clip whose sound cannot be read counts as sounding throughout, with a
    warning. Raises as `duck_tracks`.
    """
    tracks = duck_tracks(timeline, wanted)
    margin = ATTACK + HOLD + RELEASE
    near = joined(Span(span.start - margin, span.end + margin) for span in spans)
    heard: list[Span] = []
    warnings: list[str] = []
    for placed in place_clips(timeline):
        if placed.index_path[0] in tracks and placed.obstacle is None and not is_ours(placed.clip):
            parts = [part for span in near if (part := span.overlap(placed.span)) is not None]
            try:
                heard += [found for part in parts for found in _sounding(placed, part, folder)]
            except (MediaError, TimelineError) as error:
                heard += parts
                name = placed.clip.name or "a clip"
                warnings.append(f"{name} ({placed.where}) counts as sounding throughout for --duck: {error}")
    stretches = (found for found in joined(heard, margin) if found.duration >= SHORTEST)
    return Ducking(tuple(stretches), by_db, tuple(warnings))


def _sounding(placed: PlacedClip, part: Span, folder: Path) -> Iterator[Span]:
    """Stretches of the timeline inside `part` in which a clip is loud enough."""
    path, warp = _sound_file(placed.clip, folder), _warp(placed)
    shown = Span(part.start - placed.span.start, part.end - placed.span.start)
    media = warp.media_span(shown)
    if not media.duration:  # frozen: it makes no sound
        return
    levels = read_levels(path, media.start, media.duration)
    count = math.ceil(shown.duration * LEVELS_PER_SECOND)
    read = [int((warp.at(shown.start + step * _STEP) - media.start) * LEVELS_PER_SECOND) for step in range(count)]
    loud = np.concatenate([[False], levels[np.minimum(read, len(levels) - 1)] > THRESHOLD_DBFS, [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1]).tolist()
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        yield Span(part.start + begin * _STEP, min(part.start + end * _STEP, part.end))


def _sound_file(clip: Any, folder: Path) -> Path:
    """The file of the clip's active reference where that is there, else of any other that is."""
    references = clip.media_references()
    first: MediaError | None = None
    for key in sorted(references, key=lambda key: key != clip.active_media_reference_key):
        try:
            return find_on_disk(getattr(references[key], "target_url", ""), folder)
        except MediaError as error:
            first = first or error
    raise first or MediaError("it has no media; relink the clip")


def _warp(placed: PlacedClip) -> Warp:
    """From seconds since the clip's start on the timeline to seconds of its file. Raises `RetimeError`."""
    clip = placed.clip
    length = length_of(clip, lambda clip: None) or placed.span.duration
    source = source_span(clip)
    available = exact_span(clip.media_reference.available_range) if clip.media_reference else None
    start = (source.start if source else Fraction(0)) - (available.start if available else Fraction(0))
    return own_warp(clip, length).seen_from(placed.head, placed.speed).later(start)
