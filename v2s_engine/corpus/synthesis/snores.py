"""Sleepers who snore.

Pevernagie, Aarts and De Meyer, "The acoustics of snoring" (Sleep Medicine Reviews 14, 2010): while breath is drawn in,
the soft palate flutters 20 to 90 times a second and opens the airway in pulses, which ring in the throat and the nose
and carry noise; breath goes out softly, with a puff of the lips, a hiss or a whistle; one cycle takes 3 to 5 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.filters import bandpass, formants, highpass, moving_bandpass
from v2s_engine.corpus.synthesis.noise import coloured, grains, wander, white
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.shapes import add_at, at_rms, curve, lengths, log_uniform, swell
from v2s_engine.corpus.synthesis.voice import Throat, glottal_pulses

_RECORDED = Recording(room=0.6, floor=0.85, clipped=0.05)


@dataclass(frozen=True)
class _Sleeper:
    """One sleeper in one night."""

    palate: Throat
    """Its `centres` are those of throat and nose."""
    flutter: float
    """Hz."""
    cycle: float
    """Seconds from breath to breath."""
    inward: float
    """Share of the cycle in which breath is drawn in."""
    hiss: float
    """dB of the noise in the nose against the flutter."""
    bright: float
    """Hz: where the nose hisses most."""
    rough: float
    """0..1: how irregularly the palate moves."""
    outward: str
    """What breathing out sounds like: hiss, puff, whistle, moan or nothing."""
    outward_level: float
    """dB of it against breathing in."""


def snoring(draw: np.random.Generator, length: int) -> Samples:
    """Breath by breath of one sleeper; a recipe."""
    sleeper = _drawn(draw)
    track = np.zeros(length)
    at = -lengths(draw.uniform(0, 0.8) * sleeper.cycle)
    while at < length:
        cycle = lengths(sleeper.cycle * log_uniform(draw, 0.88, 1.14))
        inward = int(cycle * sleeper.inward * draw.uniform(0.9, 1.1))
        add_at(track, _breath_in(draw, sleeper, inward), at)
        rest = lengths(draw.uniform(0.02, 0.35))
        outward = max(cycle - inward - rest - lengths(draw.uniform(0.05, 0.6)), lengths(0.2))
        add_at(track, _breath_out(draw, sleeper, outward), at + inward + rest)
        # Now and then the sleeper holds the breath.
        at += cycle + (lengths(draw.uniform(0.5, 2)) if draw.random() < 0.06 else 0)
    return _RECORDED.take(draw, track)


def _drawn(draw: np.random.Generator) -> _Sleeper:
    scale = log_uniform(draw, 0.8, 1.5)
    palate = Throat(
        centres=tuple((scale * np.array([260, 800, 1600, 2700, 3800]) * draw.uniform(0.75, 1.3, 5)).tolist()),
        widths=(draw.uniform(100, 400), draw.uniform(150, 500), draw.uniform(200, 600), 500, 700),
        sharpness=draw.uniform(0.5, 1.0),
        jitter=draw.uniform(0.02, 0.08),
        shimmer=draw.uniform(0.1, 0.4),
    )
    outward = str(draw.choice(["hiss", "puff", "whistle", "moan", "nothing"], p=[0.4, 0.17, 0.2, 0.1, 0.13]))
    return _Sleeper(
        palate=palate,
        flutter=log_uniform(draw, 22, 80),
        cycle=log_uniform(draw, 2.4, 5),
        inward=draw.uniform(0.32, 0.52),
        hiss=draw.uniform(-30, -2),
        bright=log_uniform(draw, 2200, 7000),
        rough=draw.uniform(0, 0.6),
        outward=outward,
        outward_level=draw.uniform(-26, -5),
    )


def _breath_in(draw: np.random.Generator, sleeper: _Sleeper, length: int) -> Signal:
    """Flutter and hiss, swelling and breaking off."""
    rate = sleeper.flutter * curve(length, (0, 0.3, 0.7, 1), draw.normal((1, 1.03, 1, 0.92), 0.04).tolist())
    rate *= 1 + 0.03 * wander(draw, length, 6)
    rough = np.full(length, np.clip(sleeper.rough * draw.uniform(0.5, 1.5), 0, 1))
    pulses, flow = glottal_pulses(draw, rate, rough, sleeper.palate)
    # What is heard of the flow is mostly how suddenly the palate lets it go, and the noise it then makes.
    noise = draw.standard_normal(length)
    source = pulses + log_uniform(draw, 0.08, 0.8) * noise * flow**2
    moving = np.array(sleeper.palate.centres)[:, None] * (1 + 0.06 * wander(draw, length, 4))[None, :]
    level = curve(length, (0, 0.25, 0.6, 0.9, 1), (0.03, *draw.uniform(0.5, 1, 2), 0.8, 0.02))
    level *= np.exp(draw.uniform(0.1, 0.5) * wander(draw, length, 8))
    flutter = formants(source * level, moving, np.array(sleeper.palate.widths))
    flutter = at_rms(highpass(flutter, draw.uniform(40, 120)), draw.normal(0, 1.5))
    gate = 0.35 + 0.65 * np.minimum(flow, 1.5)
    hiss = _nose(draw, sleeper, length) * gate * curve(length, (0, 0.2, 0.8, 1), (0.1, 1, 0.8, 0.05))
    return flutter + at_rms(hiss, sleeper.hiss + draw.normal(0, 1.5))


def _nose(draw: np.random.Generator, sleeper: _Sleeper, length: int) -> Signal:
    """Turbulence in the nose: two bands over pink noise."""
    noise = white(draw, length)
    bands = bandpass(noise, sleeper.bright, 2.5) + 0.6 * bandpass(noise, sleeper.bright * 0.45, 2)
    return bands + 0.25 * coloured(draw, length, 3)


def _breath_out(draw: np.random.Generator, sleeper: _Sleeper, length: int) -> Signal:
    """What the sleeper's breath sounds like on its way out, `[length]`."""
    if sleeper.outward == "nothing":
        return np.zeros(length)
    air = _nose(draw, sleeper, length) * curve(length, (0, 0.15, 0.5, 1), (0.05, 1, 0.6, 0.02))
    air = at_rms(air, sleeper.outward_level - (0 if sleeper.outward == "hiss" else 8))
    level = sleeper.outward_level + draw.normal(0, 1.5)
    if sleeper.outward == "puff":
        return air + at_rms(_puff(draw, length), level)
    if sleeper.outward == "whistle":
        glide = curve(length, (0, 0.5, 1), (1.1, 1.0, draw.uniform(0.75, 0.95))) * (1 + 0.02 * wander(draw, length, 6))
        centre = np.clip(sleeper.bright * glide * draw.uniform(0.9, 1.1), 500, 6800)
        tone = moving_bandpass(moving_bandpass(white(draw, length), centre, 12), centre, log_uniform(draw, 8, 60))
        return air + at_rms(tone * swell(length, 0.2, 0.5), level)
    if sleeper.outward == "moan":
        pitch = log_uniform(draw, 90, 320) * curve(length, (0, 0.3, 1), (1, 1.08, draw.uniform(0.6, 0.9)))
        still = np.ones(length)
        moan = sleeper.palate.call(
            draw, pitch, swell(length, 0.1, 0.5), opening=0.8 * still, roughness=0.15 * still, breath=0.1 * still
        )
        return air + at_rms(moan, level)
    return air


def _puff(draw: np.random.Generator, length: int) -> Signal:
    """Lips that give way: a soft burst, and a few flaps behind it."""
    rate = curve(length, (0, 0.15, 0.4, 1), (draw.uniform(15, 30), 12, 0, 0))
    flaps = bandpass(grains(draw, length, rate) * 8, draw.uniform(250, 700), 1)
    burst = coloured(draw, length, 5) * np.exp(-np.arange(length) / lengths(draw.uniform(0.05, 0.2)))
    return burst + flaps * curve(length, (0, 0.1, 1), (0.5, 1, 0))
