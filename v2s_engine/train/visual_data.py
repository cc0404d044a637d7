"""What the networks that look at clips are trained on: single pictures, and single stacks of flow, with a category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.clips import Clip
from v2s_engine.errors import MediaError
from v2s_engine.grid import FRAME_RATE
from v2s_engine.options import VisualConfig
from v2s_engine.progress import Progress
from v2s_engine.video import probe, read_pictures
from v2s_engine.vision.flow import Flow
from v2s_engine.vision.flow_stack import fields_around, stacked
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

    def picture(self, number: int, size: int) -> NDArray[np.uint8]:
        """One picture, framed: `[size, size, 3]`."""
        return self._pictures(range(number, number + 1), size)[0]

    def stack(self, number: int, config: VisualConfig, flow: Flow) -> NDArray[np.float32]:
        """The stack of flow `[2 L, S, S]` around one picture, as `FlowStacks` gives it for the whole clip."""
        behind, ahead = fields_around(config.flow_stack)
        fields = range(number - behind, number + ahead + 1)
        shown = range(max(0, fields.start - 1), min(self.count, fields.stop))
        meter, nothing = flow.restarted(), np.zeros((config.picture_size, config.picture_size, 2), np.float32)
        # The first picture shown has no field of its own, unless it is the clip's first, which has none either.
        moved = dict(
            zip(shown, (meter.step(picture) for picture in self._pictures(shown, config.picture_size)), strict=True)
        )
        return stacked(moved.get(field, nothing) for field in fields)

    def _pictures(self, numbers: range, size: int) -> list[NDArray[np.uint8]]:
        begin = self.clip.begin or Fraction(0)
        times = [begin + number / FRAME_RATE for number in numbers]
        width, height = scaled_size(self.width, self.height, size)
        return [middle_square(each) for each in read_pictures(self.clip.path, times, width=width, height=height)]


def see_clips(
    clips: Sequence[Clip], categories: Sequence[str], progress: Progress
) -> tuple[list[SeenClip], list[tuple[str, str]]]:
    """The clips that have pictures, and the names of the others with the reason."""
    seen: list[SeenClip] = []
    left_out: list[tuple[str, str]] = []
    for done, clip in enumerate(clips, start=1):
        try:
            info = probe(clip.path)
        except MediaError as error:
            left_out.append((clip.name, str(error)))
        else:
            duration = info.duration - (clip.begin or 0)
            count = int(min(duration, clip.duration or duration) * FRAME_RATE)
            if duration <= 0:
                left_out.append((clip.name, f"it begins at {clip.begin} s and the file ends at {info.duration} s"))
            else:
                seen.append(SeenClip(clip, categories.index(clip.category), max(1, count), info.width, info.height))
        progress.step("look", done, len(clips), clip.name)
    return seen, left_out


def mirrored_picture(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`[S, S, 3]` with left and right exchanged."""
    return np.ascontiguousarray(picture[:, ::-1])


def mirrored_stack(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[2 L, S, S]` of the mirrored clip: what went right goes left."""
    mirrored = np.ascontiguousarray(stack[:, :, ::-1])
    mirrored[0::2] *= -1
    return mirrored
