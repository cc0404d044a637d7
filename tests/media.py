"""Media files for tests, made with PyAV: small, the same every time, and their truth is known.

    clip = make_clip(tmp_path / "a.mp4", rate=Fraction(24000, 1001), flashes=(12, 30))
    clip.number_at(Fraction(1, 2))      # which frame is on screen half a second in
    read_number(picture)                # which frame a picture is (every frame carries its number)

Every frame is a slate (v2s_engine/corpus/slate.py); at each flash the sound clicks.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Disposition
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from v2s_engine.corpus.scenes import Scene, SceneOptions, make_scene
from v2s_engine.corpus.slate import click_track, is_flash, read_number, slate_picture
from v2s_engine.grid import SAMPLE_RATE

__all__ = [
    "VFR_STEPS_MS",
    "Clip",
    "cut_file",
    "damage_file",
    "is_flash",
    "make_clip",
    "make_cover_art",
    "make_scene_clip",
    "make_sequence",
    "make_sound",
    "make_still",
    "read_number",
    "write_bright_clip",
    "write_clip",
    "write_image",
]

VFR_STEPS_MS = (40, 20, 70, 33, 120, 41, 17, 250)
"""Durations of successive frames of a variable-frame-rate clip, over and over."""

SOUND_RATE = 48_000

BrightTransfer = Literal["pq", "hlg"]

_IMAGE_CODECS = {
    ".bmp": ("bmp", "bgr24", "bgra"),
    ".dpx": ("dpx", "gbrp10le", "gbrap10le"),
    ".exr": ("exr", "gbrpf32le", "gbrapf32le"),
    ".jpg": ("mjpeg", "yuvj420p", ""),
    ".png": ("png", "rgb24", "rgba"),
    ".tga": ("targa", "bgr24", "bgra"),
    ".tif": ("tiff", "rgb24", "rgba"),
    ".tiff": ("tiff", "rgb48le", "rgba64le"),
}
"""By suffix: FFmpeg's name, and the pixel formats of opaque and of transparent pictures."""

_SOUND_CODECS = {".mp4": "aac", ".m4a": "aac", ".ts": "aac", ".webm": "libopus", ".mp3": "libmp3lame"}


@dataclass(frozen=True)
class Clip:
    """A made file and what is in it."""

    path: Path
    times: tuple[Fraction, ...]
    """When each frame comes on screen, in seconds from the first."""
    duration: Fraction
    flashes: tuple[int, ...]
    """Numbers of the frames that flash; a click starts with each."""

    def number_at(self, time: Fraction) -> int:
        """Number of the frame on screen at `time`: the last that came before or at it, the first before 0."""
        return max(0, bisect_right(self.times, time) - 1)

    @property
    def flash_times(self) -> tuple[Fraction, ...]:
        return tuple(self.times[number] for number in self.flashes)


def make_clip(
    path: Path,
    *,
    rate: Fraction | int = Fraction(25),
    frames: int = 50,
    flashes: Sequence[int] = (),
    codec: str = "libx264",
    vfr: bool = False,
    key_every: int = 12,
    b_frames: int = 2,
    width: int = 160,
    height: int = 120,
    pix_fmt: str = "yuv420p",
    timecode: str | None = None,
    rotation: int | None = None,
    sound: bool = True,
) -> Clip:
    """Write a slate clip; the container follows from the path's suffix. `width` × `height` are as stored.

    `rotation` is the quarter turn that a player makes (90, 180, 270, counter-clockwise); the stored pictures are
    turned the other way, so that a picture shown right can be read.
    """
    rate = Fraction(rate)
    if vfr:
        steps = itertools.islice(itertools.cycle(Fraction(ms, 1000) for ms in VFR_STEPS_MS), frames)
        times = tuple(itertools.accumulate(steps, initial=Fraction(0)))
    else:
        times = tuple(number / rate for number in range(frames + 1))
    clip = Clip(path, times[:-1], times[-1], tuple(flashes))
    turns = (rotation or 0) // 90
    shown = (height, width) if turns % 2 else (width, height)
    pictures = (
        np.ascontiguousarray(
            np.rot90(slate_picture(n, width=shown[0], height=shown[1], flash=n in clip.flashes), -turns)
        )
        for n in range(frames)
    )
    track = click_track(clip.flash_times, duration=clip.duration, rate=SOUND_RATE) if sound else None
    options = {"g": str(key_every)}
    if codec == "libx264":
        options |= {"preset": "ultrafast", "bf": str(b_frames), "x264-params": "b-adapt=0:threads=1:scenecut=0"}
    write_clip(
        path,
        pictures,
        clip.times,
        sound=track,
        rate=rate,
        tick=Fraction(1, 1000) if vfr else 1 / rate,
        codec=codec,
        pix_fmt=pix_fmt,
        options=options,
        timecode=timecode,
        rotation=rotation,
    )
    return clip


