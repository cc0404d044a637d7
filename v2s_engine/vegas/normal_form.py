"""A section as all later steps know it, whatever it came as.

    Matroska, nothing in it that is random
      H.264   upright, square pixels, ordinary brightness, yuv420p, shorter side at most 360, even sizes; each picture
              at its own time (1 ms), the one on screen at the section's beginning at 0; a key frame at the first
              picture at or after each 2 s
      FLAC    16 kHz mono, 16 bit; sample 0 sounds at 0; silence where the sound starts late or has gaps
    Both last equally long: as long as the section, or until the first of the two ends.

So the grid of 1,024 samples a picture step (`v2s_engine/grid.py`) holds from the beginning of any piece on, and
pictures are not resampled twice. All of the section is decoded once on the way: what is damaged anywhere is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from v2s_engine.digest import file_digest
from v2s_engine.errors import MediaError, NoVideoStreamError, OutputError
from v2s_engine.grid import SAMPLE_RATE, round_half_up
from v2s_engine.vegas.section_pictures import SectionPictures
from v2s_engine.vegas.section_sound import read_section_sound
from v2s_engine.vegas.sources import FetchFailure, before_section
from v2s_engine.vegas.store import PIECE_LENGTH, SHORTEST_PIECE

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

LONGEST = 160_000
"""Samples of a section at most: 10 s, what AudioSet's rows have."""

FORMATS = "mov,matroska,avi,flv,mpegts,mpeg,asf,ogg"
"""What FFmpeg may take a file for: no playlist that reaches for other files, no text, no picture."""

_TICK = Fraction(1, 1000)
_TICK_LENGTH = SAMPLE_RATE // 1000
# Without x264's macroblock tree: as compiled for vectors it gives now and then other bytes for the same pictures.
_ENCODING = {"preset": "veryfast", "crf": "18", "forced-idr": "1", "x264-params": "mbtree=0"}


@dataclass(frozen=True)
class NormalForm:
    """What a normalised file holds."""

    length: int
    """Samples at 16 kHz."""
    width: int
    height: int
    sha256: str
    """Of the file. Not the same each time: where many threads work, x264 codes some film in a hundred otherwise."""
    content: str
    """SHA-256 of its pictures, their times and its sound before they are encoded: the same from any container."""


def write_normal_form(
    media: Path, begin: Fraction, duration: Fraction, to: Path, check: Callable[[], None] = lambda: None
) -> NormalForm:
    """Write the section of `media` that begins `begin` seconds after its first picture and lasts `duration` seconds.

    `to` is written whatever its suffix is, and is left behind half-written where this raises. `check` is called often.
    Raises `FetchFailure` (no sound, no pictures, too short, broken) and `OutputError` (the disk does not take it).
    """
    wanted = min(LONGEST, round_half_up(duration * SAMPLE_RATE))
    _check_format(media)
    try:
        with SectionPictures(media, begin, Fraction(wanted, SAMPLE_RATE)) as pictures:
            sound = read_section_sound(media, pictures.clock + begin, wanted, check)
            if not len(sound):
                raise before_section("sound", begin)
            _check_length(len(sound), "sound")
            return _write(to, pictures, sound, check)
    except NoVideoStreamError as error:
        raise FetchFailure("no pictures", str(error), lasting=True) from error
    except MediaError as error:
        if isinstance(error, FetchFailure):
            raise
        raise FetchFailure("broken", str(error), lasting=True) from error


def _check_format(media: Path) -> None:
    """Raise `FetchFailure` for a file that FFmpeg takes for nothing that holds a film."""
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        av.open(f"file:{media}", options=options, metadata_errors="replace").close()
    except (av.error.FFmpegError, OSError) as error:
        words = error.strerror or str(error)
        raise FetchFailure("broken", f"{media.name} is no film that FFmpeg opens: {words}", lasting=True) from error


