"""Throats: air set into pulses by vocal folds, and the noise that escapes with it.

Source and filter are apart (Fant 1960). The source is the derivative of Rosenberg's glottal pulse C (JASA 49, 1971): a
raised cosine while the folds open, a quarter of a cosine while they close, then nothing. What makes a voice of it is
irregularity: jitter (of periods), shimmer (of heights), and alternate pulses that differ (subharmonics), which is how
hoarse cries, barks and growls come about (Fitch, Neubauer and Herzel, "Calls out of chaos", Animal Behaviour 63, 2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.synthesis.compiling import compiled
from v2s_engine.corpus.synthesis.filters import formants
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import quick_length
from v2s_engine.grid import SAMPLE_RATE

_OVER = 4
"""Pulses are made at four times the rate: their sharp ends would fold down audibly."""


@dataclass(frozen=True)
class Throat:
    """How one animal's folds and tract are; what it does with them comes with each call."""

    centres: tuple[float, ...]
    """Hz of its formants with the mouth half open."""
    widths: tuple[float, ...]
    """Hz of each."""
    sharpness: float = 0.7
    """0..1: how soon the folds close; high means strong high overtones."""
    jitter: float = 0.01
    """Deviation of periods, as a share of them."""
    shimmer: float = 0.05
    """Deviation of pulse heights, as a share of them."""

    def call(
        self,
        draw: np.random.Generator,
        pitch: Signal,
        loudness: Signal,
        *,
        opening: Signal,
        roughness: Signal,
        breath: Signal,
    ) -> Signal:
        """One utterance `[L]`.

        All curves are `[L]`: `pitch` in Hz, `loudness` as amplitude, `opening` of the mouth (1: as `centres`; formants
        move with it, the lowest most), `roughness` 0..1 (0: clear, 1: chaotic), `breath` (share of noise).
        """
        source, flow = glottal_pulses(draw, pitch, roughness, self)
        noise = draw.standard_normal(len(pitch)) * (0.25 + 0.75 * flow)
        reach = 0.6 / (1 + np.arange(len(self.centres)))
        moving = np.array(self.centres)[:, None] * opening[None, :] ** reach[:, None]
        return formants((source + breath * noise) * loudness, moving, np.array(self.widths))


def glottal_pulses(
    draw: np.random.Generator, pitch: Signal, roughness: Signal, throat: Throat
) -> tuple[Signal, Signal]:
    """The derivative of the flow through the folds, and the flow itself (about 0..1), both `[L]`; `pitch` in Hz."""
    periods = int(np.sum(np.maximum(pitch, 0)) / SAMPLE_RATE * 2) + 16
    chances = draw.standard_normal((4, periods))
    chances[1] *= throat.jitter
    chances[2] *= throat.shimmer
    opened = 0.75 - 0.35 * throat.sharpness
    fine, flow = _pulses(pitch, roughness, chances, opened)
    total = quick_length(len(pitch))
    spectrum = np.fft.rfft(fine, total * _OVER)[: total // 2 + 1] / _OVER
    return np.fft.irfft(spectrum, total)[: len(pitch)], flow


@compiled
def _pulses(pitch: Signal, roughness: Signal, chances: NDArray[np.float64], opened: float) -> tuple[Signal, Signal]:
    # Rows of `chances` `[4, P]`, one number a period: chaos of periods, jitter, shimmer, chaos of heights.
    length = len(pitch)
    fine, flow = np.zeros(length * _OVER), np.zeros(length)
    peak_at = 0.67 * opened
    phase, period, stretch, height, drift = 0.0, 0, 1.0, 1.0, 0.0
    for n in range(length):
        step = pitch[n] / (SAMPLE_RATE * _OVER)
        for k in range(_OVER):
            if phase < peak_at:
                fine[n * _OVER + k] = height * 0.5 * np.sin(np.pi * phase / peak_at) / peak_at
                value = 0.5 - 0.5 * np.cos(np.pi * phase / peak_at)
            elif phase < opened:
                share = (phase - peak_at) / (opened - peak_at)
                fine[n * _OVER + k] = -0.5 * height * np.sin(0.5 * np.pi * share) / (opened - peak_at)
                value = np.cos(0.5 * np.pi * share)
            else:
                value = 0.0
            if k == 0:
                flow[n] = value * height
            phase += step * stretch
            if phase >= 1.0:
                phase -= 1.0
                period = (period + 1) % chances.shape[1]
                rough = roughness[n]
                # The next period leans on this one's, so that chaos wanders and does not only buzz.
                drift = 0.6 * drift + chances[0, period]
                odd = 1.0 if period % 2 else -1.0
                stretch = 1.0 + chances[1, period] + rough * (0.12 * drift + 0.10 * odd)
                stretch = min(max(stretch, 0.4), 2.0)
                height = 1.0 + chances[2, period] + 0.35 * rough * (chances[3, period] - odd)
                height = max(height, 0.05)
    return fine, flow
