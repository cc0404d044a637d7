"""Pictures out of files: what is in a file, and the picture on screen at given moments.

    for picture in read_pictures(path, times, width=128, height=128):
        ...                                     # [128, 128, 3] uint8, one per time, in the order given

Times are exact seconds from the file's first picture. The picture on screen at time t is the last one whose
presentation time is at or before t, so variable frame rate is right. Only what is needed is decoded: the
reader seeks to the key frame before a moment that is far away, and walks forward to one that is near.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError, NoVideoStreamError
from v2s_engine.grid import round_half_up

NEAR = Fraction(2)
"""Seconds ahead that are decoded through rather than sought to."""

SEEK_BACK = (0, 2, 8, 32, 128, 512)
"""Seconds before the wanted moment at which a key frame is looked for in turn; then the file's start."""

END_LENGTH = 1
"""Seconds of packets read at least to find a file's end; some demuxers hold back the last ones."""

WINDOW_BYTES = 32 * 2**20
"""Pictures kept at most while times that are out of order are put in order."""

SCALING = int(Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT)
"""Each pixel is the mean of what it covers, rounded the same way on every machine."""

TEXT_ART_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
"""What FFmpeg takes for pictures by the file's name alone and draws text with: not what an editor means."""

PLAYLISTS = frozenset({".m3u8", ".m3u", ".mpd", ".ffconcat"})
"""Files that only name others, some on a network that FFmpeg would wait for."""


@dataclass(frozen=True)
class VideoInfo:
    """What a timeline needs to know about a file with pictures."""

    path: Path
    duration: Fraction
    """Seconds from the first picture's start to the last one's end, read from the packets where they can be
    reached, else from the header."""
    rate: Fraction
    """Pictures per second on average; for information, no time is computed from it."""
    start_timecode: str | None
    """The file's `timecode` tag as it stands, e.g. `01:00:00:00`; None where there is none."""
    width: int
    """Pixels of a picture as displayed, after rotation."""
    height: int
    has_sound: bool
    """Whether there is a sound stream as well."""


class Picture(NamedTuple):
    """A decoded picture and when it comes on screen, in seconds from the file's first picture."""

    time: Fraction
    frame: VideoFrame


def probe(path: Path) -> VideoInfo:
    """What is in a picture file. Decodes one picture and reads the last packets, whatever the length.

    Raises `MediaNotFoundError`, `MediaUnreadableError` (with FFmpeg's words) and `NoVideoStreamError` (a
    sound file with a cover picture holds no video).
    """
    decoder = Decoder(path)
    frame = decoder.restart().frame
    try:
        stored = (frame.width, frame.height)
        width, height = stored[::-1] if _orientation(frame).transposed else stored
        tags = [decoder.stream.metadata, decoder.container.metadata]
        tags += [stream.metadata for stream in decoder.container.streams]
        timecode = next((each["timecode"] for each in tags if each.get("timecode")), None)
        has_sound = len(decoder.container.streams.audio) > 0
        return VideoInfo(path, decoder.find_end(), decoder.rate, timecode, width, height, has_sound)
    finally:
        decoder.container.close()


def read_pictures(path: Path, times: Sequence[Fraction], *, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """The pictures on screen at `times`: one `[height, width, 3]` RGB array per time, in the order given.

    `times` are seconds from the file's first picture, in any order; falling ones (a reversed clip) are
    decoded in sorted windows. A time before 0 shows the first picture, one past the end the last. Memory does
    not grow with the number of times. What cannot be decoded leaves the last good picture on screen.

    Raises as `probe`, when the first picture is asked for.
    """
    with PictureReader(path) as reader:
        yield from reader.read(times, width=width, height=height)


class PictureReader:
    """One open file and the picture in it that is on screen. Use it in a `with` statement."""

    def __init__(self, path: Path) -> None:
        self._scaler = VideoReformatter()
        self._near = NEAR
        self._decoder = Decoder(path)
        self._shown = self._decoder.restart()
        self._ahead: Picture | None = None
        # Once, not for every picture: looking at a frame's side data ties it into a reference cycle, and 3 MB of 1080p
        # then wait for the garbage collector.
        self._turn = _orientation(self._shown.frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.container.close()

    @property
    def decoded(self) -> int:
        """Pictures decoded so far, shown or not."""
        return self._decoder.decoded

    @property
    def damaged(self) -> int:
        """Packets and pictures so far that could not be decoded."""
        return self._decoder.damaged

    def read(self, times: Sequence[Fraction], *, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
        """See `read_pictures`."""
        held = max(1, WINDOW_BYTES // (width * height * 3))
        for start in range(0, len(times), held):
            window = times[start : start + held]
            order = sorted(range(len(window)), key=window.__getitem__)
            if order == list(range(len(window))):
                for time in window:
                    yield self._scaled(self.frame_at(time), width, height)
            else:
                pictures = {i: self._scaled(self.frame_at(window[i]), width, height) for i in order}
                for i in range(len(window)):
                    yield pictures.pop(i)

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

    def _scaled(self, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        """`[height, width, 3]` RGB, turned upright."""
        turn = self._turn
        scaled = self._scaler.reformat(
            frame,
            height if turn.transposed else width,
            width if turn.transposed else height,
            format="rgb24",
            interpolation=SCALING,
            src_color_range=frame.color_range,
        )
        return turn.apply(np.asarray(scaled.to_ndarray(), dtype=np.uint8))


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


@dataclass(frozen=True)
class _Turn:
    """How a stored picture is turned to be upright: first transposed, then flipped."""

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.transposed:
            picture = picture.transpose(1, 0, 2)
        if self.flip_rows:
            picture = picture[::-1]
        if self.flip_columns:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(picture)


def _orientation(frame: VideoFrame) -> _Turn:
    """From the display matrix: (column, row) is shown at (a·column + c·row, b·column + d·row).

    Quarter turns and mirrors only; any other angle is taken as the nearest of those.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return _Turn()
    a, b, _, c, d = np.frombuffer(bytes(data), dtype=np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return _Turn(True, flip_rows=b < 0, flip_columns=c < 0)
    return _Turn(False, flip_rows=d < 0, flip_columns=a < 0)


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
