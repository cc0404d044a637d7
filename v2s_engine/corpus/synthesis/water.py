"""Water that flows: brooks, falls, taps, drops, fountains, drains and shores.

Two things make its sound. Air bubbles under water ring like bells, at Minnaert's frequency (1933), f = 3 m/s over their
radius; K. van den Doel, "Physically based models for liquid sounds" (2005), gives their damping and lets the pitch rise
as they come to the surface, and pours thousands of them a second for a stream. And the turbulence of jets, splashes and
breakers is noise whose bands swell independently (A. Farnell, "Designing Sound", 2010, on running water).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from v2s_engine.corpus.synthesis.filters import moving_bandpass
from v2s_engine.corpus.synthesis.machines import (
    around,
    bursts,
    drawn_modes,
    normalised,
    phase_of,
    poisson_positions,
    rings,
    shaped,
    shaped_noise,
    struck,
    through,
)
from v2s_engine.corpus.synthesis.noise import wander
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.shapes import clock, lengths, log_uniform, smoothed
from v2s_engine.grid import SAMPLE_RATE


def water_flowing(draw: np.random.Generator, length: int) -> Samples:
    """An excerpt `[length]` of one of the waters above, near or far, at times switched on or off within it."""
    makers = (_brook, _brook, _fall, _tap, _drops, _fountain, _drain, _shore)
    make = makers[draw.integers(len(makers))]
    return Recording(room=0.15, outside=0.35, floor=0.85, peak=(-34.0, -6.0)).take(draw, make(draw, length))


def bubbles(
    draw: np.random.Generator, length: int, rate: Signal | float, smallest: float, largest: float, *, steepness: float
) -> Signal:
    """`rate` bubbles a second of radii from `smallest` to `largest` metres; RMS of 1 where there are any.

    There are r^-steepness as many bubbles of radius r per octave. Damping 0.13 / r + 0.0072 r^-1.5 and rise of pitch
    are those of Van den Doel (2005); how loud one is depends on its size and on how hard it was shaken loose.
    """
    starts = poisson_positions(draw, length, rate)
    octaves = np.linspace(0, 1, 256)
    odds = np.cumsum((largest / smallest) ** (-steepness * octaves))
    radii = smallest * (largest / smallest) ** np.interp(draw.random(len(starts)) * odds[-1], odds, octaves)
    radii *= np.exp(0.15 * draw.standard_normal(len(starts)))  # no sharp edges
    decays = 0.13 / radii + 0.0072 * radii**-1.5
    depths = draw.random(len(starts)) ** 2.5
    rising = np.where(draw.random(len(starts)) < 0.5, draw.uniform(0.02, 0.14, len(starts)), 0.0)
    gains = depths * radii ** draw.uniform(0.5, 1.5) * draw.choice([-1.0, 1.0], len(starts))
    return normalised(rings(length, starts, 3.0 / radii, decays, gains, rises=rising * decays))


def turbulence(draw: np.random.Generator, length: int, low: float, high: float, *, unrest: float) -> Signal:
    """Noise from `low` to `high` Hz in four bands that swell on their own, by `unrest` dB (SD); RMS of 1."""
    edges = np.exp(np.linspace(math.log(low), math.log(high), 5))
    sound = np.zeros(length)
    for below, above in pairwise(edges):
        swell = unrest * wander(draw, length, draw.uniform(0.5, 9.0))
        centre, width = math.sqrt(below * above), math.log2(above / below)
        level = 10 ** (swell / 20) * draw.uniform(0.5, 1.2)
        sound += shaped_noise(draw, length, around(centre, width, slope=draw.uniform(5, 12))) * level
    return normalised(sound)


def _brook(draw: np.random.Generator, length: int) -> Signal:
    """Bubbles of all sizes over stones, coming in gushes, and little else."""
    gushes = np.exp(draw.uniform(0.2, 0.9) * wander(draw, length, draw.uniform(1, 6)))
    smallest = draw.uniform(0.4e-3, 1.0e-3)
    fine = bubbles(
        draw,
        length,
        gushes * 10 ** draw.uniform(2.2, 3.4),
        smallest,
        log_uniform(draw, 2e-3, 7e-3),
        steepness=draw.uniform(0.3, 1.6),
    )
    coarse = bubbles(draw, length, gushes * draw.uniform(8, 120), 3e-3, draw.uniform(8e-3, 16e-3), steepness=0.5)
    rush = turbulence(draw, length, draw.uniform(150, 500), draw.uniform(2500, 7500), unrest=draw.uniform(0.5, 2.5))
    return fine + draw.uniform(0.0, 0.9) * coarse + draw.uniform(0.1, 1.5) * rush


def _fall(draw: np.random.Generator, length: int) -> Signal:
    """A steady roar, low for a great one, with so many bubbles that none stands out."""
    size = draw.random()
    rush = turbulence(draw, length, 300 * 5**-size, draw.uniform(4000, 7500), unrest=draw.uniform(0.2, 1.2))
    tilt = draw.uniform(-5.0, 1.0)
    rush = shaped(rush, [(60, 0), (400, 0), (800, tilt), (1600, 2 * tilt), (3200, 3 * tilt), (6400, 4 * tilt)])
    spray = bubbles(
        draw, length, draw.uniform(1500, 5000), 0.4e-3, log_uniform(draw, 2e-3, 7e-3), steepness=draw.uniform(0.2, 1.2)
    )
    return normalised(rush) + draw.uniform(0.1, 0.8) * spray


def _tap(draw: np.random.Generator, length: int) -> Signal:
    """A jet into a basin or a vessel: hiss, bubbles, and the vessel's resonance, which rises as it fills."""
    flow = _switched(draw, length) if draw.random() < 0.5 else np.ones(length)
    hiss = turbulence(draw, length, draw.uniform(600, 1800), draw.uniform(5000, 7800), unrest=draw.uniform(0.3, 1.5))
    splash = bubbles(draw, length, flow * draw.uniform(150, 1500), 0.5e-3, draw.uniform(3e-3, 9e-3), steepness=0.9)
    sound = flow * draw.uniform(0.3, 1.2) * hiss + draw.uniform(0.2, 1.2) * splash
    if draw.random() < 0.5:  # a vessel: an air column closed below, f = c / 4 h, that the water shortens
        rise = through(length, [(0, 0), (length / SAMPLE_RATE, draw.uniform(0.0, 1.1))])
        sound += draw.uniform(0.3, 1.5) * flow * _piped(draw, log_uniform(draw, 180, 600) * np.exp(rise))
    else:  # a basin of steel or enamel
        hits = poisson_positions(draw, length, flow * draw.uniform(50, 300))
        basin = drawn_modes(draw, 6, draw.uniform(150, 400), 3000, sharpness=draw.uniform(2, 6))
        sound += draw.uniform(0.0, 0.6) * normalised(struck(draw, length, hits, draw.random(len(hits)), basin))
    return sound


