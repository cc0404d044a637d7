"""The sound of a stretch of a film, exactly in time: what is needed of it is sought, the rest is not decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from v2s_engine.audio import resample
from v2s_engine.grid import SAMPLE_RATE, round_half_up
from v2s_engine.vegas.sources import FetchFailure

_LEAD = 1
"""Whole seconds before the stretch that are resampled with it, so that it does not begin with the filter's start."""

_TAIL = Fraction(1, 10)
"""Seconds behind it, likewise."""

_SEEK_BACK = Fraction(1)
"""Seconds before the lead: decoders need some packets until what they give is right."""

_NEAR = Fraction(12)
"""Seconds from the file's start that are decoded through rather than sought to."""

_JITTER = Fraction(1, 10)
"""Seconds by which a stamp may be off before it counts as a gap. Stamps of real recordings that were cut or copied jump
back and forth by a coder's block (23 ms) though their sound goes on; followed, each jump would be a click.
"""


def read_section_sound(
    path: Path, begin: Fraction, length: int, check: Callable[[], None] = lambda: None
) -> NDArray[np.float32]:
    """At most `length` samples `[l]` at 16 kHz, mono, full scale 1, from `begin` seconds of the file's clock on.

    The mean of all channels, as `v2s_engine.audio.read_sound` takes it. Shorter where the sound ends sooner, empty
    where it ends before. Silence where it starts later or has gaps. Raises `FetchFailure` where there is no sound, or
    some of the stretch cannot be decoded.
    """
    track: _Track | None = None
    wanted = Fraction(length, SAMPLE_RATE)
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            stream = _sound_stream(container)
            if begin > _NEAR:
                _seek(container, stream, begin - _LEAD - _SEEK_BACK)
            for frame in _frames(container, stream, begin, begin + wanted):
                check()
                track = track or _Track.empty(frame.sample_rate, begin - _LEAD, _LEAD + wanted + _TAIL)
                if not track.put(frame):
                    break
    except (av.error.FFmpegError, OSError) as error:
        raise FetchFailure("broken", f"its sound cannot be decoded: {error}", lasting=True) from error
    if track is None:
        raise FetchFailure("no sound", "its sound stream holds nothing that can be decoded", lasting=True)
    sounding = round_half_up((Fraction(track.end, track.rate) - _LEAD) * SAMPLE_RATE)
    # Whole seconds of lead are a whole number of samples at any rate: the stretch begins exactly behind them.
    resampled = resample(track.samples, track.rate, SAMPLE_RATE)[_LEAD * SAMPLE_RATE :]
    return resampled[: max(0, min(length, sounding))]


@dataclass
class _Track:
    """Decoded sound, put where its times say."""

    samples: NDArray[np.float32]
    rate: int
    begin: Fraction
    """When the first sample sounds."""
    end: int = 0
    """Sample after the last that was put."""
    position: int | None = None
    """Where the next frame goes on without a gap."""

    @classmethod
    def empty(cls, rate: int, begin: Fraction, duration: Fraction) -> _Track:
        return cls(np.zeros(round_half_up(duration * rate), np.float32), rate, begin)

    def put(self, frame: AudioFrame) -> bool:
        """Whether more is wanted after this frame."""
        if frame.sample_rate != self.rate:
            found = f"its sound changes from {self.rate} to {frame.sample_rate} Hz"
            raise FetchFailure("broken", found, lasting=True)
        mono = _mono(frame)
        first = self._place(frame)
        self.position = first + len(mono)
        begin, end = max(first, 0), min(first + len(mono), len(self.samples))
        if begin < end:
            self.samples[begin:end] = mono[begin - first : end - first]
            self.end = max(self.end, end)
        return self.position < len(self.samples)

    def _place(self, frame: AudioFrame) -> int:
        stamp = None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
        if stamp is None:
            if self.position is None:
                raise FetchFailure("broken", "its sound has no times", lasting=True)
            return self.position
        told = round_half_up((stamp - self.begin) * self.rate)
        if self.position is not None and abs(told - self.position) <= _JITTER * self.rate:
            return self.position
        return told


def _sound_stream(container: InputContainer) -> AudioStream:
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream at all"
    raise FetchFailure("no sound", f"it holds {kinds}", lasting=True)


def _seek(container: InputContainer, stream: AudioStream, target: Fraction) -> None:
    tick = stream.time_base or Fraction(1, av.time_base)
    container.seek(int(target // tick), stream=stream)


def _frames(container: InputContainer, stream: AudioStream, begin: Fraction, end: Fraction) -> Iterator[AudioFrame]:
    """Frames in order, as planes of floats. A packet of the stretch that cannot be decoded is a `FetchFailure`."""
    planes = av.AudioResampler(format="fltp")
    shape: tuple[str, str, int] | None = None
    for packet in container.demux(stream):
        try:
            frames = stream.decode(packet)
        except av.error.FFmpegError as error:
            stamp = packet.pts if packet.pts is not None else packet.dts
            time = None if stamp is None or packet.time_base is None else stamp * packet.time_base
            if time is None or begin <= time < end:
                words = error.strerror or str(error)
                raise FetchFailure("broken", f"its sound cannot be decoded: {words}", lasting=True) from error
            continue
        for frame in frames:
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if shape != kind:  # a broadcast may go from stereo to 5.1 at any moment
                planes, shape = av.AudioResampler(format="fltp"), kind
            yield from planes.resample(frame)


def _mono(frame: AudioFrame) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = np.asarray(frame.to_ndarray(), np.float32).mean(axis=0)
    return mean
