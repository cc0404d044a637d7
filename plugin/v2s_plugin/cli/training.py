"""From the options of `v2s train` to a training, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from v2s_engine.errors import UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.progress import Progress
from v2s_engine.train.clip_session import ClipSessionOptions, run_clip_session
from v2s_engine.train.clip_stream import ClipStreamOptions
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.preview import PreviewOptions
from v2s_engine.train.session import SessionOptions, SessionResult, run_session
from v2s_engine.train.stream import StreamOptions
from v2s_engine.train.trainer import TrainOptions, check_device
from v2s_engine.train.training_presets import TrainingPreset, preset_training
from v2s_plugin.cli.answers import EXIT_DONE, answer_json
from v2s_plugin.cli.talk import say, watched_progress


@dataclass(frozen=True)
class TrainArguments:
    """The command line of `v2s train`, as given; None where the preset decides."""

    output: Path
    sounds: Path | None
    data: Path | None
    classes: list[str] | None
    manifest: Path | None
    preset: str | None
    per_class: bool
    merge: str | None
    weights: str
    motion_weights: str
    flow_weights: str
    cache: Path | None
    workers: int
    truncation: str | None
    max_steps: int | None
    max_hours: float | None
    patience: int | None
    keep: int
    rows: int | None
    chunk_length: int | None
    fill: str
    learning_rate: float | None
    checkpoint_every: int | None
    preview_seconds: float
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
    sample_expansion: int | None
    encoder_window: int | None
    picture_network: str | None
    picture_size: int | None
    picture_features: int | None
    motion_features: int | None
    flow_method: str | None
    as_json: bool


def run_training(given: TrainArguments) -> int:
    """Train, and answer with the checkpoint, or with one per class; the exit code."""
    if (given.sounds is None) == (given.data is None):
        raise UsageError("v2s train wants either --sounds DIR (recordings) or --data INDEX (clips with pictures)")
    with watched_progress() as progress:
        results = _train_sounds(given, progress) if given.sounds is not None else _train_clips(given, progress)
    if not results[0].is_first:
        return EXIT_DONE
    for file, reason in dict.fromkeys(pair for result in results for pair in result.left_out):
        say(f"left out: {file}: {reason}")
    for taken in dict.fromkeys(result.started_from for result in results if result.started_from):
        say(str(taken))
    if given.as_json:
        answers = [{"checkpoint": str(each.checkpoint), "step": each.step, "samples": each.samples} for each in results]
        answer_json({"models": answers} if given.per_class else answers[0])
    else:
        for result in results:
            print(result.checkpoint)
    return EXIT_DONE


def _train_sounds(given: TrainArguments, progress: Progress) -> Sequence[SessionResult]:
    for option, value in (("--per-class", given.per_class), ("--merge", given.merge), ("--cache", given.cache)):
        if value:
            raise UsageError(f"{option} belongs to --data, and --sounds is given; leave one of them away")
    if given.sounds is None:
        raise UsageError("--sounds is wanted")
    preset = given.preset or "starter"
    plan = preset_training(preset)
    options = SessionOptions(
        sounds=given.sounds,
        training=_train_options(given, plan),
        stream=StreamOptions(**_given(given, rows=plan.rows, chunk_length=plan.chunk_length), seed=given.seed),
        classes=tuple(given.classes or ()),
        manifest=given.manifest,
        preset=preset,
        changes=_changes(given),
        origin=given.origin,
        resume=given.resume,
        max_hours=given.max_hours,
        previews=_previews(given, (1.0,)),
        tensorboard=given.tensorboard,
    )
    return (run_session(options, progress),)


def _train_clips(given: TrainArguments, progress: Progress) -> Sequence[SessionResult]:
    if given.manifest:
        raise UsageError("--manifest belongs to --sounds; an index of clips (--data) says the splits itself")
    if given.data is None:
        raise UsageError("--data is wanted")
    preset = given.preset or "paper-frame"
    plan = preset_training(preset)
    stream: dict[str, Any] = _given(given, rows=plan.rows, chunk_length=plan.chunk_length)
    options = ClipSessionOptions(
        data=given.data,
        training=_train_options(given, plan),
        stream=ClipStreamOptions(**stream, fill=given.fill, seed=given.seed),  # type: ignore[arg-type]
        preset=preset,
        changes=_changes(given),
        classes=tuple(given.classes or ()),
        per_class=given.per_class,
        merge=given.merge,
        picture_weights=given.weights,
        motion_weights=given.motion_weights,
        flow_weights=given.flow_weights,
        cache=given.cache,
        workers=given.workers,
        origin=given.origin,
        resume=given.resume,
        max_hours=given.max_hours,
        previews=_previews(given, (0.9, 1.0)),
        tensorboard=given.tensorboard,
    )
    return run_clip_session(options, progress)


def _train_options(given: TrainArguments, plan: TrainingPreset) -> TrainOptions:
    optimiser = _given(given, learning_rate=plan.optimiser.learning_rate, truncation=plan.optimiser.truncation)
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


def _changes(given: TrainArguments) -> ModelChanges:
    return ModelChanges(**{field.name: getattr(given, field.name) for field in fields(ModelChanges)})


def _previews(given: TrainArguments, temperatures: tuple[float, ...]) -> PreviewOptions:
    return PreviewOptions(
        tuple(given.preview_temperatures or temperatures), max(0, round(given.preview_seconds * SAMPLE_RATE))
    )


def _given(given: TrainArguments, **otherwise: Any) -> dict[str, Any]:
    """What was given of these options, and of the rest what is said here."""
    named = {name: getattr(given, name) for name in otherwise}
    return {name: otherwise[name] if value is None else value for name, value in named.items()}
