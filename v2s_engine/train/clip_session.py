"""Trainings on an index of clips: what `v2s train --data` runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from v2s_engine.corpus.clip_material import PreparedClips, prepare_clips
from v2s_engine.corpus.clips import Clip, ClipIndex, read_clips
from v2s_engine.errors import UsageError
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.train.clip_stream import ClipStream, ClipStreamOptions
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.presets import preset_config
from v2s_engine.train.preview import PreviewOptions, clip_previews
from v2s_engine.train.processes import Processes, joined_processes
from v2s_engine.train.session import SessionResult, held_out_measure, run_trainer, showing, wanted_origin
from v2s_engine.train.trainer import Trainer, TrainOptions
from v2s_engine.train.validation import held_out_clip_loss
from v2s_engine.vision.feature_cache import FeatureMaker
from v2s_engine.vision.network_weights import DEFAULT
from v2s_engine.vision.visual_encoder import open_visual_encoder


@dataclass(frozen=True)
class ClipSessionOptions:
    """What to train, on what, for how long."""

    data: Path
    """Index of clips: a CSV, or a folder `<class>/<clip>`."""
    training: TrainOptions
    stream: ClipStreamOptions = field(default_factory=ClipStreamOptions)
    """With truncation `coarse-tier`, chunks are whole windows, and `chunk_length` is where the lower tiers are cut."""
    preset: str = "paper-frame"
    changes: ModelChanges = field(default_factory=ModelChanges)
    classes: tuple[str, ...] = ()
    """Categories to train; none given means all."""
    per_class: bool = False
    """One model for each category, in OUTPUT/<category> (the paper's way); else one model of all, told the class."""
    merge: str | None = None
    """Take all clips as one sound class of this name."""
    picture_weights: str = DEFAULT
    """Of the picture network: `default`, a file, or `random[:seed]`."""
    motion_weights: str = ""
    """Of the motion network (`flow`): a file, or `random[:seed]`."""
    cache: Path | None = None
    """Where sounds and features are kept; OUTPUT/cache where none is given."""
    workers: int = 1
    """Clips decoded and looked at side by side."""
    flow_weights: str = DEFAULT
    """Of RAFT, where that measures flow (`flow`): `default`, a file, or `random[:seed]`."""
    origin: str | None = None
    """Checkpoint, or name or folder of a bundle, whose weights a training starts from; each model from the same. One
    that is resumed goes on with its own."""
    resume: bool = False
    max_hours: float | None = None
    """Stop, with a checkpoint, after so many hours; for each model."""
    previews: PreviewOptions = field(default_factory=lambda: PreviewOptions(temperatures=(0.9, 1.0)))
    tensorboard: bool = True


def run_clip_session(options: ClipSessionOptions, progress: Progress) -> tuple[SessionResult, ...]:
    """Train one model, or one per category; at each checkpoint held-out loss, sounds and spectrograms.

    Clips of the split `test` are never touched; those of `validation` decide which checkpoint is best. Clips that
    cannot be used are left out and listed. Raises `UsageError` for a category without a usable clip, and as
    `run_session`.
    """
    if options.per_class and options.merge:
        raise UsageError("--per-class trains a model per class and --merge makes one class of all; take one of them")
    index = read_clips(options.data)
    index = index.of_categories(options.classes) if options.classes else index
    index = index.merged(options.merge) if options.merge else index
    with joined_processes(options.training.device) as processes:
        encoder = _open_encoder(options, processes)
        if not options.per_class:
            return (_train(options, index, encoder, processes, progress),)
        cache = options.cache or options.training.output / "cache"
        results = []
        for category in index.categories:
            training = replace(options.training, output=options.training.output / category)
            own = replace(options, training=training, cache=cache)
            results.append(_train(own, index.of_categories([category]), encoder, processes, progress))
        return tuple(results)


def _open_encoder(options: ClipSessionOptions, processes: Processes) -> FeatureMaker | None:
    visual = options.changes.applied(preset_config(options.preset, ("any",))).visual
    if visual is None:
        return None
    return open_visual_encoder(
        visual,
        options.picture_weights,
        options.motion_weights,
        flow_weights=options.flow_weights,
        device=str(processes.device),
    )


def _train(
    options: ClipSessionOptions,
    index: ClipIndex,
    encoder: FeatureMaker | None,
    processes: Processes,
    progress: Progress,
) -> SessionResult:
    """One model."""
    learned = index.of_split("train")
    config = options.changes.applied(preset_config(options.preset, _categories(learned)))
    output = options.training.output
    origin = wanted_origin(options.origin, config, output)
    held = [clip for clip in index.of_split("validation") if clip.category in config.sound_classes]
    prepared = _prepare(options, config, [*learned, *held], encoder=encoder, processes=processes, progress=progress)
    clips, held_out = prepared.of_split("train"), prepared.of_split("validation")
    if missing := [name for name in config.sound_classes if all(each.category != name for each in clips)]:
        reasons = "; ".join(f"{name}: {why}" for name, why in prepared.left_out[:10])
        raise UsageError(f"no usable clip to train on for {', '.join(missing)} ({reasons})")
    recorders, show = showing(
        output,
        lambda model: clip_previews(model, held_out or clips, options.previews),
        previews=options.previews.length > 0,
        tensorboard=options.tensorboard,
    )
    stream, training = _fitting(options, config)
    trainer = Trainer(
        config,
        ClipStream(clips, config, stream, processes.share(stream.rows)),
        training,
        material=[each.credit() for each in clips],
        on_checkpoint=held_out_measure(
            (lambda model: held_out_clip_loss(model, held_out)) if held_out else None, training
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
        left_out=(*index.left_out, *prepared.left_out),
    )


def _prepare(
    options: ClipSessionOptions,
    config: ModelConfig,
    clips: Sequence[Clip],
    *,
    encoder: FeatureMaker | None,
    processes: Processes,
    progress: Progress,
) -> PreparedClips:
    """The clips with sound and features. The first process does the work, the others find it done."""
    cache = options.cache or options.training.output / "cache"
    if not processes.is_first:
        processes.wait()
        progress = Progress(cancel=progress.cancel)
    prepared = prepare_clips(clips, config, encoder, cache, workers=options.workers, progress=progress)
    if processes.is_first:
        processes.wait()
    return prepared


def _fitting(options: ClipSessionOptions, config: ModelConfig) -> tuple[ClipStreamOptions, TrainOptions]:
    """The stream's chunks and the trainer's truncation, which depend on each other."""
    optimiser = options.training.optimiser
    if optimiser.truncation == "chunk":
        return options.stream, options.training
    whole = replace(options.stream, chunk_length=config.encoder_window_length)
    cut = replace(optimiser, truncation_length=options.stream.chunk_length)
    return whole, replace(options.training, optimiser=cut)


def _categories(clips: Sequence[Clip]) -> tuple[str, ...]:
    found = tuple(sorted({clip.category for clip in clips}))
    if not found:
        raise UsageError("the index has no clips with the split train; give it some, or a larger folder")
    return found
