"""Files that hold one picture.

They go to FFmpeg's decoders as they are, never by its demuxer for images: that one takes a `%03d` in a name for a
pattern. What holds light itself (EXR) is encoded like video by FFmpeg (sRGB); what is above its white is cut off. DPX
is taken as it stands: one in printing density (log) looks flat.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import av.error
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError

_CODECS = {
    ".bmp": "bmp",
    ".dpx": "dpx",
    ".exr": "exr",
    ".jp2": "jpeg2000",
    ".jpeg": "mjpeg",
    ".jpg": "mjpeg",
    ".png": "png",
    ".psd": "psd",
    ".sgi": "sgi",
    ".tga": "targa",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
}

_OPTIONS = {"exr": {"apply_trc": "iec61966_2_1"}}


@dataclass(frozen=True)
class Image:
    """A decoded picture, and what decoded it (that knows what its colours mean)."""

    frame: VideoFrame
    codec: VideoCodecContext


def is_image(path: Path) -> bool:
    """Whether a file holds one picture by its name. An animated GIF is a video."""
    return path.suffix.lower() in _CODECS


def read_image(path: Path) -> Image:
    """Decode a picture file.

    Raises `MediaNotFoundError` and `MediaUnreadableError` (with FFmpeg's words, or the system's).
    """
    if (name := _CODECS.get(path.suffix.lower())) is None:
        raise MediaUnreadableError(f"{path} is no picture file that V2S reads; wanted one of {', '.join(_CODECS)}")
    codec = av.CodecContext.create(name, "r")
    assert isinstance(codec, VideoCodecContext)  # noqa: S101  (all of them decode pictures)
    codec.options = _OPTIONS.get(name, {})
    codec.thread_type = "SLICE"
    try:
        frames = [*codec.decode(av.Packet(path.read_bytes())), *codec.decode(None)]
        words = "it holds no picture"
    except FileNotFoundError:
        raise MediaNotFoundError(f"no such file: {path}; relink the clip or give another path") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        frames, words = [], getattr(error, "strerror", None) or str(error)
    if not frames:
        raise MediaUnreadableError(
            f"cannot read {path}: {words}; wanted a picture that FFmpeg decodes: "
            "open it to check it, export it again or relink the clip"
        )
    return Image(frames[0], codec)
