"""How fast a sampler is, measured on the model and with as many rows as the job has."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.sampling.sampler import Row, Sampler, vectors_needed

PROBE_DURATION: Final = 0.2
"""Seconds of measuring, warm-up apart."""


def measured_speed(
    sampler: Sampler, rows: int, duration: float = PROBE_DURATION, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Samples per second of all rows together, of a sampler that makes `rows` sounds side by side.

    A first call, which may compile or capture, does not count. Then calls of twice the length each, up to a whole frame
    (where `cuda` has its graph), and frames until `duration` is used up: what counts is the median of the calls of the
    greatest length that was reached, so that slow samplers are measured in time and fast ones without what a call
    costs beside sampling.
    """
    state = sampler.start([Row(0, take) for take in range(rows)])
    vectors = vectors_needed(sampler.config, state, FRAME_LENGTH)
    told = np.zeros((rows, vectors, sampler.config.conditioning_size), np.float32)
    length = sampler.config.coarse_unit
    sampler.generate(state, told, FRAME_LENGTH if sampler.name == "cuda" else length)
    times: list[float] = []
    spent = 0.0
    while True:
        start = clock()
        sampler.generate(state, told, length)
        times.append(clock() - start)
        spent += times[-1]
        longer = min(2 * length, FRAME_LENGTH)
        if spent + times[-1] * longer / length > duration:
            return rows * length / statistics.median(times)
        if longer > length:
            length, times = longer, []
