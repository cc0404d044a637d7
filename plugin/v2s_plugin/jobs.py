"""What is to be done: the clips of a timeline as clip jobs, and what cannot be done and why.

    for job in plan(timeline, folder, options).jobs:
        ...

A clip job holds everything that decides its sound, and nothing that does not: not where the clip stands, not which
clips stand beside it. So a re-cut changes the jobs of the clips that were re-cut, and no other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

import opentimelineio as otio

from v2s_engine.errors import UsageError
from v2s_engine.grid import DELIVERY_RATE, FRAME_LENGTH, SAMPLE_RATE, round_half_up, steps_covering
from v2s_plugin.footage import Footage, MediaLibrary, Probe
from v2s_plugin.placement import Obstacle, PlacedClip, place_clips
from v2s_plugin.rates import Span, exact_rate
from v2s_plugin.sounds import SoundChoice, SoundWish, notes_of, read_notes

KEY_VERSION = 2
"""Raised when the same job would sound different: then nothing made before is used again."""

MAX_TAKES = 99

Existing = Literal["skip", "add"]
"""What happens to clips whose own sound stands on the timeline."""


@dataclass(frozen=True)
class PlanOptions:
    """What the call says. Raises `UsageError` for values that cannot be."""

    bundle_digest: str
    sound_classes: tuple[str, ...]
    """The classes that the bundle can sound like."""
    obeys_cues: bool = True
    """Whether the bundle can start a sound where a marker says; if not, clips with cues are skipped."""
    sound: str | None = None
    """Class of the clips that nothing else is noted on."""
    sound_force: str | None = None
    """Class of all clips, whatever is noted on them."""
    seed: int = 0
    """Any number from 0 to 2**64 - 1; another one gives every clip another sound."""
    takes: int = 1
    """Versions of each sound."""
    existing: str = "skip"
    """What happens to clips whose own sound stands on the timeline: one of `Existing`."""

    def __post_init__(self) -> None:
        for name in (self.sound, self.sound_force):
            if name is not None and name not in self.sound_classes:
                raise UsageError(f"the bundle has no sound class {name!r}; it has: {', '.join(self.sound_classes)}")
        if self.sound is not None and self.sound_force is not None:
            raise UsageError("--sound and --sound-force contradict each other; give one of them")
        if not 0 <= self.seed < 2**64:
            raise UsageError(f"a seed lies between 0 and {2**64 - 1}; got {self.seed}")
        if self.existing not in get_args(Existing):
            raise UsageError(f"existing must be one of {', '.join(get_args(Existing))}; got {self.existing!r}")
        if not 1 <= self.takes <= MAX_TAKES:
            raise UsageError(f"takes must lie between 1 and {MAX_TAKES}; got {self.takes}")


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
    """Samples at 16 kHz from the clip's start at which a sound event must start."""

    @property
    def duration(self) -> Fraction:
        """Seconds on the timeline."""
        return self.timeline_end - self.timeline_start

    @property
    def where(self) -> str:
        """Track and time, for messages."""
        return f"{self.track_name} at {float(self.timeline_start):.3f} s"

    def delivered_length(self, rate: int) -> int:
        """Samples of its WAV at `rate`: between the absolute positions of start and end, each rounded by itself.

        Rounded lengths are never summed, so nothing drifts; equal clips at 29.97 may differ by one sample.
        """
        return round_half_up(self.timeline_end * rate) - round_half_up(self.timeline_start * rate)


@dataclass(frozen=True)
class Skip:
    """Something that is not sounded."""

    label: str
    where: str
    reason: str
    advice: str
    """What the editor can do about it."""


@dataclass(frozen=True)
class Plan:
    """What would be done: every video clip is in `jobs` (once for each of its sounds) or in `skips`."""

    jobs: tuple[ClipJob, ...]
    skips: tuple[Skip, ...]


def plan(timeline: Any, folder: Path, options: PlanOptions, *, probe: Probe | None = None) -> Plan:
    """Every clip of a timeline as jobs or as skips with their reasons.

    `folder` is the timeline's own (relative media count from there); `probe` looks into media files, by default the
    engine's. The timeline is not changed.
    """
    library = MediaLibrary(folder, probe)
    placed = list(place_clips(timeline, library.length))
    sounding = _own_sounds(placed)
    choice = SoundChoice(options.sound_classes, options.sound, options.sound_force)
    jobs: list[ClipJob] = []
    skips: list[Skip] = list(_stray_notes(timeline.tracks))
    for clip in placed:
        if clip.kind == otio.schema.TrackKind.Video:
            for found in _clip_jobs(clip, library, choice, options, sounding):
                if isinstance(found, ClipJob):
                    jobs.append(found)
                else:
                    skips.append(Skip(_label(clip), clip.where, found.reason, found.advice))
    return Plan(tuple(jobs), tuple(skips))


def is_ours(item: Any) -> bool:
    """Whether V2S made a track or clip: it says so in its metadata, whatever its name."""
    ours = item.metadata.get("v2s")
    return hasattr(ours, "get") and ours.get("generated") is True


