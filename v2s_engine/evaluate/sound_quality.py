"""What no loss tells of a sound: whether it is too loud, silent, clipped, off centre, or the same for every seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import av
import av.error
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_RATE, SAMPLE_RATE
from v2s_engine.train.preview import power_db

GATE_DBFS = -50.0
"""A step of 16 ms below this is silent."""

CLIPPED_RUN = 3
"""Samples in a row at a sound's own extreme that are a flat top."""

CLIPPED_FROM = 1 - 1 / 64
"""Extremes below this are no clipping. The highest codes are 0.992 (8 bits, linear) and 32,767 / 32,768 (16 bits)."""

LEAST_LUFS = -70.0
"""BS.1770's absolute gate: what is quieter has no loudness."""

_METER_LENGTH = SAMPLE_RATE // 10  # FFmpeg's meter speaks every 100 ms
_BLOCK_LENGTH = 4 * _METER_LENGTH  # BS.1770 measures blocks of 400 ms


@dataclass(frozen=True)
class SoundQuality:
    """Measures of one sound. None where there is nothing to measure."""

    loudness_lufs: float | None
    """Integrated loudness, BS.1770; None for less than 400 ms and where all is below -70 LUFS."""
    true_peak_dbtp: float | None
    """Highest value between the samples as well; None for silence (below -66 dBTP)."""
    silence: float | None
    """Share of the steps of 16 ms below -50 dBFS, 0..1; None without samples."""
    lead_ms: float | None
    """Silence before the first sound; all of it where nothing sounds."""
    tail_ms: float | None
    """Silence after the last sound; all of it where nothing sounds."""
    clipped: int
    """Samples that are clipped, see `count_clipped`."""
    dc_offset: float | None
    """Mean of all samples, full scale being 1; None without samples."""


def measure_quality(samples: NDArray[np.float32]) -> SoundQuality:
    """Measure a sound `[L]` at 16 kHz, of any length. Raises `UsageError` for NaN or infinity in it."""
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise UsageError(f"a sound wants finite samples [L]; got shape {list(samples.shape)}, or NaN or infinity")
    if not len(samples):
        return SoundQuality(None, None, None, None, None, 0, None)
    loudness, peak = _meter(samples)
    silent = measure_envelope(samples).loudness < GATE_DBFS
    sounding = np.flatnonzero(~silent)
    lead, tail = (sounding[0], len(silent) - 1 - sounding[-1]) if len(sounding) else (len(silent), len(silent))
    step_ms = float(1000 / ENVELOPE_RATE)
    return SoundQuality(
        loudness_lufs=loudness,
        true_peak_dbtp=peak,
        silence=float(silent.mean()),
        lead_ms=float(lead) * step_ms,
        tail_ms=float(tail) * step_ms,
        clipped=count_clipped(samples),
        dc_offset=float(samples.mean(dtype=np.float64)),
    )


def count_clipped(samples: NDArray[np.float32]) -> int:
    """How many samples of a sound `[L]` are clipped.

    Those past full scale, which whatever writes the sound will clip, and those in flat tops: three or more in a row at
    the sound's own highest or lowest value, where that lies within 1/64 of full scale. A single sample at full scale is
    how a normalised sound looks, and no clipping. A sound clipped before it was turned down, resampled or packed by a
    lossy codec is not found; one of 256 levels that only just reaches the last of them looks the same as a clipped one.
    """
    limited = np.clip(samples, -1.0, 1.0)
    extremes = [end for end in (limited.min(initial=0.0), limited.max(initial=0.0)) if abs(end) >= CLIPPED_FROM]
    clipped = np.abs(samples) > 1.0
    for extreme in extremes:
        clipped |= _in_runs(limited == extreme, CLIPPED_RUN)
    return int(clipped.sum())


def _in_runs(marked: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Those of the marked places `[L]` that stand in a row of at least so many."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    inside = np.zeros(len(marked), np.bool_)
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        inside[begin:end] = end - begin >= least
    return inside


def take_diversity(takes: Sequence[NDArray[np.float32]]) -> float | None:
    """Mean log-spectral distance in dB between every two takes of one sound, `[L]` each, over their common length.

    0 where all are the same: the seeds were ignored. Two takes of the same noise are several dB apart. None for fewer
    than two takes, or without samples.
    """
    length = min((len(take) for take in takes), default=0)
    if len(takes) < 2 or not length:
        return None
    spectra = [power_db(take[:length]) for take in takes]
    distances = [np.sqrt(((one - two) ** 2).mean(axis=1)).mean() for one, two in combinations(spectra, 2)]
    return float(np.mean(distances))


def _meter(samples: NDArray[np.float32]) -> tuple[float | None, float | None]:
    """Integrated loudness in LUFS and true peak in dBTP, by FFmpeg's ebur128.

    The meter speaks at the end of every 100 ms. Silence is put behind so that it does so after the last sample too; the
    loudness is taken from the last whole 100 ms of the sound itself, since silence behind would lower it.
    """
    whole = len(samples) // _METER_LENGTH
    padded = np.zeros((whole + 2) * _METER_LENGTH, np.float32)
    padded[: len(samples)] = samples
    readings = _readings(padded)
    loudness = float(readings[whole - 1]["lavfi.r128.I"]) if len(samples) >= _BLOCK_LENGTH else LEAST_LUFS
    peak = float(readings[-1]["lavfi.r128.true_peak"])
    return (loudness if loudness > LEAST_LUFS else None), (float(20 * np.log10(peak)) if peak > 0 else None)


def _readings(samples: NDArray[np.float32]) -> list[dict[str, str]]:
    """What FFmpeg's meter says after each 100 ms."""
    graph = Graph()
    source = graph.add_abuffer(sample_rate=SAMPLE_RATE, format="flt", layout="mono", time_base=Fraction(1, SAMPLE_RATE))
    meter = graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts = SAMPLE_RATE, 0
    graph.push(frame)
    graph.push(None)
    readings: list[dict[str, str]] = []
    while True:
        try:
            readings.append(dict(graph.pull().metadata))
        except (av.error.BlockingIOError, av.error.EOFError):
            return readings