def _piped(draw: np.random.Generator, pitch: Signal) -> Signal:
    """Noise in a pipe or vessel that is closed at one end and resounds at `pitch` (Hz, `[L]`); RMS of 1."""
    length, q = len(pitch), draw.uniform(4, 20)
    noise = shaped_noise(draw, length, [(100, 0), (6000, -18)])
    return normalised(np.sum([moving_bandpass(noise, pitch * overtone, q) for overtone in (1, 3, 5)], axis=0))


def _drops(draw: np.random.Generator, length: int) -> Signal:
    """Single drops, or rain: the tick of each where it lands, and a bubble a few milliseconds later."""
    rate = 10 ** draw.uniform(0.0, 2.2)
    pool = draw.random() < 0.7
    landings = poisson_positions(draw, length, rate * np.exp(0.3 * wander(draw, length, 0.5)))
    if not len(landings):
        landings = np.array([length * draw.uniform(0.1, 0.6)])
    sizes = draw.random(len(landings)) ** 1.5
    ticks = bursts(draw, length, landings, 0.2 + sizes, fall=draw.uniform(0.6e-3, 3e-3), points=around(3500, 3))
    sound = normalised(ticks) * draw.uniform(0.2, 0.8)
    if pool:
        radii = np.exp(draw.normal(math.log(draw.uniform(1.2e-3, 4e-3)), 0.35, len(landings)))
        decays = (0.13 / radii + 0.0072 * radii**-1.5) * draw.uniform(0.3, 1.0)
        delays = draw.uniform(0.005, 0.03, len(landings)) * SAMPLE_RATE
        rises = draw.uniform(0.02, 0.15, len(landings)) * decays
        sound += normalised(rings(length, landings + delays, 3.0 / radii, decays, 0.1 + sizes, rises=rises))
    else:
        sheet = drawn_modes(draw, 6, draw.uniform(150, 600), 5000, sharpness=log_uniform(draw, 1.5, 10))
        sound += draw.uniform(0.3, 1.0) * normalised(struck(draw, length, landings, sizes, sheet))
    if draw.random() < 0.5:
        sound += draw.uniform(0.02, 0.25) * turbulence(draw, length, 200, 5000, unrest=0.8)
    return sound


