"""The paper's first table: cross entropy per method, on clips that were trained on and on clips that were not (5b)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.evaluate.clips import HeardClip
from v2s_engine.evaluate.statistics import Mean, bootstrap_mean
from v2s_engine.train.journal import NATS_TO_BITS


@dataclass(frozen=True)
class CrossEntropy:
    """One cell of the table."""

    split: str
    samples: int
    """Audio samples foreseen."""
    nats: Mean
    """Per sample, over all samples of the split; the interval is over clips."""
    bits: float | None


def summarise_losses(split: str, clips: Sequence[HeardClip], losses: NDArray[np.float64], *, seed: int) -> CrossEntropy:
    """The mean over all samples of some clips whose losses (`clip_losses`) are known."""
    lengths = [clip.length for clip in clips]
    nats = bootstrap_mean(losses.tolist(), lengths, seed=seed)
    return CrossEntropy(split, sum(lengths), nats, None if nats.mean is None else nats.mean * NATS_TO_BITS)
