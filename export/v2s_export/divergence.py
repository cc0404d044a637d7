"""How far rounded weights are from full ones: the Kullback-Leibler divergence of what samples are drawn from.

Both models read the same sound, teacher-forced; for every sample of it there is one divergence. On sounds that the full
model drew itself its mean is the divergence of whole sounds, per sample (chain rule: Cover and Thomas, "Elements of
Information Theory", theorem 2.5.3): what rounding does to what is heard, errors that build up included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.weights import FoldedWeights
from v2s_export.passages import Passages, teacher_forced


@dataclass(frozen=True)
class Divergence:
    """Of the full weights from the rounded ones, in nats per sample; NaN where logits are not finite."""

    mean: float
    max: float
    """That of the worst single sample."""


def measure_divergences(
    weights: FoldedWeights, rounded: Iterable[FoldedWeights], passages: Passages, temperature: float
) -> Iterator[tuple[FoldedWeights, Divergence]]:
    """How far each of the rounded ones is from `weights`, measured when it is asked for; by the CPU sampler.

    Logits are divided by `temperature` as when sampling. Raises `DeviceError` where the CPU sampler cannot be had.
    """
    full = list(_log_probabilities(weights, passages, temperature))
    for candidate in rounded:
        got = _log_probabilities(candidate, passages, temperature)
        nats = np.concatenate([_divergence(*pair) for pair in zip(full, got, strict=True)])
        yield candidate, Divergence(float(nats.mean()), float(nats.max()))


def _log_probabilities(weights: FoldedWeights, passages: Passages, temperature: float) -> Iterator[NDArray[np.float32]]:
    """`[n, 256]` for the samples of each piece."""
    for piece in teacher_forced(open_sampler(weights, "cpu"), passages):
        scaled = piece.logits[piece.counted] / np.float32(temperature)
        scaled -= scaled.max(axis=-1, keepdims=True)
        yield scaled - np.log(np.exp(scaled, dtype=np.float64).sum(axis=-1, keepdims=True)).astype(np.float32)


def _divergence(wanted: NDArray[np.float32], got: NDArray[np.float32]) -> NDArray[np.float64]:
    """`[n]` in nats."""
    wide = wanted.astype(np.float64)
    nats: NDArray[np.float64] = (np.exp(wide) * (wide - got)).sum(axis=-1)
    return np.maximum(nats, 0.0)  # a rounding error below it; NaN stays
