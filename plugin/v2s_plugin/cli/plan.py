"""`v2s plan`: what would be done, and what cannot be done and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_plugin.cli.options import (
    BundleOption,
    CarryOption,
    CoveredOption,
    EdlRateOption,
    EnvelopeFromOption,
    ExistingOption,
    JsonOption,
    MapOption,
    OnlyOption,
    SearchOption,
    SoundForceOption,
    SoundOption,
    TimelineArgument,
)

if TYPE_CHECKING:
    from v2s_plugin.planning.jobs import Plan


def plan_command(
    timeline: TimelineArgument,
    *,
    sound: SoundOption = None,
    sound_force: SoundForceOption = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    existing: ExistingOption = "skip",
    covered: CoveredOption = "skip",
    carry: CarryOption = False,
    only: OnlyOption = None,
    class_map: MapOption = None,
    search: SearchOption = None,
    envelope_from: EnvelopeFromOption = None,
    edl_rate: EdlRateOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show what would be done, and what cannot and why.

    Writes nothing. Takes the options of `v2s generate` that decide what is sounded.
    """
    from v2s_plugin.cli.answers import answer_json, exit_code, plan_answer
    from v2s_plugin.engine import open_bundle
    from v2s_plugin.options import score_options
    from v2s_plugin.planning.jobs import plan
    from v2s_plugin.timeline import open_timeline

    _, facts = open_bundle(bundle)
    options = score_options(
        facts,
        sound=sound,
        sound_force=sound_force,
        existing=existing,
        covered=covered,
        carry=carry,
        only=only or (),
        map=class_map,
        search=search or (),
        envelope_from=envelope_from,
        edl_rate=edl_rate,
    )
    with open_timeline(timeline, options.read) as cut:
        found = plan(cut.timeline, cut.folder, options.plan)
    if as_json:
        answer_json(plan_answer(found, facts.name))
    else:
        _show(found)
    return exit_code(found.skips)


def _show(found: Plan) -> None:
    from v2s_plugin.cli.answers import counted
    from v2s_plugin.cli.talk import say

    for relinked in found.relinked:
        say(f"relinked: {relinked}")
    for warning in found.warnings:
        say(f"warning: {warning}")
    for job in found.jobs:
        cues = f", {counted(len(job.cues), 'cue')}" if job.cues else ""
        goes_on = ", goes on from the clip before" if job.joins[0] else ""
        print(f"{job.where}: {job.label}: {job.sound_class}, {float(job.duration):.3f} s{cues}{goes_on}")
    for skip in found.skips:
        print(f"{skip.where}: {skip.label}: skipped: {skip.reason}; {skip.advice}")
    left_out = f", {counted(len(found.unselected), 'clip')} not selected" if found.unselected else ""
    print(f"{counted(len(found.jobs), 'sound')}, {len(found.skips)} skipped{left_out}")
