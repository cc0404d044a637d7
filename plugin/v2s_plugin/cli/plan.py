"""`v2s plan`: what would be done, and what cannot be done and why."""

from __future__ import annotations

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_plugin.cli.options import (
    BundleOption,
    ExistingOption,
    JsonOption,
    SoundForceOption,
    SoundOption,
    TimelineArgument,
)


def plan_command(
    timeline: TimelineArgument,
    *,
    sound: SoundOption = None,
    sound_force: SoundForceOption = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    existing: ExistingOption = "skip",
    as_json: JsonOption = False,
) -> int:
    """Show what would be done, and what cannot and why.

    Writes nothing. Takes the options of `v2s generate` that decide what is sounded.
    """
    from v2s_plugin.cli.answers import answer_json, counted, exit_code, job_answer, skip_answer
    from v2s_plugin.engine import open_bundle
    from v2s_plugin.jobs import PlanOptions, plan
    from v2s_plugin.timeline import read_timeline

    cut = read_timeline(timeline)
    _, facts = open_bundle(bundle)
    options = PlanOptions(
        bundle_digest=facts.digest,
        sound_classes=facts.sound_classes,
        obeys_cues=facts.obeys_cues,
        sound=sound,
        sound_force=sound_force,
        existing=existing,
    )
    found = plan(cut, timeline.absolute().parent, options)
    if as_json:
        answer_json(
            {
                "bundle": facts.name,
                "jobs": [job_answer(job) for job in found.jobs],
                "skips": [skip_answer(skip) for skip in found.skips],
            }
        )
        return exit_code(found.skips)
    for job in found.jobs:
        cues = f", {counted(len(job.cues), 'cue')}" if job.cues else ""
        print(f"{job.where}: {job.label}: {job.sound_class}, {float(job.duration):.3f} s{cues}")
    for skip in found.skips:
        print(f"{skip.where}: {skip.label}: skipped: {skip.reason}; {skip.advice}")
    print(f"{counted(len(found.jobs), 'sound')}, {len(found.skips)} skipped")
    return exit_code(found.skips)
