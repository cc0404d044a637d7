"""Training of the SampleRNN: teacher forcing, truncated back-propagation, carried state, Adam, averaged weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from v2s_engine.errors import DeviceError, TrainingError, UsageError
from v2s_engine.model.samplernn import SampleRNN, TierState
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.train.checkpoint import Checkpoint, check_encoder, check_stream, read_checkpoint
from v2s_engine.train.chunks import ChunkStream, StreamPrint, StreamState
from v2s_engine.train.initial_weights import Origin, TakenOver, take_over
from v2s_engine.train.journal import NATS_TO_BITS, Journal, Recorder, StepRecord
from v2s_engine.train.keeping import LAST, Best, keep_checkpoint
from v2s_engine.train.processes import Processes
from v2s_engine.train.steps import Batch, Sums, chunk_gradients, coarse_tier_gradients
from v2s_engine.train.training_presets import OptimiserOptions

HELD_OUT = "held_out_nats"
"""The measure that decides which checkpoint is best."""

_REPORT_EVERY = 10  # steps

TrainDevice = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class TrainOptions:
    """What one training does."""

    output: Path
    """Folder for checkpoints, log and previews."""
    steps: int
    """Optimiser steps in all; a cosine schedule has fallen to 0 by then."""
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    keep: int = 0
    """Numbered checkpoints that are kept besides the last and the best."""
    patience: int | None = None
    """Stop after so many checkpoints without a lower held-out loss."""
    mixed_precision: bool = True
    """bfloat16 autocast."""
    device: TrainDevice = "cpu"
    """See `check_device`."""
    threads: int = 1
    """One is fastest on a CPU at these sizes."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"a seed must be at least 0; got {self.seed}")
        if self.steps < 1 or self.checkpoint_every < 1 or self.keep < 0 or (self.patience or 1) < 1:
            raise UsageError(
                "wanted at least one step, one step between checkpoints, a patience of one checkpoint, and no negative "
                f"number to keep; got {self.steps}, {self.checkpoint_every}, {self.patience}, {self.keep}"
            )


Measure = Callable[[SampleRNN, int], Mapping[str, float]]
Show = Callable[[SampleRNN, int, Progress], None]


