"""How well sounds are placed in time: onsets found, and loudness that rises and falls when it should.

Every figure stands beside two others that use no network and no training: the same prediction held against another
clip's sound (what chance gives), and plain motion energy (how much the picture changes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope, rank_correlation
from v2s_engine.grid import ENVELOPES_PER_FRAME
from v2s_engine.onsets import find_onsets, match_onsets
from v2s_engine.train.timing_data import LookedAt

TOLERANCE = 6
"""Envelope steps (96 ms) that an onset may be off and still be found."""

THRESHOLDS = 60
"""How many thresholds are tried to find the best one."""


@dataclass(frozen=True)
class TimingScores:
    """One way of predicting, on one set of clips."""

    onset_f1: float
    """Harmonic mean of precision and recall of onsets within 96 ms, over all clips, at `threshold`."""
    precision: float
    recall: float
    best_onset_f1: float
    """The same at the threshold that is best for these very clips: what the curve could give at most."""
    rank_correlation: float
    """Spearman's, of predicted and measured loudness; mean over clips. 0 where a curve is flat."""
    threshold: float

    def to_json(self) -> dict[str, float]:
        """Rounded, for logs."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def count_matches(found: NDArray[np.int64], true: NDArray[np.int64], tolerance: int = TOLERANCE) -> int:
    """How many found onsets are true ones, each used once."""
    return len(match_onsets(found, true, tolerance))


def score(predicted: Sequence[Envelope], clips: Sequence[LookedAt], threshold: float | None = None) -> TimingScores:
    """Hold predictions against the clips' own sound. Without a threshold, the best one for these clips is taken.

    Curves of two lengths are compared over the shorter one.
    """
    best = best_threshold([guess.onset for guess in predicted], clips)
    used = best if threshold is None else threshold
    precision, recall, f1 = _onset_figures([guess.onset for guess in predicted], clips, used)
    correlations = []
    for guess, clip in zip(predicted, clips, strict=True):
        length = min(len(guess), len(clip.envelope))
        correlations.append(rank_correlation(guess.loudness[:length], clip.envelope.loudness[:length]))
    best_f1 = _onset_figures([guess.onset for guess in predicted], clips, best)[2]
    return TimingScores(f1, precision, recall, best_f1, float(np.mean(correlations)), used)


def best_threshold(curves: Sequence[NDArray[np.float32]], clips: Sequence[LookedAt]) -> float:
    """The onset threshold with the highest F1 on these clips."""
    values = np.concatenate(curves)
    tried = np.unique(np.quantile(values, np.linspace(0.5, 1.0, THRESHOLDS)))
    return float(max(tried, key=lambda threshold: _onset_figures(curves, clips, float(threshold))[2]))


def motion_energy(clip: LookedAt) -> Envelope:
    """How much the picture changes, as if it were an envelope: the baseline that needs no training.

    Loudness rises with it (only its order counts here); onset strength is the energy itself.
    """
    energy = np.abs(clip.looks.changes.astype(np.float32)).mean(axis=(1, 2)) / 255
    steps = np.repeat(energy, ENVELOPES_PER_FRAME).astype(np.float32)
    return Envelope((20 * np.log10(np.maximum(steps, 1e-4))).astype(np.float32), steps)


def compare(
    predict: Callable[[LookedAt], Envelope], clips: Sequence[LookedAt], thresholds: dict[str, float] | None = None
) -> dict[str, TimingScores]:
    """Scores of the network (`network`), of its predictions for other clips (`shuffled`) and of `motion`.

    `thresholds` are taken from another set's scores, by the same names; without them each way gets its best.
    """
    predicted = [predict(clip) for clip in clips]
    ways = {
        "network": predicted,
        "shuffled": [*predicted[1:], *predicted[:1]],
        "motion": [motion_energy(clip) for clip in clips],
    }
    return {name: score(guesses, clips, (thresholds or {}).get(name)) for name, guesses in ways.items()}


def _onset_figures(
    curves: Sequence[NDArray[np.float32]], clips: Sequence[LookedAt], threshold: float
) -> tuple[float, float, float]:
    """Precision, recall and F1 over all clips."""
    found, true, matched = 0, 0, 0
    for curve, clip in zip(curves, clips, strict=True):
        length = min(len(curve), len(clip.envelope))
        onsets, events = find_onsets(curve[:length], threshold, TOLERANCE), clip.events[clip.events < length]
        found, true = found + len(onsets), true + len(events)
        matched += count_matches(onsets, events)
    precision, recall = matched / max(found, 1), matched / max(true, 1)
    return precision, recall, 2 * matched / max(found + true, 1)
