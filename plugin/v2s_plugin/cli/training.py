"""From the options of `v2s train` to a training, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from v2s_engine.errors import UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.train.clip_session import ClipSessionOptions, run_clip_session
from v2s_engine.train.clip_stream import ClipStreamOptions
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.presets import preset_config
from v2s_engine.train.preview import PreviewOptions, preview_defaults
from v2s_engine.train.session import SessionOptions, SessionResult, run_session
from v2s_engine.train.stream import StreamOptions
from v2s_engine.train.trainer import TrainOptions, check_device
from v2s_engine.train.training_presets import TrainingPreset, preset_training
from v2s_engine.vision.network_weights import DEFAULT
from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, answer_json
from v2s_plugin.cli.talk import say, watched_progress


@dataclass(frozen=True)
class TrainArguments:
    """The command line of `v2s train`, as given; None where the preset decides."""

    output: Path
    sounds: Path | None
    data: Path | None
    classes: list[str] | None
    manifest: Path | None
    synthetic: Path | None
    preset: str | None
    per_class: bool
    merge: str | None
    weights: str | None
    motion_weights: str | None
    flow_weights: str | None
    cache: Path | None
    workers: int | None
    truncation: str | None
    max_steps: int | None
    max_hours: float | None
    patience: int | None
    keep: int
    rows: int | None
    chunk_length: int | None
    fill: str | None
    learning_rate: float | None
    checkpoint_every: int | None
    preview_seconds: float | None
    preview_temperatures: list[float] | None
    tensorboard: bool
    mixed_precision: bool
    seed: int
    device: str
    origin: str | None
    resume: bool
    hidden_size: int | None
    mlp_size: int | None
    embedding_size: int | None
    coarse_unit: int | None
    mid_unit: int | None
    window: int | None
    sample_expansion: int | None
    encoder_window: int | None
    picture_network: str | None
    picture_size: int | None
    picture_features: int | None
    motion_features: int | None
    flow_method: str | None
    flow_stack: int | None
    as_json: bool


OF_CLIPS = (
    "per_class",
    "merge",
    "weights",
    "motion_weights",
    "flow_weights",
    "cache",
    "workers",
    "fill",
    "encoder_window",
)
"""What only `--data` takes."""

_OF_FLOW = ("motion_weights", "flow_weights")
"""What of that only a model takes that looks at motion."""


def run_training(given: TrainArguments) -> int:
    """Train, and answer with the checkpoint, or with one per class; the exit code.

    3 where clips were left out; but not of several processes, since torchrun takes that for a failure.
    """
    if (given.sounds is None) == (given.data is None):
        raise UsageError("v2s train wants either --sounds DIR (recordings) or --data INDEX (clips with pictures)")
    with watched_progress() as progress:
        results = _train_sounds(given, progress) if given.sounds is not None else _train_clips(given, progress)
    if not results[0].is_first:
        return EXIT_DONE
    left_out = dict.fromkeys(pair for result in results for pair in result.left_out)
    for file, reason in left_out:
        say(f"left out: {file}: {reason}")
    for taken in dict.fromkeys(result.started_from for result in results if result.started_from):
        say(str(taken))
    if given.as_json:
        answers = [{"checkpoint": str(each.checkpoint), "step": each.step, "samples": each.samples} for each in results]
        answer_json({"models": answers} if given.per_class else answers[0])
    else:
        for result in results:
            print(result.checkpoint)
    return EXIT_SOME_SKIPPED if left_out and given.data and results[0].is_alone else EXIT_DONE


def _train_sounds(given: TrainArguments, progress: Progress) -> Sequence[SessionResult]:
    refuse(given, OF_CLIPS, "belongs to --data, and --sounds is given; leave one of them away")
    if given.sounds is None:
        raise UsageError("--sounds is wanted")
    preset = given.preset or "starter"
    plan = preset_training(preset)
    options = SessionOptions(
        sounds=given.sounds,
        training=_train_options(given, plan),
        stream=StreamOptions(**given_or(given, rows=plan.rows, chunk_length=plan.chunk_length), seed=given.seed),
        classes=tuple(given.classes or ()),
        manifest=given.manifest,
        synthetic=given.synthetic,
        preset=preset,
        changes=model_changes(given),
        origin=given.origin,
        resume=given.resume,
        max_hours=given.max_hours,
        previews=_previews(given, preset, (1.0,)),
        tensorboard=given.tensorboard,
    )
    return (run_session(options, progress),)


def _train_clips(given: TrainArguments, progress: Progress) -> Sequence[SessionResult]:
    if given.synthetic:
        raise UsageError("--synthetic belongs to --sounds; leave it away, or train on recordings")
    if given.manifest:
        raise UsageError("--manifest belongs to --sounds; an index of clips (--data) says the splits itself")
    if given.data is None:
        raise UsageError("--data is wanted")
    preset = given.preset or "paper-frame"
    visual = _config(given, preset).visual
    if visual is None:
        refuse(given, ("weights",), f"belongs to models that look at pictures, and {preset} follows the sound")
    if visual is None or not visual.motion_features:
        refuse(given, _OF_FLOW, f"belongs to models that look at motion, and {preset} does not")
    plan = preset_training(preset)
    stream: dict[str, Any] = given_or(given, rows=plan.rows, chunk_length=plan.chunk_length)
    options = ClipSessionOptions(
        data=given.data,
        training=_train_options(given, plan),
        stream=ClipStreamOptions(**stream, fill=given.fill or "loop", seed=given.seed),  # type: ignore[arg-type]
        preset=preset,
        changes=model_changes(given),
        classes=tuple(given.classes or ()),
        per_class=given.per_class,
        merge=given.merge,
        picture_weights=given.weights or DEFAULT,
        motion_weights=given.motion_weights or "",
        flow_weights=given.flow_weights or DEFAULT,
        cache=given.cache,
        workers=1 if given.workers is None else given.workers,
        origin=given.origin,
        resume=given.resume,
        max_hours=given.max_hours,
        previews=_previews(given, preset, (0.9, 1.0)),
        tensorboard=given.tensorboard,
    )
    return run_clip_session(options, progress)


def _train_options(given: TrainArguments, plan: TrainingPreset) -> TrainOptions:
    optimiser = given_or(given, learning_rate=plan.optimiser.learning_rate, truncation=plan.optimiser.truncation)
    return TrainOptions(
        output=given.output,
        steps=plan.steps if given.max_steps is None else given.max_steps,
        optimiser=replace(plan.optimiser, **optimiser),
        checkpoint_every=plan.checkpoint_every if given.checkpoint_every is None else given.checkpoint_every,
        keep=given.keep,
        patience=given.patience,
        mixed_precision=given.mixed_precision,
        device=check_device(given.device),
        seed=given.seed,
    )


def model_changes(given: TrainArguments) -> ModelChanges:
    """What of the preset's model is to differ."""
    return ModelChanges(**{field.name: getattr(given, field.name) for field in fields(ModelChanges)})


def _config(given: TrainArguments, preset: str) -> ModelConfig:
    """The model, but for its classes."""
    return model_changes(given).applied(preset_config(preset, ("any",)))


def _previews(given: TrainArguments, preset: str, temperatures: tuple[float, ...]) -> PreviewOptions:
    otherwise = preview_defaults(_config(given, preset), temperatures)
    seconds = given.preview_seconds
    return PreviewOptions(
        tuple(given.preview_temperatures or otherwise.temperatures),
        otherwise.length if seconds is None else max(0, round(seconds * SAMPLE_RATE)),
    )


def refuse(given: TrainArguments, names: Sequence[str], why: str) -> None:
    """Raise `UsageError` for the first of these options that was given."""
    for name in names:
        if (value := getattr(given, name)) is not None and value is not False:
            raise UsageError(f"--{name.replace('_', '-')} {why}")


def given_or(given: TrainArguments, **otherwise: Any) -> dict[str, Any]:
    """What was given of these options, and of the rest what is said here."""
    named = {name: getattr(given, name) for name in otherwise}
    return {name: otherwise[name] if value is None else value for name, value in named.items()}
