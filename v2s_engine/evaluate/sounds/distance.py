"""How far sounds are from other sounds, as sets: log-mel statistics, and Fréchet distance on the judge's features.

Fréchet distance between two Gaussians (Dowson and Landau, 1982), as FAD uses it (Kilgour and others, Interspeech 2019).
With few sounds it is biased upwards, the more the fewer there are: hold it only against distances between sets of the
same size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.evaluate.sounds.log_mel import BANDS, log_mel

Floats = NDArray[np.float64]

AUDIBLE_RANGE_DB = 60.0
"""Places further below the loudest place of a sound count as this far below: noise floors are measured apart."""

_SHRINKAGE = 0.1
"""Of a covariance towards its diagonal, since windows are hardly more than features."""


def mel_statistics(samples: NDArray[np.float32]) -> Floats:
    """What a sound `[L]` at 16 kHz is like on average, `[192]` in dB, whatever its level.

    Per mel band: mean, standard deviation, and mean step from one spectrum to the next (10 ms), over the spectra within
    40 dB of the loudest one; levels are relative to the mean over bands.
    """
    mel = log_mel(samples).astype(np.float64)
    mel = np.maximum(mel, mel.max() - AUDIBLE_RANGE_DB)
    loudness = mel.max(axis=1)
    heard = loudness > loudness.max() - 40
    kept = mel[heard]
    steps = np.abs(np.diff(mel, axis=0))[heard[1:] | heard[:-1]] if len(mel) > 1 else np.zeros((1, BANDS))
    mean = kept.mean(axis=0)
    return np.concatenate([mean - mean.mean(), kept.std(axis=0), steps.mean(axis=0)])


def mel_distance(first: Sequence[NDArray[np.float32]], second: Sequence[NDArray[np.float32]]) -> float:
    """Root mean square difference in dB of the mean `mel_statistics` of two sets of sounds; 0 for the same set."""
    if not first or not second:
        raise UsageError(f"a distance wants sounds on both sides; got {len(first)} and {len(second)}")
    one, two = (np.mean([mel_statistics(each) for each in sounds], axis=0) for sounds in (first, second))
    return float(np.sqrt(np.mean((one - two) ** 2)))


def frechet_distance(first: Floats, second: Floats) -> float:
    """Fréchet distance of two sets of features `[N, D]`, `[M, D]`, each taken as one Gaussian; 0 for the same set.

    Raises `UsageError` for fewer than two rows on a side.
    """
    if min(len(first), len(second)) < 2:
        raise UsageError(f"a Fréchet distance wants two windows on each side; got {len(first)} and {len(second)}")
    covariances = [_covariance(each) for each in (first, second)]
    root = _square_root(covariances[0])
    cross = _square_root(root @ covariances[1] @ root)
    apart = first.mean(axis=0) - second.mean(axis=0)
    distance = apart @ apart + sum(np.trace(each) for each in covariances) - 2 * np.trace(cross)
    return float(max(0.0, distance))


def _covariance(features: Floats) -> Floats:
    full = np.cov(features, rowvar=False)
    return np.asarray((1 - _SHRINKAGE) * full + _SHRINKAGE * np.diag(np.diag(full)))


def _square_root(matrix: Floats) -> Floats:
    """Of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
