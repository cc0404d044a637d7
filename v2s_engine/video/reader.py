"""Small upright RGB pictures of any media, for times in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from v2s_engine.video.film import Film
from v2s_engine.video.image import is_image
from v2s_engine.video.screen import Screen
from v2s_engine.video.sequence import ImageSequence, Pictures
from v2s_engine.video.slides import Slides, Still

WINDOW_BYTES = 32 * 2**20
"""Pictures kept at most while times that are out of order are put in order."""


class PictureSource(Protocol):
    """Media that are open: a `Film`, `Slides` or a `Still`."""

    @property
    def screen(self) -> Screen:
        """How its frames are shown; known once `frame_at` was called."""

    @property
    def decoded(self) -> int:
        """Pictures decoded so far, shown or not."""

    @property
    def damaged(self) -> int:
        """What could not be decoded so far: packets, pictures, files of a sequence."""

    def frame_at(self, time: Fraction) -> VideoFrame:
        """The picture on screen `time` seconds after the first one, as decoded."""

    def close(self) -> None:
        """Close what is open."""


def read_pictures(
    media: Pictures, times: Sequence[Fraction], *, width: int, height: int
) -> Iterator[NDArray[np.uint8]]:
    """The pictures on screen at `times`: one `[height, width, 3]` RGB array per time, in the order given.

    `times` are seconds from the first picture, in any order; falling ones (a reversed clip) are decoded in sorted
    windows. A time before 0 shows the first picture, one past the end the last. Memory does not grow with the number
    of times. What cannot be decoded leaves the last good picture on screen (an image sequence goes by its policy).
    Transparent pictures are seen over black, PQ and HLG ones as an ordinary screen shows them.

    Raises as `probe`, when the first picture is asked for.
    """
    with PictureReader(media) as reader:
        yield from reader.read(times, width=width, height=height)


class PictureReader:
    """Open media to read pictures from. Use it in a `with` statement."""

    def __init__(self, media: Pictures) -> None:
        self._source = _open(media)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    @property
    def decoded(self) -> int:
        """Pictures decoded so far, shown or not."""
        return self._source.decoded

    @property
    def damaged(self) -> int:
        """What could not be decoded so far: packets, pictures, files of a sequence."""
        return self._source.damaged

    def read(self, times: Sequence[Fraction], *, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
        """See `read_pictures`."""
        held = max(1, WINDOW_BYTES // (width * height * 3))
        for start in range(0, len(times), held):
            window = times[start : start + held]
            order = sorted(range(len(window)), key=window.__getitem__)
            if order == list(range(len(window))):
                for time in window:
                    yield self._shown(time, width, height)
            else:
                pictures = {i: self._shown(window[i], width, height) for i in order}
                for i in range(len(window)):
                    yield pictures.pop(i)

    def _shown(self, time: Fraction, width: int, height: int) -> NDArray[np.uint8]:
        frame = self._source.frame_at(time)
        return self._source.screen.show(frame, width, height)


def _open(media: Pictures) -> PictureSource:
    if isinstance(media, ImageSequence):
        return Slides(media)
    return Still(media) if is_image(media) else Film(media)
