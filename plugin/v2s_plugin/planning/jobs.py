"""What is to be done: the clips of a timeline as clip jobs, and what cannot be done and why.

for job in plan(timeline, folder, options).jobs:
    ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import opentimelineio as otio

from v2s_engine.errors import UsageError
from v2s_plugin.media.coverage import covers, visible_parts
from v2s_plugin.media.footage import Footage, footage_of
from v2s_plugin.media.library import MediaLibrary, Probe
from v2s_plugin.media.own_sounds import OwnSounds
from v2s_plugin.media.relink import Relinked
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.class_map import NO_MAP, ClassMap
from v2s_plugin.planning.clip_job import ClipJob, frame_rate_of, label_of, make_job
from v2s_plugin.planning.scenes import in_scenes
from v2s_plugin.planning.selection import EVERYTHING, Selection
from v2s_plugin.planning.shots import Shot, read_shots
from v2s_plugin.planning.sounds import SoundChoice, SoundWish
from v2s_plugin.timing.placement import Obstacle, PlacedClip, place_clips
from v2s_plugin.timing.rates import Span, exact_rate
from v2s_plugin.timing.transitions import bad_transitions

if TYPE_CHECKING:
    from v2s_engine.guide import Guide

MAX_TAKES = 99

_NOTICED = Fraction(1, 10)
"""Seconds by which a guide may be too short without a word: recordings end a little early."""

Existing = Literal["skip", "add"]
"""What happens to clips whose own sound stands on the timeline."""

Covered = Literal["skip", "add"]
"""What happens to what other clips cover."""


@dataclass(frozen=True)
class PlanOptions:
    """What the call says. Raises `UsageError` for values that cannot be."""

    bundle: BundleFacts
    """What is to make the sounds."""
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
    covered: str = "skip"
    """What happens to pictures that an opaque clip on a higher track covers: one of `Covered`."""
    selection: Selection = EVERYTHING
    """Which clips are to be sounded."""
    class_map: ClassMap = NO_MAP
    """Classes by clip and file names."""
    search: tuple[Path, ...] = ()
    """Folders in which media are looked for that are not where the timeline says."""
    carry: bool = False
    """Whether clips that touch at a cut and have one sound class share one sound, which goes on over the cut."""
    guide: Guide | None = None
    """What says when and how loud instead of the pictures, from the timeline's start on."""

    def __post_init__(self) -> None:
        known = self.bundle.sound_classes
        for name in (self.sound, self.sound_force):
            if name is not None and name not in known:
                raise UsageError(f"the bundle has no sound class {name!r}; it has: {', '.join(known)}")
        if self.sound is not None and self.sound_force is not None:
            raise UsageError("--sound and --sound-force contradict each other; give one of them")
        if not 0 <= self.seed < 2**64:
            raise UsageError(f"a seed lies between 0 and {2**64 - 1}; got {self.seed}")
        if self.existing not in get_args(Existing):
            raise UsageError(f"existing must be one of {', '.join(get_args(Existing))}; got {self.existing!r}")
        if self.covered not in get_args(Covered):
            raise UsageError(f"covered must be one of {', '.join(get_args(Covered))}; got {self.covered!r}")
        if not isinstance(self.carry, bool):  # as JSON may say it
            raise UsageError(f"carry must be true or false; got {self.carry!r}")
        if self.carry and not self.bundle.crosses_cuts:
            raise UsageError(
                "--carry asks for sounds that go on over cuts, and this bundle starts each sound from the pictures of "
                "its clip; choose a bundle with frame or envelope conditioning (such as --bundle starter), or leave "
                "--carry out"
            )
        if self.guide is not None and not self.bundle.obeys_cues:
            raise UsageError(
                f"--envelope-from {self.guide.path.name} says when sounds start, and this bundle goes by the pictures "
                "alone; choose a bundle with envelope conditioning (such as --bundle starter), or leave it out"
            )
        if not 1 <= self.takes <= MAX_TAKES:
            raise UsageError(f"takes must lie between 1 and {MAX_TAKES}; got {self.takes}")
        self.selection.check_classes(known)
        self.class_map.check_classes(known)


