"""One stretch of picture to be sounded, with everything that decides its sound.

A clip job holds nothing that does not decide it: not where the clip stands, not which clips stand beside it. So a
re-cut changes the jobs of the clips that were re-cut, and no other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from v2s_engine.grid import DELIVERY_RATE, FRAME_LENGTH, SAMPLE_RATE, round_half_up, steps_covering
from v2s_plugin.footage import Footage
from v2s_plugin.placement import PlacedClip
from v2s_plugin.rates import Span, exact_rate
from v2s_plugin.sounds import SoundWish

KEY_VERSION = 2
"""Raised when the same job would sound different: then nothing made before is used again."""


@dataclass(frozen=True)
class Handles:
    """Seconds of sound beyond a clip's two cuts, for the transitions there."""

    before: Fraction = Fraction(0)
    after: Fraction = Fraction(0)


@dataclass(frozen=True)
class ClipJob:
    """One stretch of picture to be sounded. All times are exact seconds."""

    key: str
    """SHA-256 in hex over everything that decides the sound; two jobs with one key sound the same."""
    label: str
    """The clip's name."""
    index_path: tuple[int, ...]
    """Where the clip is in the timeline: index in its stack, then in each child below."""
    track_name: str
    media: Path
    source_start: Fraction
    """Seconds from the media file's first picture; may lie before it."""
    source_duration: Fraction
    """Seconds of media that the clip shows: its duration on the timeline times the time scalar."""
    time_scalar: Fraction
    timeline_start: Fraction
    """Seconds from the start of the timeline."""
    timeline_end: Fraction
    frame_rate: float
    """Rate of the picture clip as the timeline writes it; its sound is placed in the same rate."""
    picture_times: tuple[Fraction, ...]
    """Seconds in the media file of the picture on screen at every 64 ms from the clip's start."""
    length: int
    """Samples at 16 kHz to generate: one more than the longest that the clip can need wherever it stands."""
    sound_class: str
    seed: int
    takes: int
    cues: tuple[int, ...]
    """Samples at 16 kHz from the sound's start (`handles.before` ahead of the clip's) at which an event must start."""
    subject: str = ""
    """SHA-256 in hex over the stretch of picture and its sound class alone: one subject sounds otherwise with another
    seed, bundle or cue, and is still the same clip to an editor."""
    handles: Handles = Handles()
    """What the sound holds beyond the clip; its WAV begins so much before `timeline_start`."""

    @property
    def duration(self) -> Fraction:
        """Seconds on the timeline."""
        return self.timeline_end - self.timeline_start

    @property
    def where(self) -> str:
        """Track and time, for messages."""
        return f"{self.track_name} at {float(self.timeline_start):.3f} s"

    @property
    def sound_start(self) -> Fraction:
        """Seconds from the start of the timeline to the WAV's first sample."""
        return self.timeline_start - self.handles.before

    @property
    def sound_end(self) -> Fraction:
        """The same to its end."""
        return self.timeline_end + self.handles.after

    def delivered_length(self, rate: int) -> int:
        """Samples of its WAV at `rate`: between the absolute positions of start and end, each rounded by itself.

        Rounded lengths are never summed, so nothing drifts; equal clips at 29.97 may differ by one sample.
        """
        return round_half_up(self.sound_end * rate) - round_half_up(self.sound_start * rate)


def make_job(
    clip: PlacedClip,
    footage: Footage,
    wish: SoundWish,
    cues: tuple[Fraction, ...],
    *,
    bundle_digest: str,
    seed: int,
    takes: int,
) -> ClipJob:
    """The job of one sound for a clip, or for the part of it that `wish` names.

    `seed` is the call's; the job's own depends on it and on the stretch of picture, not on the place.
    """
    part = wish.part or Span(Fraction(0), clip.span.duration)
    length = -(-part.duration.numerator * SAMPLE_RATE // part.duration.denominator) + 1
    samples = tuple(round_half_up((cue - part.start) * SAMPLE_RATE) for cue in cues if part.start <= cue < part.end)
    source_start = footage.start + footage.scalar * part.start
    source = {
        "start": str(source_start),
        "duration": str(part.duration * footage.scalar),
        "sound": wish.sound_class,
    }
    number = int(_digest({"seed": seed, "media": footage.url, **source})[:16], 16)
    decides = {
        **source,
        "version": KEY_VERSION,
        "bundle": bundle_digest,
        "media": _fingerprint(footage.path),
        "scalar": str(footage.scalar),
        "seed": number,
        "cues": samples,
    }
    return ClipJob(
        key=_digest(decides),
        label=label_of(clip),
        index_path=clip.index_path,
        track_name=clip.track_name,
        media=footage.path,
        source_start=source_start,
        source_duration=part.duration * footage.scalar,
        time_scalar=footage.scalar,
        timeline_start=clip.span.start + part.start,
        timeline_end=clip.span.start + part.end,
        frame_rate=frame_rate_of(clip.clip),
        picture_times=_picture_times(footage, part, length),
        length=length,
        sound_class=wish.sound_class,
        seed=number,
        takes=takes,
        cues=samples,
        subject=_digest({"media": footage.url, **source}),
    )


def _picture_times(footage: Footage, part: Span, length: int) -> tuple[Fraction, ...]:
    """One time for every step of the grid that `length` samples need; a step past the part's end repeats the last."""
    step = Fraction(FRAME_LENGTH, SAMPLE_RATE)
    count = steps_covering(length, FRAME_LENGTH)
    inside = steps_covering(-(-part.duration.numerator * SAMPLE_RATE // part.duration.denominator), FRAME_LENGTH)
    return tuple(footage.media_time(part.start + min(index, inside - 1) * step) for index in range(count))


def frame_rate_of(clip: Any) -> float:
    """The rate in which a clip's length is written; where nothing is written, the delivery's own grid."""
    reference = clip.media_reference
    for time_range in (clip.source_range, reference.available_range if reference else None):
        if time_range is not None and exact_rate(time_range.duration.rate) is not None:
            return float(time_range.duration.rate)
    return float(DELIVERY_RATE)


def label_of(clip: PlacedClip) -> str:
    """What messages call a clip: its name, else its number on the track."""
    return clip.clip.name or f"clip {clip.index_path[-1] + 1}"


def _fingerprint(media: Path) -> list[int]:
    """What tells one version of a media file from another, without reading it."""
    status = media.stat()
    return [status.st_size, status.st_mtime_ns]


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
