"""What is to be done: the clips of a timeline as clip jobs, and what cannot be done and why.

for job in plan(timeline, folder, options).jobs:
    ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

import opentimelineio as otio

from v2s_engine.errors import UsageError
from v2s_plugin.clip_job import ClipJob, frame_rate_of, label_of, make_job
from v2s_plugin.footage import footage_of
from v2s_plugin.media_library import MediaLibrary, Probe
from v2s_plugin.ours import is_ours
from v2s_plugin.placement import Obstacle, PlacedClip, place_clips
from v2s_plugin.rates import Span, exact_rate
from v2s_plugin.sounds import SoundChoice, notes_of, read_notes

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
                    skips.append(Skip(label_of(clip), clip.where, found.reason, found.advice))
    return Plan(tuple(jobs), tuple(skips))


def _clip_jobs(
    clip: PlacedClip,
    library: MediaLibrary,
    choice: SoundChoice,
    options: PlanOptions,
    sounding: dict[str, list[Span]],
) -> Iterator[ClipJob | Obstacle]:
    footage = footage_of(clip, library)
    if isinstance(footage, Obstacle):
        yield footage
        return
    if too_short := _too_short(clip.span.duration, frame_rate_of(clip.clip)):
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
            job = make_job(
                clip,
                footage,
                wish,
                notes.cues,
                bundle_digest=options.bundle_digest,
                seed=options.seed,
                takes=options.takes,
            )
            yield job if options.obeys_cues or not job.cues else _cue_in_vain(len(job.cues))
        else:
            known = ", ".join(choice.known)
            yield Obstacle(
                f"the bundle has no sound class {wish.sound_class!r}",
                f"choose one it has ({known}) or another --bundle",
            )


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