def write_clip(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    times: Sequence[Fraction],
    *,
    sound: NDArray[np.float32] | None = None,
    sound_rate: int = SOUND_RATE,
    rate: Fraction = Fraction(25),
    tick: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    timecode: str | None = None,
    rotation: int | None = None,
) -> None:
    """Write pictures `[height, width, 3]` that come on screen at `times` (multiples of `tick`), and a mono sound."""
    tick = tick or 1 / rate
    with av.open(str(path), "w") as container:
        if timecode is not None:
            container.metadata["timecode"] = timecode
        video: VideoStream | None = None
        audio = _sound_stream(container, path, sound_rate) if sound is not None else None
        for picture, time in zip(pictures, times, strict=False):
            if video is None:
                video = container.add_stream(codec, rate=rate, options=options or {})
                video.height, video.width = picture.shape[:2]
                video.pix_fmt = pix_fmt
                video.codec_context.time_base = tick
                video.codec_context.thread_count = 1
                if rotation:
                    video.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = int(time / tick), tick
            container.mux(video.encode(frame))
        if video is not None:
            container.mux(video.encode(None))
        if audio is not None and sound is not None:
            _write_sound(container, audio, sound)


def make_scene_clip(path: Path, seed: int, *, length: int = 2 * SAMPLE_RATE) -> Scene:
    """Write a rendered scene (`v2s_engine.corpus.scenes`) of `length` samples at 16 kHz with its sound."""
    scene = make_scene(seed, SceneOptions(length=length))
    frames = list(scene.frames())
    times = [number / scene.rate for number in range(len(frames))]
    coding = {"preset": "ultrafast", "x264-params": "threads=1"}
    write_clip(path, frames, times, sound=scene.sound, sound_rate=SAMPLE_RATE, rate=scene.rate, options=coding)
    return scene


def make_sound(path: Path, *, duration: Fraction = Fraction(1)) -> Path:
    """A file with a click at 0.5 s and no pictures."""
    with av.open(str(path), "w") as container:
        stream = _sound_stream(container, path, SOUND_RATE)
        _write_sound(container, stream, click_track([Fraction(1, 2)], duration=duration, rate=SOUND_RATE))
    return path


def make_cover_art(path: Path) -> Path:
    """A sound file (.mp3) with a cover picture."""
    with av.open(str(path), "w") as container:
        stream = _sound_stream(container, path, SOUND_RATE)
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 160, 120, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(slate_picture(1, width=160, height=120), format="rgb24")
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))
        _write_sound(container, stream, click_track([Fraction(1, 2)], duration=Fraction(1), rate=SOUND_RATE))
    return path


def make_still(path: Path, number: int = 7) -> Path:
    """One slate as an image file; its kind follows from the path's suffix."""
    return write_image(path, slate_picture(number, width=160, height=120))


