"""What is asked of a bundle to hear what its sounds are like: takes of 4 s per class, with and without cues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope, measure_envelope
from v2s_engine.evaluate.follow import AUDIBLE_DBFS
from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE
from v2s_engine.sampling.envelope_sound import EnvelopeRequest
from v2s_engine.sampling.sampler import Row

Samples = NDArray[np.float32]

MakeSounds = Callable[[Sequence[EnvelopeRequest]], list[Samples]]
"""Whatever makes sounds of envelopes: a bundle's sampler, in the order asked, `[N · 256]` samples each."""

EnvelopeSource = Literal["held", "trained on", "made"]
"""Where envelopes come from: recordings held for testing, recordings for training, or patterns made here."""

TAKE_STEPS = 4 * SAMPLE_RATE // ENVELOPE_LENGTH
"""Steps of one take: 4 s."""

TAKE_LENGTH = TAKE_STEPS * ENVELOPE_LENGTH

TRANSIENT_CLASSES = ("dog", "drum", "fireworks", "printer")
"""Classes whose sounds start at a moment that can be heard: cues are set for them."""

LEAST_HELD = 3
"""Held recordings of a class from which on their envelopes are asked for."""

_CUES = 4
_GAP_STEPS = 15


@dataclass(frozen=True, eq=False)
class Take:
    """One sound, what was asked for, and where it should start."""

    request: EnvelopeRequest
    cues: tuple[int, ...]
    """Samples; empty for takes that follow a recording's envelope."""
    samples: Samples


@dataclass(frozen=True)
class TakeOptions:
    """How many takes of a class are made."""

    takes: int = 12
    """That follow envelopes, each another."""
    cued: int = 6
    """With four cues each, for transient classes."""
    repeats: int = 3
    """Of the first envelope, to hear how takes of one request differ; the first is one of `takes`."""
    temperature: float = 1.0
    seed: int = 0


def make_takes(
    make: MakeSounds, sound_class: str, envelopes: Sequence[Envelope], options: TakeOptions
) -> tuple[list[Take], list[Take], list[Take]]:
    """Takes of a class: those that follow envelopes, those that differ in nothing but the take, those with cues."""
    followed = [(envelopes[index % len(envelopes)], ()) for index in range(options.takes)]
    repeated = [(envelopes[0], ())] * (options.repeats - 1)
    cued: list[tuple[Envelope, tuple[int, ...]]] = []
    if sound_class in TRANSIENT_CLASSES:
        draw = np.random.default_rng([options.seed, 5])
        cued = [cued_envelope(draw) for _ in range(options.cued)]
    asked: list[tuple[Envelope, tuple[int, ...]]] = [*followed, *repeated, *cued]
    requests = [
        EnvelopeRequest(envelope, sound_class, Row(options.seed, number, options.temperature))
        for number, (envelope, _) in enumerate(asked, start=1)
    ]
    made = [
        Take(request, cues, samples)
        for request, (_, cues), samples in zip(requests, asked, make(requests), strict=True)
    ]
    split = options.takes + len(repeated)
    return made[: options.takes], [made[0], *made[options.takes : split]], made[split:]


def cued_envelope(draw: np.random.Generator) -> tuple[Envelope, tuple[int, ...]]:
    """Silence of 4 s with four cues at random samples, half a second apart or more, and these cues."""
    slot = TAKE_LENGTH // _CUES
    cues = tuple(int(number * slot + draw.integers(slot // 4, 3 * slot // 4)) for number in range(_CUES))
    return Envelope.silence(TAKE_STEPS).with_cues(cues), cues


def recorded_envelopes(sounds: Sequence[Samples], count: int, seed: int) -> list[Envelope]:
    """Envelopes of 4 s `count` times: excerpts of long recordings, several short ones after each other.

    Every recording is the beginning of one before any is used again, in random order. Excerpts of long ones hold some
    sound. Recordings must not be silent.
    """
    draw = np.random.default_rng([seed, 6])
    measured = [measure_envelope(each) for each in sounds]
    order = [int(index) for _ in range(-(-count // len(sounds))) for index in draw.permutation(len(sounds))]
    return [_filled(measured, first, draw) for first in order[:count]]


def made_envelopes(count: int, seed: int) -> list[Envelope]:
    """Patterns for classes without recordings: swelling, beating and steady, between -35 and -12 dBFS."""
    draw = np.random.default_rng([seed, 7])
    time = np.arange(TAKE_STEPS) * ENVELOPE_LENGTH / SAMPLE_RATE
    envelopes = []
    for number in range(count):
        rate, depth = draw.uniform(0.2, 2.0), draw.uniform(4, 20)
        wave = np.sin(2 * np.pi * (rate * time + draw.uniform()))
        shape = (0.5 * wave - 0.5, np.where(wave > 0, 0.0, -1.0), np.zeros(TAKE_STEPS))[number % 3]
        envelopes.append(Envelope.from_loudness((draw.uniform(-20, -12) + depth * shape).astype(np.float32)))
    return envelopes


def _filled(measured: Sequence[Envelope], first: int, draw: np.random.Generator) -> Envelope:
    parts, length, index = [], 0, first
    while length < TAKE_STEPS:
        each = measured[index]
        sounding = int(draw.choice(np.flatnonzero(each.loudness > AUDIBLE_DBFS)))
        begin = max(0, min(len(each) - TAKE_STEPS, sounding - int(draw.integers(TAKE_STEPS // 2))))
        part = Envelope(each.loudness[begin:], each.onset[begin:])
        gap = Envelope.silence(int(draw.integers(_GAP_STEPS)))
        parts += [part, gap]
        length += len(part) + len(gap)
        index = int(draw.integers(len(measured)))
    whole = Envelope.join(parts)
    return Envelope(whole.loudness[:TAKE_STEPS], whole.onset[:TAKE_STEPS])
