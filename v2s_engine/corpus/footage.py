"""Recorded clips that come with their sound, and what may be done with them: a manifest beside the files.

The manifest is a CSV with one row per file. Columns used: `file` (relative to the manifest), `has_video`, `has_audio`,
`may_ship_trained` (1 where a model trained on it may be given away), `split` (`test`: never trained on), `onsets_s`
(seconds at which sounds start, by spaces), `licence`, `attribution`, `category`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import read_sound
from v2s_engine.corpus.manifest import manifest_rows
from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError
from v2s_engine.grid import SAMPLE_RATE, round_half_up

COLUMNS = ("file", "has_video", "has_audio", "may_ship_trained", "split", "onsets_s", "licence", "attribution")


@dataclass(frozen=True)
class RecordedClip:
    """One file with pictures and the sound that was recorded with them."""

    path: Path
    may_ship: bool
    """Whether a model trained on it may be given away."""
    held: bool
    """Whether it is kept for testing and never trained on."""
    onsets: tuple[Fraction, ...]
    """Seconds at which sounds start, as listed; empty where nobody listed them."""
    licence: str
    attribution: str

    @property
    def trainable(self) -> bool:
        """Whether a model that is given away may be trained on it."""
        return self.may_ship and not self.held


def read_manifest(path: Path) -> list[RecordedClip]:
    """The clips with pictures and sound that a manifest lists, in its order.

    Raises `MediaNotFoundError` without a manifest and `UsageError` where it lacks a column.
    """
    return [
        RecordedClip(
            path=file,
            may_ship=row["may_ship_trained"] == "1",
            held=row["split"] == "test",
            onsets=tuple(Fraction(onset) for onset in row["onsets_s"].split()),
            licence=row["licence"],
            attribution=row["attribution"],
        )
        for file, row in manifest_rows(path, COLUMNS)
        if row["has_video"] == "1" and row["has_audio"] == "1"
    ]


def read_sync_sound(path: Path, length: int) -> NDArray[np.float32]:
    """The sound of a file with pictures, `[length]` at 16 kHz, from the moment its first picture is shown.

    Cut or filled up with silence. Raises the errors of `read_sound`.
    """
    late = round_half_up(_sound_delay(path) * SAMPLE_RATE)
    sound = read_sound(path, SAMPLE_RATE, most=max(0, length - late))
    track = np.zeros(length, np.float32)
    begin, end = max(late, 0), min(late + len(sound), length)
    if begin < end:
        track[begin:end] = sound[begin - late : end - late]
    return track


def _sound_delay(path: Path) -> Fraction:
    """Seconds from the start of a file's pictures to that of its sound; negative where the sound is first."""
    if not path.exists():
        raise MediaNotFoundError(f"no clip at {path}")
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
            if not (container.streams.video and container.streams.audio):
                raise MediaUnreadableError(f"{path} lacks pictures or sound; wanted a clip with both")
            starts = [
                Fraction(stream.start_time or 0) * (stream.time_base or 0)
                for stream in (container.streams.video[0], container.streams.audio[0])
            ]
    except (av.error.FFmpegError, OSError) as error:
        raise MediaUnreadableError(f"cannot read {path}: {error}; wanted a clip with pictures and sound") from error
    return starts[1] - starts[0]
