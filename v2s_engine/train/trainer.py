"""Training of the SampleRNN: teacher forcing, truncated back-propagation, carried state, Adam, averaged weights."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from v2s_engine.corpus.recordings import Library
from v2s_engine.errors import DeviceError, UsageError
from v2s_engine.model.samplernn import SampleRNN, TierState
from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from v2s_engine.train.stream import ExcerptStream, StreamOptions

NATS_TO_BITS = 1 / math.log(2)
_REPORT_EVERY = 10  # steps


TrainDevice = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class TrainOptions:
    """What one training does."""

    output: Path
    """Folder for checkpoints, log and previews."""
    steps: int
    """Optimiser steps in all; the learning rate has fallen to 0 by then."""
    stream: StreamOptions = field(default_factory=StreamOptions)
    learning_rate: float = 1.5e-3
    warmup_steps: int = 200
    gradient_clip: float = 1.0
    """Largest norm of the whole gradient."""
    averaging: float = 0.9995
    """Decay of the moving average of the weights, per step."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    mixed_precision: bool = True
    """bfloat16 autocast."""
    device: TrainDevice = "cpu"
    """See `check_device`."""
    threads: int = 1
    """One is fastest on a CPU at these sizes."""
    seed: int = 0


class Trainer:
    """One training, from its start or from a checkpoint in its output folder.

    `on_checkpoint` is called with the averaged weights and the step after each checkpoint (previews, validation).
    """

    def __init__(
        self,
        config: ModelConfig,
        library: Library,
        options: TrainOptions,
        on_checkpoint: Callable[[SampleRNN, int], dict[str, float]] | None = None,
    ) -> None:
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.config = config
        self.options = options
        self._library = library
        self._on_checkpoint = on_checkpoint
        self._device = torch.device(options.device)
        self.model = SampleRNN(config).to(self._device)
        self.averaged = SampleRNN(config).to(self._device)
        self.averaged.load_state_dict(self.model.state_dict())
        self._optimiser = torch.optim.Adam(self.model.parameters(), lr=options.learning_rate)
        self._stream = ExcerptStream(library.recordings, config, options.stream)
        self._state = TierState(*(part.detach().clone() for part in self.model.initial_state(options.stream.rows)))
        self.step = 0
        self.samples = 0

    @property
    def checkpoint_path(self) -> Path:
        """The newest checkpoint of this training."""
        return self.options.output / "last.ckpt"

    def resume(self) -> bool:
        """Go on from the newest checkpoint; False where there is none. Raises `UsageError` where it does not fit."""
        if not self.checkpoint_path.exists():
            return False
        checkpoint = read_checkpoint(self.checkpoint_path)
        if checkpoint.config != self.config:
            raise UsageError(
                f"{self.checkpoint_path} was trained as {checkpoint.config}, asked for is {self.config}; "
                "use another --output or the same options"
            )
        if len(checkpoint.stream["numbers"]) != self.options.stream.rows:
            raise UsageError(
                f"{self.checkpoint_path} was trained with {len(checkpoint.stream['numbers'])} rows, "
                f"asked for are {self.options.stream.rows}"
            )
        self.model.load_state_dict(checkpoint.model)
        self.averaged.load_state_dict(checkpoint.averaged)
        self._optimiser.load_state_dict(checkpoint.optimiser)
        self._state = TierState(*(part.to(self._device) for part in checkpoint.state))
        self._stream.restore(checkpoint.stream)
        self.step, self.samples = checkpoint.step, checkpoint.samples
        return True

    def run(self, progress: Progress, stop_after: float = math.inf) -> None:
        """Train until `options.steps` or, after a checkpoint, until `stop_after` seconds have passed."""
        self.options.output.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        losses: list[float] = []
        since = began
        step_length = self.options.stream.rows * self.options.stream.chunk_length
        while self.step < self.options.steps:
            progress.check()
            losses.append(self.train_step())
            done = self.step >= self.options.steps
            due = self.step % self.options.checkpoint_every == 0
            out_of_time = time.monotonic() - began > stop_after
            if self.step % _REPORT_EVERY == 0:
                mean = sum(losses[-_REPORT_EVERY:]) / len(losses[-_REPORT_EVERY:])
                text = f"loss {mean:.3f} nats, {mean * NATS_TO_BITS:.3f} bits"
                progress.step("train", self.step, self.options.steps, text)
            if due or done or out_of_time:
                elapsed = time.monotonic() - since
                self._checkpoint(losses, len(losses) * step_length / elapsed)
                losses, since = [], time.monotonic()
            if out_of_time:
                return

    def train_step(self) -> float:
        """One optimiser step; the mean cross entropy in nats per sample."""
        options = self.options
        chunk = self._stream.next_chunk()
        codes = torch.from_numpy(chunk.codes).to(self._device, torch.int64)
        conditioning = torch.from_numpy(chunk.conditioning).to(self._device)
        state = self.model.restarted(self._state, torch.from_numpy(chunk.reset).to(self._device))
        for group in self._optimiser.param_groups:
            group["lr"] = options.learning_rate * self._schedule()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=options.mixed_precision):
            logits, state = self.model(codes, conditioning, state)
        targets = torch.from_numpy(chunk.targets).to(self._device, torch.int64).reshape(-1)
        loss = nn.functional.cross_entropy(logits.float().reshape(-1, LEVELS), targets)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), options.gradient_clip)
        self._optimiser.step()
        self._state = TierState(*(part.detach().float() for part in state))
        self.step += 1
        self.samples += targets.numel()
        self._average()
        return loss.item()

    def _schedule(self) -> float:
        """Warm-up, then a half cosine to 0."""
        warm = min(1.0, (self.step + 1) / self.options.warmup_steps)
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / self.options.steps)))

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.options.averaging, self.step / (self.step + 10))
        for averaged, current in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            averaged.lerp_(current, 1 - decay)

    def _checkpoint(self, losses: list[float], samples_per_second: float) -> None:
        checkpoint = Checkpoint(
            config=self.config,
            step=self.step,
            samples=self.samples,
            model=_on_cpu(self.model),
            averaged=_on_cpu(self.averaged),
            optimiser=self._optimiser.state_dict(),
            state=(self._state.coarse.cpu(), self._state.mid.cpu()),
            stream=self._stream.state(),
            material=self._library.credits(),
        )
        write_checkpoint(checkpoint, self.checkpoint_path)
        mean = sum(losses) / len(losses)
        entry = {
            "step": self.step,
            "samples": self.samples,
            "loss_nats": round(mean, 4),
            "loss_bits": round(mean * NATS_TO_BITS, 4),
            "samples_per_second": round(samples_per_second),
        }
        if self._on_checkpoint:
            entry |= self._on_checkpoint(self.averaged, self.step)
        with (self.options.output / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")


def check_device(name: str) -> TrainDevice:
    """A device by name, if it is there. Raises `UsageError` for an unknown one, `DeviceError` for a missing one."""
    for known in get_args(TrainDevice):
        if name == known:
            if known == "cuda" and not torch.cuda.is_available():
                raise DeviceError("--device cuda: PyTorch sees no CUDA device; check the driver, or use --device cpu")
            device: TrainDevice = known
            return device
    raise UsageError(f"unknown device {name!r} for training; known: {', '.join(get_args(TrainDevice))}")


def _on_cpu(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
