"""Draws soft shapes at positions finer than a pixel, so that slow motion looks slow.

Coordinates are in heights of the view: y runs from 0 (top) to 1, x from 0 to its aspect ratio. The canvas may be
larger than the view, so that a camera can look beyond its edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Paint = tuple[int, int, int]
Point = tuple[float, float]

_SHIFT = 4  # cv2 takes positions as integers of 1/16 pixel


@dataclass(frozen=True)
class Brush:
    """Draws on one canvas `[H, W, 3]`, in place."""

    picture: Picture
    width: int
    """Pixels of the view, which lies in the middle of the canvas."""
    height: int

    @property
    def aspect(self) -> float:
        """Width of the view in heights."""
        return self.width / self.height

    def disc(self, x: float, y: float, radius: float, paint: Paint) -> None:
        """A filled circle."""
        size = max(1, round(radius * self.height * 2**_SHIFT))
        cv2.circle(self.picture, self._fine(x, y), size, paint, -1, cv2.LINE_AA, _SHIFT)

    def rod(self, begin: Point, end: Point, thickness: float, paint: Paint) -> None:
        """A straight stick with square ends."""
        along = np.array(end) - np.array(begin)
        across = np.array([-along[1], along[0]]) * (thickness / 2 / max(float(np.hypot(*along)), 1e-6))
        corners = [begin + across, end + across, end - across, begin - across]
        self.polygon([(float(x), float(y)) for x, y in corners], paint)

    def box(self, x: float, y: float, width: float, height: float, paint: Paint) -> None:
        """An upright rectangle around (x, y)."""
        left, top = x - width / 2, y - height / 2
        corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
        self.polygon(corners, paint)

    def polygon(self, corners: Sequence[Point], paint: Paint) -> None:
        """A filled convex polygon."""
        points = np.array([self._fine(x, y) for x, y in corners], np.int32)
        cv2.fillConvexPoly(self.picture, points, paint, cv2.LINE_AA, _SHIFT)

    def glow(self, amount: float, paint: Paint) -> None:
        """Mix the whole picture with a colour; `amount` 0..1."""
        tint = np.empty_like(self.picture)
        tint[:] = paint
        cv2.addWeighted(self.picture, 1 - amount, tint, amount, 0, dst=self.picture)

    def _fine(self, x: float, y: float) -> tuple[int, int]:
        left, top = (self.picture.shape[1] - self.width) / 2, (self.picture.shape[0] - self.height) / 2
        far = 64 * self.height  # keeps what flies off within cv2's integers
        across = float(np.clip(left + x * self.height, -far, far))
        down = float(np.clip(top + y * self.height, -far, far))
        return round(across * 2**_SHIFT), round(down * 2**_SHIFT)


def random_paint(rng: np.random.Generator) -> Paint:
    """Any colour, dark to light; more often dull than bright, as in life."""
    grey, tint = rng.uniform(10, 245), rng.normal(0, rng.choice([12, 30, 70]), 3)
    red, green, blue = (int(value) for value in np.clip(grey + tint, 0, 255))
    return red, green, blue
