"""Batches for training on clips: every row is an endless stream of clips, with what is told of their pictures.

    row 0   |clip A, looped to a window-------|clip B, looped-------------------|clip C ...
    row 1   |clip D, longer: window 1---------|window 2-----|clip E, looped------------- ...
              ^ reset, window starts            ^ window starts: pictures' state anew, all else carried

The clips come in passes: each pass is every clip once, in an order of its own. What comes n-th in a row depends on
(seed, row, n) and the number of rows only, so a stream resumes from two numbers a row, whatever process gives the row.

Looped clips are all as long as a window, so that all rows would start their windows in the same step for ever. Each
row therefore ends its first clip early, row r of B after (r + 1) / B of a window: from then on the rows' windows start
evenly spread over the steps, and the pictures' encoder of `sequence` and `flow` learns often, from some rows at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from v2s_engine.arrays import on_host
from v2s_engine.audio import encode_codes
from v2s_engine.corpus.clip_material import PreparedClip
from v2s_engine.errors import UsageError
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.model.conditioning import (
    looped,
    picture_conditioning,
    picture_windows,
)
from v2s_engine.model.hearing import Heard, hear
from v2s_engine.options import SILENCE_CODE, ModelConfig
from v2s_engine.train.chunks import Chunk, StreamPrint, StreamState, WindowStarts, stream_print
from v2s_engine.train.disturbance import disturbed

Fill = Literal["loop", "mask"]
"""What becomes of clips that are shorter than a window: looped to it (the paper), or ended and padding masked."""


@dataclass(frozen=True)
class ClipStreamOptions:
    """How clips are played. The defaults are the paper's: nothing is changed, short clips are looped.

    Raises `UsageError` for values out of range.
    """

    rows: int = 128
    """Streams side by side, B."""
    chunk_length: int = 512
    """Samples per chunk; with the length of a whole window (156 · 1,024), all rows start their windows together."""
    fill: Fill = "loop"
    gain_range: tuple[float, float] = (0.0, 0.0)
    """Random gain per clip, dB; never so much that it would clip."""
    level_jitter: float = 0.0
    """As `StreamOptions.level_jitter`, dB."""
    noise_share: float = 0.0
    """As `StreamOptions.noise_share`."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.fill not in get_args(Fill):
            raise UsageError(f"wanted at least one row and fill loop or mask; got {self.rows}, {self.fill!r}")
        if self.seed < 0:
            raise UsageError(f"a seed must be at least 0; got {self.seed}")


class _Playing(NamedTuple):
    """A clip as a row plays it, `P` samples: a multiple of the chunk length."""

    clip: PreparedClip
    pictures: int
    """Picture steps of the clip that are played; looping starts over after them."""
    codes: NDArray[np.uint8]  # [history_length + P]
    targets: NDArray[np.uint8]  # [P]
    length: int
    """Samples that count; the rest of P is padding."""
    conditioning: NDArray[np.float32]  # [ceil(P / conditioning_length), C]


