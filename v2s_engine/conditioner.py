"""From a stretch of picture to what the sampler is told of it: the eyes of a bundle, whichever it has.

envelope          pictures ──timing network──> envelope ──cues──> vectors     or an envelope that is given
frame             pictures ──visual encoder──> features ────────> vectors
sequence, flow    pictures ──visual encoder──> features of each window ──GRU──> states

What a sound is told comes in parts, so that it can begin before its pictures have been seen to the end: after the first
picture for `frame`, after the first 17 for `envelope`, whose network looks a second ahead, and after the first window
for `sequence` and `flow`, which see it as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar

import numpy as np

from v2s_engine.arrays import joined
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
from v2s_engine.options import ENVELOPE_WINDOW, ModelConfig
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.video import Pictures
from v2s_engine.vision.encoder import Encoder
from v2s_engine.vision.picture_encoder import PictureEncoder
from v2s_engine.vision.session import CPU

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class PictureRun:
    """Pictures that follow each other without a cut."""

    media: Pictures
    """The file with the pictures, or the image sequence."""
    times: tuple[Fraction, ...]
    """Seconds from the media's first picture, for every 64 ms."""


class Stretch(Protocol):
    """A stretch of picture and the sound that is wanted for it; `SoundRequest` is one."""

    @property
    def runs(self) -> Sequence[PictureRun]:
        """The pictures for every 64 ms of the sound, in order of time: one run, and another after each cut."""

    @property
    def length(self) -> int:
        """Samples at 16 kHz."""

    @property
    def sound_class(self) -> str:
        """One of the bundle's."""

    @property
    def cues(self) -> Sequence[int]:
        """Samples at 16 kHz from the start at which a sound event must start."""

    @property
    def envelope(self) -> Envelope | None:
        """What is followed instead of the pictures, which are not looked at then; None: the pictures."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that can be known of a sound before it is sampled."""

    conditioning: Conditioning
    envelope: Envelope | None = None
    """What was asked for, cues included; None where the conditioning is one of the paper's, which knows no envelope."""

    @classmethod
    def join(cls, parts: Iterable[Prepared]) -> Prepared:
        """One sound's parts, at least one, put together."""
        held = list(parts)
        starts = [part.conditioning.starts for part in held if part.conditioning.starts is not None]
        told = Conditioning(
            joined([part.conditioning.vectors for part in held]), np.concatenate(starts) if starts else None
        )
        envelopes = [part.envelope for part in held if part.envelope is not None]
        return cls(told, Envelope.join(envelopes) if envelopes else None)


class Conditioner(Protocol):
    """A bundle's way from pictures to conditioning."""

    def check(self, stretch: Stretch) -> None:
        """Raise `UsageError` where this cannot be asked of the bundle. Looks at no pictures."""

    def parts(self, stretch: Stretch, progress: Progress | None = None) -> Iterator[Prepared]:
        """What the sampler is told, part after part while the pictures are looked at.

        A part holds the vectors that follow those of the part before it; one with `starts` `[1, d]` begins a window.
        Raises the errors of `read_pictures`, `UsageError`, and `CancelledError`.
        """


def open_conditioner(bundle: Bundle, providers: Sequence[str] = CPU, *, on_device: bool = False) -> Conditioner:
    """The conditioner of a bundle, its networks opened on exactly these execution providers.

    `on_device` leaves features of pictures where those compute, for a sampler that runs there (see `PictureEncoder`);
    an envelope lies in host memory always. Raises as `Encoder` and `PictureEncoder`.
    """
    if bundle.config.visual is None:
        return EnvelopeConditioner(Encoder(bundle.encoder_path, providers), bundle.config)
    encoder = PictureEncoder(bundle.encoder_path, bundle.state_path, bundle.config, providers, on_device=on_device)
    return PictureConditioner(encoder, bundle)