def _fountain(draw: np.random.Generator, length: int) -> Signal:
    """Jets that fall back in splashes: a hiss, over it patter, under it bubbles."""
    hiss = turbulence(draw, length, draw.uniform(400, 1200), 7500, unrest=draw.uniform(0.5, 2.0))
    waves = np.exp(0.8 * wander(draw, length, draw.uniform(1, 5)))
    splashes = poisson_positions(draw, length, waves * draw.uniform(40, 300))
    loudness = draw.random(len(splashes)) ** 2
    decay, centre = draw.uniform(3e-3, 15e-3), draw.uniform(1200, 4000)
    patter = normalised(bursts(draw, length, splashes, loudness, fall=decay, points=around(centre, 2, slope=8)))
    below = bubbles(draw, length, waves * draw.uniform(100, 900), 0.6e-3, log_uniform(draw, 2e-3, 6e-3), steepness=0.8)
    return hiss * draw.uniform(0.2, 0.8) + patter * draw.uniform(0.4, 1.2) + below * draw.uniform(0.3, 1.2)


def _drain(draw: np.random.Generator, length: int) -> Signal:
    """Gurgling: great bubbles in quick trains, with a pipe around them."""
    gulps = np.maximum(0, 0.6 + wander(draw, length, draw.uniform(2, 7)))
    great = bubbles(draw, length, gulps * draw.uniform(15, 80), 3e-3, draw.uniform(8e-3, 18e-3), steepness=0.3)
    small = bubbles(draw, length, gulps * draw.uniform(100, 800), 0.8e-3, 4e-3, steepness=0.8)
    pipe = draw.uniform(150, 500) * np.exp(0.15 * wander(draw, length, 2.0))
    flow = smoothed(gulps, lengths(0.05)) * _piped(draw, pipe)
    hiss = turbulence(draw, length, 500, 5000, unrest=2.0)
    return great + draw.uniform(0.2, 0.8) * small + draw.uniform(0.1, 0.7) * flow + draw.uniform(0.05, 0.3) * hiss


def _shore(draw: np.random.Generator, length: int) -> Signal:
    """Waves that break and run back: the louder, the brighter."""
    pace = np.exp(0.3 * wander(draw, length, 0.4)) / draw.uniform(3, 9)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * phase_of(pace, draw.random()))
    swell = 0.1 + 0.9 * swell ** draw.uniform(1.0, 3.0)
    low = turbulence(draw, length, draw.uniform(60, 200), 900, unrest=2.0)
    high = turbulence(draw, length, 800, draw.uniform(4000, 7500), unrest=1.5)
    foam = bubbles(draw, length, 50 + 2000 * swell, 0.4e-3, 4e-3, steepness=1.2)
    return low * swell + draw.uniform(0.3, 1.0) * high * swell**2 + draw.uniform(0.05, 0.4) * foam * swell


def _switched(draw: np.random.Generator, length: int) -> Signal:
    """A tap's flow (0..1): opened within the excerpt, closed again, or both."""
    duration = length / SAMPLE_RATE
    opened, closed = np.sort(draw.uniform(-0.4, 1.4, 2)) * duration
    edge = draw.uniform(0.05, 0.5)
    closed = max(closed, opened + 0.4 * duration, 0.4 * duration)
    opened = min(opened, 0.6 * duration)
    at = clock(length)
    return np.asarray(np.clip((at - opened) / edge, 0, 1) * np.clip((closed - at) / edge, 0, 1))
