"""`v2s generate`: the main job."""

from __future__ import annotations

from typing import Annotated

import typer

from v2s_plugin.cli.options import (
    DEFAULT_BUNDLE,
    BundleOption,
    DeviceOption,
    ExistingOption,
    ForceOption,
    InPlaceOption,
    JsonOption,
    OutputOption,
    SeedOption,
    SoundForceOption,
    SoundOption,
    TakesOption,
    TimelineArgument,
)

RateOption = Annotated[int, typer.Option("--rate", metavar="44100|48000|96000", help="Samples per second of the WAVs.")]


def generate_command(
    timeline: TimelineArgument,
    *,
    output: OutputOption = None,
    sound: SoundOption = None,
    sound_force: SoundForceOption = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    takes: TakesOption = 1,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    rate: RateOption = 48_000,
    existing: ExistingOption = "skip",
    in_place: InPlaceOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Put sound under the pictures of a timeline.

    Writes cut_scored.otio and the folder cut_scored.media beside cut.otio, or where -o says. Run again with --force,
    only what changed is made again.
    """
    from v2s_plugin.cli.answers import answer_json, exit_code, score_answer
    from v2s_plugin.cli.options import check_device, open_bundle, open_pipeline
    from v2s_plugin.cli.talk import say_result, watched_progress
    from v2s_plugin.jobs import PlanOptions
    from v2s_plugin.scoring import ScoreOptions, score_file

    check_device(device)
    model, facts = open_bundle(bundle)
    options = ScoreOptions(
        plan=PlanOptions(
            bundle_digest=facts.digest,
            sound_classes=facts.sound_classes,
            sound=sound,
            sound_force=sound_force,
            seed=seed,
            takes=takes,
            existing=existing,
        ),
        bundle=facts,
        output=output,
        rate=rate,
        in_place=in_place,
        force=force,
    )
    with watched_progress() as progress:
        result = score_file(timeline, options, lambda: open_pipeline(model, device), progress)
    say_result(result)
    if as_json:
        answer_json(score_answer(result) | {"bundle": facts.name})
    else:
        print(result.output)
    return exit_code(result.skips)
