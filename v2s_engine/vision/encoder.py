"""The encoder as shipped: looks at a clip's pictures and tells the envelope its sound should follow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import SILENCE_DBFS, Envelope
from v2s_engine.errors import BundleDamagedError
from v2s_engine.progress import Progress
from v2s_engine.video import Pictures, read_pictures
from v2s_engine.vision.chunks import checked
from v2s_engine.vision.features import CHANNELS, NETWORK_SIZE, PICTURE_SIZE, Looks, observe
from v2s_engine.vision.session import CPU, open_session

CHUNK = 64
"""Pictures that go through the network at once, besides their context."""

FIRST_CHUNK = 2
"""The same at a clip's start, so that its sound can begin before the clip is looked at to its end: a frame of sound
wants the envelope of two pictures (`ENVELOPE_WINDOW`)."""

FEATURES, LOUDNESS, ONSET = "features", "loudness", "onset"
"""Names of the model's input `[T, 8, 64, 64]` and outputs `[T, 4]`."""

CONTEXT_KEY = "v2s_context"
"""Entry in the model's metadata: how many pictures before and after a picture count for it."""


class Encoder:
    """A trained `TimingNetwork` in `encoder.onnx`. Opens the model; raises the errors of `open_session`.

    `threads` is how many threads the network may use. The result does not depend on it, nor on `chunk`, beyond the
    rounding of sums (below 0.001 dB); memory does not grow with the clip.
    """

    def __init__(
        self, onnx_path: Path, providers: Sequence[str] = CPU, *, threads: int = 1, chunk: int = CHUNK
    ) -> None:
        self._path = onnx_path
        self._session = open_session(onnx_path, providers, threads)
        self._chunk = chunk
        shapes = {entry.name: list(entry.shape)[1:] for entry in self._session.get_inputs()}
        names = [entry.name for entry in self._session.get_outputs()]
        context = self._session.get_modelmeta().custom_metadata_map.get(CONTEXT_KEY, "")
        wanted = {FEATURES: [CHANNELS, NETWORK_SIZE, NETWORK_SIZE]}
        if shapes != wanted or names != [LOUDNESS, ONSET] or not context.isdigit():
            raise BundleDamagedError(
                f"{onnx_path} is not a timing encoder: wanted input {wanted} and outputs {[LOUDNESS, ONSET]}, "
                f"got {shapes} and {names}; export the bundle again"
            )
        self.context = int(context)
        """Pictures before and after a picture that count for it."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model's file, in hexadecimal."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()

    @property
    def providers(self) -> list[str]:
        """Execution providers that the model runs on."""
        return list(self._session.get_providers())

    def envelope(self, media: Pictures, times: Sequence[Fraction], progress: Progress | None = None) -> Envelope:
        """The envelope for the pictures on screen at `times`, 64 ms apart: 4 steps each.

        `times` are seconds from the file's first picture; falling for a reversed clip.

        Raises the errors of `read_pictures`, and `CancelledError`.
        """
        pictures = read_pictures(media, times, width=PICTURE_SIZE, height=PICTURE_SIZE)
        return self.envelope_of(pictures, len(times), progress, media.name)

    def envelope_of(
        self, pictures: Iterable[NDArray[np.uint8]], count: int, progress: Progress | None = None, item: str = ""
    ) -> Envelope:
        """The envelope for `count` pictures `[128, 128, 3]` that come 64 ms apart: `4 · count` steps."""
        return Envelope.join(self._parts(pictures, count, progress or Progress(), item))

    def parts(self, media: Pictures, times: Sequence[Fraction], progress: Progress | None = None) -> Iterator[Envelope]:
        """`envelope` in parts, each as soon as enough pictures have been seen; the same bits.

        The first part, of 2 pictures, is told after these and their context: 17 pictures, about a second of film.
        """
        pictures = read_pictures(media, times, width=PICTURE_SIZE, height=PICTURE_SIZE)
        return self._parts(pictures, len(times), progress or Progress(), media.name)

    def _parts(
        self, pictures: Iterable[NDArray[np.uint8]], count: int, progress: Progress, item: str
    ) -> Iterator[Envelope]:
        done = 0
        for loudness, onset in self._told(observe(checked(pictures, progress), chunk=1)):
            done += len(loudness)
            progress.step("encode", done, count, item)
            yield Envelope(np.clip(loudness.reshape(-1), SILENCE_DBFS, 0.0), np.clip(onset.reshape(-1), 0.0, 1.0))

    def _told(self, looks: Iterable[Looks]) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Loudness and onset `[n, 4]` for picture after picture, each with its whole context around it."""
        held: list[Looks] = []
        before, wanted = 0, min(FIRST_CHUNK, self._chunk)  # `before` of the held pictures are done and only context
        for look in looks:
            held.append(look)
            ready = len(held) - self.context
            if ready - before == wanted:
                yield self._run(held, before, ready)
                kept = max(0, ready - self.context)
                held, before, wanted = held[kept:], ready - kept, self._chunk
        if len(held) > before:
            yield self._run(held, before, len(held))

    def _run(self, held: list[Looks], begin: int, end: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        loudness, onset = self._session.run([LOUDNESS, ONSET], {FEATURES: Looks.join(held).network_input()})
        return loudness[begin:end], onset[begin:end]
