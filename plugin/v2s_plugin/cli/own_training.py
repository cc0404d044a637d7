"""From the options of `v2s train --sounds DIR --name NAME` to a bundle of one's own sound, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

from v2s_engine.errors import UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.train.own_session import OwnSessionOptions
from v2s_engine.train.preview import PREVIEW_LENGTH, PreviewOptions
from v2s_engine.train.stream import StreamOptions
from v2s_engine.train.trainer import check_device
from v2s_export.own_sounds import REPORT, OwnSounds, check_name, make_own_sounds
from v2s_plugin.cli.answers import EXIT_DONE, answer_json
from v2s_plugin.cli.talk import say, watched_progress
from v2s_plugin.cli.training import OF_CLIPS, TrainArguments, given_or, model_changes, refuse

STARTER, RANDOM = "starter", "none"
"""What `--from` is where it is not given, and what it is for random weights."""


def run_own_training(given: TrainArguments, name: str) -> int:
    """Train, make the bundle and say how good it is; the exit code."""
    check_name(name)
    if given.sounds is None:
        raise UsageError("--name wants --sounds DIR, a folder of recordings of that sound")
    options = own_options(given, name)
    with watched_progress() as progress:
        made = make_own_sounds(options, progress, say)
    for file, reason in made.training.session.left_out:
        say(f"left out: {file}: {reason}")
    say(f"the report lies in {given.output / REPORT}; put the sound under a cut with:")
    say(f"  v2s generate cut.otio --bundle {_quoted(str(made.bundle.path))} --sound {_quoted(name)}")
    if given.as_json:
        answer_json(own_answer(made))
    else:
        print(made.report, end="")
        print(f"\nBundle: {made.bundle.path}")
    return EXIT_DONE


def own_options(given: TrainArguments, name: str) -> OwnSessionOptions:
    """What is asked for; raises `UsageError` for options that do not go with `--name`."""
    if given.sounds is None:
        raise UsageError("--name wants --sounds DIR, a folder of recordings of that sound")
    refuse(given, OF_CLIPS, "belongs to --data, and --name to --sounds; leave one of them away")
    wrong = ("data", "classes", "manifest", "synthetic", "preset", "truncation")
    refuse(given, wrong, "does not go with --name, which takes a plain folder of one sound; leave one of them away")
    origin = None if given.origin == RANDOM else given.origin or STARTER
    stream = StreamOptions()
    seconds = given.preview_seconds
    return OwnSessionOptions(
        sounds=given.sounds,
        name=name,
        output=given.output,
        stream=replace(stream, **given_or(given, rows=stream.rows, chunk_length=stream.chunk_length), seed=given.seed),
        steps=given.max_steps,
        checkpoint_every=given.checkpoint_every,
        origin=origin,
        changes=model_changes(given),
        learning_rate=given.learning_rate,
        keep=given.keep,
        patience=given.patience,
        mixed_precision=given.mixed_precision,
        device=check_device(given.device),
        seed=given.seed,
        resume=given.resume,
        max_hours=given.max_hours,
        previews=PreviewOptions(
            tuple(given.preview_temperatures or (1.0,)),
            PREVIEW_LENGTH if seconds is None else max(0, round(seconds * SAMPLE_RATE)),
        ),
        tensorboard=given.tensorboard,
    )


def own_answer(made: OwnSounds) -> dict[str, object]:
    """What was made, as JSON."""
    session = made.training.session
    return {
        "bundle": str(made.bundle.path),
        "digest": made.bundle.digest,
        "checkpoint": str(made.training.best),
        "step": session.step,
        "planned_steps": made.training.plan.steps,
        "samples": session.samples,
        "left_out": [list(each) for each in session.left_out],
        **made.figures.to_json(),
    }


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