@dataclass(frozen=True)
class Skip:
    """Something that is not sounded."""

    label: str
    where: str
    reason: str
    advice: str
    """What the editor can do about it."""
    switched_off: bool = False
    """Whether the editor wants it so: it is disabled."""

    def __str__(self) -> str:
        return f"{self.label} ({self.where}): {self.reason}; {self.advice}"


@dataclass(frozen=True)
class Plan:
    """What would be done: every selected video clip is in `jobs` (once for each of its sounds) or in `skips`."""

    jobs: tuple[ClipJob, ...]
    skips: tuple[Skip, ...]
    unselected: tuple[str, ...] = ()
    """Name and place of each clip that `--only` leaves out."""
    unselected_jobs: tuple[ClipJob, ...] = ()
    """What an earlier run may have made for what is left out: it stays as it is."""
    warnings: tuple[str, ...] = ()
    relinked: tuple[Relinked, ...] = ()
    """Media that were found in the folders to search."""


def plan(timeline: Any, folder: Path, options: PlanOptions, *, probe: Probe | None = None) -> Plan:
    """Every clip of a timeline as jobs or as skips with their reasons.

    `folder` is the timeline's own (relative media count from there); `probe` looks into media files, by default the
    engine's. The timeline is not changed. Raises `UsageError` where the selection fits no clip.
    """
    library = MediaLibrary(folder, probe, search=options.search)
    placed = list(place_clips(timeline, library.length))
    choice = SoundChoice(options.bundle.sound_classes, options.sound, options.sound_force, options.class_map)
    shots, strays = read_shots(timeline, placed, library, choice)
    chosen = options.selection.pick(timeline, [shot.candidate for shot in shots])
    seen = visible_parts(placed, lambda clip: covers(clip, library)) if options.covered == "skip" else {}
    planner = _Planner(options, library, choice, OwnSounds(placed, folder), seen)
    skips = [*_bad_transitions(timeline)]
    skips += [Skip(note.text, note.where, note.obstacle.reason, note.obstacle.advice) for note in strays]
    jobs: list[ClipJob] = []
    left_out: list[ClipJob] = []
    unselected: list[str] = []
    for shot in shots:
        if shot.clip.index_path not in chosen:
            unselected.append(f"{label_of(shot.clip)} ({shot.clip.where})")
            left_out += planner.any_jobs(shot)
            continue
        for found in planner.jobs(shot):
            if isinstance(found, Obstacle):
                why = (found.reason, found.advice, found.switched_off)
                skips.append(Skip(label_of(shot.clip), shot.clip.where, *why))
            elif options.selection.sound_classes and found.sound_class not in options.selection.sound_classes:
                left_out.append(found)
            else:
                jobs.append(found)
    warnings = options.class_map.unused([shot.names for shot in shots]) + _guide_ends(options.guide, jobs)
    if options.carry:
        jobs = in_scenes(jobs)
    return Plan(tuple(jobs), tuple(skips), tuple(unselected), tuple(left_out), warnings, library.relinked)


