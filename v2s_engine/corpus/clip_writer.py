"""Writes made pictures and sound as a file, exactly: sound as PCM, so that nothing is early or late."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

from v2s_engine.errors import OutputError
from v2s_engine.grid import SAMPLE_RATE


def write_clip_file(
    path: Path, pictures: Iterable[NDArray[np.uint8]], rate: Fraction, sound: NDArray[np.float32]
) -> None:
    """Write pictures `[H, W, 3]` at `rate` per second and a sound `[L]` at 16 kHz: H.264 and 16-bit PCM in Matroska.

    Under a temporary name, then renamed. Raises `OutputError` where that fails.
    """
    draft = path.with_name(f"{path.stem}.part.mkv")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(draft), "w") as container:
            _write_streams(container, pictures, rate, sound)
        draft.replace(path)
    except (OSError, av.error.FFmpegError) as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise OutputError(f"cannot write the clip {path}: {error}; free some space or choose another folder") from error


def _write_streams(
    container: OutputContainer, pictures: Iterable[NDArray[np.uint8]], rate: Fraction, sound: NDArray[np.float32]
) -> None:
    video = container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "16"})
    audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE)
    assert isinstance(audio, AudioStream)  # noqa: S101 - what PyAV gives for this codec
    audio.codec_context.layout = "mono"
    video.pix_fmt, video.codec_context.thread_count = "yuv420p", 1
    for number, picture in enumerate(pictures):
        if number == 0:
            video.height, video.width = picture.shape[:2]
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, 1 / rate
        container.mux(video.encode(frame))
    container.mux(video.encode(None))
    whole = av.AudioFrame.from_ndarray(np.asarray(np.clip(sound, -1, 1) * 32767, np.int16)[None], "s16", "mono")
    whole.sample_rate, whole.pts = SAMPLE_RATE, 0
    container.mux(audio.encode(whole))
    container.mux(audio.encode(None))
