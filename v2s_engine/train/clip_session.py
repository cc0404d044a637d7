"""Trainings on an index of clips: what `v2s train --data` runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from v2s_engine.corpus.clip_material import PreparedClip, PreparedClips, prepare_clips
from v2s_engine.corpus.clips import Clip, ClipIndex, read_clips
from v2s_engine.errors import UsageError
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.train.clip_stream import ClipStream, ClipStreamOptions, check_chunks
from v2s_engine.train.initial_weights import Origin
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.presets import preset_config
from v2s_engine.train.preview import PreviewOptions, clip_previews, preview_defaults
from v2s_engine.train.processes import Processes, joined_processes
from v2s_engine.train.session import SessionResult, check_output, held_out_measure, run_trainer, showing, wanted_origin
from v2s_engine.train.trainer import Measure, Trainer, TrainOptions, check_truncation
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
    previews: PreviewOptions | None = None
    """What is made at each checkpoint; `preview_defaults` at 0.9 and 1.0 where none is said."""
    tensorboard: bool = True

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"--workers must be at least 1; got {self.workers}")


def run_clip_session(options: ClipSessionOptions, progress: Progress) -> tuple[SessionResult, ...]:
    """Train one model, or one per category; at each checkpoint held-out loss, sounds and spectrograms.

    Clips of the split `test` are never touched; those of `validation` decide which checkpoint is best. Clips that
    cannot be used are left out and listed, and with `per_class` categories without a usable clip to train on as well:
    all are looked at before the first model is trained. Raises `UsageError` where no model can be trained, or one of
    several classes has no usable clip, and as `run_session`.
    """
    if options.per_class and options.merge:
        raise UsageError("--per-class trains a model per class and --merge makes one class of all; take one of them")
    _check_lengths(options)
    index = read_clips(options.data)
    index = index.of_categories(options.classes) if options.classes else index
    index = index.merged(options.merge) if options.merge else index
    with joined_processes(options.training.device) as processes:
        if not options.per_class:
            check_output(options.training.output, resume=options.resume)
            encoder = _open_encoder(options, processes)
            material = _material(options, index, _categories(index), encoder, processes=processes, progress=progress)
            material.check()
            return (_train(options, material, encoder, processes, progress),)
        each = _options_of_categories(options, index.categories)
        encoder = _open_encoder(options, processes)
        found = [
            _material(each[name], index, (name,), encoder, processes=processes, progress=progress)
            for name in index.categories
        ]
        usable = _without_empty(found)
        for material in usable:
            material.measure(options.training)  # before the first is trained: it may be that nothing is held out
        return tuple(
            _train(each[material.config.sound_classes[0]], material, encoder, processes, progress)
            for material in usable
        )


@dataclass(frozen=True)
class _Material:
    """What one model is trained on."""

    config: ModelConfig
    clips: list[PreparedClip]
    held_out: list[PreparedClip]
    left_out: tuple[tuple[str, str], ...]
    origin: Origin | None

    @property
    def missing(self) -> list[str]:
        """The classes without a clip to train on."""
        return [name for name in self.config.sound_classes if all(each.category != name for each in self.clips)]

    def measure(self, training: TrainOptions) -> Measure | None:
        """What is measured at a checkpoint. Raises as `held_out_measure`."""
        loss = (lambda model: held_out_clip_loss(model, self.held_out)) if self.held_out else None
        return held_out_measure(loss, training)

    def check(self) -> None:
        """Raise `UsageError` for classes without a clip to train on."""
        if self.missing:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.left_out[:10]) or "none has the split train"
            raise UsageError(f"no usable clip to train on for {', '.join(self.missing)} ({reasons})")


def _options_of_categories(options: ClipSessionOptions, categories: Sequence[str]) -> dict[str, ClipSessionOptions]:
    """The options of each category's own training. Raises `OutputError` where one stands there already."""
    cache = options.cache or options.training.output / "cache"
    each = {}
    for name in categories:
        training = replace(options.training, output=options.training.output / name)
        check_output(training.output, resume=options.resume)
        each[name] = replace(options, training=training, cache=cache)
    return each


