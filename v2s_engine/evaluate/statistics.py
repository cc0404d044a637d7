"""How sure a mean is: bootstrap intervals and a paired test, seeded, so that the same figures give the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError

RESAMPLES = 10_000
"""Bootstrap resamples, and random sign flips where all of them are too many."""

CONFIDENCE = 0.95

_EXACT_PAIRS = 13  # 2^13 sign patterns: fewer than RESAMPLES, so all of them are tried
_BLOCK = 2**22  # numbers held at once while resampling


@dataclass(frozen=True)
class Mean:
    """A mean over clips with its bootstrap 95 % confidence interval."""

    n: int
    mean: float | None
    """None where there is nothing to average."""
    low: float | None
    """None below two values: one value says nothing of the spread."""
    high: float | None


@dataclass(frozen=True)
class PairedDifference:
    """The mean of differences within pairs, its 95 % interval, and how likely chance alone gives as much."""

    n: int
    mean: float | None
    low: float | None
    high: float | None
    p_value: float | None
    """Two-sided sign-flip permutation test: the share of random signs with a mean as far from 0."""


def bootstrap_mean(values: Sequence[float], weights: Sequence[float] | None = None, *, seed: int = 0) -> Mean:
    """The (weighted) mean of values, one per clip, with its bootstrap 95 % interval (percentiles).

    Raises `UsageError` for values that are not finite, or weights that are not positive.
    """
    data = _finite(values)
    weight = np.ones(len(data)) if weights is None else _finite(weights)
    if len(weight) != len(data) or (weight <= 0).any():
        raise UsageError(f"a weighted mean wants a positive weight per value; got {len(weight)} for {len(data)} values")
    if not len(data):
        return Mean(0, None, None, None)
    mean = float((data * weight).sum() / weight.sum())
    if len(data) < 2:
        return Mean(len(data), mean, None, None)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            (data[drawn] * weight[drawn]).sum(axis=1) / weight[drawn].sum(axis=1)
            for count in resample_blocks(len(data))
            for drawn in [rng.integers(len(data), size=(count, len(data)))]
        ]
    )
    # A mean lies inside its interval; with equal values rounding alone could put it outside.
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Mean(len(data), mean, min(float(low), mean), max(float(high), mean))


def paired_difference(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> PairedDifference:
    """Mean of first - second over pairs (the same clip measured twice), its interval and p-value.

    Raises `UsageError` where the two are not of one length or not finite.
    """
    if len(first) != len(second):
        raise UsageError(f"pairs want two series of one length; got {len(first)} and {len(second)}")
    differences = _finite(first) - _finite(second)
    mean = bootstrap_mean(differences.tolist(), seed=seed)
    p_value = _sign_flip_p(differences, seed) if len(differences) >= 2 else None
    return PairedDifference(mean.n, mean.mean, mean.low, mean.high, p_value)


def derangement(groups: Sequence[str], *, within: bool, seed: int = 0) -> NDArray[np.int64]:
    """For each of n clips another one `[n]`, each used once: of its own group, or of another. -1 where none is left.

    Within a group, its members stand in a seeded random order and each gets the next one: one alone gets nothing.
    Across groups, the groups stand one after the other in random order inside, and each clip gets the one that stands
    the size of the largest group further on: where no group has more than half of all clips, everyone gets another's.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(groups))
    partner = np.full(len(groups), -1, np.int64)
    members = [shuffled[[groups[index] == name for index in shuffled]] for name in sorted(set(groups))]
    if within:
        for group in members:
            if len(group) > 1:
                partner[group] = np.roll(group, -1)
        return partner
    if not members:
        return partner
    line = np.concatenate(members)
    ahead = np.roll(line, -max(map(len, members)))
    other = np.array([groups[one] != groups[two] for one, two in zip(line, ahead, strict=True)], np.bool_)
    partner[line[other]] = ahead[other]
    return partner


def _sign_flip_p(differences: NDArray[np.float64], seed: int) -> float:
    count = len(differences)
    seen = abs(differences.mean()) * (1 - 1e-12)  # equal means must count as equal whatever the order of the sum
    if count <= _EXACT_PAIRS:
        patterns = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return float((abs(((1 - 2 * patterns) * differences).mean(axis=1)) >= seen).mean())
    rng = np.random.default_rng(seed)
    hits = sum(
        int((abs((rng.choice((-1.0, 1.0), size=(block, count)) * differences).mean(axis=1)) >= seen).sum())
        for block in resample_blocks(count)
    )
    return (1 + hits) / (1 + RESAMPLES)  # the pattern that was seen is one of them: never 0


def resample_blocks(count: int) -> list[int]:
    """Sizes of blocks that make up all resamples of `count` values each, so that memory stays bounded."""
    size = max(1, min(RESAMPLES, _BLOCK // count))
    return [min(size, RESAMPLES - done) for done in range(0, RESAMPLES, size)]


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    data = np.asarray(values, np.float64).reshape(-1)
    if not np.isfinite(data).all():
        raise UsageError("a mean wants finite values; got NaN or infinity: leave such clips out with their reason")
    return data
