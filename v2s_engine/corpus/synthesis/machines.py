"""Tools for what runs, rolls and flows: pulses of an engine, tones that sweep, things hit again and again, noise bands.

What is called a rate is a curve `[L]`: how many times a second, at each sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from v2s_engine.corpus.synthesis.compiling import compiled
from v2s_engine.corpus.synthesis.filters import equalised
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.room import convolved
from v2s_engine.corpus.synthesis.shapes import clock, lengths, log_uniform
from v2s_engine.grid import SAMPLE_RATE

HIGHEST_HZ = 7600.0
"""Tones above this are left out: they would fold down."""

_FAINTEST = 1e-4  # rings are given up 80 dB below where they started

Points = Sequence[tuple[float, float]]
"""A curve of straight lines: (where, rising; value)."""

Modes = Sequence[tuple[float, float, float]]
"""How something rings: (Hz, decay in 1/s, amplitude) of each mode."""


def through(length: int, points: Points) -> Signal:
    """A curve `[length]` through `points` of (seconds, value); held before the first and after the last."""
    times, values = zip(*points, strict=True)
    return np.asarray(np.interp(clock(length), times, values))


def phase_of(rate: Signal, start: float = 0.0) -> Signal:
    """Turns made until each sample, by something that turns `rate` times a second."""
    return np.asarray(start + np.cumsum(rate) / SAMPLE_RATE)


def turn_positions(phase: Signal) -> Signal:
    """Samples, with their fractions, at which `phase` (turns, rising) passes whole numbers."""
    numbers = np.arange(math.ceil(phase[0]), math.floor(phase[-1]) + 1)
    return np.interp(numbers, phase, np.arange(len(phase)))


def poisson_positions(draw: np.random.Generator, length: int, rate: Signal | float) -> Signal:
    """Samples at which independent events happen, `rate` a second on average; rising; there may be none."""
    expected = phase_of(np.broadcast_to(np.asarray(rate, np.float64), (length,)))
    moments = np.sort(draw.random(draw.poisson(expected[-1]))) * expected[-1]
    return np.asarray(np.interp(moments, expected, np.arange(length)))


def impulses(length: int, positions: Signal, gains: Signal | float = 1.0) -> Signal:
    """A signal `[length]` of single pulses at `positions` (samples with fractions)."""
    inside = (positions >= 0) & (positions < length - 1)
    heights = np.broadcast_to(np.asarray(gains, np.float64), positions.shape)[inside]
    whole = positions[inside].astype(np.int64)
    part = positions[inside] - whole
    return np.asarray(np.bincount(whole, heights * (1 - part), length) + np.bincount(whole + 1, heights * part, length))


def pulse_train(length: int, positions: Signal, gains: Signal | float, pulse: Signal) -> Signal:
    """The same `pulse` at each of `positions`."""
    return convolved(impulses(length, positions, gains), pulse)


def normalised(signal: Signal) -> Signal:
    """`signal` with an RMS of 1; silence stays silence."""
    return np.asarray(signal / max(float(np.sqrt(np.mean(np.square(signal)))), 1e-12))


def shaped(signal: Signal, points: Points) -> Signal:
    """The spectrum of `signal` shaped by `points` of (Hz, dB), straight lines over octaves between them."""
    frequencies, gains = zip(*points, strict=True)
    return equalised(signal, frequencies, gains)


def shaped_noise(draw: np.random.Generator, length: int, points: Points) -> Signal:
    """Gaussian noise with a spectrum of `points` (Hz, dB) and an RMS of 1."""
    return normalised(shaped(draw.standard_normal(length), points))


def around(centre: float, width: float, *, slope: float = 18.0) -> Points:
    """A band of `width` octaves around `centre` Hz, for `shaped`; outside it falls by `slope` dB an octave."""
    low, high = centre / 2 ** (width / 2), centre * 2 ** (width / 2)
    return [(low / 16, -4 * slope), (low, 0.0), (high, 0.0), (high * 16, -4 * slope)]


def tone(rate: Signal, strengths: Sequence[float], start: float = 0.0) -> Signal:
    """Harmonics of something that sweeps: `rate` is the fundamental in Hz, `strengths` the amplitudes from it upwards.

    What passes 7.6 kHz fades out before it gets there.
    """
    phase = 2 * np.pi * phase_of(rate, start)
    sound = np.zeros(len(rate))
    for number, strength in enumerate(strengths, start=1):
        if strength and number * float(rate.min()) < HIGHEST_HZ:
            sound += strength * np.sin(number * phase) * np.clip((HIGHEST_HZ - number * rate) / 600, 0, 1)
    return sound


def rings(
    length: int, starts: Signal, frequencies: Signal, decays: Signal, gains: Signal, *, rises: Signal | float = 0.0
) -> Signal:
    """Damped tones, one per entry of the arrays `[N]`: things struck (Van den Doel and Pai 1998), and bubbles.

    From `starts` (samples) on, gains · sin(2π f t) · exp(-decays · t), where f grows from `frequencies` (Hz) by the
    share `rises` of it a second; `decays` are in 1/s. Tones above 7.6 kHz are left out.
    """
    track = np.zeros(length)
    columns = (starts, frequencies, decays, gains, np.broadcast_to(np.asarray(rises, np.float64), starts.shape))
    events = np.column_stack(columns)[frequencies < HIGHEST_HZ]
    _add_rings(track, np.ascontiguousarray(events, np.float64))
    return track


@compiled
def _add_rings(track: Any, events: Any) -> None:
    for event in range(len(events)):
        start, frequency, decay, gain, rise = events[event]
        first = max(0, math.ceil(start))
        last = min(len(track), first + int(-math.log(_FAINTEST) / decay * SAMPLE_RATE))
        step = 2 * math.pi * frequency / SAMPLE_RATE
        growth = step * rise / SAMPLE_RATE
        angle = step * (first - start)
        level = gain * math.exp(-decay * (first - start) / SAMPLE_RATE)
        loss = math.exp(-decay / SAMPLE_RATE)
        for sample in range(first, last):
            if step > 3.0:  # a rising tone has come near half the sample rate
                break
            track[sample] += level * math.sin(angle)
            angle += step
            step += growth
            level *= loss


def struck(draw: np.random.Generator, length: int, positions: Signal, gains: Signal | float, modes: Modes) -> Signal:
    """One thing hit at each of `positions`; each hit falls on another spot, so it excites the modes otherwise."""
    count, hits = len(modes), len(positions)
    frequencies, decays, amplitudes = (np.tile(column, hits) for column in np.array(modes).T)
    forces = np.repeat(np.broadcast_to(np.asarray(gains, np.float64), (hits,)), count)
    spots = draw.uniform(0.4, 1.0, hits * count)
    return rings(length, np.repeat(positions, count), frequencies, decays, amplitudes * spots * forces)


def drawn_modes(draw: np.random.Generator, count: int, low: float, high: float, *, sharpness: float) -> Modes:
    """A thing for `struck` with modes between `low` and `high` Hz, each ringing for about `sharpness` periods."""
    frequencies = [log_uniform(draw, low, high) for _ in range(count)]
    return [
        (pitch, pitch / (sharpness * draw.uniform(0.5, 2.0)), draw.uniform(0.3, 1.0) * math.sqrt(low / pitch))
        for pitch in frequencies
    ]


def bursts(
    draw: np.random.Generator,
    length: int,
    positions: Signal,
    gains: Signal | float,
    *,
    fall: float,
    rise: float = 0.0002,
    points: Points,
) -> Signal:
    """Noise that swells at each of `positions` and dies away, to 1/e within `rise` and `fall` seconds; `points` is its
    spectrum.
    """
    since = clock(lengths(7 * fall))
    course = (1 - np.exp(-since / rise)) * np.exp(-since / fall)
    envelope = np.maximum(pulse_train(length, positions, gains, course), 0.0)
    return np.asarray(shaped_noise(draw, length, points) * envelope)
