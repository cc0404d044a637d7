"""Stretches of a fetched section as files of their own, exact in time: clips, and previews of one kind alone.

    with open_section(project.media_path(video_id)) as section:
        section.write_clip(target, Stretch(begin=32_000, length=64_000))

Sound is cut to the sample. Pictures are copied as they are coded where a key frame stands at the stretch's beginning.
Where none does (at 29.97 pictures a second none falls on 2 s), they are encoded anew, and the picture that is on screen
at that moment comes first. Either way the file begins with a key frame at time 0 and lasts as long as the stretch.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from v2s_engine.digest import file_digest
from v2s_engine.errors import MediaError, MediaNotFoundError, MediaUnreadableError, OutputError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.vegas.store import PIECE_LENGTH
from v2s_engine.vegas.whole_file import whole_file

CUTTER = 1
"""Raised where the same stretch comes out as other bytes: files of an earlier cutter are made again."""

_TICK = Fraction(1, 1000)
"""Matroska's clock, by which the normal form tells its pictures' times."""
_TICK_LENGTH = SAMPLE_RATE // 1000  # samples
_ENCODING = {"preset": "veryfast", "crf": "17", "forced-idr": "1", "x264-params": "scenecut=0:mbtree=0"}


class Stretch(NamedTuple):
    """A part of a section, in samples from its beginning."""

    begin: int
    length: int

    @property
    def end(self) -> int:
        """The sample after its last."""
        return self.begin + self.length


class _Picture(NamedTuple):
    """A coded picture."""

    tick: int
    """When it comes on screen."""
    key: bool
    data: bytes


class _Film(NamedTuple):
    """Coded pictures in the order of coding, the first on screen at tick 0."""

    pictures: list[_Picture]
    header: bytes
    """What a decoder must know before them."""


@contextlib.contextmanager
def open_section(path: Path, sha256: str | None = None) -> Iterator[Section]:
    """A fetched section, open to be cut; `sha256` is its file's, where that is known.

    Raises `MediaNotFoundError`, `MediaUnreadableError`, and `MediaError` for another file than the one that was
    fetched and for what is not in the normal form.
    """
    if not path.is_file():
        raise MediaNotFoundError(f"no fetched section at {path}; run v2s vegas fetch again")
    try:
        if sha256 and (found := file_digest(path)) != sha256:
            raise MediaError(
                f"{path} has changed since it was fetched: its SHA-256 is {found}, was {sha256}; run v2s vegas fetch "
                "again"
            )
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError) as error:
        raise _unreadable(path, error) from error
    with container:
        yield Section(path, container)


class Section:
    """A fetched section in the normal form; see `open_section`. Its sound and its coded pictures are held."""

    samples: NDArray[np.int16]
    """`[L]` at 16 kHz."""

    @property
    def sound(self) -> str:
        """SHA-256 of its samples: the same however they are coded."""
        return hashlib.sha256(self.samples.astype("<i2").tobytes()).hexdigest()

    def __init__(self, path: Path, container: InputContainer) -> None:
        self.path = path
        try:
            self._stream = _picture_stream(path, container)
            self._pictures, self.samples = _read_streams(container)
        except (av.error.FFmpegError, OSError) as error:
            raise _unreadable(path, error) from error
        if not self._pictures or not self._pictures[0].key or self._pictures[0].tick != 0:
            raise MediaError(f"the pictures of {path} do not begin with a key frame at 0; run v2s vegas fetch again")

    def write_clip(self, target: Path, stretch: Stretch) -> None:
        """Pictures and sound of a stretch as Matroska: H.264 and FLAC. Raises `OutputError`, `MediaError`."""
        film, samples = self._film(stretch), self._samples(stretch)
        with whole_file(target) as draft:
            with _output(draft, "matroska") as container:
                pictures, sound = self._add_pictures(container, film), _add_sound(container)
                _mux_pictures(container, pictures, film, stretch)
                _mux_sound(container, sound, samples)
            with _checking(draft):
                _check_pictures(draft, film, stretch)
                _check_sound(draft, samples)

    def write_pictures(self, target: Path, stretch: Stretch) -> None:
        """The pictures alone, as an MP4 that plays while it loads. Raises `OutputError`, `MediaError`."""
        film = self._film(stretch)
        with whole_file(target) as draft:
            with _output(draft, "mp4", movflags="+faststart") as container:
                _mux_pictures(container, self._add_pictures(container, film), film, stretch)
            with _checking(draft):
                _check_pictures(draft, film, stretch)

    def write_sound(self, target: Path, stretch: Stretch) -> None:
        """The sound alone, as FLAC. Raises `OutputError`, `MediaError`."""
        samples = self._samples(stretch)
        with whole_file(target) as draft:
            with _output(draft, "flac") as container:
                _mux_sound(container, _add_sound(container), samples)
            with _checking(draft):
                _check_sound(draft, samples)

    def _samples(self, stretch: Stretch) -> NDArray[np.int16]:
        if stretch.end > len(self.samples):
            raise MediaError(
                f"{self.path} holds {len(self.samples)} samples; wanted {stretch.end}: run v2s vegas fetch again"
            )
        return self.samples[stretch.begin : stretch.end]

    def _film(self, stretch: Stretch) -> _Film:
        """The pictures of a stretch: as they are, where its beginning allows that, else encoded anew."""
        shown = [each for each in self._pictures if stretch.begin <= each.tick * _TICK_LENGTH < stretch.end]
        first = stretch.begin // _TICK_LENGTH
        if shown and shown[0].key and shown[0].tick == first:
            moved = [each._replace(tick=each.tick - first) for each in shown]
            return _Film(moved, self._stream.codec_context.extradata or b"")
        try:
            return self._encoded(stretch)
        except (av.error.FFmpegError, OSError) as error:
            raise _unreadable(self.path, error) from error

    def _encoded(self, stretch: Stretch) -> _Film:
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = self._stream.width, self._stream.height, "yuv420p"
        encoder.time_base, encoder.framerate = _TICK, self._rate
        encoder.thread_count = 1  # the same bytes on any number of cores
        encoder.options = dict(_ENCODING)
        encoder.flags |= Flags.global_header
        packets: list[Packet[VideoStream]] = []
        keys = 0
        for tick, frame in self._on_screen(stretch):
            is_key = tick * _TICK_LENGTH >= keys * PIECE_LENGTH
            keys += is_key
            frame.pts, frame.time_base = tick, _TICK
            frame.pict_type = PictureType.I if is_key else PictureType.NONE
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        pictures = [_Picture(packet.pts or 0, packet.is_keyframe, bytes(packet)) for packet in packets]
        return _Film(pictures, encoder.extradata or b"")

    def _on_screen(self, stretch: Stretch) -> Iterator[tuple[int, VideoFrame]]:
        """The decoded pictures of a stretch with their ticks in it; the one on screen at its beginning has 0."""
        first = stretch.begin // _TICK_LENGTH
        standing: VideoFrame | None = None
        with av.open(f"file:{self.path}", options={"protocol_whitelist": "file"}) as container:
            for frame in container.decode(video=0):
                tick = frame.pts or 0
                if tick > first and standing is not None:
                    yield 0, standing
                    standing = None
                if tick * _TICK_LENGTH >= stretch.end:
                    return
                if tick > first:
                    yield tick - first, frame
                else:
                    standing = frame
        if standing is not None:
            yield 0, standing

    @property
    def _rate(self) -> Fraction:
        """Pictures per second, on average: what players are told, no time is computed from it."""
        return self._stream.average_rate or Fraction(25)

    def _add_pictures(self, container: OutputContainer, film: _Film) -> VideoStream:
        stream = container.add_stream_from_template(self._stream)
        stream.codec_context.extradata = film.header
        stream.codec_context.framerate = self._rate
        return stream


def _picture_stream(path: Path, container: InputContainer) -> VideoStream:
    """The stream of pictures. Raises `MediaError` where the file is not in the normal form."""
    video, audio = container.streams.video, container.streams.audio
    found = [f"{each.codec_context.name} {each.codec_context.pix_fmt}" for each in video]
    found += [f"{each.codec_context.name} {each.format.name} {each.rate} Hz {each.layout.name}" for each in audio]
    wanted = ["h264 yuv420p", f"flac s16 {SAMPLE_RATE} Hz mono"]
    if found != wanted or video[0].time_base != _TICK:
        raise MediaError(
            f"{path} holds {', '.join(found) or 'nothing'}; wanted {', '.join(wanted)} in Matroska: run v2s vegas "
            "fetch again"
        )
    return video[0]


def _read_streams(container: InputContainer) -> tuple[list[_Picture], NDArray[np.int16]]:
    """Coded pictures in the order of coding, and samples `[L]`."""
    pictures: list[_Picture] = []
    sounds = [np.zeros(0, np.int16)]
    for packet in container.demux():
        if packet.stream.type == "audio":
            sounds += [frame.to_ndarray()[0] for frame in cast("AudioStream", packet.stream).decode(packet)]
        elif packet.size:
            pictures.append(_Picture(packet.pts or 0, packet.is_keyframe, bytes(packet)))
    return pictures, np.concatenate(sounds)


@contextlib.contextmanager
def _output(draft: Path, form: str, **options: str) -> Iterator[OutputContainer]:
    """A file to be written, in which no random number and no version stands: the same stretch is the same bytes."""
    try:
        with av.open(
            f"file:{draft}", "w", format=form, container_options={"fflags": "+bitexact", **options}
        ) as container:
            yield container
    except OSError as error:  # FFmpeg's own for the system's errors are among these
        raise OutputError(f"cannot write {draft}: {error}; free some space or choose another folder") from error
    except av.error.FFmpegError as error:
        raise MediaError(f"FFmpeg cannot write {draft.name}: {error}; leave this video out") from error


@contextlib.contextmanager
def _checking(draft: Path) -> Iterator[None]:
    """What cannot be read back is the fault of what is in it: the disk took it."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise MediaError(f"{draft.name}, just written, cannot be read: {error}; leave this video out") from error


