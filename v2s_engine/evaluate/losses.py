"""Teacher-forced cross entropy: how well a model foresees each sample of a sound, given all before and the pictures.

In nats per sample; divided by ln 2 it is in bits. Guessing evenly among 256 codes costs 5.545 nats, 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from v2s_engine.audio import encode_codes
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.clips import HeardClip, clip_conditioning
from v2s_engine.evaluate.methods import Method
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.model.conditioning import Conditioning
from v2s_engine.model.samplernn import SampleRNN, TierState
from v2s_engine.options import LEVELS, SILENCE_CODE
from v2s_engine.progress import Progress

BATCH = 16
"""Sounds that go through a model side by side."""

_PIECE_LENGTH = 2 * FRAME_LENGTH  # samples at a time: logits of 16 rows are 34 MB


@dataclass(frozen=True, eq=False)
class ForcedRow:
    """One sound to foresee and what the model is told meanwhile."""

    codes: NDArray[np.uint8]
    """`[L]`, at least one."""
    conditioning: Conditioning


def clip_losses(
    method: Method,
    clips: Sequence[HeardClip],
    pictures: Sequence[HeardClip] | None = None,
    *,
    stage: str = "loss",
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Nats per sample `[n]` of each clip's sound, given its own pictures or those of another clip (`pictures`, `[n]`).

    Only the pictures are exchanged: the class told, and the model where there is one per category, stay those of the
    sound. Progress is told as `stage`.
    """
    progress = progress or Progress()
    shown = clips if pictures is None else pictures
    losses = np.zeros(len(clips))
    groups: dict[int, list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault(id(method.model_of(clip.category)[0]), []).append(index)
    done = 0
    for group in groups.values():
        by_length = sorted(group, key=lambda index: clips[index].length)
        for first in range(0, len(by_length), BATCH):
            batch = by_length[first : first + BATCH]
            rows = []
            for index in batch:
                model, class_index = method.model_of(clips[index].category)
                codes = encode_codes(clips[index].samples, model.config)
                rows.append(ForcedRow(codes, clip_conditioning(model, shown[index], len(codes), class_index)))
            losses[batch] = cross_entropies(model, rows, progress.check)
            done += len(batch)
            progress.step(stage, done, len(clips))
    return losses


@torch.no_grad()
def cross_entropies(
    model: SampleRNN, rows: Sequence[ForcedRow], check: Callable[[], None] = lambda: None
) -> NDArray[np.float64]:
    """Nats per sample `[B]` of rows of any lengths, in one batch.

    Each starts from the model's state at a clip's start with silence behind; states are carried throughout, and where a
    window of pictures begins the coarsest tier starts from its state. What is filled up to the longest row counts for
    nothing. `check` is called every 128 ms of sound; what it raises ends it all. Raises `UsageError` for a row without
    samples, and where conditioning does not cover a row.
    """
    config = model.config
    lengths = [len(row.codes) for row in rows]
    span = steps_covering(max(lengths), config.conditioning_length) * config.conditioning_length
    codes, vectors, starts = (each.to(model.mid_start.device) for each in _padded(model, rows, span))
    ends = torch.tensor(lengths, device=codes.device)[:, None]
    state = model.initial_state(len(rows), starts[:, 0] if config.starts_from_pictures else None)
    window = config.encoder_window_length if config.starts_from_pictures else span
    total = torch.zeros(len(rows), dtype=torch.float64, device=codes.device)
    done = 0
    while done < span:
        check()
        if done and not done % window:
            state = TierState(starts[:, done // window], state.mid)
        length = min(_PIECE_LENGTH, span - done, window - done % window)
        seen = codes[:, done : done + config.history_length + length]
        covering = slice(done // config.conditioning_length, steps_covering(done + length, config.conditioning_length))
        logits, state = model(seen, vectors[:, covering], state)
        targets = seen[:, config.history_length :].reshape(-1)
        nats = nn.functional.cross_entropy(logits.float().reshape(-1, LEVELS), targets, reduction="none")
        counts = torch.arange(done, done + length, device=codes.device) < ends
        total += (nats.double().reshape(counts.shape) * counts).sum(dim=1)
        done += length
    return np.asarray((total / ends[:, 0]).cpu().numpy(), np.float64)


def _padded(model: SampleRNN, rows: Sequence[ForcedRow], span: int) -> tuple[Tensor, Tensor, Tensor]:
    """Codes `[B, history + span]`, vectors `[B, span / conditioning_length, C]` and starts `[B, W, d]`, filled up."""
    config = model.config
    windows = steps_covering(span, config.encoder_window_length)
    codes = np.full((len(rows), config.history_length + span), SILENCE_CODE, np.int64)
    vectors = np.zeros((len(rows), span // config.conditioning_length, config.conditioning_size), np.float32)
    starts = np.zeros((len(rows), windows, config.hidden_size), np.float32)
    for index, row in enumerate(rows):
        length, given = len(row.codes), row.conditioning
        wanted = steps_covering(length, config.conditioning_length)
        if not length or len(given.vectors) < wanted:
            raise UsageError(f"a sound of {length} samples wants {max(wanted, 1)} vectors; got {len(given.vectors)}")
        codes[index, config.history_length : config.history_length + length] = row.codes
        vectors[index, :wanted] = given.vectors[:wanted]
        if config.starts_from_pictures and given.starts is not None:
            starts[index, : len(given.starts)] = given.starts[:windows]
    return torch.from_numpy(codes), torch.from_numpy(vectors), torch.from_numpy(starts)
