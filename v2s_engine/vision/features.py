"""From pictures to the timing network's input.

    pictures [128, 128, 3] ──observe──> Looks (small pictures, change, flow) ──network_input──> [T, 8, 64, 64]

`Looks` are what is worth keeping of a clip (about 37 kB per picture); the network's input follows from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.vision.flow import FlowMeter

_Number = TypeVar("_Number", np.uint8, np.float32)

PICTURE_SIZE = 128
"""Width and height of the pictures that are looked at (any aspect ratio is squeezed into it); flow is measured here."""

NETWORK_SIZE = 64
"""Width and height of what the network sees."""

CHANNELS = 8
"""Red, green, blue in [-1, 1]; change of brightness; flow across, down; the same without the camera's motion."""

CHANGE_GAIN = 4.0
"""A change of brightness by a quarter of the range is 1."""

FLOW_GAIN = 10.0
"""A tenth of the picture per step (64 ms) is 1."""

FLOW_LIMIT = 3.0
"""Faster motion than this (in units of the network's input) is cut off; flow is not trustworthy there."""


@dataclass(frozen=True)
class Looks:
    """What T pictures look like, small.

    Attributes
    ----------
    pictures
        `[T, 64, 64, 3]` uint8 RGB.
    changes
        `[T, 64, 64]` int16, brightness (0..255) minus that of the picture before; 0 for a clip's first.
    flows
        `[T, 64, 64, 2]` float16, motion since the picture before, in parts of the picture's width and height.
    """

    pictures: NDArray[np.uint8]
    changes: NDArray[np.int16]
    flows: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, part: slice) -> Looks:
        return Looks(self.pictures[part], self.changes[part], self.flows[part])

    @classmethod
    def join(cls, parts: Iterable[Looks]) -> Looks:
        """Several stretches of one clip, one after the other."""
        held = list(parts)
        return cls(
            np.concatenate([part.pictures for part in held]),
            np.concatenate([part.changes for part in held]),
            np.concatenate([part.flows for part in held]),
        )

    @classmethod
    def empty(cls) -> Looks:
        """Of no pictures."""
        size = NETWORK_SIZE
        return cls(
            np.zeros((0, size, size, 3), np.uint8),
            np.zeros((0, size, size), np.int16),
            np.zeros((0, size, size, 2), np.float16),
        )

    def network_input(self) -> NDArray[np.float32]:
        """`[T, 8, 64, 64]` float32, see `CHANNELS`.

        The camera's motion is taken to be the picture's median flow: right for pans and shakes, not for zooms.
        """
        tensor = np.empty((len(self), CHANNELS, NETWORK_SIZE, NETWORK_SIZE), np.float32)
        tensor[:, 0:3] = self.pictures.transpose(0, 3, 1, 2)
        tensor[:, 0:3] /= 127.5
        tensor[:, 0:3] -= 1.0
        np.multiply(self.changes, CHANGE_GAIN / 255, out=tensor[:, 3], casting="same_kind")
        flows = self.flows.astype(np.float32).transpose(0, 3, 1, 2) * FLOW_GAIN
        sparse = flows[:, :, ::4, ::4].reshape(len(self), 2, (NETWORK_SIZE // 4) ** 2)  # enough of them, and fast
        middle = np.median(sparse, axis=2)[:, :, None, None]
        tensor[:, 4:6] = np.clip(flows, -FLOW_LIMIT, FLOW_LIMIT)
        tensor[:, 6:8] = np.clip(flows - middle, -FLOW_LIMIT, FLOW_LIMIT)
        return tensor


def observe(pictures: Iterable[NDArray[np.uint8]], *, chunk: int) -> Iterator[Looks]:
    """Looks at the pictures `[128, 128, 3]` of one clip, `chunk` at a time (the last may be shorter).

    How the clip is cut into chunks does not show in the result. Raises `UsageError` for pictures of another size.
    """
    meter = FlowMeter()
    before: NDArray[np.int16] | None = None
    held: list[tuple[NDArray[np.uint8], NDArray[np.int16], NDArray[np.float16]]] = []
    for picture in pictures:
        if picture.shape != (PICTURE_SIZE, PICTURE_SIZE, 3):
            raise UsageError(
                f"the encoder looks at pictures of shape {(PICTURE_SIZE, PICTURE_SIZE, 3)}; got {picture.shape}"
            )
        small = _smaller(picture)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.int16)
        change = np.zeros_like(grey) if before is None else grey - before
        before = grey
        held.append((small, change, _smaller(meter.step(picture)).astype(np.float16)))
        if len(held) == chunk:
            yield _stacked(held)
            held = []
    if held:
        yield _stacked(held)


def _stacked(held: list[tuple[NDArray[np.uint8], NDArray[np.int16], NDArray[np.float16]]]) -> Looks:
    pictures, changes, flows = zip(*held, strict=True)
    return Looks(np.stack(pictures), np.stack(changes), np.stack(flows))


def _smaller(picture: NDArray[_Number]) -> NDArray[_Number]:
    """Half the size; each pixel the mean of four."""
    size = (NETWORK_SIZE, NETWORK_SIZE)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), picture.dtype)
