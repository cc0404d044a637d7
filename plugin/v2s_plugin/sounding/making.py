"""Sounds made and written: the takes that jobs lack, from whatever makes sounds.

A WAV is finished and written while the next sounds are sampled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from v2s_engine.progress import Progress
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import Skip
from v2s_plugin.planning.scenes import request_for, scenes_of
from v2s_plugin.sounding.deliveries import Deliveries
from v2s_plugin.sounding.sound_files import SoundFolder
from v2s_plugin.sounding.take_file import TakeFile
from v2s_plugin.timing.placement import Obstacle

if TYPE_CHECKING:
    from v2s_engine.pipeline import SoundFailure, SoundRequest, SoundTake
    from v2s_engine.sampling.choose import Choice


class SoundSource(Protocol):
    """What makes sounds: the engine's `SoundPipeline`, or a stand-in."""

    @property
    def choice(self) -> Choice:
        """What the sounds are made on, and why."""

    def generate(
        self, requests: Sequence[SoundRequest], progress: Progress | None = None
    ) -> Iterator[SoundTake | SoundFailure]:
        """Every take of every request, each as soon as it is finished."""


class MakeSource(Protocol):
    """Opens the sound source; called only where there is something to make."""

    def __call__(self, *, sounds: int, earlier: str | None) -> SoundSource:
        """A source for so many takes, beside others that were made on the device `earlier` (None: there are none)."""


@dataclass(frozen=True)
class _Making:
    """What one request is made for."""

    scenes: tuple[tuple[int, ...], ...]
    """Indices of the jobs that have one sound; several such where pictures are used several times (`scenes_of`)."""
    request: SoundRequest


def make_missing(
    jobs: Sequence[ClipJob],
    takes: Sequence[dict[int, TakeFile]],
    sounds: SoundFolder,
    make_source: MakeSource,
    *,
    earlier: str | None,
    progress: Progress,
) -> tuple[Choice | None, dict[int, Skip]]:
    """Have every take made that is not in `takes` (one dictionary a job), and put it there.

    Where one part of a scene lacks a take, it is made for the whole scene: other parts of it would not join. What comes
    out as it was stays.

    `earlier` is the device that made those. Returns the choice of a device (None where nothing was missing) and what
    failed, by job.
    """
    from v2s_engine.pipeline import SoundFailure  # noqa: PLC0415  (the whole engine: only where sound is made)

    making = {each.request: each.scenes for each in _find_missing(jobs, takes)}
    failed: dict[int, Skip] = {}
    if not making:
        return None, failed
    total = sum(len(request.takes) for request in making)
    source = make_source(sounds=total, earlier=earlier)
    done = 0

    def count(outcomes: int, label: str) -> None:
        nonlocal done
        done += outcomes
        progress.step("write", done, total, label)

    def deliver(made: SoundTake) -> None:
        for scene in making[made.request]:
            if all(made.take in takes[index] for index in scene):
                continue
            parts = [jobs[index] for index in scene]
            files = sounds.deliver(parts, made.take, made.samples, source.choice.device)
            for index, file in zip(scene, files, strict=True):
                there = takes[index].get(made.take)
                if there is None or there.sha256 != file.sha256:
                    takes[index][made.take] = file
        count(1, made.request.label)

    with Deliveries() as deliveries:
        for outcome in source.generate(tuple(making), progress):
            if isinstance(outcome, SoundFailure):
                failed |= _failures(jobs, making[outcome.request], Obstacle.of_error(outcome.error))
                deliveries.submit(partial(count, len(outcome.request.takes), outcome.request.label))
            else:
                deliveries.submit(partial(deliver, outcome))
            progress.check()
    return source.choice, failed


def takes_still_good(
    job: ClipJob,
    sounds: SoundFolder,
    standing: Mapping[str, Mapping[int, TakeFile]],
    noted: Mapping[str, Mapping[int, TakeFile]],
) -> dict[int, TakeFile]:
    """The takes of earlier runs that serve this job, by number.

    Of those `standing` on a timeline also the ones beyond what is asked for now: none is lost. Of those only `noted` in
    the folder what is asked for: an editor may have done away with the others.
    """
    known = {number: take for number, take in noted.get(job.key, {}).items() if number <= job.takes}
    known |= standing.get(job.key, {})
    reused = (sounds.reuse(job, take) for take in known.values())
    return {take.take: take for take in reused if take is not None}


def _find_missing(jobs: Sequence[ClipJob], takes: Sequence[dict[int, TakeFile]]) -> Iterator[_Making]:
    same: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
    for scene in scenes_of(jobs):
        same.setdefault(tuple(jobs[index].key for index in scene), []).append(scene)
    for scenes in same.values():
        parts = [jobs[index] for index in scenes[0]]
        wanted = range(1, max(job.takes for job in parts) + 1)
        missing = tuple(take for take in wanted if any(take not in takes[index] for scene in scenes for index in scene))
        if missing:
            yield _Making(tuple(scenes), request_for(parts, missing))


def _failures(jobs: Sequence[ClipJob], scenes: Iterable[Sequence[int]], why: Obstacle) -> dict[int, Skip]:
    """What is told of jobs whose sound failed."""
    failed: dict[int, Skip] = {}
    for scene in scenes:
        reason = why.reason if len(scene) == 1 else f"it is one sound with its neighbours, and {why.reason}"
        advice = why.advice if len(scene) == 1 else f"{why.advice}, or leave out --carry"
        failed |= {index: Skip(jobs[index].label, jobs[index].where, reason, advice) for index in scene}
    return failed