@dataclass(frozen=True)
class _Planner:
    """What decides about every clip."""

    options: PlanOptions
    library: MediaLibrary
    choice: SoundChoice
    own_sounds: OwnSounds
    seen: Mapping[tuple[int, ...], tuple[Span, ...]]
    """What is seen of each clip, in seconds from its start; of one that is not in it, all."""

    def jobs(self, shot: Shot) -> Iterator[ClipJob | Obstacle]:
        """The jobs of a selected clip, and what stands against others."""
        footage = self._footage(shot.clip)
        if isinstance(footage, Obstacle):
            yield footage
            return
        if self.options.existing == "skip" and self.own_sounds.has(shot.clip):
            yield Obstacle("its own sound stands on the timeline", "--existing add sounds it too")
            return
        yield from shot.notes.obstacles
        if not footage.moves and not shot.asked_for:
            still = "a still image" if footage.info.still else "a freeze frame"
            yield Obstacle(f"it is {still}, in which nothing moves", "a marker v2s:sound=CLASS on it sounds it too")
            return
        if isinstance(shot.wishes, Obstacle):
            yield shot.wishes
            return
        if not self._parts(shot):
            yield Obstacle("other clips cover it", "--covered add, or a marker v2s:sound=CLASS on it, sounds it too")
            return
        for wish in shot.wishes:
            if wish.sound_class in self.choice.known:
                for job in self._made(shot, footage, wish):
                    yield job if self.options.bundle.obeys_cues or not job.cues else _cue_in_vain(len(job.cues))
            else:
                known = ", ".join(self.choice.known)
                yield Obstacle(
                    f"the bundle has no sound class {wish.sound_class!r}",
                    f"choose one it has ({known}) or another --bundle",
                )

    def any_jobs(self, shot: Shot) -> Iterator[ClipJob]:
        """What any earlier call may have made for a clip.

        That call may have had another `--sound`, so where nothing is noted on the clip, every class may be there.
        """
        footage = self._footage(shot.clip)
        if not isinstance(footage, Obstacle):
            noted = [wish for wish in shot.notes.wishes if wish.sound_class in self.choice.known]
            for wish in noted or [SoundWish(sound_class) for sound_class in self.choice.known]:
                yield from self._made(shot, footage, wish)

    def _footage(self, clip: PlacedClip) -> Footage | Obstacle:
        footage = footage_of(clip, self.library)
        if isinstance(footage, Obstacle):
            return footage
        return _too_short(clip.span.duration, frame_rate_of(clip.clip)) or footage

    def _parts(self, shot: Shot) -> list[Span]:
        """The stretches of a clip to be sounded: all of it where a note asks for it, else what is seen of it."""
        whole = Span(Fraction(0), shot.clip.span.duration)
        if shot.notes.wishes:
            return [whole]
        rate = frame_rate_of(shot.clip.clip)
        parts = self.seen.get(shot.clip.index_path, (whole,))
        return [part for part in parts if _too_short(part.duration, rate) is None]

    def _made(self, shot: Shot, footage: Footage, wish: SoundWish) -> Iterator[ClipJob]:
        for part in self._parts(shot):
            yield make_job(
                shot.clip,
                footage,
                wish if wish.part else replace(wish, part=part),
                shot.notes.cues,
                bundle_digest=self.options.bundle.digest,
                seed=self.options.seed,
                takes=self.options.takes,
                guide=self.options.guide,
            )


def _bad_transitions(timeline: Any) -> Iterator[Skip]:
    for track in timeline.tracks.find_children(otio.schema.Track):
        if track.kind == otio.schema.TrackKind.Video:
            for transition in bad_transitions(track):
                yield Skip(
                    transition.name or "transition",
                    f"a transition on {track.name or 'a track'}",
                    "its length is no time, so the sounds beside it end at the cut",
                    "make the transition again and export again",
                )


def _guide_ends(guide: Guide | None, jobs: Sequence[ClipJob]) -> tuple[str, ...]:
    """What to warn of where a guide is over before the sounds that are to follow it."""
    beyond = [job for job in jobs if guide is not None and job.sound_end > guide.duration + _NOTICED]
    if guide is None or not beyond:
        return ()
    first = min(beyond, key=lambda job: job.sound_end)
    which = f"{len(beyond)} of {len(jobs)} sounds" if len(jobs) > 1 else "the sound"
    return (
        f"the guide {guide.path.name} ends at {float(guide.duration):.3f} s of the timeline, and {which} "
        f"{'goes' if len(beyond) == 1 else 'go'} on after that in silence, the first being {first.label} "
        f"({first.where})",
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
