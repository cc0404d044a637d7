"""Clips as measurements want them, and what a model is told of their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope, measure_envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.model.conditioning import Conditioning, envelope_conditioning, looped, picture_conditioning
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig


class HeardClip(Protocol):
    """A clip with its own sound, prepared for one visual encoder (`v2s_engine.corpus.clip_material`)."""

    @property
    def name(self) -> str:
        """What it is called in tables."""

    @property
    def category(self) -> str:
        """What it shows and sounds like."""

    @property
    def length(self) -> int:
        """Samples of its sound, L."""

    @property
    def samples(self) -> NDArray[np.float32]:
        """`[L]` at 16 kHz; may be read from disk each time."""

    @property
    def features(self) -> NDArray[np.float32]:
        """`[N, V]`, one for every 1,024 samples; not asked for by an envelope model."""


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The beginning of a clip, held in memory."""

    name: str
    category: str
    samples: NDArray[np.float32]
    features: NDArray[np.float32]

    @property
    def length(self) -> int:
        """Samples of its sound."""
        return len(self.samples)


def excerpt(clip: HeardClip, length: int, config: ModelConfig) -> Excerpt:
    """The first `length` samples of a clip (all where it is shorter), and their pictures where `config` has any.

    Where the model sees pictures in windows, all pictures of the windows that the samples lie in: it was trained so.
    """
    samples = clip.samples[:length]
    pictures = steps_covering(len(samples), FRAME_LENGTH)
    if config.starts_from_pictures:
        pictures = steps_covering(pictures, config.encoder_window) * config.encoder_window
    features = clip.features[:pictures] if config.visual else np.zeros((pictures, 0), np.float32)
    return Excerpt(clip.name, clip.category, samples, features)


def clip_conditioning(model: SampleRNN, clip: HeardClip, length: int, class_index: int) -> Conditioning:
    """What a model is told of a clip's pictures during `length` samples.

    A clip that is shorter is looped, one that is longer is cut, so that any clip's pictures can stand with any sound.
    An envelope model has no pictures here: it is told the loudness of the clip's own recording, which is to say part of
    the answer, so its losses do not compare with those of the others.
    """
    config = model.config
    steps = steps_covering(length, config.conditioning_length)
    if config.source_filter:
        raise UsageError(
            "a source-filter model has no loss that compares with those of other models, since it predicts an "
            "excitation and not the sound; measure what it sounds like instead (v2s evaluate --sounds)"
        )
    if config.conditioning == "envelope":
        measured = measure_envelope(clip.samples)
        told = Envelope(looped(measured.loudness, steps), looped(measured.onset, steps))
        return Conditioning(envelope_conditioning(told, class_index, config))
    start_of = model.picture_starts if config.starts_from_pictures else None
    return picture_conditioning(clip.features.astype(np.float32, copy=False), steps, class_index, config, start_of)