def _clip_jobs(
    clip: PlacedClip,
    library: MediaLibrary,
    choice: SoundChoice,
    options: PlanOptions,
    sounding: dict[str, list[Span]],
) -> Iterator[ClipJob | Obstacle]:
    footage = library.footage(clip)
    if isinstance(footage, Obstacle):
        yield footage
        return
    if too_short := _too_short(clip.span.duration, _frame_rate(clip.clip)):
        yield too_short
        return
    if options.existing == "skip" and _has_own_sound(clip, sounding):
        yield Obstacle("its own sound stands on the timeline", "--existing add sounds it too")
        return
    notes = read_notes(clip)
    yield from notes.obstacles
    wishes = choice.wishes(notes)
    if isinstance(wishes, Obstacle):
        yield wishes
        return
    for wish in wishes:
        if wish.sound_class in choice.known:
            job = _job(clip, footage, wish, notes.cues, options)
            yield job if options.obeys_cues or not job.cues else _cue_in_vain(len(job.cues))
        else:
            known = ", ".join(choice.known)
            yield Obstacle(
                f"the bundle has no sound class {wish.sound_class!r}",
                f"choose one it has ({known}) or another --bundle",
            )


def _job(
    clip: PlacedClip,
    footage: Footage,
    wish: SoundWish,
    cues: tuple[Fraction, ...],
    options: PlanOptions,
) -> ClipJob:
    part = wish.part or Span(Fraction(0), clip.span.duration)
    length = -(-part.duration.numerator * SAMPLE_RATE // part.duration.denominator) + 1
    samples = tuple(round_half_up((cue - part.start) * SAMPLE_RATE) for cue in cues if part.start <= cue < part.end)
    source_start = footage.start + footage.scalar * part.start
    source = {
        "start": str(source_start),
        "duration": str(part.duration * footage.scalar),
        "sound": wish.sound_class,
    }
    seed = int(_digest({"seed": options.seed, "media": footage.url, **source})[:16], 16)
    decides = {
        **source,
        "version": KEY_VERSION,
        "bundle": options.bundle_digest,
        "media": _fingerprint(footage.path),
        "scalar": str(footage.scalar),
        "seed": seed,
        "cues": samples,
    }
    return ClipJob(
        key=_digest(decides),
        label=_label(clip),
        index_path=clip.index_path,
        track_name=clip.track_name,
        media=footage.path,
        source_start=source_start,
        source_duration=part.duration * footage.scalar,
        time_scalar=footage.scalar,
        timeline_start=clip.span.start + part.start,
        timeline_end=clip.span.start + part.end,
        frame_rate=_frame_rate(clip.clip),
        picture_times=_picture_times(footage, part, length),
        length=length,
        sound_class=wish.sound_class,
        seed=seed,
        takes=options.takes,
        cues=samples,
    )


def _picture_times(footage: Footage, part: Span, length: int) -> tuple[Fraction, ...]:
    """One time for every step of the grid that `length` samples need; a step past the part's end repeats the last."""
    step = Fraction(FRAME_LENGTH, SAMPLE_RATE)
    count = steps_covering(length, FRAME_LENGTH)
    inside = steps_covering(-(-part.duration.numerator * SAMPLE_RATE // part.duration.denominator), FRAME_LENGTH)
    return tuple(footage.media_time(part.start + min(index, inside - 1) * step) for index in range(count))


def _too_short(duration: Fraction, frame_rate: float) -> Obstacle | None:
    if duration <= 0:
        return Obstacle("it has no length", "remove the clip, or give it one")
    rate = exact_rate(frame_rate)
    if rate is not None and duration * rate < 1:
        return Obstacle("it is shorter than one frame", "remove the clip, or make it longer")
    return None


def _cue_in_vain(count: int) -> Obstacle:
    return Obstacle(
        f"it carries {count} v2s:cue, and this bundle cannot start a sound where a marker says",
        "choose a bundle with envelope conditioning (such as --bundle starter), or take the marker off",
    )


def _frame_rate(clip: Any) -> float:
    """The rate in which a clip's length is written; where nothing is written, the delivery's own grid."""
    reference = clip.media_reference
    for time_range in (clip.source_range, reference.available_range if reference else None):
        if time_range is not None and exact_rate(time_range.duration.rate) is not None:
            return float(time_range.duration.rate)
    return float(DELIVERY_RATE)


def _own_sounds(placed: list[PlacedClip]) -> dict[str, list[Span]]:
    """Where the sound of each medium stands on an audio track, by `target_url`; what V2S made does not count."""
    sounding: dict[str, list[Span]] = {}
    for clip in placed:
        if clip.kind == otio.schema.TrackKind.Audio and clip.obstacle is None and not is_ours(clip.clip):
            for url in _urls(clip.clip):
                sounding.setdefault(url, []).append(clip.span)
    return sounding


def _has_own_sound(clip: PlacedClip, sounding: dict[str, list[Span]]) -> bool:
    """Whether the sound of the same file stands on the timeline at the same time."""
    return any(span.overlap(clip.span) for url in _urls(clip.clip) for span in sounding.get(url, ()))


def _urls(clip: Any) -> set[str]:
    references = clip.media_references().values()
    return {url for reference in references if (url := getattr(reference, "target_url", None))}


def _stray_notes(stack: Any) -> Iterator[Skip]:
    """Notes for V2S on the timeline or on a track: they would be lost without a word."""
    for owner in (stack, *(child for child in stack if isinstance(child, otio.core.Composition))):
        what = "the timeline" if owner is stack else f"the track {owner.name}"
        for marker in owner.markers:
            for note in notes_of(marker):
                yield Skip(note, what, f"a marker on {what} is not read: not yet", "put the marker on the clip")


def _label(clip: PlacedClip) -> str:
    return clip.clip.name or f"clip {clip.index_path[-1] + 1}"


def _fingerprint(media: Path) -> list[int]:
    """What tells one version of a media file from another, without reading it."""
    status = media.stat()
    return [status.st_size, status.st_mtime_ns]


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
