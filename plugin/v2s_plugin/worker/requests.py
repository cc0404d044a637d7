"""What the worker does for a request: the same code as the command line's, over a timeline file or over shots.

last = plan_request(message, progress)                      what would be done
last = generate_request(message, reporter, progress)        the sounds, each told as it is finished

Both raise the errors of V2S; where no shot can be sounded, the answer is a `Failed` that tells why of each.
"""

from __future__ import annotations

from v2s_engine.progress import Progress
from v2s_plugin.planning.jobs import Plan, plan
from v2s_plugin.protocol import Done, Failed, GenerateRequest, JobTold, Planned, PlanRequest
from v2s_plugin.scoring import score_file
from v2s_plugin.timeline import open_timeline
from v2s_plugin.worker.asked import Asked, absolute, stoppable_probe
from v2s_plugin.worker.failures import skip_told
from v2s_plugin.worker.reporter import Reporter
from v2s_plugin.worker.shot_requests import generate_shots, plan_shots
from v2s_plugin.worker.shot_timeline import ShotTimeline


def plan_request(request: PlanRequest, progress: Progress) -> Planned:
    """What would be done for a request. Writes nothing."""
    if request.timeline is None:
        laid, found = plan_shots(request.shots, Asked.shots(request.options), progress)
        return _planned(request, found, laid)
    asked = Asked.file(request.options)
    with open_timeline(absolute(request.timeline, "timeline"), asked.options.read) as cut:
        found = plan(cut.timeline, cut.folder, asked.options.plan, probe=stoppable_probe(progress))
    return _planned(request, found, None)


def generate_request(request: GenerateRequest, reporter: Reporter, progress: Progress) -> Done | Failed:
    """Do what is asked; every finished clip is told of."""
    if request.timeline is None:
        return generate_shots(request, reporter, progress)
    output = None if request.output is None else absolute(request.output, "output")
    asked = Asked.file(request.options, output)
    timeline = absolute(request.timeline, "timeline")
    result = score_file(timeline, asked.options, asked.make_source, progress, probe=stoppable_probe(progress))
    for sound in result.scored:
        reporter.clips(sound, None)
    return Done(
        id=request.id,
        output=str(result.output),
        media_folder=str(result.media_folder),
        scored=len(result.scored),
        skips=tuple(map(skip_told, result.skips)),
        warnings=result.warnings,
        device=result.device_name,
    )


def _planned(request: PlanRequest, found: Plan, laid: ShotTimeline | None) -> Planned:
    jobs = tuple(
        JobTold(
            shot=laid.shot_of(job).id if laid else None,
            label=job.label,
            where=job.where,
            sound=job.sound_class,
            duration=job.duration,
            takes=job.takes,
        )
        for job in found.jobs
    )
    skips = tuple(skip_told(skip, laid.id_of_skip(skip) if laid else None) for skip in found.skips)
    return Planned(request.id, jobs, skips, found.warnings)
