"""Sound as files, as samples and as codes.

file ──read_sound──> samples at 16 kHz ──encode_codes──> codes 0..255          (training)
codes ──decode_codes──> samples at 16 kHz ──finish──> samples at 48 kHz ──write_wav──> file      (use)
"""

from __future__ import annotations

import math
import wave
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError, OutputError, UsageError
from v2s_engine.grid import DELIVERY_RATE, SAMPLE_RATE
from v2s_engine.options import LEVELS, SILENCE_CODE, ModelConfig

_MU = 255.0
_MU_STEPS = 127  # codes 1..255 stand symmetrically around silence, 127 on either side

_BLOCK = 64

SUBSONIC_HZ = 20
"""Below this nothing is heard; a slow drift of the model would only take headroom and shift the waveform."""

EDGE_DURATION_MS = 3
"""Length of the fades that keep the two ends of a finished sound from clicking."""


def read_sound(path: Path, rate: int = SAMPLE_RATE, most: int | None = None) -> NDArray[np.float32]:
    """The first sound stream of a file, mixed to mono at `rate`: `[L]` float32, full scale 1.

    Any format that FFmpeg reads; no further than `most` samples, where that is given. Raises `MediaNotFoundError`, and
    `MediaUnreadableError` with FFmpeg's words where the file cannot be decoded or holds no sound.
    """
    # The mean of the channels, taken here: FFmpeg's own down-mix makes equal channels 3 dB louder than either.
    mean: NDArray[np.float32] = read_channels(path, rate, most).mean(axis=0)
    return mean


def read_channels(path: Path, rate: int = SAMPLE_RATE, most: int | None = None) -> NDArray[np.float32]:
    """The first sound stream of a file at `rate`: `[C, L]` float32, full scale 1. Otherwise as `read_sound`."""
    parts: list[NDArray[np.float32]] = []
    held = 0
    for piece in sound_pieces(path, rate):
        parts.append(piece)
        held += piece.shape[1]
        if most is not None and held >= most:
            break
    return np.concatenate(parts, axis=1)[:, :most] if parts else np.zeros((1, 0), np.float32)


def sound_pieces(path: Path, rate: int = SAMPLE_RATE) -> Iterator[NDArray[np.float32]]:
    """`read_channels` piece by piece, `[C, l]` each, for sounds too long to be held. Raises as `read_sound`."""
    if not path.exists():
        raise MediaNotFoundError(f"no sound file at {path}")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise MediaUnreadableError(f"{path} holds no sound stream; wanted a file with sound")
            resampler = av.AudioResampler(format="fltp", rate=rate)
            for frame in chain(container.decode(audio=0), [None]):
                for resampled in resampler.resample(frame):
                    yield resampled.to_ndarray().astype(np.float32, copy=False)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaUnreadableError(f"{path} cannot be decoded as sound; FFmpeg says: {error}") from error


def encode_codes(samples: NDArray[np.float32], config: ModelConfig) -> NDArray[np.uint8]:
    """Samples `[..., L]` in [-1, 1] as codes `[..., L]` by the model's pre-emphasis and quantisation.

    A fixed scale, never the clip's own minimum and maximum, so that silence is always code 128 (those who scaled each
    clip by its extremes got an offset and a noise floor: soroushmehr/sampleRNN_ICLR2017 issue 24).
    """
    emphasised = samples.astype(np.float64)
    if config.pre_emphasis:
        emphasised[..., 1:] -= config.pre_emphasis * samples[..., :-1].astype(np.float64)
    if config.quantisation == "mu-law":
        companded = np.sign(emphasised) * np.log1p(_MU * np.abs(emphasised)) / np.log1p(_MU)
        steps = np.clip(np.rint(companded * _MU_STEPS), -_MU_STEPS, _MU_STEPS)
    else:
        steps = np.clip(np.rint(emphasised * SILENCE_CODE), -SILENCE_CODE, SILENCE_CODE - 1)
    return np.asarray(steps + SILENCE_CODE, np.uint8)


def decode_codes(codes: NDArray[np.uint8], config: ModelConfig) -> NDArray[np.float32]:
    """Codes `[L]` as samples `[L]`: the inverse of `encode_codes`. Code 128 alone decodes to exactly 0.

    May pass full scale where codes ask for it; `finish` does not clip, the caller decides on a gain.
    """
    return CodeDecoder(config).decode(codes)


