"""Several processes that train one model, one per GPU: `torchrun --nproc-per-node N -m v2s_plugin.cli train ...`.

Each process has its share of the batch's rows and the same weights. Gradients are summed over all processes before each
step and divided by what counts in the whole batch, so that the steps are those of one process with all rows.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed
from torch import Tensor, nn

from v2s_engine.errors import DeviceError, UsageError

_PATIENCE = timedelta(hours=12)
"""How long a process waits for the others: the first one looks at all clips, and measures at checkpoints."""

_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each process."""


@dataclass(frozen=True)
class Processes:
    """Which of several processes this is. One alone needs no communication, and does none."""

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Whether this process writes and measures."""
        return self.rank == 0

    def share(self, rows: int) -> range:
        """The rows of a batch that are for this process. Raises `UsageError` where they cannot be shared evenly."""
        if rows < self.count or rows % self.count:
            raise UsageError(f"{rows} rows cannot be shared by {self.count} processes; take a multiple of {self.count}")
        each = rows // self.count
        return range(self.rank * each, (self.rank + 1) * each)

    def sum(self, values: Sequence[float | Tensor]) -> list[float]:
        """Each number's sum over all processes."""
        total = torch.stack([torch.as_tensor(value, dtype=torch.float64, device=self.device) for value in values])
        if self.count > 1:
            torch.distributed.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def from_first(self, value: float) -> float:
        """The first process's number, in all processes."""
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        if self.count > 1:
            torch.distributed.broadcast(shared, 0)
        return float(shared.item())

    def gather(self, rows: Tensor) -> Tensor:
        """The rows `[B / count, ..]` of all processes, `[B, ..]`, in order."""
        if self.count == 1:
            return rows
        rows = rows.to(self.device).contiguous()
        parts = [torch.empty_like(rows) for _ in range(self.count)]
        torch.distributed.all_gather(parts, rows)
        return torch.cat(parts)

    def sum_gradients(self, model: nn.Module) -> None:
        """Sum the parameters' gradients over all processes. A parameter that got none in any keeps none."""
        if self.count == 1:
            return
        parameters = [each for each in model.parameters() if each.requires_grad]
        there = torch.tensor([float(each.grad is not None) for each in parameters], device=self.device)
        torch.distributed.all_reduce(there)
        wanted = [each for each, count in zip(parameters, there.tolist(), strict=True) if count]
        for each in wanted:
            if each.grad is None:
                each.grad = torch.zeros_like(each)
        flat = torch.cat([each.grad.reshape(-1) for each in wanted if each.grad is not None])
        torch.distributed.all_reduce(flat)
        for each, part in zip(wanted, torch.split(flat, [each.numel() for each in wanted]), strict=True):
            each.grad = part.reshape(each.shape)

    def wait(self) -> None:
        """Until all processes are here."""
        self.sum([0.0])


@contextlib.contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone: gloo between CPUs, NCCL between GPUs.

    Raises `UsageError` where the environment says half of what torchrun says, `DeviceError` where a process has no
    GPU of its own.
    """
    told = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    if not {"RANK", "WORLD_SIZE"} & set(told):
        yield Processes(device=torch.device(device))
        return
    rank, count, local = _numbers(told)
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise DeviceError(
                f"process {local} on this machine has no GPU of its own: there are {torch.cuda.device_count()}; "
                "start no more processes than there are GPUs (torchrun --nproc-per-node), or use --device cpu"
            )
        torch.cuda.set_device(local)
    own = torch.device(device, local) if device == "cuda" else torch.device(device)
    torch.distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(rank, count, own)
    finally:
        torch.distributed.destroy_process_group()


def _numbers(told: dict[str, str]) -> tuple[int, int, int]:
    """Rank, number of processes and rank on this machine."""
    if missing := [name for name in _VARIABLES if name not in told]:
        raise UsageError(
            f"RANK or WORLD_SIZE is set in the environment and {', '.join(missing)} is not; start several processes "
            "with torchrun --nproc-per-node N -m v2s_plugin.cli train ..., or unset them for one process"
        )
    try:
        rank, count, local = (int(told[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    except ValueError as error:
        raise UsageError(f"torchrun's variables hold no numbers: {told}") from error
    if not 0 <= rank < count:
        raise UsageError(f"RANK {rank} is not below WORLD_SIZE {count}; start the processes with torchrun")
    return rank, count, local
