"""Log-mel spectra: what the judge and the distances look at."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from v2s_engine.grid import SAMPLE_RATE

BANDS = 64
"""Mel bands from 40 Hz to 8 kHz."""

HOP_LENGTH = 160
"""Samples between two spectra: 10 ms."""

FLOOR_DB = -130.0
"""Nothing is quieter; a full-scale sine is about -3 dB in its band."""

_WINDOW_LENGTH = 512
_FFT_LENGTH = 1024  # zero-padded, so that the lowest bands hold a bin each
_LOWEST_HZ = 40.0


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power in dB per mel band, `[..., T, 64]` of sounds `[..., L]` at 16 kHz, T = L // 160 (at least 1).

    HTK's mel scale, triangles of equal height. Spectrum t is centred on sample 160 · t.
    """
    count = max(1, samples.shape[-1] // HOP_LENGTH)
    half = _WINDOW_LENGTH // 2
    room = max(0, (count - 1) * HOP_LENGTH + half - samples.shape[-1])
    padded = np.pad(samples.astype(np.float32), [(0, 0)] * (samples.ndim - 1) + [(half, room)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_LENGTH, axis=-1)
    frames = frames[..., : count * HOP_LENGTH : HOP_LENGTH, :]
    window = (np.hanning(_WINDOW_LENGTH) / (_WINDOW_LENGTH / 2)).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, _FFT_LENGTH, axis=-1)) ** 2
    return np.asarray(10 * np.log10(np.maximum(power @ _triangles().T, 10 ** (FLOOR_DB / 10))), np.float32)


def band_middles() -> NDArray[np.float64]:
    """Middle frequencies of the bands in Hz `[64]`."""
    return _band_edges()[1:-1]


def _band_edges() -> NDArray[np.float64]:
    lowest, highest = (2595 * np.log10(1 + hertz / 700) for hertz in (_LOWEST_HZ, SAMPLE_RATE / 2))
    return np.asarray(700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1))


@cache
def _triangles() -> NDArray[np.float32]:
    """Weights `[64, bins]` of the bins in the bands."""
    edges, bins = _band_edges(), np.fft.rfftfreq(_FFT_LENGTH, 1 / SAMPLE_RATE)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