class EnvelopeConditioner:
    """See `Conditioner`."""

    def __init__(self, encoder: Encoder, config: ModelConfig) -> None:
        self._encoder, self._config = encoder, config

    def check(self, stretch: Stretch) -> None:
        """See `Conditioner.check`; cues can always be obeyed."""
        self._config.class_index(stretch.sound_class)

    def parts(self, stretch: Stretch, progress: Progress | None = None) -> Iterator[Prepared]:
        """See `Conditioner.parts`."""
        steps = steps_covering(stretch.length, ENVELOPE_LENGTH)
        index, ahead = self._config.class_index(stretch.sound_class), ENVELOPE_WINDOW - 2
        known, given = Envelope.silence(steps), 0
        seen = 0
        for part in self._seen(stretch, progress):
            here = slice(seen, seen + len(part))
            known.loudness[here], known.onset[here] = part.loudness[: steps - seen], part.onset[: steps - seen]
            seen += len(part)
            ready = steps if seen >= steps else seen - ahead
            if ready > given:
                # What is not known yet, silence here, changes nothing before it but what a vector sees ahead.
                asked = known.with_cues(stretch.cues) if stretch.cues else known
                first = max(0, given - 1)  # a vector sees one step back
                near = Envelope(asked.loudness[first : ready + ahead], asked.onset[first : ready + ahead])
                vectors = envelope_conditioning(near, index, self._config)[given - first : ready - first]
                envelope = Envelope(asked.loudness[given:ready].copy(), asked.onset[given:ready].copy())
                yield Prepared(Conditioning(vectors), envelope)
                given = ready

    def _seen(self, stretch: Stretch, progress: Progress | None) -> Iterator[Envelope]:
        if stretch.envelope is None:
            yield from _run_by_run(stretch, self._encoder.parts, progress)
        else:
            (progress or Progress()).check()
            yield stretch.envelope


class PictureConditioner:
    """See `Conditioner`."""

    def __init__(self, encoder: PictureEncoder, bundle: Bundle) -> None:
        self._encoder, self._bundle, self._config = encoder, bundle, bundle.config

    def check(self, stretch: Stretch) -> None:
        """See `Conditioner.check`; there is no place for cues, nor for an envelope."""
        self._config.class_index(stretch.sound_class)
        if stretch.cues:
            raise UsageError(
                f"cues cannot be obeyed by the bundle {self._bundle.name!r}: its conditioning is "
                f"{self._config.conditioning!r}, and only 'envelope' says when a sound starts; use such a bundle, or "
                "leave the cues out"
            )
        if stretch.envelope is not None:
            raise UsageError(
                f"an envelope cannot be followed by the bundle {self._bundle.name!r}: its conditioning is "
                f"{self._config.conditioning!r}, which goes by the pictures alone; use a bundle with 'envelope', or "
                "leave the envelope out"
            )
        if len(stretch.runs) > 1 and not self._bundle.crosses_cuts:
            raise UsageError(
                f"one sound over several clips cannot be made by the bundle {self._bundle.name!r}: its conditioning "
                f"is {self._config.conditioning!r}, which sees whole windows of one clip; use a bundle with 'frame' or "
                "'envelope', or give each clip a sound of its own"
            )

    def parts(self, stretch: Stretch, progress: Progress | None = None) -> Iterator[Prepared]:
        """See `Conditioner.parts`."""
        self.check(stretch)
        config, index = self._config, self._config.class_index(stretch.sound_class)
        if not config.starts_from_pictures:
            for features in _run_by_run(stretch, self._encoder.parts, progress):
                yield Prepared(Conditioning(frame_conditioning(features, index, config)))
            return
        for window in _run_by_run(stretch, self._encoder.windows, progress):
            start = self._encoder.state(looped(window, config.encoder_window))
            yield Prepared(Conditioning(class_conditioning(len(window), index, config), start[None]))


def _run_by_run(
    stretch: Stretch,
    look: Callable[[Pictures, Sequence[Fraction], Progress], Iterator[Seen]],
    progress: Progress | None,
) -> Iterator[Seen]:
    """What is seen of each run by itself, one after the other; progress counts the pictures of all."""
    progress = progress or Progress()
    total, before = sum(len(run.times) for run in stretch.runs), 0
    for run in stretch.runs:
        yield from look(run.media, run.times, _later(progress, before, total))
        before += len(run.times)


def _later(progress: Progress, before: int, total: int) -> Progress:
    """Progress of a run as part of all, with so many pictures before it."""

    def report(event: ProgressEvent) -> None:
        progress.step(event.stage, before + event.done, total, event.item)

    return Progress(report, progress.cancel)
