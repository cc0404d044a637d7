"""Does a sound start when its cue says so, and is there silence where silence was asked for?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope, measure_envelope
from v2s_engine.grid import SAMPLE_RATE

Samples = NDArray[np.float32]

TOLERANCE = SAMPLE_RATE // 50
"""Samples by which a sound may start before or after its cue: 20 ms, a little more than one step of the envelope."""

HOP_LENGTH = 16
"""Samples between two levels: 1 ms."""

SILENT_DBFS = -55.0
"""At most this loud is silence that was asked for."""

_LEVEL_LENGTH = 64  # samples that one level is of: 4 ms, the resolution
_BEFORE, _AFTER = SAMPLE_RATE // 10, SAMPLE_RATE * 3 // 20
_BELOW_PEAK_DB = 15.0
_QUIET_BEFORE = 20  # levels: 20 ms that must lie below what counts as the start
_ASKED_SILENCE_DBFS = -75.0
_RINGING_STEPS = 6  # 100 ms after the last sound asked for; it may ring that long


def find_start(samples: Samples, cue: int) -> int | None:
    """Where the sound that belongs to a cue starts, in samples; None where none does.

    Looked for from 100 ms before to 150 ms after the cue. It starts where its level, RMS over 4 ms, first comes within
    15 dB of its peak there, after 20 ms below that. A sound that was there all the time has no start, nor has one that
    stays below -55 dBFS.
    """
    begin = max(0, cue - _BEFORE - _QUIET_BEFORE * HOP_LENGTH)
    near = samples[begin : cue + _AFTER].astype(np.float64)
    if len(near) < _LEVEL_LENGTH:
        return None
    padded = np.concatenate([np.zeros(_LEVEL_LENGTH - HOP_LENGTH), near])
    frames = np.lib.stride_tricks.sliding_window_view(padded, _LEVEL_LENGTH)[::HOP_LENGTH]
    level = 10 * np.log10(np.maximum(np.mean(frames**2, axis=1), 1e-12))
    threshold = level.max() - _BELOW_PEAK_DB
    if level.max() <= SILENT_DBFS:
        return None
    above = level >= threshold
    for index in np.flatnonzero(above).tolist():
        before = above[max(0, index - _QUIET_BEFORE) : index]
        starts_here = len(before) == _QUIET_BEFORE or begin == 0
        if starts_here and not before.any():
            return int(begin + index * HOP_LENGTH)
    return None


def start_errors(samples: Samples, cues: Sequence[int]) -> list[int | None]:
    """By how many samples each cue's sound is late; negative where it is early, None where none starts."""
    starts = [find_start(samples, cue) for cue in cues]
    return [None if start is None else start - cue for start, cue in zip(starts, cues, strict=True)]


def silence_kept(samples: Samples, asked: Envelope) -> tuple[int, int]:
    """Steps of 16 ms at most -55 dBFS, and all steps in which silence was asked for.

    Asked for is silence at -75 dBFS or less, from 100 ms after the last louder step on, and not in the step before one.
    """
    silent = asked.loudness <= _ASKED_SILENCE_DBFS
    wanted = silent.copy()
    for shift in range(1, _RINGING_STEPS + 1):
        wanted[shift:] &= silent[:-shift]
    wanted[:-1] &= silent[1:]
    quiet = measure_envelope(samples).loudness[: len(wanted)] <= SILENT_DBFS
    return int((quiet & wanted).sum()), int(wanted.sum())
