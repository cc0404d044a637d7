"""One training on an editor's own recordings, of one sound: what `v2s train --sounds DIR --name NAME` learns from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from safetensors import SafetensorError

from v2s_engine.corpus.own_recordings import LITTLE_DURATION, OwnRecordings, length_text, read_own_recordings
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.train.checkpoint import read_checkpoint
from v2s_engine.train.initial_weights import Origin, check_origin, read_origin
from v2s_engine.train.keeping import BEST, LAST
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.own_plan import (
    OwnPlan,
    TimeLeft,
    default_steps,
    duration_text,
    steps_between_checkpoints,
    steps_within,
)
from v2s_engine.train.palettes import save_palette
from v2s_engine.train.presets import preset_config
from v2s_engine.train.preview import PreviewOptions, preview_defaults, recording_previews
from v2s_engine.train.processes import Processes, joined_processes
from v2s_engine.train.session import SessionResult, check_output, held_out_measure, run_trainer, showing
from v2s_engine.train.stream import ExcerptStream, StreamOptions
from v2s_engine.train.trainer import Show, TrainDevice, Trainer, TrainOptions
from v2s_engine.train.training_presets import OptimiserOptions
from v2s_engine.train.validation import held_out_loss

FINE_TUNING_RATE = 5e-4
"""Learning rate at its highest where another model's weights are started from: a third of what random ones take, so
that what they know is not lost at once. A choice; not measured."""

_FEW = 20 * 60 * SAMPLE_RATE  # samples up to which recordings are played at several speeds: they are held once for each
_TRIED_STEPS = 5

Tell = Callable[[str], None]


@dataclass(frozen=True)
class OwnSessionOptions:
    """What to learn, from what, and for how long."""

    sounds: Path
    """Folder of recordings of one sound, also in sub-folders."""
    name: str
    """What it is called: the bundle's sound class."""
    output: Path
    """Folder for checkpoints, log, previews and palette."""
    steps: int | None = None
    """None: by how much sound there is, see `default_steps`."""
    checkpoint_every: int | None = None
    """Steps; None: every few minutes."""
    origin: str | None = "starter"
    """Checkpoint, or name or folder of a bundle, whose weights and sizes are started from; None: random weights."""
    changes: ModelChanges = field(default_factory=ModelChanges)
    stream: StreamOptions = field(default_factory=StreamOptions)
    learning_rate: float | None = None
    """At its highest; None: the starter's for random weights, and less where others are started from."""
    keep: int = 0
    patience: int | None = None
    mixed_precision: bool = True
    device: TrainDevice = "cpu"
    seed: int = 0
    resume: bool = False
    max_hours: float | None = None
    """No more steps than go into it, and stop, with a checkpoint, when they have passed."""
    previews: PreviewOptions | None = None
    tensorboard: bool = True

    def __post_init__(self) -> None:
        if self.max_hours is not None and not self.max_hours > 0:
            raise UsageError(f"--max-hours wants a time above 0; got {self.max_hours:g}")
        steps, every = (1 if given is None else given for given in (self.steps, self.checkpoint_every))
        self.training(OwnPlan(steps, every, 0, 0.0))  # raises where a number is out of range

    def training(self, plan: OwnPlan) -> TrainOptions:
        """How to train by a plan."""
        usual = OptimiserOptions().learning_rate if self.origin is None else FINE_TUNING_RATE
        rate = usual if self.learning_rate is None else self.learning_rate
        return TrainOptions(
            output=self.output,
            steps=plan.steps,
            optimiser=OptimiserOptions(learning_rate=rate),
            checkpoint_every=plan.checkpoint_every,
            keep=self.keep,
            patience=self.patience,
            mixed_precision=self.mixed_precision,
            device=self.device,
            seed=self.seed,
        )


@dataclass(frozen=True)
class OwnTraining:
    """What a training on own recordings left behind."""

    session: SessionResult
    recordings: OwnRecordings
    plan: OwnPlan
    best: Path
    """The checkpoint with the lowest held-out loss: the one to make a bundle of."""

    @property
    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self.session.step >= self.plan.steps


def run_own_session(options: OwnSessionOptions, progress: Progress, tell: Tell) -> OwnTraining:
    """Read the recordings, measure the palette, train; `tell` is told what is read, planned, and to be heard.

    Raises `UsageError` as `read_own_recordings` and `check_origin`, `OutputError` where the output folder holds a
    training and `resume` was not asked for, or the disk is full, and `CancelledError`, after a checkpoint, where
    `progress` is stopped.
    """
    output = options.output
    check_output(output, resume=options.resume)
    resumes = (output / LAST).exists()
    plan = OwnPlan.read(output) if resumes else None
    origin = read_origin(options.origin) if options.origin is not None and not resumes else None
    config = _config(options, origin)
    found = read_own_recordings(options.sounds, options.name, besides=output, progress=progress)
    for line in _found_lines(found):
        tell(line)
    with joined_processes(options.device) as processes:
        if processes.count > 1:
            raise UsageError("--name trains in one process; leave torchrun away, or train with --sounds and no --name")
        learning = _Learning(options, config, found, processes)
        if plan is None:
            plan = learning.plan(origin)
            plan.write(output)
        _measure_palette(found, config, output)
        return learning.run(plan, origin, progress, tell)


def _measure_palette(found: OwnRecordings, config: ModelConfig, output: Path) -> None:
    try:
        save_palette(found.training, config, output)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"cannot write the palette into {output}: {error}; free some space") from error


