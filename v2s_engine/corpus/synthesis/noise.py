"""Noise and slow random curves, at 16 kHz.

Farnell, "Designing Sound" (MIT Press 2010), chapters 5 and 32: most natural sounds are noise whose colour and level
change slowly and irregularly.
"""

from __future__ import annotations

import numpy as np

from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import quick_length
from v2s_engine.grid import SAMPLE_RATE


def white(draw: np.random.Generator, length: int) -> Signal:
    """White noise `[length]` with an RMS of about 1."""
    return draw.standard_normal(length)


def coloured(draw: np.random.Generator, length: int, slope: float) -> Signal:
    """Noise `[length]` with an RMS of 1 that falls by `slope` dB per octave above 20 Hz (3: pink, 6: brown)."""
    total = quick_length(length)
    spectrum = np.fft.rfft(draw.standard_normal(total))
    frequencies = np.maximum(np.fft.rfftfreq(total, 1 / SAMPLE_RATE), 20.0)
    spectrum *= (frequencies / 1000) ** (-slope / (20 * np.log10(2)))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, total)[:length]
    return noise / max(float(np.sqrt(np.mean(noise**2))), 1e-12)


def wander(draw: np.random.Generator, length: int, rate: float) -> Signal:
    """A smooth random curve `[length]` around 0 with a standard deviation near 1; `rate` turns a second, roughly."""
    count = max(4, int(length * rate / SAMPLE_RATE) + 4)
    knots = draw.standard_normal(count)
    at = np.arange(length) * (rate / SAMPLE_RATE) + draw.uniform(0, 1)
    at = np.minimum(at, count - 1.001)
    left = at.astype(np.int64)
    # Cosine between the knots; it takes a fifth off the deviation, given back here.
    share = 0.5 - 0.5 * np.cos(np.pi * (at - left))
    return np.asarray(1.2 * (knots[left] * (1 - share) + knots[left + 1] * share))


def grains(draw: np.random.Generator, length: int, rate: float | Signal) -> Signal:
    """Single samples of random height at random moments, `rate` a second on average (a number or a curve `[length]`).

    A Poisson process: crackle, when sent through a filter.
    """
    hits = draw.random(length) < np.asarray(rate) / SAMPLE_RATE
    heights = draw.standard_normal(length) * draw.exponential(1.0, length)
    return np.where(hits, heights, 0.0)
