"""From a stretch of picture to what the sampler is told of it: the eyes of a bundle, whichever it has.

envelope          pictures ──timing network──> envelope ──cues──> vectors
frame             pictures ──visual encoder──> features ────────> vectors
sequence, flow    pictures ──visual encoder──> features of each window ──GRU──> states
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from v2s_engine.bundle import Bundle
from v2s_engine.envelope import Envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, steps_covering
from v2s_engine.model.conditioning import (
    Conditioning,
    class_conditioning,
    envelope_conditioning,
    frame_conditioning,
    looped,
)
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.vision.encoder import Encoder
from v2s_engine.vision.picture_encoder import PictureEncoder


class Stretch(Protocol):
    """A stretch of picture and the sound that is wanted for it; `SoundRequest` is one."""

    @property
    def media(self) -> Path:
        """The file with the pictures."""

    @property
    def picture_times(self) -> Sequence[Fraction]:
        """Seconds from the file's first picture, for every 64 ms of the sound."""

    @property
    def length(self) -> int:
        """Samples at 16 kHz."""

    @property
    def sound_class(self) -> str:
        """One of the bundle's."""

    @property
    def cues(self) -> Sequence[int]:
        """Samples at 16 kHz from the start at which a sound event must start."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that can be known of a sound before it is sampled."""

    conditioning: Conditioning
    envelope: Envelope | None = None
    """What was asked for, cues included; None where the conditioning is one of the paper's, which knows no envelope."""


class Conditioner(Protocol):
    """A bundle's way from pictures to conditioning."""

    def check(self, stretch: Stretch) -> None:
        """Raise `UsageError` where this cannot be asked of the bundle. Looks at no pictures."""

    def prepare(self, stretch: Stretch, progress: Progress | None = None) -> Prepared:
        """Look at the pictures. Raises the errors of `read_pictures`, `UsageError`, and `CancelledError`."""


def open_conditioner(bundle: Bundle) -> Conditioner:
    """The conditioner of a bundle, its networks opened. Raises as `Encoder` and `PictureEncoder`."""
    if bundle.config.visual is None:
        return EnvelopeConditioner(Encoder(bundle.encoder_path), bundle.config)
    return PictureConditioner(PictureEncoder(bundle.encoder_path, bundle.state_path, bundle.config), bundle)


class EnvelopeConditioner:
    """See `Conditioner`."""

    def __init__(self, encoder: Encoder, config: ModelConfig) -> None:
        self._encoder, self._config = encoder, config

    def check(self, stretch: Stretch) -> None:
        """See `Conditioner.check`; cues can always be obeyed."""
        self._config.class_index(stretch.sound_class)

    def prepare(self, stretch: Stretch, progress: Progress | None = None) -> Prepared:
        """See `Conditioner.prepare`."""
        told = self._encoder.envelope(stretch.media, stretch.picture_times, progress)
        steps = steps_covering(stretch.length, ENVELOPE_LENGTH)
        envelope = Envelope(told.loudness[:steps], told.onset[:steps])
        if stretch.cues:
            envelope = envelope.with_cues(stretch.cues)
        index = self._config.class_index(stretch.sound_class)
        return Prepared(Conditioning(envelope_conditioning(envelope, index, self._config)), envelope)


class PictureConditioner:
    """See `Conditioner`."""

    def __init__(self, encoder: PictureEncoder, bundle: Bundle) -> None:
        self._encoder, self._bundle, self._config = encoder, bundle, bundle.config

    def check(self, stretch: Stretch) -> None:
        """See `Conditioner.check`; there is no place for cues."""
        self._config.class_index(stretch.sound_class)
        if stretch.cues:
            raise UsageError(
                f"cues cannot be obeyed by the bundle {self._bundle.name!r}: its conditioning is "
                f"{self._config.conditioning!r}, and only 'envelope' says when a sound starts; use such a bundle, or "
                "leave the cues out"
            )

    def prepare(self, stretch: Stretch, progress: Progress | None = None) -> Prepared:
        """See `Conditioner.prepare`."""
        self.check(stretch)
        config, index = self._config, self._config.class_index(stretch.sound_class)
        if not config.starts_from_pictures:
            features = self._encoder.features(stretch.media, stretch.picture_times, progress)
            return Prepared(Conditioning(frame_conditioning(features, index, config)))
        windows = self._encoder.windows(stretch.media, stretch.picture_times, progress)
        starts = [self._encoder.state(looped(window, config.encoder_window)) for window in windows]
        vectors = class_conditioning(len(stretch.picture_times), index, config)
        return Prepared(Conditioning(vectors, np.stack(starts)))