def _config(options: OwnSessionOptions, origin: Origin | None) -> ModelConfig:
    """The model: as large as that which it starts from, else the preset's. `UsageError` where they do not fit."""
    preset = preset_config("starter", (options.name,))
    if origin is None:
        found = options.output / LAST
        return options.changes.applied(_resumed_config(found, options.name) if found.exists() else preset)
    base = replace(origin.config, sound_classes=(options.name,)) if origin.config.source_filter else preset
    config = options.changes.applied(base)
    try:
        check_origin(config, origin)
    except UsageError as error:
        raise UsageError(f"{error}; --from none starts from random weights, which takes longer") from error
    return config


def _resumed_config(path: Path, name: str) -> ModelConfig:
    config = read_checkpoint(path).config
    if config.sound_classes != (name,):
        raise UsageError(
            f"{path} learns {', '.join(config.sound_classes)}, asked for is {name}; use another --output, or its name"
        )
    return config


class _Learning:
    """The parts of one training, put together."""

    def __init__(
        self, options: OwnSessionOptions, config: ModelConfig, found: OwnRecordings, processes: Processes
    ) -> None:
        self._options, self._config, self._found, self._processes = options, config, found, processes
        speeds = options.stream.speeds if found.training_length <= _FEW else (1.0,)
        stream = replace(options.stream, speeds=speeds)
        self._stream = ExcerptStream(found.training, config, stream, processes.share(stream.rows))
        self._step_length = stream.rows * stream.chunk_length

    def plan(self, origin: Origin | None) -> OwnPlan:
        """Train a few steps for nothing, to see how long the rest will take."""
        before = self._stream.state()
        scratch = OwnPlan(1 + _TRIED_STEPS, 1, 0, 0.0)
        tried = Trainer(self._config, self._stream, self._options.training(scratch), processes=self._processes)
        if origin is not None:
            tried.start_from(origin)
        held_out = held_out_loss(tried.averaged, self._found.held)
        tried.train_step()  # the first is slower
        began = time.monotonic()
        for _ in range(_TRIED_STEPS):
            tried.train_step()
        speed = _TRIED_STEPS * self._step_length / (time.monotonic() - began)
        self._stream.restore(before)
        options = self._options
        steps = options.steps
        if steps is None:
            steps = default_steps(self._found.training_length, self._step_length)
            if options.max_hours is not None:
                steps = min(steps, steps_within(options.max_hours, speed, self._step_length))
        every = options.checkpoint_every or steps_between_checkpoints(steps, speed, self._step_length)
        return OwnPlan(steps, every, round(speed), round(held_out, 4))

    def run(self, plan: OwnPlan, origin: Origin | None, progress: Progress, tell: Tell) -> OwnTraining:
        """Train by a plan, to its end or for as long as allowed."""
        options, last = self._options, self._options.output / LAST
        stop_after = math.inf if options.max_hours is None else options.max_hours * 3600
        plan = replace(plan, steps=options.steps or plan.steps)
        left = TimeLeft(plan.steps * self._step_length / max(plan.samples_per_second, 1), stop_after)
        trainer = self._trainer(plan, left, tell)
        if not last.exists():
            speed = f"{plan.samples_per_second:,} samples/s measured here"
            tell(f"training for {plan.steps:,} steps, {duration_text(left.seconds())} at the {speed}")
        try:
            session = run_trainer(
                trainer,
                self._processes,
                left.watching(progress),
                origin=origin,
                resume=options.resume,
                max_hours=options.max_hours,
                left_out=self._found.left_out,
            )
        except CancelledError as error:
            if not last.exists():  # before the first step
                raise
            raise CancelledError(
                f"stopped at step {trainer.step:,} of {plan.steps:,}; {last} holds what was learned. The same command "
                "with --resume goes on, and makes the bundle at the end"
            ) from error
        best = last.with_name(BEST)
        return OwnTraining(session, self._found, plan, best if best.exists() else last)

    def _trainer(self, plan: OwnPlan, left: TimeLeft, tell: Tell) -> Trainer:
        options, held = self._options, self._found.held
        training = options.training(plan)
        previews = options.previews or preview_defaults(self._config, (1.0,))
        recorders, show = showing(
            options.output,
            lambda model, told: recording_previews(model, held, previews, told),
            previews=previews.length > 0,
            tensorboard=options.tensorboard,
        )
        return Trainer(
            self._config,
            self._stream,
            training,
            material=self._found.credits(),
            on_checkpoint=held_out_measure(lambda model: held_out_loss(model, held), training),
            on_written=_heard(show, options.output, tell, left) if previews.length else show,
            recorders=recorders,
            processes=self._processes,
        )


def _heard(show: Show, output: Path, tell: Tell, left: TimeLeft) -> Show:
    def shown(model: SampleRNN, step: int, progress: Progress) -> None:
        show(model, step, progress)
        newest = sorted((output / "previews").glob(f"{step:06d}_*.wav"))
        tell(f"to hear what it is like so far: {newest[0]} ({left})" if newest else f"step {step} ({left})")

    return shown


def _found_lines(found: OwnRecordings) -> list[str]:
    """What was read, in words."""
    lines = [
        f"{length_text(found.recorded_length)} recorded, {length_text(found.sounding_length)} of it sound; "
        f"{length_text(found.training_length)} to learn from, {length_text(found.held_length)} held back to measure "
        f"with ({found.held_from})"
    ]
    if found.gain_db:
        lines.append(f"the recordings are quiet: all are raised by {found.gain_db:.1f} dB")
    if found.sounding_length < LITTLE_DURATION * SAMPLE_RATE:
        lines.append(
            f"warning: only {found.sounding_length / SAMPLE_RATE:.0f} s of sound; expect repetition, and record some "
            "minutes for something better"
        )
    return lines
