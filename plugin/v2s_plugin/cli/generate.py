"""`v2s generate`: the main job."""

from __future__ import annotations

from typing import Annotated

import typer

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_plugin.cli.options import (
    BundleOption,
    CarryOption,
    CoveredOption,
    DeviceOption,
    DuckByOption,
    DuckOption,
    EdlRateOption,
    EnvelopeFromOption,
    ExistingOption,
    FadeOption,
    ForceOption,
    FormatOption,
    InPlaceOption,
    JsonOption,
    LufsOption,
    MapOption,
    OnlyOption,
    OutputOption,
    PanOption,
    PruneOption,
    SearchOption,
    SeedOption,
    SoundForceOption,
    SoundOption,
    TakesOption,
    TimelineArgument,
    TracksOption,
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
    covered: CoveredOption = "skip",
    carry: CarryOption = False,
    only: OnlyOption = None,
    class_map: MapOption = None,
    search: SearchOption = None,
    envelope_from: EnvelopeFromOption = None,
    lufs: LufsOption = None,
    duck: DuckOption = None,
    duck_by: DuckByOption = None,
    pan: PanOption = "mono",
    fade: FadeOption = None,
    in_place: InPlaceOption = False,
    force: ForceOption = False,
    tracks: TracksOption = "per-class",
    prune: PruneOption = False,
    format: FormatOption = None,
    edl_rate: EdlRateOption = None,
    as_json: JsonOption = False,
) -> int:
    """Put sound under the pictures of a timeline.

    Writes cut_scored.otio and the folder cut_scored.media beside cut.otio, or where -o says; a bundle (.otioz, .otiod)
    takes the sounds in. Run again with --force, only what changed is made again.
    """
    from v2s_plugin.api import score
    from v2s_plugin.cli.answers import answer_json, exit_code, score_answer
    from v2s_plugin.cli.talk import say_result, watched_progress

    with watched_progress() as progress:
        result = score(
            timeline,
            output,
            sound=sound,
            sound_force=sound_force,
            bundle=bundle,
            takes=takes,
            seed=seed,
            device=device,
            rate=rate,
            existing=existing,
            covered=covered,
            carry=carry,
            only=only or (),
            class_map=class_map,
            search=search or (),
            envelope_from=envelope_from,
            lufs=lufs,
            duck=duck or (),
            duck_by=duck_by,
            pan=pan,
            fade=fade,
            in_place=in_place,
            force=force,
            tracks=tracks,
            prune=prune,
            format=format,
            edl_rate=edl_rate,
            progress=progress,
        )
    say_result(result)
    if as_json:
        answer_json(score_answer(result))
    else:
        print(result.output)
    return exit_code(result.skips)
