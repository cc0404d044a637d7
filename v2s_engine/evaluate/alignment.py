"""Do pictures and sound, or two sounds, happen at the same time?

AV-Align (TempoTokens, 2023) holds peaks of movement against onsets: matched / all of both. The original's window is
one frame to either side, so the figure depends on the frame rate; it lets one peak be matched many times. Here the
window is a fixed time, matching is one to one, and the original's window stands beside it for comparison. What stays:
any flicker is a peak, and so is a moving camera. The recorded sound's own value says what can be reached at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import measure_envelope
from v2s_engine.grid import ENVELOPE_RATE, FRAME_LENGTH, FRAME_RATE, SAMPLE_RATE, round_half_up, steps_covering
from v2s_engine.onsets import find_onsets, match_onsets
from v2s_engine.video import probe, read_pictures
from v2s_engine.vision.flow import FlowMeter

WINDOW_LENGTH = FRAME_LENGTH
"""Samples that a movement and an onset may be apart: 64 ms."""

PEAK_SHARE = 0.1
"""A peak of movement is at least this part of the clip's fastest movement (the original's figure), and as much faster
than the slowest of the 192 ms before it: a steady pan has no peaks, however it trembles."""

STILL = 5e-4
"""Mean flow per picture, in parts of the picture, up to which nothing moves: coding noise gives less."""

LOWEST_DBFS = -60.0
"""Loudness below this is taken for this: curves are not compared by their noise floors."""

LONGEST_LAG = 32
"""Envelope steps (512 ms) that two curves are shifted against each other at most, either way."""

MOTION_SIZE = 128
"""Width and height of the pictures in which motion is measured."""

_LEAST_STEPS = 8


@dataclass(frozen=True, eq=False)
class Movement:
    """How much a clip's pictures move."""

    curve: NDArray[np.float64]
    """`[N]`, one per picture of the grid (64 ms): mean length of the flow from the picture before, in parts of the
    picture; 0 for the first."""
    frame_length: int
    """Samples that one frame of the file lasts, for the original's window."""

    def peaks(self) -> NDArray[np.int64]:
        """Positions `[E]` in samples at which the movement is at a peak; none where nothing moves."""
        fastest = float(self.curve.max(initial=0.0))
        if fastest <= STILL:
            return np.zeros(0, np.int64)
        # The first picture has no movement because there is none before it: what moves from there on does not start.
        steps = 1 + find_onsets(self.curve[1:] / fastest, PEAK_SHARE, apart=3, rise=PEAK_SHARE)
        return steps * FRAME_LENGTH


@dataclass(frozen=True)
class CurveMatch:
    """Two loudness curves held against each other; None where one of them is flat or too short."""

    correlation: float | None
    """Pearson's r as they stand."""
    best: float | None
    """The highest r when the second is shifted by up to 512 ms."""
    lag_ms: float | None
    """By how much the second is late there; negative where it is early."""


def measure_movement(path: Path, length: int, begin: Fraction = Fraction(0)) -> Movement:
    """The movement in a file's pictures during `length` samples from `begin` seconds on. Raises as `read_pictures`."""
    times = [begin + step / FRAME_RATE for step in range(steps_covering(length, FRAME_LENGTH))]
    meter = FlowMeter()
    pictures = read_pictures(path, times, width=MOTION_SIZE, height=MOTION_SIZE)
    curve = np.array([motion_energy(meter.step(picture)) for picture in pictures], np.float64)
    return Movement(curve, max(1, round_half_up(SAMPLE_RATE / probe(path).rate)))


def motion_energy(flow: NDArray[np.float32]) -> float:
    """How much moves between two pictures: the mean length of the flow `[H, W, 2]`, in parts of the picture."""
    return float(np.hypot(flow[..., 0], flow[..., 1]).mean())


def av_align(peaks: NDArray[np.int64], onsets: NDArray[np.int64], window: int = WINDOW_LENGTH) -> float | None:
    """Intersection over union of movements and onsets (samples) within a window, one to one; None without either."""
    matched = len(match_onsets(peaks, onsets, window))
    union = len(peaks) + len(onsets) - matched
    return matched / union if union else None


def compare_sounds(first: NDArray[np.float32], second: NDArray[np.float32]) -> CurveMatch:
    """The loudness curves of two sounds at 16 kHz, over the shorter one's length."""
    return compare_curves(measure_envelope(first).loudness, measure_envelope(second).loudness)


def compare_curves(first: NDArray[np.float32], second: NDArray[np.float32]) -> CurveMatch:
    """Correlation and lag of two loudness curves in dBFS, 62.5 values per second, over the shorter one's length.

    Shifted curves are compared where they overlap, by at least half their length; of equal values the smallest lag
    wins.
    """
    length = min(len(first), len(second))
    curves = [np.maximum(each[:length].astype(np.float64), LOWEST_DBFS) for each in (first, second)]
    by_lag: dict[int, float] = {}
    for lag in sorted(range(-LONGEST_LAG, LONGEST_LAG + 1), key=abs):
        overlap = length - abs(lag)
        if overlap >= max(_LEAST_STEPS, length / 2):
            value = _pearson(curves[0][max(0, -lag) :][:overlap], curves[1][max(0, lag) :][:overlap])
            if value is not None:
                by_lag[lag] = value
    if 0 not in by_lag:
        return CurveMatch(None, None, None)
    best = max(by_lag, key=lambda lag: round(by_lag[lag], 9))
    return CurveMatch(by_lag[0], by_lag[best], float(best * 1000 / ENVELOPE_RATE))


def _pearson(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    centred = [each - each.mean() for each in (first, second)]
    spreads = [float(np.sqrt((each**2).sum())) for each in centred]
    if min(spreads) < 1e-6:
        return None
    return float(np.clip((centred[0] * centred[1]).sum() / (spreads[0] * spreads[1]), -1.0, 1.0))
