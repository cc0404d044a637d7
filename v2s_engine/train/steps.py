"""One optimiser step's gradients: what is back-propagated through, and what is not.

    chunk         state ─> |== chunk ==| ─> state      everything stops at the chunk's ends; the literal reading of
                                                       SampleRNN's truncated back-propagation. The pictures' encoder of
                                                       `sequence` and `flow` learns from the first chunk of each window
                                                       only (32 ms of 10 s). A longer chunk is the middle way.
    coarse-tier   coarse   |================ window ================|   one graph, encoder included
                  lower    |=====|=====|=====|=====|=====|=====|=====|   truncated, states carried
                                                       What the lower tiers ask of the coarsest is gathered part by part
                                                       and sent back through it, and so to the encoder, once.

How the authors of "Visual to Sound" handled this is not known. `coarse-tier` holds the coarsest tier's states of a
whole window: B · L / coarse_unit · d numbers, 10 GB at the paper's sizes with 128 rows; take fewer rows.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from v2s_engine.model.samplernn import SampleRNN, TierState
from v2s_engine.options import LEVELS
from v2s_engine.train.chunks import Chunk

Truncation = Literal["chunk", "coarse-tier"]

_IGNORED = -100  # a target that does not count, by PyTorch's convention


class Batch(NamedTuple):
    """A chunk on the device that trains."""

    codes: Tensor
    targets: Tensor
    """`[B, L]` int64; -100 where it does not count."""
    conditioning: Tensor
    reset: Tensor
    rows: Tensor | None
    """`[S]`: the rows in which a window of pictures starts."""
    features: Tensor | None
    """`[S, encoder_window, V]`."""

    @classmethod
    def of(cls, chunk: Chunk, device: torch.device) -> Self:
        """Move a chunk to a device."""
        targets = torch.from_numpy(chunk.targets).to(device, torch.int64)
        windows = chunk.windows
        return cls(
            codes=torch.from_numpy(chunk.codes).to(device, torch.int64),
            targets=targets.masked_fill(~torch.from_numpy(chunk.mask).to(device), _IGNORED),
            conditioning=torch.from_numpy(chunk.conditioning).to(device),
            reset=torch.from_numpy(chunk.reset).to(device),
            rows=torch.from_numpy(windows.rows).to(device) if windows else None,
            features=torch.from_numpy(windows.features).to(device, torch.float32) if windows else None,
        )


class Sums(NamedTuple):
    """What a chunk's predictions were worth, summed over its targets that count."""

    loss: Tensor
    """Cross entropy, nats."""
    correct: Tensor
    """Targets that were the likeliest code."""


def begin(model: SampleRNN, batch: Batch, carried: TierState) -> TierState:
    """The state before a chunk: carried, restarted where a clip starts, from the pictures where a window starts."""
    if not model.config.starts_from_pictures:
        return model.restarted(carried, batch.reset)
    if batch.rows is None or batch.features is None:
        return carried
    coarse = carried.coarse.index_copy(0, batch.rows, model.picture_start(batch.features).float())
    starts = torch.zeros_like(batch.reset).index_fill(0, batch.rows, True)
    return model.restarted(carried, batch.reset, coarse, starts)


def chunk_gradients(
    model: SampleRNN, batch: Batch, carried: TierState, count: float, *, mixed_precision: bool
) -> tuple[Sums, TierState]:
    """Add a chunk's gradients of loss / `count` to the parameters; the sums, and the state after the chunk."""
    with _autocast(batch, mixed_precision):
        logits, state = model(batch.codes, batch.conditioning, begin(model, batch, carried))
    sums = sums_of(logits, batch.targets)
    (sums.loss / count).backward()  # type: ignore[no-untyped-call]
    return _detached(sums), TierState(state[0].detach().float(), state[1].detach().float())


def coarse_tier_gradients(
    model: SampleRNN, batch: Batch, carried: TierState, count: float, *, length: int, mixed_precision: bool
) -> tuple[Sums, TierState]:
    """As `chunk_gradients`, with the lower tiers truncated every `length` samples and the coarsest tier not at all."""
    history, unit = model.config.history_length, model.config.coarse_unit
    with _autocast(batch, mixed_precision):
        state = begin(model, batch, carried)
        coarse_out, coarse = model.coarse_tier(batch.codes, batch.conditioning, state.coarse)
    mid, sums, asked = state.mid, [], []
    for first in range(0, batch.targets.shape[1], length):
        last = min(first + length, batch.targets.shape[1])
        part = coarse_out[:, first // unit : last // unit].detach().requires_grad_()
        with _autocast(batch, mixed_precision):
            logits, mid = model.lower_tiers(batch.codes[:, first : last + history], part, mid)
        each = sums_of(logits, batch.targets[:, first:last])
        (each.loss / count).backward()  # type: ignore[no-untyped-call]
        sums.append(_detached(each))
        asked.append(torch.zeros_like(part) if part.grad is None else part.grad)
        mid = mid.detach()
    torch.autograd.backward([coarse_out], [torch.cat(asked, dim=1)])
    total = Sums(*(torch.stack(column).sum(0) for column in zip(*sums, strict=True)))
    return total, TierState(coarse.detach().float(), mid.float())


def sums_of(logits: Tensor, targets: Tensor) -> Sums:
    """The sums over targets `[B, L]` that count, for logits `[B, L, 256]`."""
    loss = nn.functional.cross_entropy(
        logits.float().reshape(-1, LEVELS), targets.reshape(-1), reduction="sum", ignore_index=_IGNORED
    )
    return Sums(loss, (logits.argmax(-1) == targets).sum())


def _detached(sums: Sums) -> Sums:
    return Sums(sums.loss.detach(), sums.correct.detach())


def _autocast(batch: Batch, enabled: bool) -> torch.autocast:
    return torch.autocast(batch.codes.device.type, torch.bfloat16, enabled=enabled)
