"""The judge's own sounds of voices, breath and drums, painted. Each function: (draw, length) -> samples `[length]`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.evaluate.sounds.painting import (
    SILENT_DB,
    Floats,
    bumps,
    decay_db,
    paint_noise,
    paint_partials,
    ring,
    tilt,
    times,
    wander,
)
from v2s_engine.grid import SAMPLE_RATE


def baby_crying(draw: np.random.Generator, length: int) -> Floats:
    """Long arched wails at 300 to 700 Hz with bright formants, a gasp between them, harsh at times."""
    time, start = times(length), draw.uniform(-1, 0.2)
    pitch, loud = np.full(len(time), 400.0), np.full(len(time), SILENT_DB)
    breath = np.full(len(time), SILENT_DB)
    base = draw.uniform(330, 600)
    while start < time[-1]:
        lasting = draw.uniform(0.4, 1.6)
        place = (time - start) / lasting
        inside = (place >= 0) & (place < 1)
        arch = 1 + draw.uniform(-0.1, 0.4) * np.sin(np.pi * np.clip(place, 0, 1) ** draw.uniform(0.5, 1.5))
        pitch[inside] = (base * draw.uniform(0.9, 1.15) * arch)[inside]
        loud[inside] = (20 * np.log10(np.sin(np.pi * np.clip(place, 1e-3, 1 - 1e-3)) ** 0.4) - draw.uniform(0, 8))[
            inside
        ]
        start += lasting + draw.uniform(0.05, 0.25)
        breath = np.maximum(breath, decay_db(time, start - 0.12, 0.06, 0.5) - draw.uniform(10, 25))
        start += draw.uniform(0.1, 0.5)
    formants = np.array([1100, 2800, 4500, 6000]) * draw.uniform(0.85, 1.2)
    spectrum = bumps(formants, 0.35, draw.uniform(10, 22)) + tilt(draw.uniform(-6, -1), 600)
    trembling = np.interp(np.arange(length) / SAMPLE_RATE, time, pitch)
    trembling *= 1 + draw.uniform(0.002, 0.03) * wander(draw, length, int(length / SAMPLE_RATE * 30), -1, 1)
    sound = paint_partials(draw, trembling, spectrum + loud[:, None], 26)
    harsh = paint_noise(draw, spectrum + loud[:, None] - draw.uniform(5, 30), length)
    gasp = paint_noise(draw, bumps([1500, 3500], 1.0, 15) + breath[:, None] - 10, length)
    return sound + harsh + gasp


@dataclass(frozen=True)
class _Utterance:
    """A kind of dog's sound; ranges to draw from."""

    per_second: tuple[float, float]
    pitch_hz: tuple[float, float]
    lasting: tuple[float, float]
    noise_db: tuple[float, float]
    """Of breath beside voice."""
    voiced: float = 1.0
    partials: int = 20
    roughness: float = 0.0


_BARK = _Utterance((1, 3.5), (350, 1000), (0.06, 0.25), (-25, -5))
_UTTERANCES = (
    _BARK,
    _BARK,
    _BARK,
    _Utterance((0.5, 0.9), (60, 140), (0.5, 1.5), (-15, -5), partials=60, roughness=0.15),  # growl
    _Utterance((3, 6), (300, 300), (0.1, 0.14), (3, 9), voiced=0.0),  # pant
    _Utterance((0.7, 2), (500, 1100), (0.2, 0.8), (-30, -20)),  # whine
)


def dog(draw: np.random.Generator, length: int) -> Floats:
    """Short barks that jump up and fall in pitch within a fifth of a second, in series; or growls, pants, whines."""
    time, kind = times(length), _UTTERANCES[draw.integers(len(_UTTERANCES))]
    formants = np.array([draw.uniform(450, 900), draw.uniform(1100, 1900), draw.uniform(2300, 3400)])
    spectrum = bumps(formants, 0.5, draw.uniform(12, 24)) + tilt(draw.uniform(-7, -3), 700)
    loud, pitch = np.full(len(time), SILENT_DB), np.full(len(time), 500.0)
    rate, high = draw.uniform(*kind.per_second), draw.uniform(*kind.pitch_hz)
    start = draw.uniform(-0.3, 0.5)
    while start < time[-1]:
        lasting = draw.uniform(*kind.lasting)
        place = (time - start) / lasting
        inside = (place >= 0) & (place < 1)
        arch = np.sin(np.pi * np.clip(place, 0.01, 0.99) ** draw.uniform(0.4, 1))
        pitch[inside] = (high * draw.uniform(0.85, 1.15) * (0.65 + 0.45 * arch))[inside]
        loud[inside] = (20 * np.log10(arch**0.7) - draw.uniform(0, 8))[inside]
        start += lasting + draw.exponential(1 / rate) + 0.08
    curve = np.interp(np.arange(length) / SAMPLE_RATE, time, pitch)
    curve *= 1 + kind.roughness * wander(draw, length, int(length / SAMPLE_RATE * 40), -1, 1)
    voice = paint_partials(draw, curve, spectrum + loud[:, None], kind.partials)
    hoarse = paint_noise(draw, spectrum + loud[:, None] + draw.uniform(*kind.noise_db), length)
    return kind.voiced * voice + hoarse


