"""A small film of a scored timeline, to watch and listen to before any editing program is opened.

    pictures   the topmost enabled video clip at each moment, fitted into 640 × 360; black in gaps
    sound      the tracks that V2S made, mixed to stereo; mono sounds stand in the middle, with the power they have

Both are read and written piece by piece: memory does not grow with the length of the timeline.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import opentimelineio as otio

from v2s_engine.errors import OutputError
from v2s_engine.grid import DELIVERY_RATE, round_half_up
from v2s_engine.progress import Progress, ProgressEvent
from v2s_plugin.media.footage import Footage, footage_of
from v2s_plugin.media.library import MediaLibrary, Probe
from v2s_plugin.media.urls import find_on_disk
from v2s_plugin.ours import is_ours
from v2s_plugin.outputs import whole_file
from v2s_plugin.timing.placement import PlacedClip, place_clips
from v2s_plugin.timing.rates import exact_rate, exact_span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 360
MAX_RATE = 60
FALLBACK_RATE = Fraction(25)

_CODEC = "libx264"  # left out of some builds of FFmpeg
_BIT_RATE = 1_500_000
_MIDDLE = 0.5**0.5
"""Gain of a mono sound in each channel: what `--pan` gives to something in the middle of the picture."""


@dataclass(frozen=True)
class _Shot:
    """Successive frames of the preview that show one clip (or nothing)."""

    first: int
    count: int
    footage: Footage | None
    start: Fraction
    """Seconds on the timeline at which the clip starts."""


@dataclass(frozen=True)
class _Sound:
    """One of our clips: which samples of its file stand where, in samples at the delivery rate."""

    path: Path
    start: int
    end: int
    offset: int
    """Sample of the file heard at `start`."""


@dataclass(frozen=True)
class _Film:
    shots: Iterator[_Shot]
    sounds: Sequence[_Sound]
    rate: Fraction
    count: int
    """Frames in all."""


def render_preview(
    timeline: Any, folder: Path, output: Path, progress: Progress | None = None, *, probe: Probe | None = None
) -> None:
    """Write a scored timeline as one `.mp4` (H.264 where FFmpeg has it, else MPEG-4; AAC), in the timeline's rate.

    `folder` is the timeline's own: relative media count from there. Clips whose media cannot be shown are black. An
    existing file is replaced, once the new one is whole.

    Raises `OutputError` where it cannot be written, `MediaError` where a picture file breaks on reading,
    `CancelledError` on request.
    """
    progress = progress or Progress()
    library = MediaLibrary(folder, probe)
    placed = [clip for clip in place_clips(timeline, library.length) if clip.obstacle is None]
    seen = [clip for clip in placed if clip.kind == otio.schema.TrackKind.Video]
    end = max((clip.span.end for clip in placed), default=Fraction(0))
    rate = _preview_rate(seen)
    count = -(-(end * rate).numerator // (end * rate).denominator)
    if not count:
        raise OutputError("the timeline is empty, so there is nothing to preview; check that it is the right one")
    sounds = _our_sounds(placed, folder)
    with whole_file(output) as draft:
        _write_film(draft, _Film(_shots(seen, count, rate, library), sounds, rate, count), progress)
    progress.report(ProgressEvent("preview", count, count, output.name))


def _preview_rate(seen: Sequence[PlacedClip]) -> Fraction:
    """The rate of the first clip's length, where that is a picture rate."""
    for clip in seen:
        source = clip.clip.source_range
        rate = exact_rate(source.duration.rate) if source else None
        if rate is not None and 1 <= rate <= MAX_RATE:
            return rate
    return FALLBACK_RATE


def _shots(seen: Sequence[PlacedClip], count: int, rate: Fraction, library: MediaLibrary) -> Iterator[_Shot]:
    """The frames of the preview, grouped by the clip they show."""

    def topmost(frame: int) -> int | None:
        time = frame / rate
        covering = (i for i in range(len(seen) - 1, -1, -1) if seen[i].span.start <= time < seen[i].span.end)
        return next(covering, None)  # the last in the order of the stack lies on top

    for index, group in itertools.groupby(range(count), key=topmost):
        frames = list(group)
        if index is None:
            yield _Shot(frames[0], len(frames), None, Fraction(0))
        else:
            footage = footage_of(seen[index], library)
            yield _Shot(
                frames[0], len(frames), footage if isinstance(footage, Footage) else None, seen[index].span.start
            )


