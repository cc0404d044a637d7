"""Fireworks: shells that are lifted, whistle and burst, crackle, strings of crackers, and their echoes.

Farnell, "Designing Sound", chapters 44 (explosions: a short N-wave, then turbulent noise that darkens while it decays,
then echoes) and 39 (crackle as grains at random moments). The blast wave after Friedlander, "The diffraction of sound
pulses" (Proc. R. Soc. A 186, 1946). What air takes away grows with distance (`room.far_away`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.filters import bandpass, highpass, lowpass
from v2s_engine.corpus.synthesis.noise import coloured, grains, wander, white
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.room import convolved, far_away, open_response
from v2s_engine.corpus.synthesis.shapes import (
    add_at,
    at_peak,
    at_rms,
    clock,
    curve,
    decay,
    decibels,
    lengths,
    log_uniform,
    smoothed,
    swell,
)
from v2s_engine.grid import SAMPLE_RATE

_RECORDED = Recording(room=0.06, outside=0.3, floor=0.7, clipped=0.15)


@dataclass(frozen=True)
class _Shell:
    """A kind of shell that a show fires several of."""

    lift: float
    """Loudness of its mortar, dB; the burst has about 0."""
    whistle: float
    """How likely it whistles on its way up."""
    flight: float
    """Seconds from the mortar to the burst."""
    size: float
    """0 (a small bang) to 1 (a heavy shell)."""
    crackle: float
    """How likely crackling stars follow."""


def fireworks(draw: np.random.Generator, length: int) -> Samples:
    """A shell, a show, a salvo far away, a string of crackers, rockets that whistle, or a fountain; a recipe."""
    ways = (_show, _crackers, _rockets, _fountain)
    way = ways[int(draw.choice(len(ways), p=[0.66, 0.17, 0.1, 0.07]))]
    distance = log_uniform(draw, 15, 900)
    heard = far_away(way(draw, length), distance)
    if draw.random() < 0.8:
        echo = convolved(heard, open_response(draw))
        heard = heard + draw.uniform(0.2, 1) * (echo - heard)
    return _RECORDED.take(draw, heard)


def _show(draw: np.random.Generator, length: int) -> Signal:
    """Shells of two kinds, from one in the whole excerpt to salvos."""
    kinds = [_shell(draw), _shell(draw)]
    pause = log_uniform(draw, 0.15, 4)
    track = np.zeros(length)
    at = -lengths(draw.uniform(0, 2.5))
    while at < length:
        shell = kinds[int(draw.integers(2))]
        level = decibels(draw.normal(0, 5))
        launched = at
        add_at(track, decibels(shell.lift) * level * _lift(draw), launched)
        flight = shell.flight * log_uniform(draw, 0.85, 1.2)
        if draw.random() < shell.whistle:
            whistle = decibels(draw.uniform(-26, -8)) * level * _whistle(draw, flight * draw.uniform(0.6, 1.0))
            add_at(track, whistle, launched + lengths(0.05))
        burst_at = launched + lengths(flight)
        add_at(track, level * _burst(draw, shell.size), burst_at)
        if draw.random() < shell.crackle:
            stars = decibels(draw.uniform(-20, -4)) * level * _crackle(draw)
            add_at(track, stars, burst_at + lengths(draw.uniform(0.05, 1.2)))
        at += lengths(pause * log_uniform(draw, 0.2, 3))
    if not track.any():  # what was fired burst after the end
        add_at(track, _burst(draw, kinds[0].size), int(length * draw.uniform(0, 0.5)))
    return track


def _shell(draw: np.random.Generator) -> _Shell:
    return _Shell(
        lift=draw.uniform(-30, -4),
        whistle=float(draw.choice([0.0, 0.15, 0.7])),
        flight=log_uniform(draw, 0.6, 2.4),
        size=draw.uniform(0, 1),
        crackle=float(draw.choice([0.0, 0.3, 0.9])),
    )


def _lift(draw: np.random.Generator) -> Signal:
    """The mortar's thump: a falling low tone and a puff."""
    length = lengths(0.35)
    pitch = draw.uniform(45, 100) * (1 + np.exp(-clock(length) / 0.02))
    tone = np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE) * decay(length, draw.uniform(0.12, 0.35))
    puff = lowpass(white(draw, length), log_uniform(draw, 300, 2500)) * decay(length, draw.uniform(0.08, 0.3))
    return at_peak(at_peak(tone) + draw.uniform(0.2, 1.0) * at_peak(puff))


def _burst(draw: np.random.Generator, size: float) -> Signal:
    """A blast wave, turbulence that darkens, and a rumble that rolls away; the louder and lower the larger."""
    length = lengths(draw.uniform(0.8, 1.5) + 1.8 * size)
    blast = 0.0004 + 0.004 * size * draw.uniform(0.5, 1.5)
    passed = clock(length) / blast
    wave = (1 - passed) * np.exp(-passed)
    noise = white(draw, length)
    time = draw.uniform(0.15, 0.5) + 0.9 * size
    sharp = noise * decay(length, 0.3 * time) + 1.5 * lowpass(noise, 2500) * decay(length, 0.7 * time)
    dark = lowpass(noise, 180 + 700 * (1 - size)) * decay(length, 1.4 * time)
    rumble = lowpass(coloured(draw, length, 5), 160) * decay(length, 2.2 * time) * np.exp(0.5 * wander(draw, length, 9))
    attack = np.minimum(1, 0.15 + clock(length) / 0.004)
    burst = at_peak(wave) + draw.uniform(0.4, 1.4) * attack * (
        draw.uniform(0.2, 1.0) * at_peak(sharp)
        + draw.uniform(0.4, 1.2) * at_peak(dark)
        + (0.4 + 0.9 * size) * at_peak(rumble)
    )
    return at_peak(burst) * (0.4 + 0.6 * size)


