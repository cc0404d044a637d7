"""The timbre of a recording."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE, steps_covering
from v2s_engine.timbre.filters import band_edges, without_envelope
from v2s_engine.timbre.timbre import (
    FLOOR_DB,
    LEAST_LAG,
    LEVELS_PER_DB,
    MOST_LAG,
    MOST_STRENGTH,
    Timbre,
)

_WINDOW = 512  # samples, 32 ms: short enough for an attack, long enough for a band of 45 Hz
_SPECTRUM = 1_024
_LEAST_LIKENESS = 0.3  # of a period and the one before, for a pitch
_LONG_LAGS_COST = 0.0002  # per sample: of a period and its multiples the shorter one wins
_SILENT_POWER = 1e-7

Floats = NDArray[np.float64]


def measure_timbre(samples: NDArray[np.float32]) -> Timbre:
    """The timbre of a sound at 16 kHz, samples `[L]`; a last partial step is filled up with silence."""
    steps = steps_covering(len(samples), ENVELOPE_LENGTH)
    padded = np.zeros(steps * ENVELOPE_LENGTH, np.float32)
    padded[: len(samples)] = samples
    enveloped = Timbre(_band_levels(padded, steps), np.zeros(steps, np.uint16), np.zeros(steps, np.uint8))
    lags, strengths = _pitch(without_envelope(padded, enveloped), steps)
    return Timbre(enveloped.levels, lags, strengths)


def _band_levels(padded: NDArray[np.float32], steps: int) -> NDArray[np.uint8]:
    """Levels `[N + 1, BANDS]` around the ends of the steps."""
    around = np.pad(padded.astype(np.float64), _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(around, _WINDOW)[::ENVELOPE_LENGTH][: steps + 1]
    window = np.hanning(_WINDOW + 1)[:-1]
    power = np.abs(np.fft.rfft(frames * window, _SPECTRUM, axis=1)) ** 2 / (window**2).sum()
    bands, widths = _bands()
    in_bands = power @ bands + 1e-11
    mean = in_bands @ widths
    levels = np.rint((10 * np.log10(in_bands / mean[:, None]) - FLOOR_DB) * LEVELS_PER_DB)
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def _pitch(flat: Floats, steps: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Lags and strengths `[N]`: how well 32 ms around a step's middle repeat what was one period earlier."""
    lags, strengths = np.zeros(steps, np.uint16), np.zeros(steps, np.uint8)
    half = _WINDOW // 2
    padded = np.concatenate([np.zeros(half + MOST_LAG), flat, np.zeros(half)])
    energy = np.concatenate([[0.0], np.cumsum(padded**2)])
    tried = np.arange(LEAST_LAG, MOST_LAG + 1)
    earlier = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
    for step in range(steps):
        first = MOST_LAG + step * ENVELOPE_LENGTH + ENVELOPE_LENGTH // 2  # of the window, in `padded`
        own = energy[first + _WINDOW] - energy[first]
        if own < _SILENT_POWER * _WINDOW:
            continue
        products = earlier[first - MOST_LAG : first - LEAST_LAG + 1][::-1] @ padded[first : first + _WINDOW]
        others = energy[first - tried + _WINDOW] - energy[first - tried] + 1e-9
        likeness = products / np.sqrt(others * own) * (1 - _LONG_LAGS_COST * tried)
        best = int(likeness.argmax())
        if likeness[best] > _LEAST_LIKENESS:
            lags[step] = tried[best]
            gain = min(products[best] / others[best], likeness[best], MOST_STRENGTH)
            strengths[step] = round(gain / MOST_STRENGTH * 255)
    return lags, strengths


@cache
def _bands() -> tuple[Floats, Floats]:
    """Triangles `[513, BANDS]`, each of sum 1, and the share of all frequencies that each stands for `[BANDS]`."""
    edges = band_edges()
    points = np.fft.rfftfreq(_SPECTRUM, 1 / SAMPLE_RATE)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.clip(np.minimum((points - low) / (middle - low), (high - points) / (high - middle)), 0, None)
    triangles /= triangles.sum(axis=0)
    widths = (high - low) / (high - low).sum()
    for array in (triangles, widths):
        array.setflags(write=False)
    return triangles, widths
