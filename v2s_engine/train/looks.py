"""Single looks at clips, by clip and number: a picture, or the flow around it.

Most of a look's cost is opening the file and decoding up to the picture. So what is seen of a clip is kept at the first
look, where all clips together fit into `memory` bytes; else every look reads. The looks are the same either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from v2s_engine.options import VisualConfig
from v2s_engine.train.visual_data import SeenClip
from v2s_engine.vision.flow import Flow
from v2s_engine.vision.flow_stack import fields_around, stacked

PICTURE_BYTES, FIELD_BYTES = 3, 8
"""Per pixel: red, green and blue in 8 bit; across and down in float32."""


class Looks(Protocol):
    """What a network is shown of clips. Several threads may look at once: they may read a clip twice, no more."""

    def look(self, clip: SeenClip, number: int) -> NDArray[Any]:
        """What is seen of a clip at picture `number`, 0 to `clip.count - 1`. Raises as `read_pictures`."""


class PictureLooks:
    """Pictures `[S, S, 3]` uint8 of `clips`, framed to `size`."""

    def __init__(self, clips: Sequence[SeenClip], size: int, memory: int) -> None:
        self._size = size
        self._keeps = _fits(clips, size, PICTURE_BYTES, memory)
        self._kept: dict[SeenClip, NDArray[np.uint8]] = {}

    def look(self, clip: SeenClip, number: int) -> NDArray[np.uint8]:
        """One picture."""
        return self.stretch(clip, range(number, number + 1))[0]

    def stretch(self, clip: SeenClip, numbers: range) -> Sequence[NDArray[np.uint8]]:
        """The pictures of these numbers, which lie in the clip."""
        if not self._keeps:
            return list(clip.pictures(numbers, self._size))
        if clip not in self._kept:
            pictures = np.empty((clip.count, self._size, self._size, 3), np.uint8)
            for number, picture in enumerate(clip.pictures(range(clip.count), self._size)):
                pictures[number] = picture
            self._kept[clip] = pictures
        return list(self._kept[clip][numbers.start : numbers.stop])


class FlowLooks:
    """Stacks of flow `[2 L, S, S]` float32 around pictures, as `FlowStacks` gives them for the whole clip.

    Where the fields do not fit into `memory` but the pictures do, those are kept and flow is measured at each look.
    """

    def __init__(self, clips: Sequence[SeenClip], config: VisualConfig, flow: Flow, memory: int) -> None:
        self._flow, self._size = flow, config.picture_size
        self._around = fields_around(config.flow_stack)
        self._keeps = _fits(clips, self._size, FIELD_BYTES, memory)
        self._kept: dict[SeenClip, NDArray[np.float32]] = {}
        self._pictures = PictureLooks(clips, self._size, 0 if self._keeps else memory)

    def look(self, clip: SeenClip, number: int) -> NDArray[np.float32]:
        """The stack around one picture."""
        behind, ahead = self._around
        wanted = range(number - behind, number + ahead + 1)
        fields = range(max(0, wanted.start), min(clip.count, wanted.stop))
        found = dict(zip(fields, self._fields(clip, fields), strict=True))
        nothing = np.zeros((self._size, self._size, 2), np.float32)
        return stacked(found.get(field, nothing) for field in wanted)

    def _fields(self, clip: SeenClip, numbers: range) -> Sequence[NDArray[np.float32]]:
        if not self._keeps:
            return list(self._measured(clip, numbers))
        if clip not in self._kept:
            fields = np.empty((clip.count, self._size, self._size, 2), np.float32)
            for number, field in enumerate(self._measured(clip, range(clip.count))):
                fields[number] = field
            self._kept[clip] = fields
        return list(self._kept[clip][numbers.start : numbers.stop])

    def _measured(self, clip: SeenClip, numbers: range) -> Sequence[NDArray[np.float32]]:
        """The fields of these pictures; a field is the motion since the picture before, nothing at the clip's start."""
        shown = range(max(0, numbers.start - 1), numbers.stop)
        meter = self._flow.restarted()
        fields = [meter.step(picture) for picture in self._pictures.stretch(clip, shown)]
        return fields[numbers.start - shown.start :]


def _fits(clips: Sequence[SeenClip], size: int, pixel: int, memory: int) -> bool:
    """Whether all pictures of all clips, with so many bytes per pixel, fit into `memory` bytes."""
    return sum(clip.count for clip in clips) * size**2 * pixel <= memory
