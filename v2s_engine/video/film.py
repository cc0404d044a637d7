"""A video file as something to look at: the picture on screen at any moment, decoding as little as can be."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from v2s_engine.video.decoder import Decoder, Picture
from v2s_engine.video.screen import Screen

NEAR = Fraction(2)
"""Seconds ahead that are decoded through rather than sought to."""

SEEK_BACK = (0, 2, 8, 32, 128, 512)
"""Seconds before the wanted moment at which a key frame is looked for in turn; then the file's start."""


class Film:
    """One open video file and the picture in it that is on screen.

    It seeks to the key frame before a moment that is far away, and walks forward to one that is near.
    """

    def __init__(self, path: Path) -> None:
        self._near = NEAR
        self._decoder = Decoder(path)
        self._shown = self._decoder.restart()
        self._ahead: Picture | None = None
        # Once, not for every picture: looking at a frame's side data ties it into a reference cycle, and 3 MB of 1080p
        # then wait for the garbage collector.
        self.screen = Screen(self._shown.frame, self._decoder.stream.codec_context)

    def close(self) -> None:
        """Close the file."""
        self._decoder.container.close()

    @property
    def decoded(self) -> int:
        """Pictures decoded so far, shown or not."""
        return self._decoder.decoded

    @property
    def damaged(self) -> int:
        """Packets and pictures so far that could not be decoded."""
        return self._decoder.damaged

    def frame_at(self, time: Fraction) -> VideoFrame:
        """The picture on screen `time` seconds after the file's first picture, as decoded."""
        time = max(time, Fraction(0)) + self._decoder.slack
        reached = self._ahead or self._shown
        if time < self._shown.time or (not self._decoder.ended and time - reached.time > self._near):
            self._seek(time)
        while True:
            self._ahead = self._ahead or self._decoder.next_picture()
            if self._ahead is None or self._ahead.time > time:
                return self._shown.frame
            self._shown, self._ahead = self._ahead, None

    def _seek(self, time: Fraction) -> None:
        """Show a key frame at or before `time`, or the file's first picture."""
        before, self._ahead = self._shown.time, None
        for back in SEEK_BACK:
            if not self._decoder.timed or time - back <= self._near:
                break
            landed = self._decoder.seek(time - back, time)
            if landed is not None:
                if landed.time <= before <= time:
                    # Led back behind where it stood: key frames are rare here, so walk further next time.
                    self._near = max(self._near, time - landed.time)
                self._shown = landed
                return
        self._shown = self._decoder.restart()
