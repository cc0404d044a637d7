"""Batches for training with carried state: every row is an endless stream of excerpts.

    row 0   |excerpt----------------|excerpt-----|excerpt--------- ...
    row 1   |excerpt-----|excerpt----------------|excerpt--------- ...
              ^ reset      chunks of 512 samples, state carried from chunk to chunk inside an excerpt

Which excerpt comes n-th in a row depends on (seed, row, n) only, so that a stream resumes from three numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import encode_codes, resample
from v2s_engine.corpus.recordings import AUDIBLE_DBFS, Recording
from v2s_engine.envelope import measure_envelope
from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE, steps_covering
from v2s_engine.model.hearing import Playable, playable
from v2s_engine.options import SILENCE_CODE, ModelConfig
from v2s_engine.train.chunks import Chunk, StreamPrint, StreamState, stream_print
from v2s_engine.train.disturbance import disturbed


@dataclass(frozen=True)
class StreamOptions:
    """How excerpts are drawn."""

    rows: int = 16
    """Streams side by side, B."""
    chunk_length: int = 512
    """Samples per truncated back-propagation step (SampleRNN's best, 32 ms), a multiple of 256."""
    excerpt_length: int = 48_000
    """Longest excerpt, in samples."""
    gain_range: tuple[float, float] = (-12.0, 3.0)
    """Random gain per excerpt, dB; never so much that it would clip."""
    speeds: tuple[float, ...] = (0.94, 1.0, 1.06)
    """Playback speeds that each recording is heard at."""
    level_jitter: float = 6.0
    """Spread, in dB, of a slow random gain on what the network sees but not on what it is to predict.

    Free-running, a network hears its own mistakes: once too loud, it goes on too loud, since in training the past
    always had the right level. With the past at a wrong level in training, it trusts the conditioning instead.
    """
    noise_share: float = 0.5
    """Share of excerpts in which noise is added to what the network sees but not to what it is to predict.

    White where the network works (after pre-emphasis), 0 to 40 dB below the sound. Free-running, a network adds
    noise of its own; having seen noise before clean sound, it goes back to clean sound instead of adding more.
    """
    seed: int = 0


MOST_READY = 3 * 3_600 * SAMPLE_RATE
"""Samples of recordings that are kept ready to be learned from: 3 hours, 1.4 GB for source-filter models."""


class _Excerpt(NamedTuple):
    codes: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    conditioning: NDArray[np.float32]


class ExcerptStream:
    """Endless batches drawn from recordings; classes are drawn evenly, recordings by how much they sound.

    `rows` are those of the batch's rows that this stream is to give; none given means all.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        config: ModelConfig,
        options: StreamOptions,
        rows: range | None = None,
    ) -> None:
        self._config = config
        self._options = options
        self.fingerprint: StreamPrint = stream_print(
            options, [(each.material.file, each.material.sound_class, each.material.sha256) for each in recordings]
        )
        self._sounds: list[list[NDArray[np.float32]]] = []  # [class][recording]
        self._ready: dict[tuple[int, int, int], Playable] = {}  # by class, recording and speed, as they are used
        self._weights: list[NDArray[np.float64]] = []
        for name in config.sound_classes:
            of_class = [each for each in recordings if each.material.sound_class == name]
            self._sounds.append([each.samples for each in of_class])
            audible = np.array([_audible_steps(each.samples) for each in of_class], np.float64)
            self._weights.append(np.sqrt(audible) / np.sqrt(audible).sum())
        self.rows = range(options.rows) if rows is None else rows
        self.chunk_length = options.chunk_length
        self._numbers = [0] * len(self.rows)
        self._chunks = [0] * len(self.rows)
        self._excerpts = [self._draw(row, 0) for row in self.rows]

    def state(self) -> StreamState:
        """Where every row stands; give it to `restore` to go on from here."""
        return {"numbers": list(self._numbers), "chunks": list(self._chunks)}

    def restore(self, state: StreamState) -> None:
        """Go on from a `state()` of all rows."""
        own = slice(self.rows.start, self.rows.stop)
        self._numbers, self._chunks = list(state["numbers"][own]), list(state["chunks"][own])
        self._excerpts = [self._draw(row, number) for row, number in zip(self.rows, self._numbers, strict=True)]

    def next_chunk(self) -> Chunk:
        """The next chunk of every row."""
        config, length = self._config, self._options.chunk_length
        vectors = length // config.conditioning_length
        rows = len(self.rows)
        codes = np.empty((rows, config.history_length + length), np.uint8)
        targets = np.empty((rows, length), np.uint8)
        conditioning = np.empty((rows, vectors, config.conditioning_size), np.float32)
        reset = np.zeros(rows, np.bool_)
        for row in range(rows):
            excerpt = self._excerpts[row]
            if self._chunks[row] * length >= len(excerpt.targets):
                self._numbers[row] += 1
                self._chunks[row] = 0
                excerpt = self._excerpts[row] = self._draw(self.rows[row], self._numbers[row])
            chunk = self._chunks[row]
            codes[row] = excerpt.codes[chunk * length : chunk * length + codes.shape[1]]
            targets[row] = excerpt.targets[chunk * length : (chunk + 1) * length]
            conditioning[row] = excerpt.conditioning[chunk * vectors : (chunk + 1) * vectors]
            reset[row] = chunk == 0
            self._chunks[row] += 1
        return Chunk(codes, targets, conditioning, reset, np.ones(targets.shape, np.bool_))

    def _playable(self, class_index: int, recording: int, speed: int) -> Playable:
        """A recording heard at one of the speeds."""
        place = (class_index, recording, speed)
        if place not in self._ready:
            rate = round(SAMPLE_RATE * self._options.speeds[speed])
            samples = resample(self._sounds[class_index][recording], rate, SAMPLE_RATE)
            self._ready[place] = playable(samples, self._config)
            held = sum(len(each.samples) for each in self._ready.values())
            while held > MOST_READY and len(self._ready) > 1:
                held -= len(self._ready.pop(next(iter(self._ready))).samples)  # the one made first
        return self._ready[place]

    def _draw(self, row: int, number: int) -> _Excerpt:
        """Excerpt `number` of `row`: silence, a stretch of a recording at a random gain, silence to a whole chunk.

        Stretches begin at whole envelope steps of the recording, so that it is made ready once (`Playable`).
        """
        options = self._options
        rng = np.random.default_rng((options.seed, row, number))
        class_index = int(rng.integers(len(self._sounds)))
        recording = int(rng.choice(len(self._weights[class_index]), p=self._weights[class_index]))
        speed = int(rng.integers(len(options.speeds)))
        sound = self._playable(class_index, recording, speed)
        step, chunk, have = ENVELOPE_LENGTH, options.chunk_length, len(sound.samples)
        most = options.excerpt_length // chunk * chunk
        lead = step * int(rng.integers(0, max(1, min(16, most // 2 // step)))) if rng.random() < 0.5 else 0
        room = most - lead
        first = step * int(rng.integers(0, (have - room) // step + 1)) if have > room else 0
        length = min(room, have - first)
        tail = int(rng.integers(0, 6_000)) if have <= room else 0
        gain = 10 ** (rng.uniform(*options.gain_range) / 20)
        gain = min(gain, 0.98 / max(float(np.max(np.abs(sound.samples[first : first + length]))), 1e-6))
        total = min(steps_covering(lead + length + tail, chunk) * chunk, most)
        target, conditioning = sound.stretch(first, length, lead=lead, total=total, gain=gain).heard(
            class_index, self._config
        )
        history = np.full(self._config.history_length, SILENCE_CODE, np.uint8)
        seen = disturbed(
            target,
            rng,
            level_jitter=options.level_jitter,
            noise_share=options.noise_share,
            pre_emphasis=self._config.pre_emphasis,
        )
        return _Excerpt(
            codes=np.concatenate([history, encode_codes(seen, self._config)]),
            targets=encode_codes(target, self._config),
            conditioning=conditioning,
        )


def _audible_steps(samples: NDArray[np.float32]) -> int:
    return max(1, int((measure_envelope(samples).loudness > AUDIBLE_DBFS).sum()))
