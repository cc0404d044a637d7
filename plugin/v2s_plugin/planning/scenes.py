"""Scenes: clips in a row that have one sound, so that an ambience does not start anew at every cut.

    pictures   | a      | b    | c           |
    alone      | ~~~~~~ | ~~~~ | ~~~~~~~~~~~ |     a sound each
    in a scene | ~~~~~~~~~~~~~~~~~~~~~~~~~~~ |     one sound, cut into a WAV for each clip

A scene's sound has one grid of 64 ms from its start, and one line of random numbers, those of its first clip. At each
step the clip is looked at that is on screen at the step's start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from v2s_engine.grid import SAMPLE_RATE, round_half_up
from v2s_plugin.planning.clip_job import ClipJob, ScenePart, digest_of, picture_seconds, whole_samples

if TYPE_CHECKING:
    from v2s_engine.pipeline import SoundRequest

_HEARD_AHEAD = Fraction(1, 2)
"""Seconds within which what follows a cut can be heard before it: a cue quiets the quarter second before it, a picture
of the grid stands for 64 ms, and an envelope is seen 32 ms ahead."""


def in_scenes(jobs: Sequence[ClipJob]) -> list[ClipJob]:
    """The same jobs, those of one sound class that touch at a cut as parts of one scene, with the keys that this gives.

    It does not matter on which tracks they are; the same one goes first. A transition between two clips, whose sounds
    cross-fade, parts them.
    """
    carried = list(jobs)
    for scene in _chains(jobs):
        keys = list(_chained_keys([jobs[index] for index in scene]))
        first = jobs[scene[0]]
        name = digest_of({"key": keys[-1], "path": first.index_path, "start": str(first.timeline_start)})
        for position, (index, key) in enumerate(zip(scene, keys, strict=True)):
            part = ScenePart(name, position, len(scene), jobs[index].key)
            carried[index] = replace(jobs[index], key=key, part=part)
    return carried


def scenes_of(jobs: Sequence[ClipJob]) -> list[tuple[int, ...]]:
    """The indices of jobs that have one sound, in order of time; a job with a sound of its own stands alone.

    Every part of a scene must be among them.
    """
    alone = [(index,) for index, job in enumerate(jobs) if job.part is None]
    parts = sorted((job.part.scene, job.part.position, index) for index, job in enumerate(jobs) if job.part)
    shared = [tuple(index for *_, index in scene) for _, scene in groupby(parts, key=lambda part: part[0])]
    return sorted(alone + shared)


def request_for(scene: Sequence[ClipJob], takes: tuple[int, ...]) -> SoundRequest:
    """What the engine is asked for: takes of one sound for jobs in order of time, of which each begins where the one
    before it ends.
    """
    from v2s_engine.conditioner import PictureRun  # noqa: PLC0415  (the whole engine: only where sound is made)
    from v2s_engine.pipeline import SoundRequest  # noqa: PLC0415  (as above)

    first, start = scene[0], scene[0].sound_start
    duration = scene[-1].sound_end - start
    seen = _seen(scene, duration) if len(scene) > 1 else [(first, first.picture_times)]
    length = whole_samples(duration) + 1
    return SoundRequest(
        media=first.media,
        picture_times=seen[0][1],
        length=length,
        sound_class=first.sound_class,
        seed=first.seed,
        takes=takes,
        cues=tuple(round_half_up((job.sound_start - start) * SAMPLE_RATE) + cue for job in scene for cue in job.cues),
        label=first.label if len(scene) == 1 else f"{first.label} to {scene[-1].label}",
        after_cuts=tuple(PictureRun(job.media, times) for job, times in seen[1:]),
        envelope=first.guide.part(start, length) if first.guide else None,
    )


def _seen(scene: Sequence[ClipJob], duration: Fraction) -> list[tuple[ClipJob, tuple[Fraction, ...]]]:
    """The jobs that are on screen at any step of a scene's grid, and the media seconds looked at of each."""
    times: dict[int, list[Fraction]] = {}
    at = 0
    for second in (scene[0].sound_start + second for second in picture_seconds(duration)):
        while at + 1 < len(scene) and scene[at + 1].timeline_start <= second:
            at += 1
        times.setdefault(at, []).append(scene[at].warp.picture_at(second - scene[at].timeline_start))
    return [(scene[at], tuple(seconds)) for at, seconds in times.items()]


def _chained_keys(scene: Sequence[ClipJob]) -> Iterator[str]:
    """The key of each job in a scene: from its own, from all before it, and from what can be heard ahead of its end."""
    chain = ""
    for position, job in enumerate(scene):
        chain = digest_of({"after": chain, "key": job.key})
        end = position + 1
        while end < len(scene) and scene[end].timeline_start < job.timeline_end + _HEARD_AHEAD:
            end += 1
        ahead = [each.key for each in scene[position + 1 : end]]
        yield digest_of({"scene": chain, "ahead": ahead})


def _chains(jobs: Sequence[ClipJob]) -> list[list[int]]:
    """The indices of jobs that touch, two or more in a row, in order of time."""
    follows = _followers(jobs)
    later = set(follows.values())
    chains = []
    for first in sorted(follows.keys() - later, key=lambda index: (jobs[index].timeline_start, index)):
        chain = [first]
        while chain[-1] in follows:
            chain.append(follows[chain[-1]])
        chains.append(chain)
    return chains


def _followers(jobs: Sequence[ClipJob]) -> dict[int, int]:
    """Which job goes on where one ends; a job follows one at most."""
    starting: dict[tuple[str, Fraction], list[int]] = {}
    for index, job in enumerate(jobs):
        if not job.handles.before:
            starting.setdefault((job.sound_class, job.timeline_start), []).append(index)
    follows: dict[int, int] = {}
    taken: set[int] = set()
    for same_track in (True, False):
        for index, job in enumerate(jobs):
            if index in follows or job.handles.after:
                continue
            free = [each for each in starting.get((job.sound_class, job.timeline_end), ()) if each not in taken]
            wanted = (each for each in free if not same_track or jobs[each].index_path[:-1] == job.index_path[:-1])
            if (after := next(wanted, None)) is not None:
                follows[index] = after
                taken.add(after)
    return follows
