"""How well the network predicts recordings that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from v2s_engine.corpus.recordings import Recording
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import LEVELS
from v2s_engine.train.stream import ExcerptStream, StreamOptions

_STREAM = StreamOptions(rows=16, gain_range=(0.0, 0.0), speeds=(1.0,), level_jitter=0.0, noise_share=0.0, seed=1)
_CHUNKS = 48


@torch.no_grad()
def held_out_loss(model: SampleRNN, recordings: Sequence[Recording]) -> float:
    """Mean cross entropy in nats per sample over the same excerpts each time; states are carried as in training."""
    stream = ExcerptStream(recordings, model.config, _STREAM)
    device = next(model.parameters()).device
    state = model.initial_state(_STREAM.rows)
    losses = []
    for _ in range(_CHUNKS):
        chunk = stream.next_chunk()
        state = model.restarted(state, torch.from_numpy(chunk.reset).to(device))
        codes = torch.from_numpy(chunk.codes).to(device, torch.int64)
        logits, state = model(codes, torch.from_numpy(chunk.conditioning).to(device), state)
        targets = torch.from_numpy(chunk.targets).to(device, torch.int64).reshape(-1)
        losses.append(nn.functional.cross_entropy(logits.reshape(-1, LEVELS), targets).item())
    return float(np.mean(losses))