def _add_sound(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("flac", rate=SAMPLE_RATE)
    stream.codec_context.layout, stream.codec_context.format = "mono", "s16"
    stream.codec_context.flags |= Flags.bitexact
    return stream


def _mux_pictures(container: OutputContainer, stream: VideoStream, film: _Film, stretch: Stretch) -> None:
    """Each picture lasts until the next one, the last until the stretch's end."""
    order = sorted(each.tick for each in film.pictures)
    lengths = {tick: after - tick for tick, after in zip(order, [*order[1:], _end_tick(stretch)], strict=True)}
    # MP4 takes the time from the first decoding to the end of the last one for the whole: what is decoded last lasts as
    # long as what is shown last, if that is not the same picture.
    lengths[film.pictures[-1].tick] = lengths[order[-1]]
    # No picture may be decoded after it is shown: decoding is ahead by as much as the worst one needs.
    ahead = max(tick - each.tick for tick, each in zip(order, film.pictures, strict=True))
    for tick, each in zip(order, film.pictures, strict=True):
        packet = Packet(each.data)
        packet.stream, packet.time_base, packet.is_keyframe = stream, _TICK, each.key
        packet.pts, packet.dts, packet.duration = each.tick, tick - ahead, lengths[each.tick]
        container.mux(packet)


def _mux_sound(container: OutputContainer, stream: AudioStream, samples: NDArray[np.int16]) -> None:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], "s16", "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _check_pictures(draft: Path, film: _Film, stretch: Stretch) -> None:
    """Raise `MediaError` unless all pictures stand in a written file when they should."""
    with av.open(f"file:{draft}") as container:
        stream = container.streams.video[0]
        tick = (stream.time_base or _TICK) / _TICK
        packets = [packet for packet in container.demux(video=0) if packet.size]
        found = [(packet.pts or 0) * tick for packet in packets]
        # MP4 says when all of it ends, Matroska how long each picture stands.
        ends = [(packet.pts or 0) + (packet.duration or 0) for packet in packets]
        end = (stream.duration or max(ends, default=0)) * tick
        begins_with_key = bool(packets) and packets[0].is_keyframe
    # Matroska does not write a duration that is the usual one: 42 ms may be read as 1/24 s.
    ends_well = abs(end - _end_tick(stretch)) <= 1
    if found != [each.tick for each in film.pictures] or not ends_well or not begins_with_key:
        raise MediaError(
            f"{draft.name}, just written, holds {len(found)} pictures up to {end} ms; wanted {len(film.pictures)} in "
            f"their order up to {_end_tick(stretch)} ms: leave this video out"
        )


def _check_sound(draft: Path, samples: NDArray[np.int16]) -> None:
    """Raise `MediaError` unless a written file sounds as it should, sample by sample."""
    with av.open(f"file:{draft}") as container:
        sounds = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    found = np.concatenate([np.zeros(0, np.int16), *sounds])
    if not np.array_equal(found, samples):
        raise MediaError(
            f"{draft.name}, just written, holds {len(found)} samples that are not the {len(samples)} of the section: "
            "leave this video out"
        )


def _end_tick(stretch: Stretch) -> int:
    """When a stretch ends, as far as Matroska can say it: the last millisecond may be begun."""
    return -(-stretch.length // _TICK_LENGTH)


def _unreadable(path: Path, error: Exception) -> MediaUnreadableError:
    return MediaUnreadableError(f"cannot read {path}: {error}; run v2s vegas fetch again")
