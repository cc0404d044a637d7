"""Rooms and the open: what walls add to a sound, and what the air takes away.

First reflections come from the images of the source in the walls of a box (Allen and Berkley, "Image method for
efficiently simulating small-room acoustics", JASA 65, 1979), what follows is noise that decays faster at high
frequencies (Moorer, "About this reverberation business", 1979).
"""

from __future__ import annotations

from itertools import product

import numpy as np

from v2s_engine.corpus.synthesis.filters import equalised, lowpass
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import decay, lengths, log_uniform, quick_length
from v2s_engine.grid import SAMPLE_RATE

_SOUND_SPEED = 343.0


def room_response(draw: np.random.Generator) -> Signal:
    """The impulse response of a random room, from a cupboard to a hall; the direct sound is the first sample, 1."""
    size = np.array([log_uniform(draw, 2, 9), log_uniform(draw, 2, 9), draw.uniform(2.2, 4.5)])
    source, ear = size * draw.uniform(0.15, 0.85, 3), size * draw.uniform(0.15, 0.85, 3)
    kept = draw.uniform(0.45, 0.88)
    # Sabine: 55.3 V / (c · absorbed surface)
    surface = 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    time = float(np.clip(55.3 * size.prod() / (_SOUND_SPEED * surface * (1 - kept**2)), 0.08, 2.0))
    response = _late(draw, time) * draw.uniform(0.3, 1.0)
    direct = float(np.linalg.norm(source - ear))
    for images in product(range(-1, 2), repeat=3):
        order = np.abs(images).sum()
        image = np.where(np.array(images) % 2 == 0, source, -source) + size * (np.array(images) + np.array(images) % 2)
        distance = float(np.linalg.norm(image - ear))
        at = round((distance - direct) / _SOUND_SPEED * SAMPLE_RATE)
        if order and 0 < at < len(response):
            response[at] += kept**order * direct / distance
    response[0] = 1.0
    return response


def _late(draw: np.random.Generator, time: float) -> Signal:
    """The tail: noise that falls by 60 dB in `time` seconds, twice as fast at high frequencies; energy about 0.5."""
    length = lengths(time)
    noise = draw.standard_normal(length)
    tail = lowpass(noise, 1800) * decay(length, time) + 0.4 * noise * decay(length, time / 2)
    # The echoes grow dense first.
    tail *= np.minimum(1.0, np.arange(length) / lengths(0.015))
    return np.asarray(tail * np.sqrt(0.5 / max(float(np.sum(tail**2)), 1e-12)))


def open_response(draw: np.random.Generator) -> Signal:
    """Out of doors: a few echoes from houses or trees, each duller and longer than the sound; first sample 1."""
    response = np.zeros(lengths(draw.uniform(0.5, 2.5)))
    for _ in range(int(draw.integers(1, 7))):
        at = int(draw.uniform(0.01, 1.0) ** 1.5 * len(response))
        blur = lengths(draw.uniform(0.005, 0.3))
        echo = lowpass(draw.standard_normal(blur) * decay(blur, blur / SAMPLE_RATE), draw.uniform(700, 4000))
        echo *= draw.uniform(0.05, 0.45) / max(float(np.sqrt(np.sum(echo**2))), 1e-12)
        end = min(at + blur, len(response))
        response[at:end] += echo[: end - at]
    response[0] = 1.0
    return response


def convolved(signal: Signal, response: Signal) -> Signal:
    """`signal` `[L]` as heard through an impulse response, cut to `[L]`."""
    total = quick_length(len(signal) + len(response) - 1)
    heard = np.fft.irfft(np.fft.rfft(signal, total) * np.fft.rfft(response, total), total)
    return heard[: len(signal)]


def far_away(signal: Signal, distance: float) -> Signal:
    """What air, ground and leaves take over `distance` metres (level apart): the more the higher the frequency."""
    octaves = np.array([125.0, 500, 1000, 2000, 4000, 8000])
    # dB per 100 m: air at 20 °C (ISO 9613-1) and light foliage together.
    loss = np.array([0.1, 0.6, 1.2, 2.5, 5.0, 12.0]) * distance / 100
    return equalised(signal, octaves.tolist(), (-loss).tolist())
