"""The jobs of sounds that stand on a timeline, planned again as they were when the sounds were made.

A clip of ours remembers its key; one whose sound goes on over cuts (`scenes.py`) also the key that it would have alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from v2s_engine.errors import TimelineError
from v2s_plugin.ours import facts_of, text_of
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import PlanOptions
from v2s_plugin.planning.scenes import in_scenes
from v2s_plugin.takes.listing import ListedSound
from v2s_plugin.takes.recorded_guides import RecordedGuides


@dataclass(frozen=True)
class RecordedScene:
    """Jobs that have one sound, and the clips of ours that stand for them."""

    jobs: tuple[ClipJob, ...]
    """In order of time; a single one where a sound is its own."""
    sounds: tuple[tuple[ListedSound, ...], ...]
    """Of each job: several where an editor cut or copied its clip."""


def recorded_scenes(
    chosen: Sequence[ListedSound],
    listed: Sequence[ListedSound],
    bundle: BundleFacts,
    guides: RecordedGuides,
    planned: Callable[[PlanOptions], Sequence[ClipJob]],
) -> list[RecordedScene]:
    """The job of each chosen sound, with those whose sound is one with it, and all their sounds among those `listed`.

    `planned` plans the timeline; of several jobs that sound the same the nearest is meant. Raises `TimelineError` where
    the pictures of a sound have changed, or its scene is not whole any more.
    """
    shared = {name for sound in chosen if (name := _scene_name(sound))}
    mates = [sound for sound in listed if _scene_name(sound) in shared]
    known: dict[str, list[ClipJob]] = {}
    for options in _ways(chosen, bundle, guides):
        if all(_key_alone(sound) in known for sound in (*chosen, *mates)):
            break
        for job in planned(options):
            known.setdefault(job.key, []).append(job)
    alone = [sound for sound in chosen if not _scene_name(sound)]
    scenes = [RecordedScene((_nearest(sound, known.get(sound.standing.key, ())),), ((sound,),)) for sound in alone]
    for name in sorted(shared):
        scenes.append(_scene([sound for sound in mates if _scene_name(sound) == name], known))
    return scenes


def _scene(sounds: Sequence[ListedSound], known: Mapping[str, Sequence[ClipJob]]) -> RecordedScene:
    """The scene that all of these sounds are parts of. Raises `TimelineError` where it is not as it was."""
    with_job = [(sound, _nearest(sound, known.get(_key_alone(sound), ()))) for sound in sounds]
    parts = sorted({job: None for _, job in with_job}, key=lambda job: job.timeline_start)
    jobs = tuple(in_scenes(parts))
    of_job = tuple(tuple(sound for sound, job in with_job if job == part) for part in parts)
    for job, standing in zip(jobs, of_job, strict=True):
        for sound in standing:
            if sound.standing.key != job.key or _scene_facts(sound).get("count") != len(jobs):
                raise TimelineError(
                    f"{sound.name} ({sound.where}) shares its sound with clips that are not all there as they were, so "
                    "a take more would not join theirs; run v2s generate --carry again"
                )
    return RecordedScene(jobs, of_job)


def _nearest(sound: ListedSound, jobs: Sequence[ClipJob]) -> ClipJob:
    """Which of the jobs that sound the same a sound was made for."""
    if not jobs:
        raise TimelineError(
            f"no clip on the timeline shows what {sound.name} ({sound.where}) was made for: it was cut, marked or "
            "relinked since; run v2s generate again, or name a folder that holds its media with --search"
        )
    return min(jobs, key=lambda job: _distance(job, sound))


def _scene_facts(sound: ListedSound) -> Mapping[str, Any]:
    """What a sound's clip remembers of its scene; nothing where it has a sound of its own, or is damaged."""
    recorded: Any = facts_of(sound.standing.clip).get("scene")
    return recorded if hasattr(recorded, "get") else {}


def _scene_name(sound: ListedSound) -> str:
    return text_of(_scene_facts(sound), "name")


def _key_alone(sound: ListedSound) -> str:
    """The key of the job that a sound was made for, had it a sound of its own."""
    return text_of(_scene_facts(sound), "alone") or sound.standing.key


def _distance(job: ClipJob, sound: ListedSound) -> Fraction:
    """Seconds between a job and the place where V2S put a sound."""
    recorded = sound.standing.recorded
    return abs(job.timeline_start - recorded.start) if recorded else Fraction(0)


def _ways(sounds: Sequence[ListedSound], bundle: BundleFacts, guides: RecordedGuides) -> Iterator[PlanOptions]:
    """How the timeline may have been planned so that these sounds came of it: each way gives other keys."""
    facts = [
        (sound.sound_class, text_of(facts_of(sound.standing.clip), "call_seed"), guides.of(sound)) for sound in sounds
    ]
    for sound_class, seed, guide in dict.fromkeys(facts):
        if not seed.isdecimal() or int(seed) >= 2**64 or sound_class not in bundle.sound_classes:
            continue
        for covered, forced in product(("skip", "add"), (False, True)):
            yield PlanOptions(
                bundle,
                sound=None if forced else sound_class,
                sound_force=sound_class if forced else None,
                seed=int(seed),
                existing="add",
                covered=covered,
                guide=guide,
            )
