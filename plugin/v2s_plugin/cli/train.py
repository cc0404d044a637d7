"""`v2s train`: a SampleRNN from folders of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import JsonOption

SoundsOption = Annotated[
    Path, typer.Option("--sounds", metavar="DIR", help="Folder with one sub-folder of recordings per sound class.")
]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for checkpoints, log and previews.")
]
ClassOption = Annotated[
    list[str] | None, typer.Option("--class", metavar="CLASS", help="A sub-folder to train; again for more. Else all.")
]
ManifestOption = Annotated[
    Path | None,
    typer.Option("--manifest", metavar="CSV", help="Which recordings may be trained on or are held back; credits."),
]
PresetOption = Annotated[str, typer.Option("--preset", metavar="NAME", help="Size of the model.")]
StepsOption = Annotated[int, typer.Option("--steps", metavar="N", help="Optimiser steps of 8,192 samples in all.")]
HoursOption = Annotated[
    float | None, typer.Option("--max-hours", metavar="H", help="Stop, with a checkpoint, after so many hours.")
]
RateOption = Annotated[float, typer.Option("--learning-rate", metavar="X", help="Adam's, at its highest.")]
EveryOption = Annotated[int, typer.Option("--checkpoint-every", metavar="N", help="Steps between checkpoints.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same training.")]
DeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|cuda", help="Where to train.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in the output folder.")]


def train_command(
    sounds: SoundsOption,
    output: OutputOption,
    *,
    classes: ClassOption = None,
    manifest: ManifestOption = None,
    preset: PresetOption = "starter",
    steps: StepsOption = 16_000,
    max_hours: HoursOption = None,
    learning_rate: RateOption = 1.5e-3,
    checkpoint_every: EveryOption = 1_000,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    resume: ResumeOption = False,
    as_json: JsonOption = False,
) -> int:
    """Train a model on folders of recordings.

    No video is needed. At each checkpoint there is a sound and a spectrogram per class in OUTPUT/previews.
    """
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.cli.extras import needs_extra
    from v2s_plugin.cli.talk import say, watched_progress

    with needs_extra("training", "train"):
        from v2s_engine.train.session import SessionOptions, run_session
        from v2s_engine.train.stream import StreamOptions
        from v2s_engine.train.trainer import TrainOptions, check_device

    options = SessionOptions(
        sounds=sounds,
        training=TrainOptions(
            output=output,
            steps=steps,
            stream=StreamOptions(seed=seed),
            learning_rate=learning_rate,
            checkpoint_every=checkpoint_every,
            device=check_device(device),
            seed=seed,
        ),
        classes=tuple(classes or ()),
        manifest=manifest,
        preset=preset,
        resume=resume,
        max_hours=max_hours,
    )
    with watched_progress() as progress:
        result = run_session(options, progress)
    for file, reason in result.left_out:
        say(f"left out: {file}: {reason}")
    if as_json:
        answer_json({"checkpoint": str(result.checkpoint), "step": result.step, "samples": result.samples})
    else:
        print(result.checkpoint)
    return EXIT_DONE
