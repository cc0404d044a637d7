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
from typing import TYPE_CHECKING, Any

from v2s_engine.grid import DELIVERY_RATE, FRAME_LENGTH, SAMPLE_RATE, round_half_up, steps_covering
from v2s_plugin.media.footage import Footage
from v2s_plugin.planning.sounds import SoundWish
from v2s_plugin.timing.placement import PlacedClip
from v2s_plugin.timing.rates import Span, exact_rate
from v2s_plugin.timing.transitions import NO_HANDLES, Handles, handles_in_media
from v2s_plugin.timing.warp import Warp

if TYPE_CHECKING:
    from v2s_engine.guide import Guide
    from v2s_engine.video import Pictures

KEY_VERSION = 2
"""Raised when the same job would sound different: then nothing made before is used again."""


@dataclass(frozen=True)
class ScenePart:
    """Which part of a scene's one sound a job has (`scenes.py`)."""

    scene: str
    """The same for all parts of a scene, and for no other scene of the timeline."""
    position: int
    """Number of the part, from 0."""
    count: int
    """Parts in all."""
    alone: str
    """The key that the job would have with a sound of its own."""


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
    media: Pictures
    source_start: Fraction
    """Seconds from the media file's first picture; may lie before it."""
    source_duration: Fraction
    """Seconds of media that pass from the clip's start to its end; negative where it runs backwards."""
    warp: Warp
    """From seconds since `timeline_start` to seconds in the media."""
    timeline_start: Fraction
    """Seconds from the start of the timeline."""
    timeline_end: Fraction
    frame_rate: float
    """Rate of the picture clip as the timeline writes it; its sound is placed in the same rate."""
    picture_times: tuple[Fraction, ...]
    """Seconds in the media file of the picture on screen at every 64 ms from the sound's start."""
    length: int
    """Samples at 16 kHz to generate, handles included: one more than the longest that can be needed wherever the clip
    stands."""
    sound_class: str
    seed: int
    takes: int
    cues: tuple[int, ...]
    """Samples at 16 kHz from the sound's start (`handles.before` ahead of the clip's) at which an event must start."""
    subject: str = ""
    """SHA-256 in hex over the stretch of picture and its sound class alone: one subject sounds otherwise with another
    seed, bundle or cue, and is still the same clip to an editor."""
    handles: Handles = NO_HANDLES
    """What the sound holds beyond the clip; its WAV begins so much before `timeline_start`."""
    part: ScenePart | None = None
    """Where its sound is one with those of the clips beside it; None: a sound of its own."""
    guide: Guide | None = None
    """What the sound follows instead of the pictures; None: the pictures."""

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

    @property
    def joins(self) -> tuple[bool, bool]:
        """Whether its sound goes on from that of the clip before it, and into that of the clip after it."""
        if self.part is None:
            return False, False
        return self.part.position > 0, self.part.position < self.part.count - 1

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
    guide: Guide | None = None,
) -> ClipJob:
    """The job of one sound for a clip, or for the part of it that `wish` names.

    `seed` is the call's; the job's own depends on it and on the stretch of picture, not on the place. Media count by
    their name: the same file in another folder, in a bundle or in other words of the timeline is the same. Of a guide
    what it says under the sound counts, not its file.
    """
    part = wish.part or Span(Fraction(0), clip.span.duration)
    handles = _handles(clip, footage, part)
    sound = Span(part.start - handles.before, part.end + handles.after)
    samples = tuple(round_half_up((cue - sound.start) * SAMPLE_RATE) for cue in cues if part.start <= cue < part.end)
    warp = footage.warp.seen_from(part.start)
    source = {"start": str(warp.at(Fraction(0))), "sound": wish.sound_class, **_shown(footage, part)}
    times = _picture_times(footage, sound)
    length = whole_samples(sound.duration) + 1
    number = int(digest_of({"seed": seed, "media": footage.media.name, **source})[:16], 16)
    decides = {
        **source,
        **({"handles": footage.warp.description(sound)} if handles != NO_HANDLES else {}),
        "version": KEY_VERSION,
        "bundle": bundle_digest,
        "media": _fingerprint(footage.media, times),
        "scalar": str(footage.warp.speed),
        "seed": number,
        "cues": samples,
        **({"envelope": guide.digest(clip.span.start + sound.start, length)} if guide else {}),
    }
    return ClipJob(
        key=digest_of(decides),
        label=label_of(clip),
        index_path=clip.index_path,
        track_name=clip.track_name,
        media=footage.media,
        source_start=warp.at(Fraction(0)),
        source_duration=warp.at(part.duration) - warp.at(Fraction(0)),
        warp=warp,
        timeline_start=clip.span.start + part.start,
        timeline_end=clip.span.start + part.end,
        frame_rate=frame_rate_of(clip.clip),
        picture_times=times,
        length=length,
        sound_class=wish.sound_class,
        seed=number,
        takes=takes,
        cues=samples,
        subject=digest_of({"media": footage.media.name, **source}),
        handles=handles,
        guide=guide,
    )


def _handles(clip: PlacedClip, footage: Footage, part: Span) -> Handles:
    """What transitions show beyond a part: only where it reaches the clip's own cut, and the media go on there."""
    wanted = Handles(
        clip.handles.before if part.start == 0 else Fraction(0),
        clip.handles.after if part.end == clip.span.duration else Fraction(0),
    )
    return handles_in_media(wanted, part, footage.warp, footage.media_span, frame_rate_of(clip.clip))


def _shown(footage: Footage, part: Span) -> dict[str, str]:
    """What tells a stretch of picture from another that starts alike, as text."""
    if footage.warp.is_even and footage.warp.speed > 0:
        return {"duration": str(part.duration * footage.warp.speed)}
    return {"warp": footage.warp.description(part)}


def whole_samples(duration: Fraction) -> int:
    """Samples at 16 kHz that cover a duration."""
    return -(-duration.numerator * SAMPLE_RATE // duration.denominator)


def picture_seconds(duration: Fraction) -> list[Fraction]:
    """When pictures are looked at, in seconds from a sound's start: at every step of the grid that its samples need.

    There is one more sample than it lasts, and a step past its end repeats the last.
    """
    inside = steps_covering(whole_samples(duration), FRAME_LENGTH)
    count = steps_covering(whole_samples(duration) + 1, FRAME_LENGTH)
    return [Fraction(min(index, inside - 1) * FRAME_LENGTH, SAMPLE_RATE) for index in range(count)]


def _picture_times(footage: Footage, sound: Span) -> tuple[Fraction, ...]:
    return tuple(footage.media_time(sound.start + second) for second in picture_seconds(sound.duration))


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


def _fingerprint(media: Pictures, times: tuple[Fraction, ...]) -> list[Any]:
    """What tells one version of the media from another, without reading them.

    Of an image sequence only the pictures that are looked at count: a plate rendered again elsewhere changes nothing.
    """
    if isinstance(media, Path):
        status = media.stat()
        return [status.st_size, int(status.st_mtime) // 2]  # bundles, and many disks, tell times by two seconds
    paths = (media.path_at(index) for index in sorted({media.index_at(time) for time in times}))
    return [
        str(media.rate / media.step),
        media.missing,
        *(_fingerprint(path, ()) if path.exists() else None for path in paths),
    ]


def digest_of(facts: dict[str, Any] | list[str]) -> str:
    """SHA-256 in hex over facts that JSON can hold; the same dictionary gives the same, in any order."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