def _our_sounds(placed: Sequence[PlacedClip], folder: Path) -> list[_Sound]:
    sounds = []
    for clip in placed:
        if clip.kind == otio.schema.TrackKind.Audio and is_ours(clip.clip):
            start = round_half_up(clip.span.start * DELIVERY_RATE)
            end = round_half_up(clip.span.end * DELIVERY_RATE)
            source = exact_span(clip.clip.source_range)
            offset = round_half_up(((source.start if source else 0) + clip.head) * DELIVERY_RATE)
            path = find_on_disk(clip.clip.media_reference.target_url, folder)
            sounds.append(_Sound(path, start, end, offset))
    return sounds


def _write_film(draft: Path, film: _Film, progress: Progress) -> None:
    import av  # noqa: PLC0415  (FFmpeg and NumPy: only where a film is made)

    with av.open(str(draft), "w", format="mp4") as container:
        if _CODEC in av.codec.codecs_available:
            video = container.add_stream("libx264", rate=film.rate, options={"preset": "veryfast"})
        else:
            video = container.add_stream("mpeg4", rate=film.rate)
        video.width, video.height, video.pix_fmt, video.bit_rate = WIDTH, HEIGHT, "yuv420p", _BIT_RATE
        video.codec_context.time_base = 1 / film.rate
        audio = container.add_stream("aac", rate=DELIVERY_RATE, layout="stereo")
        mixer = _Mixer(film.sounds)
        for number, picture in enumerate(_pictures(film.shots, film.rate)):
            progress.step("preview", number, film.count)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, 1 / film.rate
            container.mux(video.encode(frame))
            first, last = (round_half_up(at * DELIVERY_RATE / film.rate) for at in (number, number + 1))
            block = av.AudioFrame.from_ndarray(mixer.mix(first, last), format="fltp", layout="stereo")
            block.sample_rate, block.pts, block.time_base = DELIVERY_RATE, first, Fraction(1, DELIVERY_RATE)
            container.mux(audio.encode(block))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _pictures(shots: Iterator[_Shot], rate: Fraction) -> Iterator[NDArray[np.uint8]]:
    """`[HEIGHT, WIDTH, 3]` RGB for every frame of the preview."""
    import numpy as np  # noqa: PLC0415

    from v2s_engine.video import read_pictures  # noqa: PLC0415

    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for shot in shots:
        footage = shot.footage
        if footage is None:
            yield from itertools.repeat(black, shot.count)
            continue
        width, height = _fitted(footage.info.width, footage.info.height)
        left, top = (WIDTH - width) // 2, (HEIGHT - height) // 2
        times = [
            footage.media_time(number / rate - shot.start) for number in range(shot.first, shot.first + shot.count)
        ]
        for picture in read_pictures(footage.media, times, width=width, height=height):
            canvas = black.copy()
            canvas[top : top + height, left : left + width] = picture
            yield canvas


def _fitted(width: int, height: int) -> tuple[int, int]:
    """The largest size of the same shape that fits into the preview."""
    scale = min(Fraction(WIDTH, width), Fraction(HEIGHT, height))
    return max(1, int(width * scale)), max(1, int(height * scale))


class _Mixer:
    """Adds up sounds, one block after the other; holds only the files that sound in the block."""

    def __init__(self, sounds: Sequence[_Sound]) -> None:
        self._waiting = sorted(sounds, key=lambda sound: sound.start, reverse=True)
        self._playing: list[tuple[_Sound, NDArray[np.float32]]] = []

    def mix(self, first: int, last: int) -> NDArray[np.float32]:
        """Samples `[2, last - first]` of the timeline, in [-1, 1]; blocks must follow each other."""
        import numpy as np  # noqa: PLC0415

        from v2s_engine.audio import read_channels  # noqa: PLC0415

        while self._waiting and self._waiting[-1].start < last:
            sound = self._waiting.pop()
            channels = read_channels(sound.path, DELIVERY_RATE)
            self._playing.append((sound, channels[:2] if len(channels) > 1 else channels * np.float32(_MIDDLE)))
        mixed = np.zeros((2, last - first), np.float32)
        for sound, samples in self._playing:
            start, end = max(first, sound.start), min(last, sound.end)
            heard = samples[:, sound.offset + start - sound.start : sound.offset + end - sound.start]
            mixed[:, start - first : start - first + heard.shape[1]] += heard
        self._playing = [playing for playing in self._playing if playing[0].end > last]
        return np.clip(mixed, -1, 1)
