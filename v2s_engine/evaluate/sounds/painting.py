"""How the judge's own sounds are made: noise and partials whose levels are painted over time and frequency.

This is on purpose not the way of the training corpus, which models what happens in a source. Here, as in sound texture
synthesis (McDermott and Simoncelli, "Sound texture perception via statistics of the auditory periphery", Neuron 2011),
only the statistics of what is heard are set: levels per band, how they change, what is periodic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from v2s_engine.grid import SAMPLE_RATE

Floats = NDArray[np.float64]

STEP = 64
"""Samples between two columns of a painted picture: 4 ms."""

PAINT_BANDS = np.geomspace(50, 8000, 24)
"""Frequencies in Hz at which levels are painted; between them the level in dB is interpolated over log frequency."""

SILENT_DB = -120.0
_WINDOW = 256
_HIGHEST = 0.47 * SAMPLE_RATE


def columns(length: int) -> int:
    """Columns of a picture that covers `length` samples."""
    return length // STEP + 1


def times(length: int) -> Floats:
    """Seconds at which the columns stand `[T]`."""
    return np.arange(columns(length)) * STEP / SAMPLE_RATE


def paint_noise(draw: np.random.Generator, level_db: Floats, length: int) -> Floats:
    """Noise `[length]` whose level in dB in 24 bands follows `[T, 24]`, one column every 64 samples."""
    count = columns(length)
    noise = draw.standard_normal(count * STEP + _WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(noise, _WINDOW)[: count * STEP : STEP]
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW))
    spectra = np.fft.rfft(frames * window, axis=1)
    bins = np.log(np.maximum(np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE), PAINT_BANDS[0]))
    right = np.clip(np.searchsorted(np.log(PAINT_BANDS), bins), 1, len(PAINT_BANDS) - 1)
    left_at, right_at = np.log(PAINT_BANDS)[right - 1], np.log(PAINT_BANDS)[right]
    share = np.clip((bins - left_at) / (right_at - left_at), 0, 1)
    level = level_db[:count, right - 1] * (1 - share) + level_db[:count, right] * share
    painted = np.fft.irfft(spectra * 10 ** (level / 20), _WINDOW, axis=1) * window
    sound = np.zeros(count * STEP + _WINDOW)
    for part in range(_WINDOW // STEP):  # overlap-add, one quarter of the windows at a time
        pieces = painted[part :: _WINDOW // STEP]
        begin = part * STEP
        sound[begin : begin + pieces.size] += pieces.reshape(-1)[: len(sound) - begin]
    return sound[_WINDOW // 2 :][:length] / 2


def paint_partials(draw: np.random.Generator, pitch: Floats, level_db: Floats, count: int) -> Floats:
    """Partials `[L]` of a pitch in Hz `[L]`, their levels painted `[T, 24]`; partial k at k · pitch."""
    length = len(pitch)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    marks = np.minimum(np.arange(columns(length)) * STEP, length - 1)
    column = np.arange(length) / STEP
    sound = np.zeros(length)
    for number in range(1, count + 1):
        frequency = number * pitch[marks]
        if frequency.min() > _HIGHEST:
            break
        level = np.where(frequency < _HIGHEST, _level_at(level_db, frequency), SILENT_DB)
        gain = np.interp(column, np.arange(len(marks)), 10 ** (level / 20))
        sound += gain * np.sin(number * phase + draw.uniform(0, 2 * np.pi))
    return sound


def ring(frequencies: Floats, decays: Floats, amplitudes: Floats, length: int) -> Floats:
    """Damped sines `[length]` that start together: frequencies in Hz, decays to 1/e in seconds."""
    time = np.arange(length) / SAMPLE_RATE
    waves = np.sin(2 * np.pi * frequencies[:, None] * time) * np.exp(-time / decays[:, None])
    return np.asarray((amplitudes[:, None] * waves).sum(axis=0))


def wander(draw: np.random.Generator, count: int, points: int, low: float, high: float) -> Floats:
    """A smooth random curve `[count]` between two values, through `points` random ones."""
    knots = draw.uniform(low, high, max(2, points))
    place = np.linspace(0, len(knots) - 1, count)
    left = np.minimum(place.astype(int), len(knots) - 2)
    share = 0.5 - 0.5 * np.cos(np.pi * (place - left))
    return np.asarray(knots[left] * (1 - share) + knots[left + 1] * share)


def tilt(per_octave_db: float, middle: float = 1000.0) -> Floats:
    """A straight spectrum over the bands `[24]` in dB, 0 at `middle` Hz."""
    return np.asarray(per_octave_db * np.log2(PAINT_BANDS / middle))


def bumps(centres: Sequence[float] | Floats, widths: float, height_db: float) -> Floats:
    """Raised parts of a spectrum `[24]` in dB, at frequencies in Hz, `widths` in octaves."""
    distance = np.log2(PAINT_BANDS[:, None] / np.asarray(centres, np.float64)) / widths
    return np.asarray(height_db * np.exp(-0.5 * distance**2).max(axis=1))


def decay_db(time: Floats, start: float, attack: float, seconds: float) -> Floats:
    """An event in dB over `time` `[T]`: 0 at its peak, up within `attack`, down by 60 dB in `seconds` after it."""
    since = time - start
    rise = np.clip(since / attack, 0, 1)
    fall = np.maximum(since - attack, 0) * 60 / seconds
    return np.asarray(np.where(since < 0, SILENT_DB, 20 * np.log10(np.maximum(rise, 1e-6)) - fall))


def _level_at(level_db: Floats, frequency: Floats) -> Floats:
    """Levels `[T]` at one frequency per column."""
    place = np.interp(np.log(np.maximum(frequency, 1)), np.log(PAINT_BANDS), np.arange(len(PAINT_BANDS)))
    left = np.minimum(place.astype(int), len(PAINT_BANDS) - 2)
    rows, share = np.arange(len(frequency)), place - left
    return np.asarray(level_db[rows, left] * (1 - share) + level_db[rows, left + 1] * share)