class Trainer:
    """One training, from its start or from a checkpoint in its output folder.

    At each checkpoint `on_checkpoint` measures the averaged weights before it is written (its `held_out_nats` decides
    which is best), and `on_written` shows what they sound like after that. Both are called in the first process only.
    `material` is what is said in the bundle of what it was trained on, `encoder_digest` which visual encoder's features
    it learns from, `merged` that classes were merged into one. Raises `UsageError` for a truncation that does not fit.
    """

    def __init__(
        self,
        config: ModelConfig,
        stream: ChunkStream,
        options: TrainOptions,
        *,
        material: Sequence[dict[str, Any]] = (),
        encoder_digest: str | None = None,
        merged: bool = False,
        on_checkpoint: Measure | None = None,
        on_written: Show | None = None,
        recorders: Sequence[Recorder] = (),
        processes: Processes | None = None,
    ) -> None:
        check_truncation(options.optimiser, config, stream.chunk_length)
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.config = config
        self.options = options
        self._processes = processes or Processes(device=torch.device(options.device))
        self._device = self._processes.device
        self._material = list(material)
        self._encoder_digest, self._merged = encoder_digest, merged
        self._started_from: str | None = None
        self._on_checkpoint, self._on_written = on_checkpoint, on_written
        self._recorders = [Journal(options.output), *recorders] if self._processes.is_first else []
        self.model = SampleRNN(config).to(self._device)
        self.averaged = self.model
        if options.optimiser.averaging is not None:
            self.averaged = SampleRNN(config).to(self._device)
            self.averaged.load_state_dict(self.model.state_dict())
        self._optimiser = torch.optim.Adam(self.model.parameters(), lr=options.optimiser.learning_rate)
        self._stream = stream
        self._state = _blank_state(config, len(stream.rows), self._device)
        self._best = Best()
        self.step = 0
        self.samples = 0

    @property
    def checkpoint_path(self) -> Path:
        """The newest checkpoint of this training."""
        return self.options.output / LAST

    @property
    def is_done(self) -> bool:
        """Whether all steps are done, or the held-out loss has not fallen for long enough."""
        patience = self.options.patience
        return self.step >= self.options.steps or (patience is not None and self._best.worse >= patience)

    def start_from(self, origin: Origin) -> TakenOver:
        """Begin with the weights of another model, not with random ones. Raises `UsageError` where they do not fit.

        What that one was trained on joins the material: its credits are owed as well.
        """
        taken = take_over(self.model, origin)
        if self.averaged is not self.model:
            self.averaged.load_state_dict(self.model.state_dict())
        self._note_start(origin.name, origin.material)
        return taken

    def _note_start(self, name: str, material: Sequence[dict[str, Any]]) -> None:
        self._started_from = name
        known = {(each.get("file"), each.get("sha256")) for each in self._material}
        # By name and content: an older training may have said less of the same file.
        self._material += [each for each in material if (each.get("file"), each.get("sha256")) not in known]

    def resume(self) -> bool:
        """Go on from the newest checkpoint; False where there is none. Raises `UsageError` where it does not fit."""
        if not self.checkpoint_path.exists():
            return False
        checkpoint = read_checkpoint(self.checkpoint_path)
        self._check_fits(checkpoint)
        self.model.load_state_dict(checkpoint.model)
        if self.averaged is not self.model:
            self.averaged.load_state_dict(checkpoint.averaged)
        self._optimiser.load_state_dict(checkpoint.optimiser)
        own = slice(self._stream.rows.start, self._stream.rows.stop)
        self._state = TierState(*(part[own].to(self._device) for part in checkpoint.state))
        self._stream.restore(checkpoint.stream)
        self._best = Best(*checkpoint.best)
        if checkpoint.started_from is not None:
            self._note_start(checkpoint.started_from, checkpoint.material)
        self.step, self.samples = checkpoint.step, checkpoint.samples
        return True

    def _check_fits(self, checkpoint: Checkpoint) -> None:
        path = self.checkpoint_path
        if checkpoint.config != self.config:
            raise UsageError(
                f"{path} was trained as {checkpoint.config}, asked for is {self.config}; "
                "use another --output or the same options"
            )
        rows = len(self._stream.rows) * self._processes.count
        if len(checkpoint.stream["numbers"]) != rows:
            raise UsageError(f"{path} was trained with {len(checkpoint.stream['numbers'])} rows, asked for are {rows}")
        if checkpoint.chunk_length not in (None, self._stream.chunk_length):
            raise UsageError(
                f"{path} was trained in chunks of {checkpoint.chunk_length} samples, asked for are "
                f"{self._stream.chunk_length}"
            )
        if self._encoder_digest is not None:
            check_encoder(checkpoint, self._encoder_digest, path)
        check_stream(checkpoint, self._stream_print(), path)

    def _stream_print(self) -> StreamPrint:
        """What decides the batches, and how they are cut for back-propagation."""
        optimiser = self.options.optimiser
        cut = optimiser.truncation_length if optimiser.truncation == "coarse-tier" else self._stream.chunk_length
        return {**self._stream.fingerprint, "truncation": optimiser.truncation, "truncation_length": str(cut)}

    def run(self, progress: Progress, stop_after: float = math.inf) -> None:
        """Train until done or, after a checkpoint, until `stop_after` seconds have passed.

        Raises `CancelledError`, after a checkpoint as well, where `progress` is stopped.
        """
        if self._processes.is_first:
            self.options.output.mkdir(parents=True, exist_ok=True)
        for recorder in self._recorders:
            recorder.rewind(self.step)
        try:
            self._run(progress, stop_after)
        finally:
            for recorder in self._recorders:
                recorder.close()

    def _run(self, progress: Progress, stop_after: float) -> None:
        began = since = time.monotonic()
        records: list[StepRecord] = []
        seen = self.samples
        while not self.is_done:
            wants_stop = progress.cancel.is_set() or time.monotonic() - began > stop_after
            record, stops = self._agreed_step(wants_stop)
            records.append(record)
            for recorder in self._recorders:
                recorder.add_step(record)
            if self.step % _REPORT_EVERY == 0:
                mean = _mean(record.loss for record in records[-_REPORT_EVERY:])
                text = f"loss {mean:.3f} nats, {mean * NATS_TO_BITS:.3f} bits"
                # Not `step`, which would stop here without a checkpoint.
                progress.report(ProgressEvent("train", self.step, self.options.steps, text))
            if self.step % self.options.checkpoint_every == 0 or self.is_done or stops:
                self._check_weights()
                self._checkpoint(records, (self.samples - seen) / max(time.monotonic() - since, 1e-9), progress)
                records, seen, since = [], self.samples, time.monotonic()
            if stops:
                progress.check()
                return

    def train_step(self) -> StepRecord:
        """One optimiser step."""
        return self._agreed_step(False)[0]

    def _agreed_step(self, wants_stop: bool) -> tuple[StepRecord, bool]:
        """One optimiser step, and whether any process wanted to stop after it."""
        chunk = self._stream.next_chunk()
        count, stop = self._processes.sum([float(chunk.mask.sum()), float(wants_stop)])
        rate = self.options.optimiser.learning_rate * self._schedule()
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        sums, self._state = self._gradients(Batch.of(chunk, self._device), max(count, 1.0))
        self._processes.sum_gradients(self.model)
        encoder = gradient_norm(self.model, "pictures.")
        self._clip()
        self._optimiser.step()
        self.step += 1
        self.samples += int(count)
        self._average()
        loss, correct = self._processes.sum([sums.loss, sums.correct])
        of = max(count, 1.0)
        if not math.isfinite(loss):
            raise self._diverged("the loss is no number any more")
        return StepRecord(self.step, self.samples, loss / of, correct / of, encoder, rate), stop > 0

    def _check_weights(self) -> None:
        """Raise `TrainingError` rather than keep a model of which nothing can be made: a gradient was no number."""
        if not all(bool(torch.isfinite(each).all()) for each in self.model.parameters()):
            raise self._diverged("weights are no numbers any more")

    def _diverged(self, what: str) -> TrainingError:
        rate = self._optimiser.param_groups[0]["lr"]
        return TrainingError(
            f"{what} at step {self.step} with learning rate {rate:g}; {self.checkpoint_path} is left as it was before "
            "that, where there is one: resume with a lower --learning-rate, or with --full-precision"
        )

    def _gradients(self, batch: Batch, count: float) -> tuple[Sums, TierState]:
        options = self.options
        if options.optimiser.truncation == "chunk":
            return chunk_gradients(self.model, batch, self._state, count, mixed_precision=options.mixed_precision)
        return coarse_tier_gradients(
            self.model,
            batch,
            self._state,
            count,
            length=options.optimiser.truncation_length,
            mixed_precision=options.mixed_precision,
        )

    def _clip(self) -> None:
        options = self.options.optimiser
        if options.clipping == "norm":
            nn.utils.clip_grad_norm_(self.model.parameters(), options.gradient_clip)
        else:
            nn.utils.clip_grad_value_(self.model.parameters(), options.gradient_clip)

    def _schedule(self) -> float:
        """Warm-up, then constant or a half cosine to 0."""
        options = self.options.optimiser
        warm = min(1.0, (self.step + 1) / max(options.warmup_steps, 1))
        if options.schedule == "constant":
            return warm
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / self.options.steps)))

    @torch.no_grad()
    def _average(self) -> None:
        if self.options.optimiser.averaging is None:
            return
        decay = min(self.options.optimiser.averaging, self.step / (self.step + 10))
        for averaged, current in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            averaged.lerp_(current, 1 - decay)

    def _checkpoint(self, records: Sequence[StepRecord], samples_per_second: float, progress: Progress) -> None:
        mean = _mean(record.loss for record in records)
        entry = {
            "step": self.step,
            "samples": self.samples,
            "loss_nats": round(mean, 4),
            "loss_bits": round(mean * NATS_TO_BITS, 4),
            "accuracy": round(_mean(record.accuracy for record in records), 4),
            "samples_per_second": round(samples_per_second),
        }
        if self._processes.is_first and self._on_checkpoint:
            entry |= self._on_checkpoint(self.averaged, self.step)
        is_measured = self._processes.from_first(float(HELD_OUT in entry))
        held_out = self._processes.from_first(entry.get(HELD_OUT, math.nan))
        if is_measured:
            self._best = self._best.after(held_out, self.step)
        checkpoint = self._snapshot()
        if not self._processes.is_first:
            return
        for recorder in self._recorders:
            recorder.add_checkpoint(entry)
        is_best = self._best.step == self.step and self._best.loss is not None
        keep_checkpoint(checkpoint, self.options.output, keep=self.options.keep, is_best=is_best)
        if self._on_written:
            self._on_written(self.averaged, self.step, progress)

    def _snapshot(self) -> Checkpoint:
        model = _on_cpu(self.model)
        loss, step, worse = astuple(self._best)
        return Checkpoint(
            config=self.config,
            step=self.step,
            samples=self.samples,
            model=model,
            averaged=model if self.averaged is self.model else _on_cpu(self.averaged),
            optimiser=self._optimiser.state_dict(),
            state=(self._processes.gather(self._state.coarse).cpu(), self._processes.gather(self._state.mid).cpu()),
            stream=self._whole_stream(),
            material=self._material,
            chunk_length=self._stream.chunk_length,
            best=(loss, step, worse),
            started_from=self._started_from,
            encoder_digest=self._encoder_digest,
            stream_print=self._stream_print(),
            merged=self._merged,
        )

    def _whole_stream(self) -> StreamState:
        """Where all rows stand, whichever process has them."""
        own = self._stream.state()
        return {name: self._processes.gather(torch.tensor(own[name])).tolist() for name in sorted(own)}


