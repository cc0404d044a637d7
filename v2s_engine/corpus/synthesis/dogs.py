"""Dogs: barks, growls, whines, howls and panting.

Riede and Fitch, "Vocal tract length and acoustics of vocalization in the domestic dog" (J. Exp. Biol. 202, 1999): the
formants fall with the size of the dog. Yin and McCowan, "Barking in domestic dogs" (Animal Behaviour 68, 2004): a bark
is a short arch of pitch, harsh and with subharmonics, alone or in trains. Farnell, "Designing Sound", chapter 53, for
how mouth and noise go together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.filters import bandpass, formants, highpass
from v2s_engine.corpus.synthesis.noise import wander, white
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.shapes import add_at, at_rms, clock, curve, decibels, lengths, log_uniform, swell
from v2s_engine.corpus.synthesis.voice import Throat
from v2s_engine.grid import SAMPLE_RATE

_RECORDED = Recording(room=0.5, outside=0.3, floor=0.7, clipped=0.12)


Phrase = Callable[[np.random.Generator, "_Dog"], Signal]


@dataclass(frozen=True)
class _Dog:
    """One dog in one mood."""

    throat: Throat
    pitch: float
    """Hz, highest in an ordinary bark."""
    bark: float
    """Seconds of a bark."""
    rough: float
    """0..1: how harsh it barks."""
    breathy: float
    """Share of noise in the voice."""


def dog(draw: np.random.Generator, length: int) -> Samples:
    """A dog, at times two, doing one or two of what dogs do; a recipe."""
    track = _dog_track(draw, length)
    if draw.random() < 0.12:
        track = track + decibels(draw.uniform(-18, -3)) * _dog_track(draw, length)
    return _RECORDED.take(draw, track)


def _dog_track(draw: np.random.Generator, length: int) -> Signal:
    animal = _drawn(draw)
    phrases: tuple[Phrase, ...] = (_barks, _growl, _whine, _pants, _howl)
    kinds = draw.choice(len(phrases), size=2, p=[0.48, 0.17, 0.12, 0.17, 0.06])
    rest = log_uniform(draw, 0.15, 1.5)
    track = np.zeros(length)
    at = lengths(draw.uniform(0, 0.6))
    while at < length:
        phrase = phrases[kinds[0] if draw.random() < 0.75 else kinds[1]](draw, animal)
        add_at(track, phrase, at)
        at += len(phrase) + lengths(rest * log_uniform(draw, 0.3, 3))
    return track


def _drawn(draw: np.random.Generator) -> _Dog:
    small = draw.uniform(0, 1)
    scale = 0.75 * 2.1**small * draw.uniform(0.9, 1.1)
    throat = Throat(
        centres=tuple((scale * np.array([650, 1400, 2800, 4200, 5800]) * draw.uniform(0.85, 1.15, 5)).tolist()),
        widths=(draw.uniform(120, 350), draw.uniform(150, 400), draw.uniform(250, 600), 600, 700),
        sharpness=draw.uniform(0.4, 1.0),
        jitter=draw.uniform(0.01, 0.04),
        shimmer=draw.uniform(0.08, 0.25),
    )
    return _Dog(
        throat=throat,
        pitch=350 * 2.4**small * log_uniform(draw, 0.8, 1.3),
        bark=log_uniform(draw, 0.09, 0.2) * 1.6 ** (1 - small),
        rough=draw.uniform(0.1, 0.9),
        breathy=log_uniform(draw, 0.03, 0.5),
    )


def _barks(draw: np.random.Generator, animal: _Dog) -> Signal:
    """One, two, or a train of barks."""
    count = 1 + int(draw.choice(4, p=[0.35, 0.3, 0.15, 0.2]))
    if count == 4:
        count = int(draw.integers(4, 10))
    gap = log_uniform(draw, 0.06, 0.5)
    barks: list[Signal] = []
    for _ in range(count):
        if draw.random() < 0.06:
            barks.append(0.3 * _growl(draw, animal)[: lengths(0.35)])
        barks += [_bark(draw, animal), np.zeros(lengths(gap * log_uniform(draw, 0.7, 1.4)))]
    return np.concatenate(barks)


def _bark(draw: np.random.Generator, animal: _Dog) -> Signal:
    length = lengths(animal.bark * log_uniform(draw, 0.7, 1.5))
    peak_at = draw.uniform(0.2, 0.45)
    arch = curve(length, (0, peak_at, 0.75, 1), (draw.uniform(0.5, 0.8), 1.0, draw.uniform(0.75, 0.9), 0.45))
    pitch = animal.pitch * draw.normal(1, 0.06) * arch * (1 + 0.02 * wander(draw, length, 40))
    rough = np.clip(animal.rough * draw.uniform(0.5, 1.3), 0, 1) * curve(length, (0, 0.3, 1), (0.6, 1, 0.5))
    loudness = swell(length, draw.uniform(0.006, 0.03), 0.7 * length / SAMPLE_RATE)
    loudness *= 1 + 0.1 * wander(draw, length, 30)
    opening = curve(length, (0, 0.3, 0.6, 1), (draw.uniform(0.45, 0.7), 1.1, 1.0, draw.uniform(0.4, 0.7)))
    breath = animal.breathy * curve(length, (0, 0.2, 1), (2.0, 0.8, 1.4))
    bark = at_rms(
        animal.throat.call(draw, pitch, loudness, opening=opening, roughness=rough, breath=breath), draw.normal(0, 2)
    )
    if draw.random() < 0.35:
        # Air is drawn in after the bark.
        gasp = _breath(draw, animal, log_uniform(draw, 0.1, 0.35), inwards=True)
        bark = np.concatenate([bark, at_rms(gasp, draw.normal(-32, 4))])
    return bark


def _growl(draw: np.random.Generator, animal: _Dog) -> Signal:
    """Pulses slow enough to be heard singly, with noise; held, swelling, or in breaths."""
    length = lengths(log_uniform(draw, 0.4, 2.5))
    low = log_uniform(draw, 45, 130)
    pitch = low * curve(length, (0, 0.5, 1), draw.uniform(0.8, 1.2, 3).tolist()) * (1 + 0.08 * wander(draw, length, 12))
    loudness = swell(length, draw.uniform(0.03, 0.3), draw.uniform(0.05, 0.4)) * np.exp(0.25 * wander(draw, length, 5))
    opening = 0.75 * curve(length, (0, 0.5, 1), draw.uniform(0.6, 1.2, 3).tolist())
    rough = np.full(length, draw.uniform(0.3, 1.0))
    breath = np.full(length, log_uniform(draw, 0.15, 1.2))
    growl = animal.throat.call(draw, pitch, loudness, opening=opening, roughness=rough, breath=breath)
    # A mouth as small as this radiates little of the lowest overtones.
    return at_rms(highpass(growl, draw.uniform(150, 450)), draw.normal(-10, 4))


def _whine(draw: np.random.Generator, animal: _Dog) -> Signal:
    """A thin high tone through the nose, gliding; often broken into short ones."""
    whines: list[Signal] = []
    for _ in range(int(draw.integers(1, 5))):
        length = lengths(log_uniform(draw, 0.12, 1.1))
        pitch = (
            animal.pitch * log_uniform(draw, 0.9, 2.6) * curve(length, (0, 0.4, 1), draw.uniform(0.75, 1.2, 3).tolist())
        )
        pitch *= 1 + 0.015 * wander(draw, length, 12)
        turns = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        tone = np.sin(turns) + draw.uniform(0.02, 0.4) * np.sin(2 * turns) + draw.uniform(0, 0.15) * np.sin(3 * turns)
        air = bandpass(white(draw, length), min(2.5 * float(pitch.mean()), 6500), 2)
        tone = (
            (tone + log_uniform(draw, 0.02, 0.4) * air)
            * swell(length, 0.05, 0.1)
            * np.exp(0.2 * wander(draw, length, 8))
        )
        whines += [at_rms(tone, draw.normal(-14, 4)), np.zeros(lengths(draw.uniform(0.03, 0.3)))]
    return np.concatenate(whines)


def _howl(draw: np.random.Generator, animal: _Dog) -> Signal:
    """A long clear call that rises fast, holds and sinks."""
    length = lengths(draw.uniform(0.8, 3.0))
    shape = curve(length, (0, 0.12, 0.5, 0.85, 1), (0.6, 1.0, draw.uniform(0.9, 1.15), 0.95, 0.7))
    pitch = animal.pitch * draw.uniform(0.7, 1.2) * shape * (1 + 0.01 * wander(draw, length, 7))
    opening = curve(length, (0, 0.3, 1), (0.5, draw.uniform(0.7, 1), 0.55))
    still = np.ones(length)
    call = animal.throat.call(
        draw, pitch, swell(length, 0.15, 0.4), opening=opening, roughness=0.08 * still, breath=0.03 * still
    )
    return at_rms(call, draw.normal(-4, 3))


def _pants(draw: np.random.Generator, animal: _Dog) -> Signal:
    """Breaths in and out, two to five pairs a second."""
    pace = log_uniform(draw, 1.6, 5)
    outward = draw.uniform(0.45, 0.6)
    softer = draw.uniform(-10, 0)
    breaths: list[Signal] = []
    for _ in range(int(draw.integers(3, 14))):
        cycle = log_uniform(draw, 0.85, 1.18) / pace
        out = at_rms(_breath(draw, animal, cycle * outward, inwards=False), draw.normal(-16, 1.5))
        inward = at_rms(_breath(draw, animal, cycle * (1 - outward), inwards=True), draw.normal(-16, 1.5) + softer)
        breaths += [out, inward]
    return np.concatenate(breaths)


def _breath(draw: np.random.Generator, animal: _Dog, seconds: float, *, inwards: bool) -> Signal:
    """Air rushing through the mouth; inwards through narrower lips, so brighter."""
    length = lengths(seconds)
    centres = np.array(animal.throat.centres) * (1.25 if inwards else 0.95) * draw.uniform(0.9, 1.1)
    noise = highpass(white(draw, length), 500) + 0.3 * white(draw, length)
    tract = np.repeat(centres[:, None], length, axis=1)
    hiss = formants(noise, tract, 1.6 * np.array(animal.throat.widths) + 200)
    middle = 0.35 + 0.2 * draw.random()
    return hiss * curve(length, (0, middle, 1), (0.02, 1, 0.02)) * (1 + 0.2 * np.sin(2 * np.pi * 23 * clock(length)))