def _check_length(length: int, what: str) -> None:
    if length < SHORTEST_PIECE:
        found = (
            f"its {what} lasts {length / SAMPLE_RATE:.2f} s within the section; "
            f"{SHORTEST_PIECE / SAMPLE_RATE:g} s is wanted"
        )
        raise FetchFailure("too short", found, lasting=True)


def _write(to: Path, pictures: SectionPictures, sound: NDArray[np.float32], check: Callable[[], None]) -> NormalForm:
    try:
        with av.open(f"file:{to}", "w", format="matroska", container_options={"fflags": "+bitexact"}) as container:
            video, audio = _add_streams(container, pictures)
            content = hashlib.sha256()
            film = _encode_pictures(video, pictures, len(sound), content, check)
            length = min(len(sound), int(pictures.end * SAMPLE_RATE))
            _check_length(length, "pictures" if length < len(sound) else "sound")
            _mux_pictures(container, video, film, length)
            values = np.rint(np.clip(sound[:length], -1, 1) * 32767).astype(np.int16)
            content.update(values.astype("<i2").tobytes())
            _mux_sound(container, audio, values)
        return NormalForm(length, pictures.width, pictures.height, file_digest(to), content.hexdigest())
    except (OSError, av.error.FFmpegError) as error:
        if not isinstance(error, OSError):
            raise FetchFailure("broken", f"it cannot be encoded: {error}", lasting=True) from error
        raise OutputError(
            f"cannot write {to}: {error}; free some space and start again: what is fetched is kept"
        ) from error


def _add_streams(container: OutputContainer, pictures: SectionPictures) -> tuple[VideoStream, AudioStream]:
    video = container.add_stream("libx264", rate=pictures.rate, options=dict(_ENCODING))
    video.width, video.height, video.pix_fmt = pictures.width, pictures.height, "yuv420p"
    video.codec_context.time_base = _TICK
    video.codec_context.thread_count = 1  # the same bytes on any number of cores
    audio = container.add_stream("flac", rate=SAMPLE_RATE)
    audio.codec_context.layout, audio.codec_context.format = "mono", "s16"
    audio.codec_context.flags |= Flags.bitexact
    return video, audio


def _encode_pictures(
    video: VideoStream, pictures: SectionPictures, length: int, content: Hash, check: Callable[[], None]
) -> list[Packet[VideoStream]]:
    """Packets in the order of coding. Pictures that come on screen after the sound's end are read, but left out."""
    packets: list[Packet[VideoStream]] = []
    keys, last = 0, -1
    for time, colours in pictures.read():
        check()
        tick = round_half_up(time / _TICK)
        if tick <= last or tick * _TICK_LENGTH >= length:
            continue
        frame = VideoFrame.from_ndarray(colours, format="rgb24")
        content.update(f"{tick} {colours.shape} ".encode() + colours.tobytes())
        frame.pts, frame.time_base = tick, _TICK
        if tick * _TICK_LENGTH >= keys * PIECE_LENGTH:
            frame.pict_type = PictureType.I
            keys = tick * _TICK_LENGTH // PIECE_LENGTH + 1
        packets += video.encode(frame)
        last = tick
    return [*packets, *video.encode(None)]


def _mux_pictures(container: OutputContainer, video: VideoStream, film: list[Packet[VideoStream]], length: int) -> None:
    """Each picture lasts until the next, the last as long as the sound."""
    ticks = sorted(_tick_of(packet) for packet in film)
    ends = dict(zip(ticks, [*ticks[1:], -(-length // _TICK_LENGTH)], strict=True))
    for packet in film:
        tick = _tick_of(packet)
        packet.duration = ends[tick] - tick
        container.mux(packet)


def _tick_of(packet: Packet[VideoStream]) -> int:
    return int((packet.pts or 0) * (packet.time_base or _TICK) / _TICK)


def _mux_sound(container: OutputContainer, audio: AudioStream, values: NDArray[np.int16]) -> None:
    frame = av.AudioFrame.from_ndarray(values[None], "s16", "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    container.mux(audio.encode(frame))
    container.mux(audio.encode(None))
