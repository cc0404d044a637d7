"""When and how loud a clip should sound: what the pictures say, beside how they move and how the clip itself sounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from v2s_engine.bundle import Bundle
from v2s_engine.corpus.footage import read_sync_sound
from v2s_engine.envelope import SILENCE_DBFS, Envelope, measure_envelope
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.alignment import MOTION_SIZE, motion_energy
from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE, round_half_up, steps_covering
from v2s_engine.onsets import find_onsets
from v2s_engine.progress import Progress
from v2s_engine.video import VideoInfo, read_pictures
from v2s_engine.vision.encoder import Encoder
from v2s_engine.vision.flow import FlowMeter

PREDICTED_ONSET = 0.11
"""Strength from which a predicted onset is marked; timing networks are timid, and 0.1087 is what fitted the starter's
best on scenes that it was not trained on."""
THUMBNAILS = 12
"""Pictures kept to be shown."""
_THUMBNAIL_WIDTH = 160
_APART = 31  # steps, half a second: between the loudest places


@dataclass(frozen=True, eq=False)
class ClipTiming:
    """What is known of when a stretch of a clip should sound."""

    clip: Path
    info: VideoInfo
    start: Fraction
    """Seconds from the clip's first picture to the stretch."""
    length: int
    """Samples at 16 kHz of a sound for the stretch."""
    bundle_name: str
    """Whose network looked at the pictures."""
    envelope: Envelope
    """As predicted from the pictures."""
    motion: NDArray[np.float64]
    """`[P]`, one per picture of the grid (64 ms): mean length of the flow from the picture before, in parts of the
    picture; 0 for the first."""
    own: Envelope | None
    """Of the clip's own sound, whole steps; None where it has none."""
    thumbnails: tuple[NDArray[np.uint8], ...]
    """Pictures `[h, w, 3]` from the middles of equally long parts of the stretch."""

    @property
    def onsets(self) -> NDArray[np.int64]:
        """Steps `[E]`, rising, at which the pictures say that a sound starts."""
        return find_onsets(self.envelope.onset, PREDICTED_ONSET)

    def loudest(self, count: int) -> NDArray[np.int64]:
        """The `count` loudest steps that are peaks and half a second from each other, the loudest first."""
        above = self.envelope.loudness - SILENCE_DBFS
        peaks = find_onsets(above, 1e-3, _APART)
        return peaks[np.argsort(-above[peaks], kind="stable")][:count]


def measure_timing(
    clip: Path,
    info: VideoInfo,
    start: Fraction,
    times: Sequence[Fraction],
    length: int,
    *,
    bundle: Bundle,
    progress: Progress | None = None,
) -> ClipTiming:
    """The timing of `length` samples at 16 kHz from `start` seconds on, in one pass over the pictures.

    `info` is what is in the clip, `times` the seconds at which its pictures are looked at, one for every 64 ms.

    Raises `UsageError` for a bundle whose conditioning knows no envelope, the errors of `read_pictures` and
    `read_sound`, and `CancelledError`.
    """
    if not bundle.obeys_cues:
        raise UsageError(
            f"the bundle {bundle.name!r} predicts no envelope: its conditioning is {bundle.config.conditioning!r}; "
            "use one with 'envelope', such as starter"
        )
    looking = _Looking(info, len(times))
    pictures = looking.watch(read_pictures(clip, times, width=MOTION_SIZE, height=MOTION_SIZE))
    predicted = Encoder(bundle.encoder_path).envelope_of(pictures, len(times), progress, clip.name)
    steps = steps_covering(length, ENVELOPE_LENGTH)
    return ClipTiming(
        clip=clip,
        info=info,
        start=start,
        length=length,
        bundle_name=bundle.name,
        envelope=Envelope(predicted.loudness[:steps], predicted.onset[:steps]),
        motion=np.array(looking.motion, np.float64),
        own=_own_sound(clip, start, length) if info.has_sound else None,
        thumbnails=tuple(looking.thumbnails),
    )


class _Looking:
    """Sees the pictures on their way to the encoder: how much moves, and a few of them small."""

    def __init__(self, info: VideoInfo, count: int) -> None:
        self._size = (_THUMBNAIL_WIDTH, max(1, round(_THUMBNAIL_WIDTH * info.height / info.width)))
        shown = min(THUMBNAILS, count)
        self._kept = {(2 * number + 1) * count // (2 * shown) for number in range(shown)}
        self.motion: list[float] = []
        self.thumbnails: list[NDArray[np.uint8]] = []

    def watch(self, pictures: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """The same pictures."""
        meter = FlowMeter()
        for number, picture in enumerate(pictures):
            self.motion.append(motion_energy(meter.step(picture)))
            if number in self._kept:
                small = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
                self.thumbnails.append(np.asarray(small, np.uint8))
            yield picture


def _own_sound(path: Path, start: Fraction, length: int) -> Envelope:
    first, whole = round_half_up(start * SAMPLE_RATE), length // ENVELOPE_LENGTH * ENVELOPE_LENGTH
    return measure_envelope(read_sync_sound(path, first + whole)[first:])
