"""One training from a folder of recordings to checkpoints: what `v2s train` runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from v2s_engine.corpus.recordings import Library, Recording, read_held, read_library
from v2s_engine.errors import OutputError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.progress import Progress
from v2s_engine.train.memory import keep_freed_memory
from v2s_engine.train.presets import preset_config
from v2s_engine.train.preview import write_previews
from v2s_engine.train.trainer import NATS_TO_BITS, Trainer, TrainOptions
from v2s_engine.train.validation import held_out_loss


@dataclass(frozen=True)
class SessionOptions:
    """What to train, on what, for how long."""

    sounds: Path
    """Folder with one sub-folder of recordings per sound class."""
    training: TrainOptions
    classes: tuple[str, ...] = ()
    """Sound classes to train; none given means every sub-folder."""
    manifest: Path | None = None
    """CSV that says which recordings may be trained on, which are held for testing, and whom to credit."""
    preset: str = "starter"
    resume: bool = False
    """Go on from the newest checkpoint in the output folder."""
    max_hours: float | None = None
    """Stop, with a checkpoint, after so many hours."""


@dataclass(frozen=True)
class SessionResult:
    """What a training left behind."""

    checkpoint: Path
    step: int
    samples: int
    """Audio samples seen in all."""
    left_out: tuple[tuple[str, str], ...] = field(default=())
    """Recordings that were not used, with the reason."""


def run_session(options: SessionOptions, progress: Progress) -> SessionResult:
    """Train, or go on training. At each checkpoint: held-out loss, one sound and spectrogram per class.

    Raises `OutputError` where the output folder holds a training and `resume` was not asked for, `UsageError` where it
    holds another one or the recordings are not usable.
    """
    library = read_library(options.sounds, classes=options.classes, manifest=options.manifest)
    held = _held_recordings(options, library)
    config = preset_config(options.preset, library.sound_classes)
    output = options.training.output

    def on_checkpoint(model: SampleRNN, step: int) -> dict[str, float]:
        write_previews(model, held or library.recordings, output / "previews", f"{step:06d}")
        if not held:
            return {}
        loss = held_out_loss(model, held)
        return {"held_out_nats": round(loss, 4), "held_out_bits": round(loss * NATS_TO_BITS, 4)}

    trainer = Trainer(config, library, options.training, on_checkpoint)
    if trainer.checkpoint_path.exists() and not options.resume:
        raise OutputError(f"{trainer.checkpoint_path} exists already; add --resume to go on, or use another --output")
    keep_freed_memory()
    trainer.resume()
    trainer.run(progress, stop_after=math.inf if options.max_hours is None else options.max_hours * 3600)
    return SessionResult(trainer.checkpoint_path, trainer.step, trainer.samples, library.left_out)


def _held_recordings(options: SessionOptions, library: Library) -> tuple[Recording, ...]:
    """What the manifest holds back; none where it lacks a class, since the loss would then not be comparable."""
    if options.manifest is None:
        return ()
    held = read_held(options.sounds, library.sound_classes, options.manifest)
    complete = {each.material.sound_class for each in held} == set(library.sound_classes)
    return held if complete else ()