class CodeDecoder:
    """`decode_codes` for one sound in pieces: the same samples, bit for bit. All pieces but the last are multiples of
    64 codes.
    """

    def __init__(self, config: ModelConfig) -> None:
        self._amplitudes = _amplitudes(config)
        self._sum = LeakySum(config.pre_emphasis) if config.pre_emphasis else None

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The next samples `[L]` from the next codes `[L]`."""
        amplitudes = self._amplitudes[codes]
        return (self._sum.add(amplitudes) if self._sum else amplitudes).astype(np.float32)


def _amplitudes(config: ModelConfig) -> NDArray[np.float64]:
    steps = np.arange(LEVELS) - SILENCE_CODE
    if config.quantisation == "linear":
        return np.asarray(steps / SILENCE_CODE, np.float64)
    companded = np.clip(steps / _MU_STEPS, -1.0, 1.0)
    return np.asarray(np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(_MU)) / _MU, np.float64)


def leaky_sum(values: NDArray[np.float64], leak: float) -> NDArray[np.float64]:
    """De-emphasis, y[t] = values[t] + leak · y[t-1], for values `[L]`."""
    return LeakySum(leak).add(values)


class LeakySum:
    """`leaky_sum` of values that come in pieces, all but the last of them multiples of 64 long.

    In blocks of 64, so that NumPy can do the work: inside a block the sum is a product with a triangular matrix, and
    the last value of a block carries into the next. One product a block, so that sums do not depend on the pieces.
    """

    def __init__(self, leak: float) -> None:
        lags = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)[None, :]
        self._matrix = np.where(lags >= 0, leak ** np.maximum(lags, 0), 0.0)
        self._carry = leak ** np.arange(1, _BLOCK + 1)
        self._last = 0.0

    def add(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sums `[L]` at the next values `[L]`."""
        blocks = np.zeros((-(-len(values) // _BLOCK), _BLOCK))
        blocks.reshape(-1)[: len(values)] = values
        for block in blocks:
            block[:] = self._matrix @ block + self._carry * self._last
            self._last = float(block[-1])
            if abs(self._last) < 1e-12:  # silence ends at exactly 0, not in denormals
                self._last = 0.0
        return blocks.reshape(-1)[: len(values)]


def finish(samples: NDArray[np.float32], length: int, rate: int = DELIVERY_RATE) -> NDArray[np.float32]:
    """A generated sound at 16 kHz as it goes to the editor: `[length]` float32 at `rate`, exactly that long.

    Freed of what lies below 20 Hz (first order), resampled by FFmpeg, cut, and faded over 3 ms at both ends so that
    neither clicks. Raises `UsageError` where `samples` are too short for `length`.
    """
    wanted = -(-length * SAMPLE_RATE // rate)
    if len(samples) < wanted:
        raise UsageError(f"{length} samples at {rate} Hz need {wanted} samples at {SAMPLE_RATE} Hz; got {len(samples)}")
    leak = math.exp(-2 * math.pi * SUBSONIC_HZ / SAMPLE_RATE)
    drift = leaky_sum((1 - leak) * samples.astype(np.float64), leak)
    finished = resample((samples - drift).astype(np.float32), SAMPLE_RATE, rate)[:length]
    edge = min(rate * EDGE_DURATION_MS // 1000, length // 2)
    if edge:
        fade = (0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)).astype(np.float32)
        finished[:edge] *= fade
        finished[length - edge :] *= fade[::-1]
    return finished


def resample(samples: NDArray[np.float32], rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """Mono samples `[L]` at another rate: `[ceil(L · rate_out / rate_in)]`, aligned at the first sample."""
    if rate_in == rate_out or not len(samples):
        return samples.copy()
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_out)
    # Silence behind, cut off again: FFmpeg gives nothing back for sounds shorter than its filter.
    padded = np.concatenate([samples, np.zeros(256, np.float32)]).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(padded[None], format="flt", layout="mono")
    frame.sample_rate = rate_in
    frames = resampler.resample(frame) + resampler.resample(None)
    resampled = np.concatenate([part.to_ndarray()[0] for part in frames]).astype(np.float32)
    return resampled[: -(-len(samples) * rate_out // rate_in)]


def write_wav(path: Path, samples: NDArray[np.float32], rate: int = DELIVERY_RATE) -> None:
    """Write mono samples `[L]`, or those of several channels `[C, L]`, as a 24-bit WAV.

    Without any other chunk (no timecode: hosts misplace those). Samples beyond full scale raise `UsageError`: the
    caller decides on a gain. A disk that cannot take the file raises `OutputError` and leaves nothing behind.
    """
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak > 1.0:
        raise UsageError(f"{path.name} would clip: peak {peak:.3f}, at most 1 is wanted; turn it down first")
    values = np.rint(samples.astype(np.float64) * (2**23 - 1)).astype("<i4")
    channels = 1 if samples.ndim == 1 else len(samples)
    packed = np.ascontiguousarray(values.T).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    try:
        with path.open("wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(3)
            file.setframerate(rate)
            file.writeframes(packed)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error}; free some space or choose another folder") from error
