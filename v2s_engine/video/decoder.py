"""A video file's packets as pictures with times."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError, NoVideoStreamError
from v2s_engine.grid import round_half_up

END_LENGTH = 1
"""Seconds of packets read at least to find a file's end; some demuxers hold back the last ones."""

TEXT_ART_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
"""What FFmpeg takes for pictures by the file's name alone and draws text with: not what an editor means."""

PLAYLISTS = frozenset({".m3u8", ".m3u", ".mpd", ".ffconcat"})
"""Files that only name others, some on a network that FFmpeg would wait for."""


class Picture(NamedTuple):
    """A decoded picture and when it comes on screen, in seconds from the file's first picture."""

    time: Fraction
    frame: VideoFrame


class Decoder:
    """Turns a file's packets into pictures with times, from wherever it stands; `restart` comes first."""

    container: InputContainer
    stream: VideoStream

    def __init__(self, path: Path) -> None:
        self.path = path
        self.decoded = 0
        self.damaged = 0
        self.ended = False
        self.timed = True
        """Whether the file tells its pictures' times; if not, they are counted and it cannot be sought in."""
        self._words = "it holds no picture that can be decoded"
        self._origin = 0

    @property
    def rate(self) -> Fraction:
        """Pictures per second on average, as far as the file tells; 25 where it does not."""
        return self.stream.average_rate or self.stream.guessed_rate or Fraction(25)

    @property
    def slack(self) -> Fraction:
        """Seconds by which a rounded stamp may be late; 0 where pictures fall on whole ticks of the file's clock.

        23.976 in Matroska's milliseconds is half a tick late at worst, twice that if the first stamp is rounded
        too. Without it a cut exactly at a picture would show the one before.
        """
        length = 1 / self.rate / self._tick
        if not self.timed or length.denominator == 1 or length < 4:
            return Fraction(0)
        return self._tick if self._origin else self._tick / 2

    def restart(self) -> Picture:
        """Open the file anew and decode its first picture, whose time is 0."""
        self._open()
        try:
            frame = self._next_frame()
            if frame is None:
                raise MediaUnreadableError(
                    f"cannot read the pictures of {self.path}: {self._words}; wanted a video that FFmpeg "
                    "decodes: play it to check it, export it again or relink the clip"
                )
        except BaseException:
            self.container.close()
            raise
        stamp = self._stamp(frame)
        self.timed = stamp is not None
        self._origin = stamp or 0
        self._last: Fraction | None = Fraction(0)
        return Picture(Fraction(0), frame)

    def seek(self, target: Fraction, wanted: Fraction) -> Picture | None:
        """The key frame that a seek to `target` leads to; None if it comes on screen only after `wanted`.

        Pictures before the key frame are dropped: in open groups they lean on pictures that were not decoded.
        """
        try:
            self.container.seek(self._ticks(target), stream=self.stream)
        except av.error.FFmpegError as error:
            self._words = error.strerror or str(error)
            return None
        self._forget()
        while (picture := self.next_picture()) is not None and picture.time <= wanted:
            if picture.frame.key_frame:
                return picture
        return None

    def next_picture(self) -> Picture | None:
        """The next picture in display order; None at the end."""
        frame = self._next_frame()
        if frame is None:
            return None
        stamp = self._stamp(frame)
        time = None if stamp is None or not self.timed else (stamp - self._origin) * self._tick
        if time is None or (self._last is not None and time <= self._last):
            time = (self._last or Fraction(0)) + 1 / self.rate
        self._last = time
        return Picture(time, frame)

    def find_end(self) -> Fraction:
        """Seconds from the first picture's start to the last one's end. Nothing but `restart` may follow."""
        promised = self._promised_end()
        found: Fraction | None = None
        try:
            if promised is None or not self.timed:
                self._open()
                found = self._count_packets() / self.rate
            else:
                self.container.seek(self._ticks(promised - END_LENGTH), stream=self.stream)
                found = self._end_of_packets()
        except av.error.FFmpegError as error:
            self._words = error.strerror or str(error)
        end = found or promised or 1 / self.rate
        whole = round_half_up(end * self.rate) / self.rate
        return whole if self.slack and abs(whole - end) <= self._tick else end

    def _promised_end(self) -> Fraction | None:
        """Where the header says that the pictures end, in seconds from the first one; None if it does not."""
        if self.stream.duration and self.stream.duration > 0:
            return self.stream.duration * self._tick
        if self.container.duration and self.container.duration > 0:
            end = Fraction(self.container.duration + (self.container.start_time or 0), av.time_base)
            return max(end - self._origin * self._tick, Fraction(0)) or None
        return None

    def _end_of_packets(self) -> Fraction | None:
        """The end of the last picture among the packets still to come; None without packets."""
        end: Fraction | None = None
        for packet in self.container.demux(self.stream):
            stamp = packet.dts if self._decode_times or packet.pts is None else packet.pts
            if packet.size and stamp is not None and not packet.is_discard:
                length = packet.duration * self._tick if packet.duration else 1 / self.rate
                end = max(end or Fraction(0), (stamp - self._origin) * self._tick + length)
        return end

    def _count_packets(self) -> int:
        return sum(1 for packet in self.container.demux(self.stream) if packet.size)

    def _open(self) -> None:
        """Open the file (anew), before its first packet."""
        if hasattr(self, "container"):
            self.container.close()
        self.container, self.stream = _open(self.path)
        self._tick = self.stream.time_base or Fraction(1, 90_000)
        # AVI keeps no presentation times; what FFmpeg gives for them is wrong where pictures are reordered.
        self._decode_times = self.container.format.name == "avi"
        self._forget()

    def _forget(self) -> None:
        """Drop what was decoded; packets come from wherever the demuxer stands."""
        self._packets = self.container.demux(self.stream)
        self._queue: deque[VideoFrame] = deque()
        self._last = None
        self.ended = False

    def _next_frame(self) -> VideoFrame | None:
        """The next decoded frame that is whole; None at the end."""
        while True:
            while not self._queue:
                if self.ended:
                    return None
                self._decode_packet()
            frame = self._queue.popleft()
            self.decoded += 1
            if not frame.is_corrupt:
                return frame
            self.damaged += 1

    def _decode_packet(self) -> None:
        try:
            packet = next(self._packets, None)
            if packet is None:
                self.ended = True
                return
        except av.error.FFmpegError as error:
            self._note(error)
            self.ended = True
            return
        try:
            self._queue.extend(self.stream.decode(packet))
        except av.error.FFmpegError as error:
            self._note(error)

    def _note(self, error: av.error.FFmpegError) -> None:
        self.damaged += 1
        self._words = error.strerror or str(error)

    def _stamp(self, frame: VideoFrame) -> int | None:
        return frame.dts if self._decode_times or frame.pts is None else frame.pts

    def _ticks(self, time: Fraction) -> int:
        return self._origin + int(time // self._tick)


def _open(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a file and find its first real picture stream; raises the errors of `probe`."""
    if not path.exists():
        raise MediaNotFoundError(f"no such file: {path}; relink the clip or give another path")
    if path.is_dir():
        raise MediaUnreadableError(f"{path} is a folder; wanted one video file: name a file inside it")
    if path.suffix.lower() in PLAYLISTS:
        raise MediaUnreadableError(f"{path} is a playlist; wanted one video file: name one that it lists")
    try:
        # "file:" keeps FFmpeg from taking a name such as "concat:x" for one of its protocols; the list keeps a
        # playlist from reaching into the network.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise MediaUnreadableError(
            f"cannot read {path}: {error.strerror}; wanted a video that FFmpeg opens: "
            "play it to check it, export it again or relink the clip"
        ) from error
    if container.format.name not in TEXT_ART_FORMATS:
        for stream in container.streams.video:
            if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
                stream.thread_type = "AUTO"
                return container, stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream at all"
    container.close()
    raise NoVideoStreamError(f"{path} holds no pictures (found: {kinds}); wanted a file with a video stream")
