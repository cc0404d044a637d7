"""A recording as the network hears it, and what the network makes as a sound again.

Most models make the samples themselves. A source-filter model makes an excitation, from which filters make the samples
(see `v2s_engine.timbre`); it is told of their timbre, besides the envelope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import CodeDecoder
from v2s_engine.envelope import Envelope, measure_envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, steps_covering
from v2s_engine.model.conditioning import envelope_conditioning
from v2s_engine.options import ModelConfig
from v2s_engine.timbre.filters import TimbreFilter, whiten
from v2s_engine.timbre.measure import measure_timbre
from v2s_engine.timbre.timbre import Timbre

EXCITATION_SCALE = 0.4
"""What an excitation is multiplied by before it becomes codes: its peaks are higher than those of the sound."""

_MOST_LEVELLED = 40.0  # dB

_AT_ONCE = 16  # steps that are decoded before whoever asked is asked again


class Heard(NamedTuple):
    """What a model that follows envelopes is to make of one recording, and what it is told."""

    target: NDArray[np.float32]
    """`[L]`: the samples themselves, or their excitation; at most 1 in size."""
    conditioning: NDArray[np.float32]
    """`[ceil(L / 256), C]`."""


class Playable(NamedTuple):
    """A recording made ready, so that stretches of it can be learned from at any gain."""

    samples: NDArray[np.float32]
    """`[L]`."""
    target: NDArray[np.float32]
    """`[L]`: what the network is to make, see `Heard`; not limited to 1."""
    timbre: Timbre | None
    """For source-filter models."""

    def stretch(self, first: int, length: int, *, lead: int, total: int, gain: float) -> Playable:
        """`length` samples from `first` on, at a gain, after `lead` samples of silence, `total` samples in all.

        `first`, `lead` and `total` are multiples of 256.
        """
        samples, target = np.zeros(total, np.float32), np.zeros(total, np.float32)
        length = min(length, total - lead)
        for whole, part in ((self.samples, samples), (self.target, target)):
            part[lead : lead + length] = np.float32(gain) * whole[first : first + length]
        if self.timbre is None:
            return Playable(samples, target, None)
        before, steps = lead // ENVELOPE_LENGTH, steps_covering(length, ENVELOPE_LENGTH)
        begin = first // ENVELOPE_LENGTH
        after = total // ENVELOPE_LENGTH - before - steps
        here = self.timbre[begin : begin + steps]
        parts = [Timbre.neutral(before), here, *([Timbre.neutral(after)] if after else [])]
        return Playable(samples, target, Timbre.join(parts))

    def heard(self, class_index: int, config: ModelConfig) -> Heard:
        """What there is to learn in all of it."""
        told = envelope_conditioning(measure_envelope(self.samples), class_index, config, self.timbre)
        return Heard(np.clip(self.target, -1.0, 1.0), told)


def playable(samples: NDArray[np.float32], config: ModelConfig) -> Playable:
    """Samples `[L]` at 16 kHz made ready for a model with the conditioning `envelope`."""
    if not config.source_filter:
        return Playable(samples, samples, None)
    timbre = measure_timbre(samples)
    excitation = as_loud(whiten(samples, timbre), measure_envelope(samples))
    return Playable(samples, np.float32(EXCITATION_SCALE) * excitation, timbre)


def as_loud(excitation: NDArray[np.float32], wanted: Envelope) -> NDArray[np.float32]:
    """An excitation `[L]` made as loud, step by step, as the sound that it comes from.

    A tone that rings on needs hardly any excitation, but only one in its phase; what a network makes has the phase of
    noise, and as such it must be as loud as the sound: filters have unit gain for noise.
    """
    gains = np.clip(wanted.loudness - measure_envelope(excitation).loudness, -_MOST_LEVELLED, _MOST_LEVELLED)
    middles = np.arange(len(gains)) * ENVELOPE_LENGTH + (ENVELOPE_LENGTH - 1) / 2
    curve = np.interp(np.arange(len(excitation)), middles, gains)
    return np.asarray(excitation * 10 ** (curve / 20), np.float32)


def hear(samples: NDArray[np.float32], class_index: int, config: ModelConfig) -> Heard:
    """What there is to learn in samples `[L]` at 16 kHz, for a model with the conditioning `envelope`."""
    return playable(samples, config).heard(class_index, config)


class SoundDecoder:
    """From the codes of one sound to its samples, in pieces of whole envelope steps (the last may be shorter): the same
    samples, bit for bit, however it is cut.
    """

    def __init__(self, config: ModelConfig) -> None:
        self._codes = CodeDecoder(config)
        self._filter = TimbreFilter() if config.source_filter else None

    def decode(self, codes: NDArray[np.uint8], timbre: Timbre | None = None) -> NDArray[np.float32]:
        """The next samples `[L]` from the next codes `[L]`; `timbre` of the same steps for a source-filter model, and
        for no other (`UsageError`).
        """
        samples = self._codes.decode(codes)
        if self._filter is None and timbre is None:
            return samples
        if self._filter is None or timbre is None:
            raise UsageError("a source-filter model's codes want a timbre, and those of no other model do")
        return self._filter.add(samples / np.float32(EXCITATION_SCALE), timbre)


def decode_sound(
    codes: NDArray[np.uint8],
    config: ModelConfig,
    timbre: Timbre | None = None,
    check: Callable[[], None] = lambda: None,
) -> NDArray[np.float32]:
    """The samples `[L]` of a whole sound, see `SoundDecoder`.

    `check` is called again and again meanwhile; what it raises ends the work.
    """
    decoder, samples = SoundDecoder(config), np.empty(len(codes), np.float32)
    if timbre is not None and len(timbre) != steps_covering(len(codes), ENVELOPE_LENGTH):
        raise UsageError(
            f"{len(codes)} codes want a timbre of {steps_covering(len(codes), ENVELOPE_LENGTH)} steps; "
            f"got {len(timbre)}"
        )
    for first in range(0, len(codes), _AT_ONCE * ENVELOPE_LENGTH):
        check()
        here = slice(first, first + _AT_ONCE * ENVELOPE_LENGTH)
        step = first // ENVELOPE_LENGTH
        samples[here] = decoder.decode(codes[here], None if timbre is None else timbre[step : step + _AT_ONCE])
    return samples
