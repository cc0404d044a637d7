"""How many sound events a sound has where another one has them: recall, precision, F1, average precision.

Other kits report "onset accuracy", which is recall alone (a rattle that never stops has 100 %), and an average
precision that leaves the events out that nothing was predicted for. Here precision stands beside recall, and missed
events count in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.statistics import Mean, bootstrap_mean
from v2s_engine.grid import ENVELOPE_LENGTH
from v2s_engine.onsets import find_onsets, match_onsets

TOLERANCE_LENGTH = 1_600
"""Samples that an onset may be off and still be a hit: 100 ms, as in CondFoleyGen's measure."""

EVENT_STRENGTH = 0.5
"""Strength from which a rise in loudness is an event: 12 dB."""

CANDIDATE_STRENGTH = 0.15
"""Strength from which a rise counts as a prediction of low confidence, for average precision."""


@dataclass(frozen=True, eq=False)
class Onsets:
    """Where sounds start in one clip."""

    positions: NDArray[np.int64]
    """`[E]` samples at 16 kHz from the clip's start, rising."""
    confidence: NDArray[np.float64]
    """`[E]`, higher is surer."""

    def __post_init__(self) -> None:
        if self.positions.ndim != 1 or self.positions.shape != self.confidence.shape:
            raise UsageError(
                f"onsets want a confidence for each position; got {self.positions.shape} and {self.confidence.shape}"
            )

    def surer_than(self, confidence: float) -> NDArray[np.int64]:
        """Positions of those with at least this confidence."""
        return self.positions[self.confidence >= confidence]


@dataclass(frozen=True)
class OnsetMeans:
    """The shares of `OnsetScores` with their 95 % intervals over clips, weighted by events; n: clips that have any."""

    recall: Mean
    precision: Mean
    f1: Mean


@dataclass(frozen=True)
class OnsetScores:
    """Predicted onsets against true ones, over all clips together."""

    clips: int
    true: int
    """Events in the true sounds."""
    predicted: int
    """Events predicted with at least `EVENT_STRENGTH`."""
    matched: int
    """Pairs of the two within the tolerance, one to one."""
    recall: float | None
    """matched / true ("onset accuracy" elsewhere); None without true events."""
    precision: float | None
    """matched / predicted; None without predictions."""
    f1: float | None
    """2 matched / (true + predicted); None without either."""
    average_precision: float | None
    """Over all confidences, events that were never predicted included; None without true events."""
    over_clips: OnsetMeans


def sound_onsets(samples: NDArray[np.float32]) -> Onsets:
    """The onsets of a sound `[L]` at 16 kHz; their confidence is the onset strength of the envelope, in [0, 1].

    Weak ones (from `CANDIDATE_STRENGTH`) are listed too; `surer_than(EVENT_STRENGTH)` are the events.
    """
    strength = measure_envelope(samples).onset
    steps = find_onsets(strength, CANDIDATE_STRENGTH)
    return Onsets(steps * ENVELOPE_LENGTH, strength[steps].astype(np.float64))


def score_onsets(
    predicted: Sequence[Onsets],
    true: Sequence[NDArray[np.int64]],
    *,
    tolerance: int = TOLERANCE_LENGTH,
    event_strength: float = EVENT_STRENGTH,
    seed: int = 0,
) -> OnsetScores:
    """Hold the predictions for some clips against their true onsets `[E]` in samples; one of each per clip.

    `seed` is of the bootstrap.
    """
    if len(predicted) != len(true):
        raise UsageError(f"onsets want one prediction per clip; got {len(predicted)} for {len(true)} clips")
    events = [guess.surer_than(event_strength) for guess in predicted]
    matches = [len(match_onsets(found, wanted, tolerance)) for found, wanted in zip(events, true, strict=True)]
    wanted, found = list(map(len, true)), list(map(len, events))
    matched, wanted_count, found_count = sum(matches), sum(wanted), sum(found)
    return OnsetScores(
        clips=len(true),
        true=wanted_count,
        predicted=found_count,
        matched=matched,
        recall=_share(matched, wanted_count),
        precision=_share(matched, found_count),
        f1=_share(2 * matched, wanted_count + found_count),
        average_precision=average_precision(predicted, true, tolerance),
        over_clips=OnsetMeans(
            recall=_mean_share(matches, wanted, seed),
            precision=_mean_share(matches, found, seed),
            f1=_mean_share([2 * each for each in matches], [a + b for a, b in zip(wanted, found, strict=True)], seed),
        ),
    )


def onset_f1(predicted: Onsets, true: NDArray[np.int64]) -> float | None:
    """F1 of one clip's events; None where neither the prediction nor the truth has any."""
    events = predicted.surer_than(EVENT_STRENGTH)
    return _share(2 * len(match_onsets(events, true, TOLERANCE_LENGTH)), len(events) + len(true))


def average_precision(
    predicted: Sequence[Onsets], true: Sequence[NDArray[np.int64]], tolerance: int = TOLERANCE_LENGTH
) -> float | None:
    """Area under precision over recall as predictions are admitted, surest first; None without true events.

    At each confidence that occurs, all predictions at least that sure are matched anew, one to one. Recall is counted
    over all true events: those that were never predicted keep the area away from 1. Equal confidences are admitted
    together, so their order does not matter.
    """
    wanted = sum(map(len, true))
    if not wanted:
        return None
    area, recall_before = 0.0, 0.0
    for confidence in sorted({value for guess in predicted for value in guess.confidence.tolist()}, reverse=True):
        admitted = [guess.surer_than(confidence) for guess in predicted]
        matched = sum(len(match_onsets(found, events, tolerance)) for found, events in zip(admitted, true, strict=True))
        recall = matched / wanted
        area += (recall - recall_before) * matched / sum(map(len, admitted))
        recall_before = recall
    return area


def _mean_share(parts: Sequence[int], wholes: Sequence[int], seed: int) -> Mean:
    """The share of all parts in all wholes, which is the mean of the clips' shares weighted by their wholes."""
    counted = [(part / whole, whole) for part, whole in zip(parts, wholes, strict=True) if whole]
    return bootstrap_mean([share for share, _ in counted], [whole for _, whole in counted], seed=seed)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
