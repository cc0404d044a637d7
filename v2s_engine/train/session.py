"""One training from a folder of recordings to checkpoints: what `v2s train --sounds` runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from v2s_engine.corpus.recordings import Library, Recording, read_held, read_library
from v2s_engine.corpus.synthesis.collection import MANIFEST
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.train.board import Board
from v2s_engine.train.initial_weights import Origin, TakenOver, check_origin, read_origin
from v2s_engine.train.journal import NATS_TO_BITS, Recorder
from v2s_engine.train.keeping import LAST
from v2s_engine.train.memory import keep_freed_memory
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.palettes import save_palette
from v2s_engine.train.presets import preset_config
from v2s_engine.train.preview import Preview, PreviewOptions, preview_defaults, recording_previews, write_previews
from v2s_engine.train.processes import Processes, joined_processes
from v2s_engine.train.stream import ExcerptStream, StreamOptions
from v2s_engine.train.trainer import HELD_OUT, Show, Trainer, TrainOptions
from v2s_engine.train.validation import held_out_loss


@dataclass(frozen=True)
class SessionOptions:
    """What to train, on what, for how long."""

    sounds: Path
    """Folder with one sub-folder of recordings per sound class."""
    training: TrainOptions
    stream: StreamOptions = field(default_factory=StreamOptions)
    classes: tuple[str, ...] = ()
    """Sound classes to train; none given means every sub-folder."""
    synthetic: Path | None = None
    """Folder of sounds that were made by rule, with a manifest.csv of its own (`v2s corpus sounds`); they join those of
    `sounds`, for the same classes."""
    manifest: Path | None = None
    """CSV that says which recordings may be trained on, which are held for testing, and whom to credit."""
    preset: str = "starter"
    changes: ModelChanges = field(default_factory=ModelChanges)
    origin: str | None = None
    """Checkpoint, or name or folder of a bundle, whose weights a training starts from; see `initial_weights`. One that
    is resumed goes on with its own."""
    resume: bool = False
    """Go on from the newest checkpoint in the output folder."""
    max_hours: float | None = None
    """Stop, with a checkpoint, after so many hours."""
    previews: PreviewOptions | None = None
    """What is made at each checkpoint; `preview_defaults` where none is said."""
    tensorboard: bool = True


@dataclass(frozen=True)
class SessionResult:
    """What a training left behind."""

    checkpoint: Path
    step: int
    samples: int
    """Audio samples seen in all."""
    left_out: tuple[tuple[str, str], ...] = field(default=())
    """Recordings or clips that were not used, with the reason."""
    started_from: TakenOver | None = None
    """What it took over from another model; None where it began with random weights or was resumed."""
    is_first: bool = True
    """Whether this process is the one that writes and speaks."""
    is_alone: bool = True
    """Whether no other process took part in the training."""


def run_session(options: SessionOptions, progress: Progress) -> SessionResult:
    """Train, or go on training. At each checkpoint: held-out loss, one sound and spectrogram per class.

    Raises `OutputError` where the output folder holds a training and `resume` was not asked for, `UsageError` where it
    holds another one or the recordings are not usable.
    """
    library = _library(options)
    held = _held_recordings(options, library)
    config = options.changes.applied(preset_config(options.preset, library.sound_classes))
    if config.conditioning != "envelope":
        raise UsageError(f"{options.preset} learns from clips with pictures; give --data INDEX instead of --sounds")
    previews = options.previews or preview_defaults(config, (1.0,))
    output = options.training.output
    origin = wanted_origin(options.origin, config, output)
    check_output(output, resume=options.resume)
    with joined_processes(options.training.device) as processes:
        if processes.is_first:
            save_palette(library.recordings, config, output)
        recorders, show = showing(
            output,
            lambda model, told: recording_previews(model, held or library.recordings, previews, told),
            previews=previews.length > 0,
            tensorboard=options.tensorboard,
        )
        trainer = Trainer(
            config,
            ExcerptStream(library.recordings, config, options.stream, processes.share(options.stream.rows)),
            options.training,
            material=library.credits(),
            on_checkpoint=held_out_measure(
                (lambda model: held_out_loss(model, held)) if held else None, options.training
            ),
            on_written=show,
            recorders=recorders,
            processes=processes,
        )
        return run_trainer(
            trainer,
            processes,
            progress,
            origin=origin,
            resume=options.resume,
            max_hours=options.max_hours,
            left_out=library.left_out,
        )


def _library(options: SessionOptions) -> Library:
    recorded = read_library(options.sounds, classes=options.classes, manifest=options.manifest)
    if options.synthetic is None:
        return recorded
    made = read_library(options.synthetic, classes=recorded.sound_classes, manifest=options.synthetic / MANIFEST)
    return Library((*recorded.recordings, *made.recordings), (*recorded.left_out, *made.left_out))


def wanted_origin(where: str | None, config: ModelConfig, output: Path) -> Origin | None:
    """What a training in `output` starts from: nothing where it stands there already, so that one command line serves
    for the start and after a kill. Raises the errors of `read_origin` and `check_origin`, before any work is done.
    """
    if where is None or (output / LAST).exists():
        return None
    origin = read_origin(where)
    check_origin(config, origin)
    return origin


def run_trainer(
    trainer: Trainer,
    processes: Processes,
    progress: Progress,
    *,
    origin: Origin | None,
    resume: bool,
    max_hours: float | None,
    left_out: tuple[tuple[str, str], ...],
) -> SessionResult:
    """Train to the end, or until `max_hours` have passed. Raises `OutputError` rather than overwrite a training."""
    check_output(trainer.options.output, resume=resume)
    keep_freed_memory()
    spoken = progress if processes.is_first else Progress(cancel=progress.cancel)
    taken = None
    if not trainer.resume() and origin is not None:
        taken = trainer.start_from(origin)
        spoken.step("start", 1, 1, str(taken))
    trainer.run(spoken, stop_after=math.inf if max_hours is None else max_hours * 3600)
    return SessionResult(
        trainer.checkpoint_path,
        trainer.step,
        trainer.samples,
        left_out,
        taken,
        is_first=processes.is_first,
        is_alone=processes.count == 1,
    )


def check_output(output: Path, *, resume: bool) -> None:
    """Raise `OutputError` for a folder in which a training stands that is not to be resumed."""
    if (output / LAST).exists() and not resume:
        raise OutputError(f"{output / LAST} exists already; add --resume to go on, or use another --output")


def held_out_measure(
    loss: Callable[[SampleRNN], float] | None, training: TrainOptions
) -> Callable[[SampleRNN, int], dict[str, float]] | None:
    """What is measured at a checkpoint, for `Trainer`. Raises `UsageError` for patience with nothing to measure."""
    if loss is None:
        if training.patience is not None:
            raise UsageError(
                "--patience waits for the held-out loss, and nothing is held out; mark some clips as validation (or "
                "recordings as test), or leave it away"
            )
        return None

    def measure(model: SampleRNN, step: int) -> dict[str, float]:
        nats = loss(model)
        return {HELD_OUT: round(nats, 6), "held_out_bits": round(nats * NATS_TO_BITS, 6)}

    return measure


def showing(
    output: Path, make: Callable[[SampleRNN, Progress], Sequence[Preview]], *, previews: bool, tensorboard: bool
) -> tuple[list[Recorder], Show]:
    """Who keeps what a training tells besides its journal, and what is done with its previews at each checkpoint."""
    board = Board(output) if tensorboard else None

    def show(model: SampleRNN, step: int, progress: Progress) -> None:
        if previews:
            made = make(model, progress)
            write_previews(made, output / "previews", f"{step:06d}")
            if board:
                board.add_previews(made, step)

    return [board] if board else [], show


def _held_recordings(options: SessionOptions, library: Library) -> tuple[Recording, ...]:
    """What the manifest holds back; none where it lacks a class, since the loss would then not be comparable."""
    if options.manifest is None:
        return ()
    held = read_held(options.sounds, library.sound_classes, options.manifest)
    complete = {each.material.sound_class for each in held} == set(library.sound_classes)
    return held if complete else ()