def snoring(draw: np.random.Generator, length: int) -> Floats:
    """A second or so of fluttering noise, 25 to 90 beats a second, at each breath; a soft hiss on the way out."""
    time, period = times(length), draw.uniform(1.5, 4.5)
    place = (time / period + draw.uniform()) % 1
    inhale = draw.uniform(0.3, 0.55)
    swell = np.where(place < inhale, np.sin(np.pi * np.clip(place / inhale, 0, 1)), 1e-6)
    away = np.where(place > inhale + 0.1, np.sin(np.pi * np.clip((place - inhale - 0.1) / (0.85 - inhale), 0, 1)), 1e-6)
    rate = draw.uniform(25, 90)
    pitch = rate * (1 + 0.15 * wander(draw, length, int(length / SAMPLE_RATE * 12), -1, 1))
    formants = bumps([draw.uniform(150, 400), draw.uniform(600, 1300), draw.uniform(1800, 3200)], 0.6, 20)
    spectrum = formants + tilt(draw.uniform(-7, -3), 500)
    on = 20 * np.log10(np.maximum(swell, 1e-6))[:, None] * draw.uniform(0.7, 1.5)
    beat = np.interp(time, np.arange(length) / SAMPLE_RATE, np.cumsum(pitch) / SAMPLE_RATE) % 1
    flutter = draw.uniform(6, 25) * (np.exp(-beat / 0.3) - 1)
    sound = paint_noise(draw, spectrum + on + flutter[:, None], length)
    sound += draw.uniform(0, 0.6) * paint_partials(draw, pitch, spectrum + on, 80)
    hiss = bumps([draw.uniform(500, 2500)], 1.2, 15) - draw.uniform(20, 40)
    return sound + paint_noise(draw, hiss + 20 * np.log10(np.maximum(away, 1e-6))[:, None], length)


def drum(draw: np.random.Generator, length: int) -> Floats:
    """Hits that start at once and ring out: low modes with a falling pitch, bright noise, or inharmonic metal."""
    time, sound = times(length), np.zeros(length)
    kinds = draw.choice(["skin", "snare", "metal", "block"], int(draw.integers(1, 4)))
    gap = draw.uniform(0.1, 0.7)
    beats = np.arange(draw.uniform(0, 0.5), time[-1], gap)
    for start in beats[draw.random(len(beats)) < draw.uniform(0.4, 1)]:
        at, kind, loud = int(start * SAMPLE_RATE), draw.choice(kinds), 10 ** (-draw.uniform(0, 18) / 20)
        rest = length - at
        if kind in ("skin", "snare"):
            base = np.exp(draw.uniform(np.log(50), np.log(350)))
            modes = base * np.array([1, 1.59, 2.14, 2.3, 2.65, 2.92])
            hit = ring(
                modes, draw.uniform(0.03, 0.4) / np.arange(1, 7), draw.uniform(0.1, 1, 6) / np.arange(1, 7), rest
            )
        elif kind == "metal":
            modes = np.exp(draw.uniform(np.log(300), np.log(7500), 40))
            hit = ring(modes, draw.uniform(0.05, 1.2, 40), draw.uniform(0.05, 0.3, 40), rest)
        else:
            hit = ring(draw.uniform(500, 3000, 4), draw.uniform(0.01, 0.06, 4), draw.uniform(0.2, 1, 4), rest)
        sound[at:] += loud * hit
        bright = {"skin": 0.05, "snare": 0.6, "metal": 0.2, "block": 0.1}[str(kind)]
        fall = decay_db(time, start, 0.002, draw.uniform(0.1, 0.8) if kind != "metal" else draw.uniform(0.1, 2.5))
        edge = tilt(draw.uniform(-2, 4), 3000)
        sound += loud * bright * draw.uniform(0.3, 1.5) * paint_noise(draw, edge + fall[:, None], length)
    return sound
