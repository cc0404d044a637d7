"""Batches for training with carried state: every row is an endless stream of excerpts.

    row 0   |excerpt----------------|excerpt-----|excerpt--------- ...
    row 1   |excerpt-----|excerpt----------------|excerpt--------- ...
              ^ reset      chunks of 1,024 samples, state carried from chunk to chunk inside an excerpt

Which excerpt comes n-th in a row depends on (seed, row, n) only, so that a stream resumes from three numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import encode_codes, resample
from v2s_engine.envelope import measure_envelope
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.model.conditioning import envelope_conditioning
from v2s_engine.options import SILENCE_CODE, ModelConfig
from v2s_engine.train.recordings import AUDIBLE_DBFS, Recording


@dataclass(frozen=True)
class StreamOptions:
    """How excerpts are drawn."""

    rows: int = 32
    """Streams side by side, B."""
    chunk_length: int = 1024
    """Samples per truncated back-propagation step, a multiple of 1,024."""
    excerpt_length: int = 48_000
    """Longest excerpt, in samples."""
    gain_range: tuple[float, float] = (-12.0, 3.0)
    """Random gain per excerpt, dB; never so much that it would clip."""
    speeds: tuple[float, ...] = (0.94, 1.0, 1.06)
    """Playback speeds that each recording is heard at."""
    seed: int = 0


class Chunk(NamedTuple):
    """One step's input."""

    codes: NDArray[np.uint8]
    """`[B, history_length + chunk_length]`."""
    conditioning: NDArray[np.float32]
    """`[B, chunk_length / conditioning_length, C]`."""
    reset: NDArray[np.bool_]
    """`[B]`: the row starts a new excerpt here."""


class _Excerpt(NamedTuple):
    codes: NDArray[np.uint8]
    conditioning: NDArray[np.float32]


class ExcerptStream:
    """Endless batches drawn from recordings; classes are drawn evenly, recordings by how much they sound."""

    def __init__(self, recordings: Sequence[Recording], config: ModelConfig, options: StreamOptions) -> None:
        self._config = config
        self._options = options
        self._sounds: list[list[list[NDArray[np.float32]]]] = []  # [class][recording][speed]
        self._weights: list[NDArray[np.float64]] = []
        for name in config.sound_classes:
            of_class = [each for each in recordings if each.material.sound_class == name]
            self._sounds.append(
                [
                    [resample(each.samples, round(SAMPLE_RATE * speed), SAMPLE_RATE) for speed in options.speeds]
                    for each in of_class
                ]
            )
            audible = np.array([_audible_steps(each.samples) for each in of_class], np.float64)
            self._weights.append(np.sqrt(audible) / np.sqrt(audible).sum())
        self._numbers = [0] * options.rows
        self._chunks = [0] * options.rows
        self._excerpts = [self._draw(row, 0) for row in range(options.rows)]

    def state(self) -> dict[str, list[int]]:
        """Where every row stands; give it to `restore` to go on from here."""
        return {"numbers": list(self._numbers), "chunks": list(self._chunks)}

    def restore(self, state: dict[str, list[int]]) -> None:
        """Go on from a `state()`."""
        self._numbers, self._chunks = list(state["numbers"]), list(state["chunks"])
        self._excerpts = [self._draw(row, number) for row, number in enumerate(self._numbers)]

    def next_chunk(self) -> Chunk:
        """The next chunk of every row."""
        config, length = self._config, self._options.chunk_length
        vectors = length // config.conditioning_length
        rows = self._options.rows
        codes = np.empty((rows, config.history_length + length), np.uint8)
        conditioning = np.empty((rows, vectors, config.conditioning_size), np.float32)
        reset = np.zeros(rows, np.bool_)
        for row in range(rows):
            excerpt = self._excerpts[row]
            if self._chunks[row] * length >= len(excerpt.codes) - config.history_length:
                self._numbers[row] += 1
                self._chunks[row] = 0
                excerpt = self._excerpts[row] = self._draw(row, self._numbers[row])
            chunk = self._chunks[row]
            codes[row] = excerpt.codes[chunk * length : chunk * length + codes.shape[1]]
            conditioning[row] = excerpt.conditioning[chunk * vectors : (chunk + 1) * vectors]
            reset[row] = chunk == 0
            self._chunks[row] += 1
        return Chunk(codes, conditioning, reset)

    def _draw(self, row: int, number: int) -> _Excerpt:
        """Excerpt `number` of `row`: silence, a stretch of a recording at a random gain, silence to a whole chunk."""
        options = self._options
        rng = np.random.default_rng((options.seed, row, number))
        class_index = int(rng.integers(len(self._sounds)))
        recording = int(rng.choice(len(self._weights[class_index]), p=self._weights[class_index]))
        speeds = self._sounds[class_index][recording]
        samples = speeds[int(rng.integers(len(speeds)))]
        lead = int(rng.integers(0, min(4_000, options.excerpt_length // 2))) if rng.random() < 0.5 else 0
        room = options.excerpt_length - lead
        start = int(rng.integers(0, len(samples) - room + 1)) if len(samples) > room else 0
        stretch = samples[start : start + room]
        gain = 10 ** (rng.uniform(*options.gain_range) / 20)
        gain = min(gain, 0.98 / max(float(np.max(np.abs(stretch))), 1e-6))
        tail = int(rng.integers(0, 6_000)) if len(samples) <= room else 0
        length = -(-(lead + len(stretch) + tail) // options.chunk_length) * options.chunk_length
        length = min(length, options.excerpt_length // options.chunk_length * options.chunk_length)
        sound = np.zeros(length, np.float32)
        sound[lead : lead + len(stretch)] = (gain * stretch)[: length - lead]
        return _excerpt(sound, class_index, self._config)


def _excerpt(sound: NDArray[np.float32], class_index: int, config: ModelConfig) -> _Excerpt:
    history = np.full(config.history_length, SILENCE_CODE, np.uint8)
    codes = np.concatenate([history, encode_codes(sound, config)])
    return _Excerpt(codes, envelope_conditioning(measure_envelope(sound), class_index, config))


def _audible_steps(samples: NDArray[np.float32]) -> int:
    return max(1, int((measure_envelope(samples).loudness > AUDIBLE_DBFS).sum()))
