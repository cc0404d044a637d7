"""Requests about shots: a host that places sounds itself gets their files, and no timeline is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from v2s_engine.errors import OutputError
from v2s_engine.progress import Progress
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import Plan, plan
from v2s_plugin.protocol import Done, Failed, GenerateRequest, ShotAsked
from v2s_plugin.sounding.making import make_missing, takes_still_good
from v2s_plugin.sounding.sound_files import SoundFolder
from v2s_plugin.sounding.take_file import ScoredJob, TakeFile, device_of
from v2s_plugin.tracks.sound_clips import ClipStyle
from v2s_plugin.tracks.writeback import with_sound_tracks
from v2s_plugin.worker.asked import Asked, absolute, stoppable_probe
from v2s_plugin.worker.failures import nothing_to_score, skip_told
from v2s_plugin.worker.reporter import Reporter, TellingFolder
from v2s_plugin.worker.shot_timeline import ShotTimeline, lay_out


def plan_shots(shots: Sequence[ShotAsked], asked: Asked, progress: Progress) -> tuple[ShotTimeline, Plan]:
    """The shots as a timeline, and what would be done; a shot that asks for takes of its own gets them."""
    laid = lay_out(shots)
    for takes in {shot.takes for shot in shots if shot.takes is not None}:
        replace(asked.options.plan, takes=takes)  # raises `UsageError` for a number that cannot be
    found = plan(laid.timeline, Path("/"), asked.options.plan, probe=stoppable_probe(progress))
    jobs = tuple(replace(job, takes=laid.shot_of(job).takes or job.takes) for job in found.jobs)
    return laid, replace(found, jobs=jobs)


def generate_shots(request: GenerateRequest, reporter: Reporter, progress: Progress) -> Done | Failed:
    """Make the sounds of shots; each take is told of once its file will not be replaced by another any more.

    Where none can be sounded, the answer tells why of each.
    """
    asked = Asked.shots(request.options)
    levels = asked.options.levels
    laid, todo = plan_shots(request.shots, asked, progress)
    skips = tuple(skip_told(skip, laid.id_of_skip(skip)) for skip in todo.skips)
    if not todo.jobs:
        return nothing_to_score(request.id, skips)

    def tell(job: ClipJob, take: TakeFile) -> None:
        if not levels.asked:  # else another file stands for it in the end
            reporter.clip(job, take, laid.shot_of(job).id)

    sounds = TellingFolder(_media_folder(request.media_folder or ""), asked.options.rate, tell)
    noted = sounds.noted()
    takes = [takes_still_good(job, sounds, {}, noted) for job in todo.jobs]
    device = device_of(takes)
    choice, failed = make_missing(todo.jobs, takes, sounds, asked.make_source, earlier=device, progress=progress)
    scored = tuple(ScoredJob.of(job, takes[index]) for index, job in enumerate(todo.jobs) if index not in failed)
    skips += tuple(skip_told(skip, laid.shot_of(todo.jobs[index]).id) for index, skip in failed.items())
    if not scored:
        return nothing_to_score(request.id, skips)
    warnings = (*todo.warnings, *(choice.warnings if choice else ()))
    if levels.asked:
        scored, more = _levelled(laid, asked, scored, sounds, progress)
        warnings += more
        for sound in scored:
            reporter.clips(sound, laid.shot_of(sound.job).id)
    return Done(
        id=request.id,
        output=None,
        media_folder=str(sounds.path),
        scored=len(scored),
        skips=skips,
        warnings=warnings,
        device=choice.device if choice else None,
    )


def _levelled(
    laid: ShotTimeline, asked: Asked, scored: tuple[ScoredJob, ...], sounds: SoundFolder, progress: Progress
) -> tuple[tuple[ScoredJob, ...], tuple[str, ...]]:
    """Sounds with the levels asked for, as if they stood on one track for each class; and what to warn of."""
    from v2s_plugin.levels.mixing import mix  # noqa: PLC0415  (NumPy and FFmpeg: only where levels are asked for)

    style = ClipStyle(asked.facts, "plain", sounds.path, asked.options.plan.seed)
    mixed = mix(
        with_sound_tracks(laid.timeline, scored, style).timeline,
        scored,
        asked.options.levels,
        sounds,
        folder=sounds.path,
        timeline_folder=sounds.path,
        style="plain",
        progress=progress,
    )
    return mixed.scored, mixed.warnings


def _media_folder(path: str) -> Path:
    folder = absolute(path, "media_folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {folder} for the sounds: {error.strerror or error}; choose another folder"
        ) from error
    return folder