def check_device(name: str) -> TrainDevice:
    """A device by name, if it is there. Raises `UsageError` for an unknown one, `DeviceError` for a missing one."""
    for known in get_args(TrainDevice):
        if name == known:
            if known == "cuda" and not torch.cuda.is_available():
                raise DeviceError("--device cuda: PyTorch sees no CUDA device; check the driver, or use --device cpu")
            device: TrainDevice = known
            return device
    raise UsageError(f"unknown device {name!r} for training; known: {', '.join(get_args(TrainDevice))}")


def check_truncation(optimiser: OptimiserOptions, config: ModelConfig, chunk_length: int) -> None:
    """Raise `UsageError` where the lower tiers cannot be truncated so inside chunks of this length."""
    length, unit = optimiser.truncation_length, config.coarse_unit
    if optimiser.truncation == "coarse-tier" and (length % unit or length > chunk_length):
        raise UsageError(
            f"the lower tiers cannot be truncated after {length} samples; wanted a multiple of {unit} of at most "
            f"{chunk_length}, e.g. --chunk-length 512"
        )


def gradient_norm(model: nn.Module, prefix: str) -> float:
    """Norm of the gradient of the parameters whose names begin so; 0 where they have none."""
    found = [each.grad for name, each in model.named_parameters() if name.startswith(prefix) and each.grad is not None]
    return float(nn.utils.get_total_norm(found)) if found else 0.0


def _blank_state(config: ModelConfig, rows: int, device: torch.device) -> TierState:
    """Before the first chunk, in which every row starts anew."""
    return TierState(*(torch.zeros(rows, config.hidden_size, device=device) for _ in range(2)))


def _on_cpu(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
