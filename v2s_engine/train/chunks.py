"""What training is fed: chunks of endless rows, side by side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

StreamState = dict[str, list[int]]
"""Where every row stands: lists with one number per row."""

StreamPrint = dict[str, str]
"""Everything but the state that decides what comes, by name: a training can only go on with the same."""


class WindowStarts(NamedTuple):
    """The rows in which a window of pictures starts, and what is seen in it (`sequence`, `flow`)."""

    rows: NDArray[np.int64]
    """`[S]`, positions in the chunk, rising; at least one."""
    features: NDArray[np.float32]
    """`[S, encoder_window, V]`."""


class Chunk(NamedTuple):
    """One step's input."""

    codes: NDArray[np.uint8]
    """`[B, history_length + L]`: what the network sees, its level jittered where the stream does that."""
    targets: NDArray[np.uint8]
    """`[B, L]`: what it is to predict."""
    conditioning: NDArray[np.float32]
    """`[B, ceil(L / conditioning_length), C]`: the vectors that cover the samples."""
    reset: NDArray[np.bool_]
    """`[B]`: the row starts a new excerpt or clip here."""
    mask: NDArray[np.bool_]
    """`[B, L]`: False where a target is padding and does not count."""
    windows: WindowStarts | None = None
    """None where no window of pictures starts, and always for `envelope` and `frame`."""


class ChunkStream(Protocol):
    """Endless rows of sound, given chunk by chunk; what comes depends on the stream's options and its state only."""

    @property
    def rows(self) -> range:
        """Which rows of the whole batch these are: all of them, or one process's share."""

    @property
    def chunk_length(self) -> int:
        """Samples per chunk, L."""

    @property
    def fingerprint(self) -> StreamPrint:
        """What decides the rows: options and material; the same whichever rows these are."""

    def next_chunk(self) -> Chunk:
        """The next chunk of every row."""

    def state(self) -> StreamState:
        """Where these rows stand."""

    def restore(self, state: StreamState) -> None:
        """Go on from the state of all rows of the batch, of which this stream takes its own."""


def stream_print(options: Any, material: Iterable[Sequence[str]]) -> StreamPrint:
    """The fingerprint of a stream with these options (a dataclass) and this material, each part by what tells it."""
    digest = hashlib.sha256(json.dumps([list(each) for each in material]).encode()).hexdigest()
    return {field.name: str(getattr(options, field.name)) for field in fields(options)} | {"material": digest}
