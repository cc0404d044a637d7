"""What gives a machine's sound away beside its class: floor, offset, clipping, loops, bandwidth, takes all alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.sound_quality import count_clipped
from v2s_engine.evaluate.sounds.distance import mel_statistics
from v2s_engine.evaluate.sounds.log_mel import HOP_LENGTH, log_mel
from v2s_engine.grid import SAMPLE_RATE

Samples = NDArray[np.float32]

ROLL_OFF = 0.95
"""Part of the power that lies below the bandwidth."""

LOOP_LIKENESS = 0.9
"""Correlation of two spectra from which on one repeats the other."""

_LEAST_LAG = 25  # spectra: a loop shorter than 250 ms is a rhythm or a tone
_HEARD_DB = 50.0


@dataclass(frozen=True)
class SoundTraits:
    """Measures of one sound."""

    floor_db: float
    """Level of the quietest steps of 16 ms (5th percentile) below the loudest (95th); -80 dBFS is the lowest."""
    dc: float
    """Mean of all samples, without sign; full scale is 1."""
    clipped: float
    """Share of clipped samples, see `count_clipped`."""
    loop_s: float
    """Longest passage that repeats an earlier one, in seconds."""
    bandwidth_hz: float
    """Frequency below which 95 % of the power lie."""


def measure_traits(samples: Samples) -> SoundTraits:
    """Measure a sound `[L]` at 16 kHz. Raises `UsageError` for an empty one."""
    if not len(samples):
        raise UsageError("an empty sound has no traits; give at least one sample")
    loudness = measure_envelope(samples).loudness
    quiet, loud = np.percentile(loudness, (5, 95))
    return SoundTraits(
        floor_db=float(quiet - loud),
        dc=float(abs(samples.mean(dtype=np.float64))),
        clipped=count_clipped(samples) / len(samples),
        loop_s=longest_loop(samples),
        bandwidth_hz=_bandwidth(samples),
    )


def longest_loop(samples: Samples) -> float:
    """Seconds of the longest passage whose log-mel spectra come again 250 ms or more later; 0 where none does.

    Spectra are compared after taking off each band's mean over the sound, so that steady noise does not repeat itself;
    those 50 dB below the loudest one repeat nothing.
    """
    mel = log_mel(samples).astype(np.float64)
    heard = mel.max(axis=1) > mel.max() - _HEARD_DB
    if heard.sum() <= _LEAST_LAG:
        return 0.0
    centred = np.maximum(mel, mel.max() - _HEARD_DB)
    centred -= centred[heard].mean(axis=0)
    centred *= heard[:, None]
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.maximum(lengths, 1e-9)
    longest = 0
    for lag in range(_LEAST_LAG, len(unit)):
        like = (unit[lag:] * unit[:-lag]).sum(axis=1) > LOOP_LIKENESS
        edges = np.flatnonzero(np.diff(np.concatenate([[False], like, [False]]).astype(np.int8)))
        # A passage that goes on for longer than its lag is one loop, played again and again.
        longest = max(longest, int((edges[1::2] - edges[::2]).max(initial=0)))
    return longest * HOP_LENGTH / SAMPLE_RATE


def mean_difference(sounds: Sequence[Samples]) -> float | None:
    """Mean difference in dB between the `mel_statistics` of every two sounds; None for fewer than two."""
    statistics = [mel_statistics(each) for each in sounds]
    if len(statistics) < 2:
        return None
    return float(np.mean([np.sqrt(np.mean((one - two) ** 2)) for one, two in combinations(statistics, 2)]))


def _bandwidth(samples: Samples) -> float:
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    if power.sum() <= 0:
        return 0.0
    place = int(np.searchsorted(np.cumsum(power), ROLL_OFF * power.sum()))
    return float(place * SAMPLE_RATE / len(samples))
