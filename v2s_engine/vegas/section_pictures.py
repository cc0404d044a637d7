"""The pictures of a stretch of a film, each with its time in the stretch: what is needed is sought and decoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import av.error
import numpy as np
from numpy.typing import NDArray

from v2s_engine.grid import round_half_up
from v2s_engine.vegas.sources import FetchFailure, before_section
from v2s_engine.video.decoder import Decoder, Picture
from v2s_engine.video.film import NEAR, SEEK_BACK
from v2s_engine.video.screen import Screen

SHORTER_SIDE = 360
"""Pixels at most; smaller pictures stay as they are."""

LONGER_SIDE = 2048
"""Pixels at most."""

_STRETCHED = 4
"""Pixels are taken for square where a file says that they are so much longer than wide, or more."""

_STEP = Fraction(1, 30) - Fraction(1, 1000)
"""Pictures that come sooner after the one before are left out: 1/30 s, less what Matroska may round off."""


class ShownPicture(NamedTuple):
    """A picture and when it comes on screen."""

    time: Fraction
    """Seconds from the stretch's beginning."""
    colours: NDArray[np.uint8]
    """`[H, W, 3]` RGB, upright."""


class SectionPictures:
    """The pictures of an open file that are on screen from `begin` on, for `duration` seconds; read once.

    Raises the errors of `v2s_engine.video.probe`; `FetchFailure` where the stretch cannot be decoded, or the film ends
    before it. Use it in a `with` statement.
    """

    def __init__(self, media: Path, begin: Fraction, duration: Fraction) -> None:
        self._begin, self._duration = begin, duration
        self._decoder = Decoder(media)
        first = self._decoder.restart()
        self._screen = Screen(first.frame, self._decoder.stream.codec_context)
        self.width, self.height = self._size(first)
        self.rate = min(self._decoder.rate, Fraction(30))
        """Pictures per second on average, for information."""
        self.end = Fraction(0)
        """Seconds from the stretch's beginning at which its pictures end; known once all are read."""
        self.clock = self._clock_of(first)
        """What the file's clock, by which its sound goes, shows at the first picture; seconds."""
        self._first = first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.container.close()

    def read(self) -> Iterator[ShownPicture]:
        """The pictures in order, the first at 0; at most 30 a second, but none is left out that stays for longer."""
        kept: Fraction | None = None
        for picture, until in self._stretch():
            time = max(picture.time - self._begin, Fraction(0))
            if kept is None or time - kept >= _STEP or until - picture.time > _STEP:
                kept = time
                yield ShownPicture(time, self._show(picture))

    def _show(self, picture: Picture) -> NDArray[np.uint8]:
        try:
            return self._screen.show(picture.frame, self.width, self.height)
        except (av.error.FFmpegError, ValueError) as error:
            raise FetchFailure("broken", f"one of its pictures cannot be shown: {error}", lasting=True) from error

    def _stretch(self) -> Iterator[tuple[Picture, Fraction]]:
        """Each picture that is on screen in the stretch, and when the next comes; notes where the pictures end."""
        shown = self._land()
        damaged = self._decoder.damaged
        begin, end = self._begin + self._decoder.slack, self._begin + self._duration
        while (following := self._decoder.next_picture()) is not None:
            if following.time > begin:
                yield shown, following.time
                if following.time >= end:
                    break
            else:
                damaged = self._decoder.damaged  # before the stretch, damage is nobody's business
            shown = following
        else:
            last = shown.time + 1 / self._decoder.rate
            if last <= begin:
                raise before_section("film", self._begin)
            yield shown, last
            end = min(end, last)
        if self._decoder.damaged > damaged:
            count = self._decoder.damaged - damaged
            raise FetchFailure("broken", f"{count} packets of its pictures cannot be decoded", lasting=True)
        self.end = end - self._begin

    def _land(self) -> Picture:
        """A picture at or before the beginning, from which the decoder walks on."""
        if self._begin <= NEAR or not self._decoder.timed:
            return self._first
        for back in SEEK_BACK:
            if self._begin - back <= NEAR:
                break
            landed = self._decoder.seek(self._begin - back, self._begin)
            if landed is not None:
                return landed
        return self._decoder.restart()

    def _clock_of(self, first: Picture) -> Fraction:
        frame = first.frame
        if not self._decoder.timed or self._decoder.container.format.name == "avi":  # the latter counts from 0
            return Fraction(0)
        return Fraction(frame.pts or 0) * (frame.time_base or 0)

    def _size(self, first: Picture) -> tuple[int, int]:
        """Width and height as shown: upright, with square pixels, not too large, even."""
        width, height = Fraction(first.frame.width), Fraction(first.frame.height)
        aspect = self._decoder.stream.sample_aspect_ratio or Fraction(1)
        if 1 / _STRETCHED < aspect < _STRETCHED:
            width *= aspect
        if self._screen.transposed:
            width, height = height, width
        scale = min(Fraction(1), SHORTER_SIDE / min(width, height), LONGER_SIDE / max(width, height))
        return _even(width * scale), _even(height * scale)


def _even(size: Fraction) -> int:
    """The nearest even number of pixels; at least 16, which coders ask for."""
    return max(16, 2 * round_half_up(size / 2))
