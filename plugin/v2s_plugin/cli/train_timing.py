"""`v2s train-timing`: the picture-to-envelope network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import JsonOption

OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for weights, checkpoint, log and report.")
]
ManifestOption = Annotated[
    Path | None,
    typer.Option("--manifest", metavar="CSV", help="Recorded clips to train on beside the rendered scenes."),
]
ScenesOption = Annotated[int, typer.Option("--scenes", metavar="N", help="Rendered scenes of four seconds.")]
HeldOption = Annotated[int, typer.Option("--held-scenes", metavar="N", help="Rendered scenes that only judge.")]
PassesOption = Annotated[int, typer.Option("--passes", metavar="N", help="How often each scene is seen.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same training.")]


def train_timing_command(
    output: OutputOption,
    *,
    manifest: ManifestOption = None,
    scenes: ScenesOption = 1500,
    held_scenes: HeldOption = 60,
    passes: PassesOption = 12,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> int:
    """Train the network that tells timing from pictures.

    On rendered scenes whose sound is known, and on recorded clips with their own sound. Goes on where a stopped
    training stands in the output folder.
    """
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.cli.extras import needs_extra
    from v2s_plugin.cli.talk import watched_progress

    with needs_extra("training", "train"):
        from v2s_engine.train.timing import TimingOptions, train_timing

    options = TimingOptions(
        output=output, manifest=manifest, scenes=scenes, held_scenes=held_scenes, passes=passes, seed=seed
    )
    with watched_progress() as progress:
        weights = train_timing(options, progress)
    if as_json:
        answer_json({"weights": str(weights)})
    else:
        print(weights)
    return EXIT_DONE
