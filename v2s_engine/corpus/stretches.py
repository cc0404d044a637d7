"""Stretches: long recordings cut where nothing sounds, so that hours of them fit and silence is not learned from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import sound_pieces
from v2s_engine.corpus.recordings import AUDIBLE_DBFS
from v2s_engine.envelope import measure_envelope
from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE

Samples = NDArray[np.float32]

MOST_LENGTH = 30 * SAMPLE_RATE
"""Samples of a stretch at most."""

_BLOCK_LENGTH = 300 * SAMPLE_RATE  # samples that are decoded and looked at together: 19 MB
_LEAST_SILENCE = 62  # steps: a second; shorter pauses belong to the sound
_BEFORE, _AFTER = 6, 19  # steps kept around what sounds: 0.1 s, and 0.3 s for what dies away


def sound_blocks(path: Path) -> Iterator[Samples]:
    """A sound file at 16 kHz, mixed to mono, in blocks `[L]` of five minutes at most. Raises as `sound_pieces`."""
    held: list[Samples] = []
    length = 0
    for piece in sound_pieces(path, SAMPLE_RATE):
        held.append(piece.mean(axis=0))
        length += len(held[-1])
        while length >= _BLOCK_LENGTH:
            joined = np.concatenate(held)
            yield joined[:_BLOCK_LENGTH]
            held = [joined[_BLOCK_LENGTH:].copy()]
            length -= _BLOCK_LENGTH
    if length:
        yield np.concatenate(held)


def cut_at_silences(samples: Samples) -> list[slice]:
    """Where a sound `[L]` at 16 kHz sounds: stretches of at most 30 s, in order, which do not overlap.

    Silence is what stays at or below -55 dBFS for a second or longer. What sounds for longer than 30 s is cut at the
    quietest moment of the last ten.
    """
    loudness = measure_envelope(samples).loudness
    heard = np.flatnonzero(loudness > AUDIBLE_DBFS)
    if not len(heard):
        return []
    breaks = np.flatnonzero(np.diff(heard) > _LEAST_SILENCE)
    firsts, lasts = heard[np.append(0, breaks + 1)], heard[np.append(breaks, len(heard) - 1)]
    stretches = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        begin, end = max(0, first - _BEFORE), min(len(loudness), last + 1 + _AFTER)
        stretches += [
            slice(part.start * ENVELOPE_LENGTH, min(part.stop * ENVELOPE_LENGTH, len(samples)))
            for part in _short_enough(begin, end, loudness)
        ]
    return stretches


def _short_enough(begin: int, end: int, loudness: NDArray[np.float32]) -> Iterator[slice]:
    """Steps `begin` to `end` in parts of at most 30 s."""
    most = MOST_LENGTH // ENVELOPE_LENGTH
    while end - begin > most:
        late = begin + most * 2 // 3
        cut = late + int(loudness[late : begin + most].argmin())
        yield slice(begin, cut)
        begin = cut
    yield slice(begin, end)
