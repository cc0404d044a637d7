"""How loud a sound is: for a whole track by the broadcast standard, and moment by moment.

integrated_loudness    LUFS of a programme by ITU-R BS.1770, silence gated out     (FFmpeg's filter `ebur128`)
true_peak              dBTP: the highest point of the curve through the samples    (the same)
read_levels            dBFS of a file every 5 ms, whatever its format
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.filter import Graph
from av.stream import Disposition
from numpy.typing import NDArray

from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError
from v2s_engine.grid import round_half_up

LEVELS_PER_SECOND = 200
"""Values per second that `read_levels` gives."""

LOUDNESS_FLOOR = -70.0
"""LUFS below which BS.1770 counts a moment as silence."""

SILENCE_DBFS = -120.0

_BLOCKS_PER_SECOND = 10  # the filter answers every 100 ms
_PREROLL = 1  # seconds decoded ahead of what is asked for: codecs settle in


def integrated_loudness(pieces: Iterable[NDArray[np.float32]], rate: int) -> float | None:
    """LUFS of a mono programme that comes in pieces `[L]`, full scale 1; None where nothing passes the gate.

    Mono counts as one channel. Memory does not grow with the length.
    """
    found = _last_answer(_padded(pieces, rate, blocks=4), rate, "metadata=1:framelog=quiet")
    loudness = float(found["lavfi.r128.I"])
    return loudness if loudness > LOUDNESS_FLOOR else None


def true_peak(samples: NDArray[np.float32], rate: int) -> float:
    """The true peak of mono samples `[L]` in dBTP; minus infinity for silence."""
    peak = float(np.max(np.abs(samples), initial=0.0))
    if not peak:
        return -math.inf
    # The filter answers in thousandths of full scale, which are too coarse for a quiet sound.
    found = _last_answer(_padded([samples / peak], rate, blocks=1), rate, "metadata=1:framelog=quiet:peak=true")
    return 20 * math.log10(peak * max(1.0, float(found["lavfi.r128.true_peak"])))


def read_levels(path: Path, start: Fraction, duration: Fraction) -> NDArray[np.float32]:
    """RMS levels of a file's first sound stream in dBFS, one for every 5 ms of `duration`: `[N]` float32.

    `start` counts in seconds from the file's first picture, or first sample where it has no pictures. Of several
    channels the loudest counts: an empty second one must not make a voice quieter. Outside the file is silence.
    Seeks, and decodes only what is asked for.

    Raises `MediaNotFoundError`, and `MediaUnreadableError` where the file cannot be decoded or holds no sound there.
    """
    if not path.exists():
        raise MediaNotFoundError(f"no sound file at {path}; relink the clip")
    count = math.ceil(duration * LEVELS_PER_SECOND)
    power = np.zeros((1, count))
    found = False
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise MediaUnreadableError(f"{path} holds no sound stream; relink the clip to a file with sound")
            stream = container.streams.audio[0]
            for first, samples in _samples_from(container, stream, start):
                blocks = (first + np.arange(samples.shape[1])) * LEVELS_PER_SECOND // stream.rate
                inside = (blocks >= 0) & (blocks < count)
                if len(blocks) and blocks[0] >= count:
                    break
                added = [np.bincount(blocks[inside], channel[inside] ** 2, minlength=count) for channel in samples]
                power = power + np.array(added)
                found = found or bool(inside.any())
            means = power.max(axis=0) * LEVELS_PER_SECOND / stream.rate
    except (av.error.FFmpegError, OSError) as error:
        raise MediaUnreadableError(f"{path} cannot be decoded as sound; FFmpeg says: {error}") from error
    if not found:
        raise MediaUnreadableError(
            f"{path} holds no sound between {float(start):.3f} s and {float(start + duration):.3f} s; relink the clip "
            "to the right file"
        )
    return np.asarray(10 * np.log10(np.maximum(means, 10 ** (SILENCE_DBFS / 10))), np.float32)


def _samples_from(
    container: InputContainer, stream: AudioStream, start: Fraction
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Decoded samples `[C, L]` and the position of the first of them, in samples after `start`."""
    tick = stream.time_base or Fraction(1, stream.rate)
    origin = _origin(container, stream)
    if start > _PREROLL:
        container.seek(int((start - _PREROLL + origin) / tick), stream=stream)
    resampler = av.AudioResampler(format="dblp")  # another form of the same samples, at the same rate
    following = 0
    for frame in chain(container.decode(stream), [None]):
        for part in resampler.resample(frame):
            if part.pts is not None and part.time_base is not None:
                following = round_half_up((part.pts * part.time_base - origin - start) * stream.rate)
            samples = np.asarray(part.to_ndarray(), np.float64)
            yield following, samples
            following += samples.shape[1]


def _origin(container: InputContainer, stream: AudioStream) -> Fraction:
    """The file's second 0 on its own clock: its first picture, else its first sample."""
    pictures = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    first = pictures[0] if pictures else stream
    return (first.start_time or 0) * (first.time_base or Fraction(0))


def _padded(pieces: Iterable[NDArray[np.float32]], rate: int, *, blocks: int) -> Iterator[NDArray[np.float32]]:
    """The pieces, and silence up to the filter's next answer; at least so many answers in all."""
    length = 0
    for piece in pieces:
        length += len(piece)
        yield piece
    block = rate // _BLOCKS_PER_SECOND
    yield np.zeros(max(-length % block, blocks * block - length), np.float32)


def _last_answer(pieces: Iterable[NDArray[np.float32]], rate: int, options: str) -> dict[str, str]:
    """What the filter `ebur128` says after the last sample."""
    graph = Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=Fraction(1, rate))
    meter, sink = graph.add("ebur128", options), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    answer: dict[str, str] = {}
    position = 0
    for piece in chain(pieces, [None]):
        if piece is None:
            graph.push(None)
        elif len(piece):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece[None], np.float32), "flt", "mono")
            frame.sample_rate, frame.pts = rate, position
            position += len(piece)
            graph.push(frame)
        for answered in _pulled(graph):
            answer = answered or answer
    return answer


def _pulled(graph: Graph) -> Iterator[dict[str, str]]:
    while True:
        try:
            yield dict(graph.pull().metadata)
        except (av.error.BlockingIOError, av.error.EOFError):
            return
