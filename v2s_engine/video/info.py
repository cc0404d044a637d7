"""What a timeline needs to know about media with pictures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from v2s_engine.video.decoder import Decoder
from v2s_engine.video.image import is_image, read_image
from v2s_engine.video.screen import Screen, has_alpha
from v2s_engine.video.sequence import ImageSequence, Pictures

STILL_RATE = Fraction(25)
"""What is given as a still's rate: some number must be."""

_MAYBE_STILLS = frozenset({".avif", ".gif", ".heic", ".heif"})
"""Files that hold one picture or a film."""


@dataclass(frozen=True)
class VideoInfo:
    """What a timeline needs to know about media with pictures."""

    media: Pictures
    duration: Fraction
    """Seconds from the first picture's start to the last one's end, read from the packets where they can be
    reached, else from the header; of an image sequence, from its count. 0 for a still, which lasts as long as asked."""
    rate: Fraction
    """Pictures per second on average; for information, no time is computed from it."""
    start_timecode: str | None
    """The file's `timecode` tag as it stands, e.g. `01:00:00:00`; None where there is none."""
    width: int
    """Pixels of a picture as displayed, after rotation."""
    height: int
    has_sound: bool
    """Whether there is a sound stream as well."""
    has_alpha: bool = False
    """Whether its pictures can be transparent, by their pixel format."""
    still: bool = False
    """Whether it is one picture that stands as long as it is asked for."""


def probe(media: Pictures) -> VideoInfo:
    """What is in a picture file or an image sequence.

    Of a video file one picture is decoded and the last packets are read, whatever the length; of an image sequence the
    first file is read.

    Raises `MediaNotFoundError`, `MediaUnreadableError` (with FFmpeg's words) and `NoVideoStreamError` (a sound file
    with a cover picture holds no video).
    """
    if isinstance(media, ImageSequence):
        return _probe_image(media, media.path_at(0), media.duration, media.rate / media.step)
    if is_image(media):
        return _probe_image(media, media, Fraction(0), STILL_RATE, still=True)
    return _probe_film(media)


def _probe_image(media: Pictures, path: Path, duration: Fraction, rate: Fraction, *, still: bool = False) -> VideoInfo:
    image = read_image(path)
    width, height = _shown_size(Screen(image.frame, image.codec), image.frame.width, image.frame.height)
    return VideoInfo(media, duration, rate, None, width, height, False, has_alpha(image.frame), still)


def _probe_film(path: Path) -> VideoInfo:
    decoder = Decoder(path)
    frame = decoder.restart().frame
    try:
        width, height = _shown_size(Screen(frame, decoder.stream.codec_context), frame.width, frame.height)
        tags = [decoder.stream.metadata, decoder.container.metadata]
        tags += [stream.metadata for stream in decoder.container.streams]
        timecode = next((each["timecode"] for each in tags if each.get("timecode")), None)
        has_sound = len(decoder.container.streams.audio) > 0
        still = path.suffix.lower() in _MAYBE_STILLS and decoder.next_picture() is None
        duration = Fraction(0) if still else decoder.find_end()
        return VideoInfo(path, duration, decoder.rate, timecode, width, height, has_sound, has_alpha(frame), still)
    finally:
        decoder.container.close()


def _shown_size(screen: Screen, width: int, height: int) -> tuple[int, int]:
    return (height, width) if screen.transposed else (width, height)