def _crackle(draw: np.random.Generator) -> Signal:
    """Stars that go off one by one: a shower that grows and thins out."""
    length = lengths(draw.uniform(0.5, 2.8))
    rate = log_uniform(draw, 25, 350) * curve(length, (0, 0.25, 0.6, 1), (0.1, 1, 0.7, 0.02))
    sparks = grains(draw, length, rate)
    snap = white(draw, 160) * decay(160, draw.uniform(0.003, 0.01))
    snaps = convolved(sparks, snap)
    return at_peak(bandpass(snaps, log_uniform(draw, 1500, 5000), 0.6) + 0.3 * snaps)


def _whistle(draw: np.random.Generator, seconds: float) -> Signal:
    """A rocket's whistle: a tone with a tremble, gliding mostly down, with overtones and hiss."""
    length = lengths(max(seconds, 0.2))
    begin = log_uniform(draw, 1500, 5500)
    end = begin * (draw.uniform(0.5, 0.95) if draw.random() < 0.75 else draw.uniform(1.05, 1.5))
    tremble = 1 + draw.uniform(0, 0.03) * np.sin(2 * np.pi * draw.uniform(8, 30) * clock(length))
    pitch = curve(length, (0, 0.5, 1), (begin, (begin + end) / 2 * draw.uniform(0.95, 1.1), end)) * tremble
    pitch *= 1 + 0.006 * wander(draw, length, 25)
    turns = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    second = np.where(pitch < 3800, np.sin(2 * turns), 0.0)
    tone = np.sin(turns) + draw.uniform(0, 0.4) * second
    hiss = highpass(white(draw, length), 1500) * log_uniform(draw, 0.02, 0.5)
    whistle = (tone + hiss) * swell(length, 0.08, 0.15) * np.exp(0.3 * wander(draw, length, 12))
    return at_peak(whistle)


def _crackers(draw: np.random.Generator, length: int) -> Signal:
    """A string of crackers: bangs close by, at a rate that rises and falls; or a few of them singly."""
    rate = log_uniform(draw, 1.2, 40)
    pace = rate * np.exp(0.5 * wander(draw, length, 0.8))
    moments = np.flatnonzero(draw.random(length) < pace / SAMPLE_RATE)
    if not len(moments):
        moments = np.array([int(length * draw.uniform(0, 0.5))])
    bangs = [_bang(draw) for _ in range(5)]
    track = np.zeros(length)
    for moment in moments:
        bang = bangs[int(draw.integers(5))]
        add_at(track, decibels(draw.normal(0, 5)) * bang, int(moment))
    return track


def _bang(draw: np.random.Generator) -> Signal:
    """One small cracker."""
    length = lengths(0.25)
    passed = clock(length) / log_uniform(draw, 0.0002, 0.0012)
    noise = white(draw, length)
    body = noise * decay(length, draw.uniform(0.02, 0.07)) + lowpass(noise, 1500) * decay(
        length, draw.uniform(0.05, 0.22)
    )
    return at_peak((1 - passed) * np.exp(-passed) + draw.uniform(0.1, 0.5) * at_peak(body))


def _rockets(draw: np.random.Generator, length: int) -> Signal:
    """Rockets that hiss and whistle off, some with a bang at the end."""
    track = np.zeros(length)
    pause = log_uniform(draw, 0.4, 2.5)
    bangs = draw.choice([0.0, 0.5, 1.0])
    at = lengths(draw.uniform(0, 0.5))
    while at < length:
        seconds = draw.uniform(0.4, 2.2)
        rush = highpass(white(draw, lengths(seconds)), 900) * curve(lengths(seconds), (0, 0.1, 1), (0.05, 1, 0.05))
        add_at(track, decibels(draw.uniform(-24, -8)) * at_peak(rush), at)
        add_at(track, decibels(draw.uniform(-14, -3)) * _whistle(draw, seconds), at)
        if draw.random() < bangs:
            add_at(track, _burst(draw, 0.5 * draw.random()), at + lengths(seconds + draw.uniform(0, 0.4)))
        at += lengths(seconds * draw.uniform(0.5, 1) + pause * log_uniform(draw, 0.4, 2))
    return track


def _fountain(draw: np.random.Generator, length: int) -> Signal:
    """A fountain on the ground: a steady rush full of sparks."""
    rush = coloured(draw, length, draw.uniform(-2, 3)) * np.exp(0.25 * wander(draw, length, 7))
    rush = highpass(rush, draw.uniform(150, 1200))
    sparks = convolved(grains(draw, length, log_uniform(draw, 15, 400)), white(draw, 96) * decay(96, 0.005))
    lively = smoothed(np.maximum(0, 0.6 + wander(draw, length, 1)), lengths(0.05))
    ends = swell(length, draw.uniform(0.01, 1), draw.uniform(0.1, 2))
    return (at_rms(rush, -8) + log_uniform(draw, 0.3, 3) * at_rms(sparks, -8) * lively) * ends
