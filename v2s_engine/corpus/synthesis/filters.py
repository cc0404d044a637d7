"""Filters at 16 kHz.

Second-order sections after R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients"; resonators
with gain 1 at 0 Hz after Klatt, "Software for a cascade/parallel formant synthesizer" (JASA 67, 1980).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.synthesis.compiling import compiled
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import quick_length
from v2s_engine.grid import SAMPLE_RATE

_HIGHEST = 0.495 * SAMPLE_RATE


def lowpass(signal: Signal, cutoff: float, q: float = 0.707) -> Signal:
    """12 dB per octave off above `cutoff` Hz."""
    turn, alpha = _turn_alpha(cutoff, q)
    cosine = np.cos(turn)
    return _section(signal, ((1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2), (1 + alpha, -2 * cosine, 1 - alpha))


def highpass(signal: Signal, cutoff: float, q: float = 0.707) -> Signal:
    """12 dB per octave off below `cutoff` Hz."""
    turn, alpha = _turn_alpha(cutoff, q)
    cosine = np.cos(turn)
    return _section(signal, ((1 + cosine) / 2, -1 - cosine, (1 + cosine) / 2), (1 + alpha, -2 * cosine, 1 - alpha))


def bandpass(signal: Signal, centre: float, q: float) -> Signal:
    """What is near `centre` Hz, which has gain 1; `q` is the centre divided by the width."""
    turn, alpha = _turn_alpha(centre, q)
    return _section(signal, (alpha, 0.0, -alpha), (1 + alpha, -2 * np.cos(turn), 1 - alpha))


def equalised(signal: Signal, frequencies: Sequence[float], gains: Sequence[float]) -> Signal:
    """The spectrum shaped by `gains` (dB) at `frequencies` (Hz, rising), straight lines over octaves between them.

    Without delay, so a sudden sound begins a few milliseconds early, faintly.
    """
    total = quick_length(len(signal))
    spectrum = np.fft.rfft(signal, total)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(total, 1 / SAMPLE_RATE), 10.0))
    spectrum *= 10 ** (np.interp(octaves, np.log2(frequencies), gains) / 20)
    return np.fft.irfft(spectrum, total)[: len(signal)]


def formants(source: Signal, centres: NDArray[np.float64], widths: NDArray[np.float64]) -> Signal:
    """A voice's source `[L]` through resonances in a row: `centres` `[K, L]` Hz, which may move, `widths` `[K]` Hz."""
    turns = 2 * np.pi * np.minimum(centres, _HIGHEST) / SAMPLE_RATE
    radii = np.exp(-np.pi * widths / SAMPLE_RATE)
    shaped: Signal = _cascade(source.copy(), np.cos(turns), radii)
    return shaped


def moving_bandpass(signal: Signal, centres: Signal, q: float) -> Signal:
    """`bandpass` whose centre moves: `centres` `[L]` Hz. A state-variable filter, which stays calm meanwhile."""
    tangents = np.tan(np.pi * np.clip(centres, 10.0, _HIGHEST) / SAMPLE_RATE)
    moved: Signal = _state_variable(signal, tangents, 1 / q)
    return moved


def soft_clip(signal: Signal, drive: float) -> Signal:
    """Loud parts squeezed as by an overdriven microphone; an amplitude of 1 stays 1, small ones grow with `drive`."""
    return np.asarray(np.tanh(drive * signal) / np.tanh(drive))


def _turn_alpha(frequency: float, q: float) -> tuple[float, float]:
    turn = 2 * np.pi * min(max(frequency, 5.0), _HIGHEST) / SAMPLE_RATE
    return turn, float(np.sin(turn) / (2 * q))


def _section(signal: Signal, zeros: tuple[float, float, float], poles: tuple[float, float, float]) -> Signal:
    scaled: Signal = _biquad(signal, np.array(zeros) / poles[0], np.array(poles) / poles[0])
    return scaled


@compiled
def _biquad(signal: Signal, zeros: Signal, poles: Signal) -> Signal:
    filtered = np.empty_like(signal)
    first, second = 0.0, 0.0
    for n in range(len(signal)):
        value = signal[n]
        out = zeros[0] * value + first
        first = zeros[1] * value - poles[1] * out + second
        second = zeros[2] * value - poles[2] * out + 1e-30  # no denormals
        filtered[n] = out
    return filtered


@compiled
def _cascade(signal: Signal, cosines: NDArray[np.float64], radii: Signal) -> Signal:
    for k in range(len(radii)):
        radius = radii[k]
        last, older = 0.0, 0.0
        for n in range(len(signal)):
            feedback = 2 * radius * cosines[k, n]
            out = (1 - feedback + radius * radius) * signal[n] + feedback * last - radius * radius * older + 1e-30
            older, last = last, out
            signal[n] = out
    return signal


@compiled
def _state_variable(signal: Signal, tangents: Signal, damping: float) -> Signal:
    # Zavalishin, "The Art of VA Filter Design", chapter 4; the band output times the damping has gain 1 at its centre.
    filtered = np.empty_like(signal)
    first, second = 0.0, 0.0
    for n in range(len(signal)):
        g = tangents[n]
        band = (g * (signal[n] - second) + first) / (1 + g * (g + damping))
        low = second + g * band
        first = 2 * band - first
        second = 2 * low - second + 1e-30
        filtered[n] = damping * band
    return filtered