def _without_empty(found: Sequence[_Material]) -> list[_Material]:
    """What can be trained on; the categories that cannot are listed. Raises `UsageError` where none can."""
    empty = [each for each in found if each.missing]
    if len(empty) == len(found):
        empty[0].check()
    skipped = tuple(
        (name, "no usable clip to train on: no model is trained") for each in empty for name in each.missing
    )
    reasons = tuple(dict.fromkeys(pair for each in found for pair in each.left_out))
    return [replace(each, left_out=(*reasons, *skipped)) for each in found if not each.missing]


def _open_encoder(options: ClipSessionOptions, processes: Processes) -> FeatureMaker | None:
    visual = _config(options, ("any",)).visual
    if visual is None:
        return None
    return open_visual_encoder(
        visual,
        options.picture_weights,
        options.motion_weights,
        flow_weights=options.flow_weights,
        device=str(processes.device),
    )


def _material(
    options: ClipSessionOptions,
    index: ClipIndex,
    categories: tuple[str, ...],
    encoder: FeatureMaker | None,
    *,
    processes: Processes,
    progress: Progress,
) -> _Material:
    """The clips of these categories, ready to be learned from."""
    config = _config(options, categories)
    origin = wanted_origin(options.origin, config, options.training.output)
    offered = (*index.of_split("train"), *index.of_split("validation"))
    wanted = [clip for clip in offered if clip.category in categories]
    prepared = _prepare(options, config, wanted, encoder=encoder, processes=processes, progress=progress)
    return _Material(
        config,
        prepared.of_split("train"),
        prepared.of_split("validation"),
        (*index.left_out, *prepared.left_out),
        origin,
    )


def _train(
    options: ClipSessionOptions,
    material: _Material,
    encoder: FeatureMaker | None,
    processes: Processes,
    progress: Progress,
) -> SessionResult:
    """One model."""
    config, clips, held_out = material.config, material.clips, material.held_out
    previews = options.previews or preview_defaults(config, (0.9, 1.0))
    recorders, show = showing(
        options.training.output,
        lambda model, told: clip_previews(model, held_out or clips, previews, told),
        previews=previews.length > 0,
        tensorboard=options.tensorboard,
    )
    stream, training = _fitting(options, config)
    trainer = Trainer(
        config,
        ClipStream(clips, config, stream, processes.share(stream.rows)),
        training,
        material=[each.credit() for each in clips],
        encoder_digest=encoder.digest if encoder else None,
        merged=options.merge is not None,
        on_checkpoint=material.measure(training),
        on_written=show,
        recorders=recorders,
        processes=processes,
    )
    return run_trainer(
        trainer,
        processes,
        progress,
        origin=material.origin,
        resume=options.resume,
        max_hours=options.max_hours,
        left_out=material.left_out,
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


def _config(options: ClipSessionOptions, classes: tuple[str, ...]) -> ModelConfig:
    return options.changes.applied(preset_config(options.preset, classes))


def _check_lengths(options: ClipSessionOptions) -> None:
    """Raise `UsageError` for chunks that do not fit the model, before any clip is looked at."""
    config = _config(options, ("any",))
    stream, training = _fitting(options, config)
    check_chunks(stream, config)
    check_truncation(training.optimiser, config, stream.chunk_length)


def _fitting(options: ClipSessionOptions, config: ModelConfig) -> tuple[ClipStreamOptions, TrainOptions]:
    """The stream's chunks and the trainer's truncation, which depend on each other."""
    optimiser = options.training.optimiser
    if optimiser.truncation == "chunk":
        return options.stream, options.training
    whole = replace(options.stream, chunk_length=config.encoder_window_length)
    cut = replace(optimiser, truncation_length=options.stream.chunk_length)
    return whole, replace(options.training, optimiser=cut)


def _categories(index: ClipIndex) -> tuple[str, ...]:
    found = tuple(sorted({clip.category for clip in index.of_split("train")}))
    if not found:
        raise UsageError("the index has no clips with the split train; give it some, or a larger folder")
    return found
