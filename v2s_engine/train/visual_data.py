"""What the networks that look at clips are trained on: clips whose pictures can be read, with a category."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.clips import Clip
from v2s_engine.errors import MediaError
from v2s_engine.grid import FRAME_RATE
from v2s_engine.progress import Progress
from v2s_engine.video import VideoInfo, probe, read_pictures
from v2s_engine.vision.framing import middle_square, scaled_size


@dataclass(frozen=True)
class SeenClip:
    """A clip whose pictures can be read."""

    clip: Clip
    label: int
    """Position of its category among all."""
    count: int
    """Pictures on the grid, 64 ms apart."""
    width: int
    """Pixels as displayed."""
    height: int

    def pictures(self, numbers: range, size: int) -> Iterator[NDArray[np.uint8]]:
        """The pictures of these numbers, framed, `[size, size, 3]` each. Raises as `read_pictures`."""
        begin = self.clip.begin or Fraction(0)
        times = [begin + number / FRAME_RATE for number in numbers]
        width, height = scaled_size(self.width, self.height, size)
        return map(middle_square, read_pictures(self.clip.path, times, width=width, height=height))


def see_clips(
    clips: Sequence[Clip], categories: Sequence[str], progress: Progress
) -> tuple[list[SeenClip], list[tuple[str, str]]]:
    """The clips that have pictures, and the names of the others with the reason. A file is looked into once."""
    seen: list[SeenClip] = []
    left_out: list[tuple[str, str]] = []
    look_into = cache(_probed)  # many clips may be stretches of one file
    for done, clip in enumerate(clips, start=1):
        info = look_into(clip.path)
        if isinstance(info, str):
            left_out.append((clip.name, info))
        else:
            duration = info.duration - (clip.begin or 0)
            count = int(min(duration, clip.duration or duration) * FRAME_RATE)
            if duration <= 0:
                left_out.append((clip.name, f"it begins at {clip.begin} s and the file ends at {info.duration} s"))
            else:
                seen.append(SeenClip(clip, categories.index(clip.category), max(1, count), info.width, info.height))
        progress.step("look", done, len(clips), clip.name)
    return seen, left_out


def _probed(path: Path) -> VideoInfo | str:
    """What is in a file, or why it cannot be told."""
    try:
        return probe(path)
    except MediaError as error:
        return str(error)


def mirrored_picture(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`[S, S, 3]` with left and right exchanged."""
    return np.ascontiguousarray(picture[:, ::-1])


def mirrored_stack(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[2 L, S, S]` of the mirrored clip: what went right goes left."""
    mirrored = np.ascontiguousarray(stack[:, :, ::-1])
    mirrored[0::2] *= -1
    return mirrored
