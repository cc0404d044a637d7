"""Babies that cry.

What a cry is made of: Wasz-Höckert et al., "The infant cry" (1968); Golub and Corwin, "A physioacoustic model of the
infant cry" (1985): expirations of 0.5 to 1.5 s with a pitch of 300 to 600 Hz that rises, holds and falls, each followed
by a short intake of breath; now and then hyperphonation (a whistle-like pitch above 1 kHz) and dysphonation (noise and
subharmonics). The tract is half an adult's long: formants near 1,100, 3,300 and 5,500 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.filters import bandpass
from v2s_engine.corpus.synthesis.noise import wander, white
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.shapes import add_at, at_rms, curve, lengths, log_uniform, smoothed, swell
from v2s_engine.corpus.synthesis.voice import Throat
from v2s_engine.grid import SAMPLE_RATE

_RECORDED = Recording(room=0.75, floor=0.75)


@dataclass(frozen=True)
class _Baby:
    """One baby on one day."""

    throat: Throat
    pitch: float
    """Hz, in the middle of an ordinary cry."""
    duration: float
    """Seconds of a usual cry."""
    rest: float
    """Seconds between cries, beyond the intake of breath."""
    arousal: float
    """0 (fusses) to 1 (screams): louder, higher, rougher."""
    hoarse: float
    """0..1: how often dysphonation comes."""
    trill: float
    """Hz of the trembling in the voice."""


def baby_crying(draw: np.random.Generator, length: int) -> Samples:
    """A baby that fusses, cries or screams; a recipe."""
    baby = _drawn(draw)
    track = np.zeros(length)
    at = -lengths(draw.uniform(0, 1.0)) if draw.random() < 0.5 else lengths(draw.uniform(0, 0.8))
    while at < length:
        fusses = draw.random() < 0.15 + 0.5 * (1 - baby.arousal) ** 2
        for sound in _fussing(draw, baby) if fusses else [_cry(draw, baby)]:
            add_at(track, sound, at)
            at += len(sound) + lengths(draw.uniform(0.02, 0.12))
        if draw.random() < 0.75:
            breath = _intake(draw, baby)
            add_at(track, breath, at)
            at += len(breath)
        pause = draw.uniform(1.0, 2.5) if draw.random() < 0.12 else baby.rest * log_uniform(draw, 0.3, 3)
        at += lengths(pause)
    if not track.any():  # all calls fell before the excerpt
        add_at(track, _cry(draw, baby), 0)
    return _RECORDED.take(draw, track)


def _drawn(draw: np.random.Generator) -> _Baby:
    size = draw.uniform(0.85, 1.2)
    # The lips of a crying mouth are wide open: the second formant wanders down to 1,900 Hz.
    centres = (1350 * size * draw.uniform(0.75, 1.25), size * draw.uniform(2000, 3500), 4700 * size, 6700 * size)
    throat = Throat(
        centres=centres,
        widths=(draw.uniform(150, 500), draw.uniform(200, 600), draw.uniform(300, 800), 900),
        sharpness=draw.uniform(0.5, 1.0),
        jitter=draw.uniform(0.003, 0.015),
        shimmer=draw.uniform(0.03, 0.12),
    )
    return _Baby(
        throat=throat,
        pitch=log_uniform(draw, 320, 560),
        duration=log_uniform(draw, 0.55, 1.5),
        rest=log_uniform(draw, 0.06, 0.5),
        arousal=draw.uniform(0, 1),
        hoarse=draw.uniform(0, 0.7),
        trill=draw.uniform(5, 12),
    )


def _cry(draw: np.random.Generator, baby: _Baby) -> Signal:
    """One long expiration."""
    length = lengths(float(np.clip(baby.duration * log_uniform(draw, 0.5, 1.8), 0.35, 3.0)))
    melody = _melody(draw, length, baby) * baby.pitch * (1 + 0.12 * baby.arousal)
    rough = np.zeros(length)
    if draw.random() < baby.hoarse:
        rough += _spell(draw, length) * draw.uniform(0.3, 1.0)
    if draw.random() < 0.12 * (0.3 + baby.arousal):
        # The folds switch to another register within a few periods and back.
        melody *= 1 + (draw.uniform(2.2, 3.4) - 1) * _spell(draw, length, edge=0.004)
    trill = np.sin(2 * np.pi * baby.trill * np.arange(length) / SAMPLE_RATE + 3 * wander(draw, length, 2))
    pitch = melody * (1 + draw.uniform(0, 0.025) * trill + 0.012 * wander(draw, length, 14))
    loudness = curve(length, (0, 0.08, 0.3, 0.7, 1), (0.15, *draw.uniform(0.5, 1, 3), 0.12))
    loudness *= swell(length, 0.03, draw.uniform(0.06, 0.25)) * np.exp(0.12 * wander(draw, length, 9))
    opening = curve(length, (0, 0.15, 0.5, 0.85, 1), (0.55, *draw.uniform(0.85, 1.25, 3), 0.5))
    breath = np.full(length, draw.uniform(0.005, 0.05)) + 0.5 * rough * draw.uniform(0.1, 1)
    sound = baby.throat.call(draw, pitch, loudness, opening=opening, roughness=rough, breath=breath)
    return at_rms(sound, draw.normal(-3, 3) + 4 * baby.arousal)


def _melody(draw: np.random.Generator, length: int, baby: _Baby) -> Signal:
    """The pitch over its middle: most often an arch; also falling, rising, or with two humps."""
    rise, fall = draw.uniform(0.6, 0.9), draw.uniform(0.5, 0.9)
    hold = draw.normal(1, 0.06, 3) + 0.1 * baby.arousal * draw.uniform(-0.5, 1)
    shape = draw.choice(["arch", "falling", "rising", "humps"], p=[0.6, 0.2, 0.08, 0.12])
    if shape == "falling":
        return curve(length, (0, 0.06, 0.4, 1), (rise, 1.15 * hold[0], hold[1], fall))
    if shape == "rising":
        return curve(length, (0, 0.5, 0.9, 1), (rise, 0.95 * hold[0], 1.2 * hold[1], fall))
    if shape == "humps":
        return curve(length, (0, 0.2, 0.45, 0.7, 1), (rise, hold[0], 0.82 * hold[1], 1.1 * hold[2], fall))
    return curve(length, (0, 0.12, 0.5, 0.8, 1), (rise, *hold, fall))


def _fussing(draw: np.random.Generator, baby: _Baby) -> list[Signal]:
    """A few short "eh"s on one breath."""
    calls = []
    for _ in range(int(draw.integers(2, 8))):
        length = lengths(log_uniform(draw, 0.06, 0.3))
        pitch = baby.pitch * draw.normal(0.9, 0.08) * curve(length, (0, 0.3, 1), (0.8, 1, draw.uniform(0.7, 0.95)))
        pitch *= 1 + 0.01 * wander(draw, length, 15)
        rough = np.full(length, draw.uniform(0, 0.9) if draw.random() < 0.3 + 0.5 * baby.hoarse else 0.0)
        breath = np.full(length, log_uniform(draw, 0.01, 1.5))  # the noisiest are coughs
        loudness = swell(length, draw.uniform(0.008, 0.03), 0.08)
        opening = np.full(length, draw.uniform(0.6, 1.1))
        sound = baby.throat.call(draw, pitch, loudness, opening=opening, roughness=rough, breath=breath)
        calls.append(at_rms(sound, draw.normal(-9, 4)))
    return calls


def _intake(draw: np.random.Generator, baby: _Baby) -> Signal:
    """Breath drawn in: a hiss through the open mouth, at times voiced and high."""
    length = lengths(log_uniform(draw, 0.12, 0.45))
    first, second, *_ = baby.throat.centres
    hiss = bandpass(white(draw, length), first * draw.uniform(1.1, 1.6), 1.5)
    hiss += 0.7 * bandpass(white(draw, length), second, 2.5) + 0.2 * white(draw, length)
    sound = at_rms(hiss * curve(length, (0, 0.6, 1), (0.1, 1, 0.05)), draw.normal(-27, 5))
    if draw.random() < 0.3:
        pitch = baby.pitch * draw.uniform(1.0, 2.2) * curve(length, (0, 0.7, 1), (0.8, 1.0, 1.15))
        loudness = swell(length, 0.05, 0.05)
        still, rough = np.ones(length), np.full(length, draw.uniform(0.1, 0.7))
        voiced = baby.throat.call(draw, pitch, loudness, opening=still, roughness=rough, breath=0.3 * still)
        sound = sound + at_rms(voiced, draw.normal(-16, 5))
    return sound


def _spell(draw: np.random.Generator, length: int, edge: float = 0.03) -> Signal:
    """A stretch of 1 somewhere in 0."""
    spell = np.zeros(length)
    begin, share = draw.uniform(0, 0.7), draw.uniform(0.15, 0.8)
    spell[int(begin * length) : int((begin + share) * length)] = 1.0
    return smoothed(spell, lengths(edge))