class ClipStream:
    """Endless batches of clips. `rows` are those of the batch's rows that this stream gives; none given means all.

    Looping takes whole picture steps of a clip, picture and sound together, so that they stay in step however often it
    comes round; what is beyond the last whole step (less than 64 ms) is not played. Clips longer than a window are
    not looped: they run window after window to their end. Raises `UsageError` where a chunk fits neither the
    conditioning vectors nor the windows, or where there are no clips.
    """

    def __init__(
        self,
        clips: Sequence[PreparedClip],
        config: ModelConfig,
        options: ClipStreamOptions,
        rows: range | None = None,
    ) -> None:
        check_chunks(options, config)
        if not clips:
            raise UsageError("there are no clips to learn from; wanted at least one")
        self._clips = tuple(clips)
        self._config = config
        self._options = options
        self.fingerprint: StreamPrint = stream_print(
            options, [(each.name, each.category, each.sha256) for each in clips]
        )
        self.rows = range(options.rows) if rows is None else rows
        self.chunk_length = options.chunk_length
        self._numbers = [0] * len(self.rows)
        self._chunks = [0] * len(self.rows)
        self._playing = [self._play(row, 0) for row in self.rows]

    def state(self) -> StreamState:
        """Where these rows stand: the number of the clip in its row, and of the chunk to come."""
        return {"numbers": list(self._numbers), "chunks": list(self._chunks)}

    def restore(self, state: StreamState) -> None:
        """Go on from a `state()` of all rows."""
        own = slice(self.rows.start, self.rows.stop)
        self._numbers, self._chunks = list(state["numbers"][own]), list(state["chunks"][own])
        self._playing = [self._play(row, number) for row, number in zip(self.rows, self._numbers, strict=True)]

    def next_chunk(self) -> Chunk:
        """The next chunk of every row."""
        config, length = self._config, self.chunk_length
        rows, vectors = len(self.rows), steps_covering(length, config.conditioning_length)
        codes = np.empty((rows, config.history_length + length), np.uint8)
        targets = np.empty((rows, length), np.uint8)
        conditioning = np.empty((rows, vectors, config.conditioning_size), np.float32)
        reset = np.zeros(rows, np.bool_)
        mask = np.empty((rows, length), np.bool_)
        starting: list[int] = []
        features: list[NDArray[np.float32]] = []
        for row in range(rows):
            if self._chunks[row] * length >= len(self._playing[row].targets):
                self._numbers[row] += 1
                self._chunks[row] = 0
                self._playing[row] = self._play(self.rows[row], self._numbers[row])
            playing = self._playing[row]
            begin = self._chunks[row] * length
            first = begin // config.conditioning_length
            codes[row] = playing.codes[begin : begin + codes.shape[1]]
            targets[row] = playing.targets[begin : begin + length]
            conditioning[row] = playing.conditioning[first : first + vectors]
            reset[row] = begin == 0
            mask[row] = np.arange(begin, begin + length) < playing.length
            if config.starts_from_pictures and begin % config.encoder_window_length == 0:
                starting.append(row)
                features.append(self._window(playing, begin // config.encoder_window_length))
            self._chunks[row] += 1
        windows = WindowStarts(np.array(starting), np.stack(features)) if starting else None
        return Chunk(codes, targets, conditioning, reset, mask, windows)

    def _window(self, playing: _Playing, number: int) -> NDArray[np.float32]:
        """What is seen in window `number` of a clip, `[encoder_window, V]`; read when it is wanted, not held."""
        windows = picture_windows(playing.clip.features[: playing.pictures], self._config)
        return np.asarray(windows[number])

    def _play(self, row: int, number: int) -> _Playing:
        """Clip `number` of `row`."""
        config, options = self._config, self._options
        rng = np.random.default_rng((options.seed, row, number))
        clip = self._clips[self._draw(row, number)]
        sound = _with_gain(clip.samples, rng, options.gain_range)
        pictures = steps_covering(len(sound), FRAME_LENGTH)
        if options.fill == "loop" and len(sound) < config.encoder_window_length:
            pictures = max(1, len(sound) // FRAME_LENGTH)
            sound = looped(_fitted(sound, pictures * FRAME_LENGTH), config.encoder_window_length)
        length = len(sound) if number else self._first_length(row, len(sound))
        sound = _fitted(sound, steps_covering(length, options.chunk_length) * options.chunk_length)
        target, conditioning = self._heard(clip, pictures, sound)
        seen = disturbed(
            target,
            rng,
            level_jitter=options.level_jitter,
            noise_share=options.noise_share,
            pre_emphasis=config.pre_emphasis,
        )
        return _Playing(
            clip=clip,
            pictures=pictures,
            codes=np.concatenate([np.full(config.history_length, SILENCE_CODE, np.uint8), encode_codes(seen, config)]),
            targets=encode_codes(target, config),
            length=length,
            conditioning=conditioning,
        )

    def _first_length(self, row: int, length: int) -> int:
        """How much of its first clip of `length` samples a row plays, so that the rows' windows start spread evenly."""
        options, window = self._options, self._config.encoder_window_length
        chunks = window // options.chunk_length
        if options.fill == "mask" or row == options.rows - 1 or chunks <= 1:
            return length
        return min(length, steps_covering((row + 1) * chunks, options.rows) * options.chunk_length)

    def _draw(self, row: int, number: int) -> int:
        """Which clip is the row's n-th: the rows take turns in passes over all clips."""
        turn = number * self._options.rows + row
        order = np.random.default_rng((self._options.seed, turn // len(self._clips))).permutation(len(self._clips))
        return int(order[turn % len(self._clips)])

    def _heard(self, clip: PreparedClip, pictures: int, sound: NDArray[np.float32]) -> Heard:
        """What is to be made of `sound`, in which the clip's first `pictures` come round again and again."""
        config = self._config
        if config.conditioning == "envelope":
            return hear(sound, clip.class_index, config)
        count = steps_covering(len(sound), FRAME_LENGTH)
        features = clip.features[:pictures].astype(np.float32, copy=False)
        return Heard(sound, on_host(picture_conditioning(features, count, clip.class_index, config, None).vectors))


def check_chunks(options: ClipStreamOptions, config: ModelConfig) -> None:
    """Raise `UsageError` for chunks that fit neither the conditioning vectors nor the windows of a model."""
    length, vector = options.chunk_length, config.conditioning_length
    if length < 1 or length % config.coarse_unit or (length % vector and vector % length):
        raise UsageError(
            f"a chunk of {length} samples does not fit conditioning vectors of {vector}; wanted a divisor or a "
            f"multiple of {vector} that {config.coarse_unit} divides"
        )
    if config.starts_from_pictures and config.encoder_window_length % length:
        raise UsageError(
            f"a chunk of {length} samples does not divide a window of {config.encoder_window} pictures "
            f"({config.encoder_window_length} samples); take e.g. 512 or the whole window"
        )


def _with_gain(
    samples: NDArray[np.float32], rng: np.random.Generator, gain_range: tuple[float, float]
) -> NDArray[np.float32]:
    """The samples at a random gain in dB, turned up no further than to full scale."""
    if gain_range == (0.0, 0.0):
        return samples
    gain = 10 ** (rng.uniform(*gain_range) / 20)
    peak = max(float(np.max(np.abs(samples))), 1e-6)
    return (min(gain, max(0.98 / peak, 1.0)) * samples).astype(np.float32)


def _fitted(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Cut, or filled up with silence."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
