"""Curves over time and sounds put in their places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.grid import SAMPLE_RATE


def lengths(seconds: float) -> int:
    """Samples in so many seconds; at least 1."""
    return max(1, round(seconds * SAMPLE_RATE))


def quick_length(length: int) -> int:
    """The next length from `length` on that Fourier transforms are fast for: up to an eighth longer."""
    unit = 1 << max(0, length.bit_length() - 4)
    return -(-length // unit) * unit


def clock(length: int) -> Signal:
    """Seconds at each of `length` samples."""
    return np.arange(length) / SAMPLE_RATE


def curve(length: int, at: Sequence[float], values: Sequence[float]) -> Signal:
    """A curve `[length]` with rounded corners through `values` at `at` (0..1 of the whole, rising)."""
    bent = np.interp(np.linspace(0, 1, length), at, values)
    return smoothed(bent, max(1, length // 8))


def smoothed(signal: Signal, width: int) -> Signal:
    """The mean over `width` samples around each; the ends are held."""
    if width <= 1:
        return signal
    before, after = width // 2, width - 1 - width // 2
    sums = np.cumsum(np.concatenate([[0.0], np.pad(signal, (before, after), mode="edge")]))
    return np.asarray((sums[width:] - sums[:-width]) / width)


def decay(length: int, time: float) -> Signal:
    """1 at the start, falling by 60 dB in `time` seconds."""
    return np.asarray(np.exp(clock(length) * (-np.log(1000) / time)))


def swell(length: int, attack: float, release: float) -> Signal:
    """1 with rounded ends: rises within `attack` and falls within `release` seconds, shortened where they meet."""
    gain = np.ones(length)
    rise, fall = min(lengths(attack), length // 2), min(lengths(release), length // 2)
    gain[:rise] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / max(rise, 1))
    gain[length - fall :] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fall) + 0.5) / max(fall, 1))
    return gain


def add_at(track: Signal, sound: Signal, start: int) -> None:
    """Add `sound` to `track` from sample `start` on, in place; what falls outside is cut."""
    begin, end = max(start, 0), min(start + len(sound), len(track))
    if begin < end:
        track[begin:end] += sound[begin - start : end - start]


def decibels(value: float) -> float:
    """The factor that `value` dB stand for."""
    return float(10 ** (value / 20))


def at_peak(signal: Signal, peak: float = 1.0) -> Signal:
    """The same with its highest amplitude at `peak`."""
    return np.asarray(signal * (peak / max(float(np.max(np.abs(signal), initial=0.0)), 1e-12)))


def at_rms(signal: Signal, level: float) -> Signal:
    """The same with an RMS of `level` dB."""
    return np.asarray(signal * (decibels(level) / max(float(np.sqrt(np.mean(signal**2))), 1e-12)))


def log_uniform(draw: np.random.Generator, low: float, high: float) -> float:
    """A number between two, each octave equally likely."""
    return float(np.exp(draw.uniform(np.log(low), np.log(high))))