def make_sequence(
    folder: Path,
    numbers: Iterable[int],
    *,
    prefix: str = "shot.",
    suffix: str = ".png",
    padding: int = 4,
) -> Path:
    """An image sequence; each file shows the slate of its own number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        make_still(folder / f"{prefix}{number:0{padding}d}{suffix}", number)
    return folder


def write_image(path: Path, picture: NDArray[np.uint8]) -> Path:
    """Write a picture `[height, width, 3]`, or `[height, width, 4]` with how opaque it is, as an image file."""
    codec, plain, see_through = _IMAGE_CODECS[path.suffix]
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24" if picture.shape[2] == 3 else "rgba")
    if path.suffix == ".exr":  # holds light
        values = picture / np.float32(255)
        light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)
        light[..., 3:] = values[..., 3:]
        frame = av.VideoFrame.from_ndarray(light, format=plain if picture.shape[2] == 3 else see_through)
    with av.open(str(path.with_name(f"draft{path.suffix}")), "w", format="image2") as container:  # knows no pattern
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = plain if picture.shape[2] == 3 else see_through
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.with_name(f"draft{path.suffix}").rename(path)
    return path


def write_bright_clip(path: Path, pictures: Iterable[NDArray[np.uint8]], transfer: BrightTransfer) -> None:
    """Write ordinary pictures as a high dynamic range film (BT.2100, 10 bits, white at 203 cd/m²), 10 a second."""
    with av.open(str(path), "w") as container:
        video: VideoStream | None = None
        for number, picture in enumerate(pictures):
            if video is None:
                options = {"preset": "ultrafast", "qp": "4", "x264-params": "threads=1"}
                video = container.add_stream("libx264", rate=10, options=options)
                video.height, video.width = picture.shape[:2]
                video.pix_fmt = "yuv420p10le"
                codec = video.codec_context
                codec.colorspace, codec.color_primaries, codec.color_range = 9, 9, 1
                codec.color_trc = 16 if transfer == "pq" else 18
            values = (_bright_values(picture, transfer) * 65535 + 0.5).astype(np.uint16)
            frame = av.VideoFrame.from_ndarray(values, format="rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=Colorspace.BT2020)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(video.encode(frame))
        assert video is not None
        container.mux(video.encode(None))


def _bright_values(picture: NDArray[np.uint8], transfer: BrightTransfer) -> NDArray[np.float64]:
    """The inverse of what a player does: an ordinary screen's light in BT.2020's primaries, coded by BT.2100."""
    wide = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    light = np.maximum(203 * (picture / 255) ** 2.4 @ wide.T, 1e-6)
    if transfer == "pq":
        power = (light / 10_000) ** (2610 / 16384)
        coded = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    else:
        luminance = light @ np.array([0.2627, 0.6780, 0.0593])
        scene = light / 1000 / (luminance / 1000)[..., None] ** (1 / 6)
        bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        coded = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    return np.clip(coded, 0, 1)


def cut_file(path: Path, to: Path, keep: Fraction) -> Path:
    """A copy that ends after `keep` of its bytes, as an interrupted copy does."""
    data = path.read_bytes()
    to.write_bytes(data[: int(len(data) * keep)])
    return to


def damage_file(path: Path, to: Path, begin: Fraction, end: Fraction) -> Path:
    """A copy whose bytes between the two parts of its length are overwritten with noise."""
    data = bytearray(path.read_bytes())
    first, last = int(len(data) * begin), int(len(data) * end)
    data[first:last] = np.random.default_rng(0).bytes(last - first)
    to.write_bytes(bytes(data))
    return to


def _sound_stream(container: OutputContainer, path: Path, rate: int) -> AudioStream:
    stream = container.add_stream(_SOUND_CODECS.get(path.suffix, "pcm_s16le"), rate=rate)
    assert isinstance(stream, AudioStream)
    stream.codec_context.layout = "mono"
    return stream


def _write_sound(container: OutputContainer, stream: AudioStream, sound: NDArray[np.float32]) -> None:
    frame = av.AudioFrame.from_ndarray(
        (np.clip(sound, -1, 1) * 32767).astype(np.int16)[None], format="s16", layout="mono"
    )
    frame.sample_rate, frame.pts = stream.rate, 0
    resampler = av.AudioResampler(
        format=stream.codec_context.format,
        layout="mono",
        rate=stream.rate,
        frame_size=stream.codec_context.frame_size or 1024,
    )
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))
