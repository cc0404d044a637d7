"""Picture files as something to look at: image sequences and stills."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from v2s_engine.errors import MediaError
from v2s_engine.video.image import read_image
from v2s_engine.video.screen import Screen
from v2s_engine.video.sequence import ImageSequence


class Still:
    """One picture that is on screen all the time."""

    decoded = 1
    damaged = 0

    def __init__(self, path: Path) -> None:
        image = read_image(path)
        self._frame = image.frame
        self.screen = Screen(image.frame, image.codec)

    def frame_at(self, time: Fraction) -> VideoFrame:
        """The picture."""
        return self._frame

    def close(self) -> None:
        """Nothing is open."""


class Slides:
    """An image sequence: of its files only those are read that are on screen when somebody looks."""

    screen: Screen

    def __init__(self, sequence: ImageSequence) -> None:
        self.decoded = 0
        self._sequence = sequence
        self._broken: set[int] = set()
        self._index: int | None = None
        self._frame: VideoFrame | None = None

    @property
    def damaged(self) -> int:
        """Files found so far to be missing or unreadable."""
        return len(self._broken)

    def close(self) -> None:
        """Nothing is open."""

    def frame_at(self, time: Fraction) -> VideoFrame:
        """The picture on screen `time` seconds after the first one's start."""
        index = self._sequence.index_at(time)
        if self._frame is None or index != self._index:
            self._frame, self._index = self._find(index), index
        return self._frame

    def _find(self, index: int) -> VideoFrame:
        """The picture of this number, or what the sequence's policy puts in its place."""
        try:
            return self._decode(index)
        except MediaError as error:
            self._broken.add(index)
            if index == 0:
                raise
            if self._sequence.missing == "error":
                raise type(error)(
                    f"{str(error).partition(';')[0]} (of the image sequence {self._sequence.name}); "
                    "render it again, or let the clip's missing frame policy be hold"
                ) from error
        if self._sequence.missing == "black":
            return self._black()
        return self._held_before(index)

    def _held_before(self, index: int) -> VideoFrame:
        for earlier in range(index - 1, 0, -1):
            if earlier == self._index and self._frame is not None:
                return self._frame
            try:
                return self._decode(earlier)
            except MediaError:
                self._broken.add(earlier)
        return self._decode(0)

    def _black(self) -> VideoFrame:
        frame = self._decode(0)
        return VideoFrame.from_ndarray(np.zeros((frame.height, frame.width, 3), np.uint8), format="rgb24")

    def _decode(self, index: int) -> VideoFrame:
        image = read_image(self._sequence.path_at(index))
        self.decoded += 1
        if not hasattr(self, "screen"):
            self.screen = Screen(image.frame, image.codec)
        return image.frame
