"""Pictures as the networks want them: the short side scaled to S, and the square in the middle.

How "Visual to Sound" cuts and scales its pictures is not known. Ours is the usual way for networks trained on ImageNet,
without its margin (256 scaled, 224 kept): what sounds may stand near the edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from v2s_engine.grid import round_half_up
from v2s_engine.video import Pictures, probe, read_pictures

LONGEST = 8
"""The long side is at most so many short ones; thinner pictures are squeezed, or one column would cost gigabytes."""


def read_framed(media: Pictures, times: Sequence[Fraction], size: int) -> Iterator[NDArray[np.uint8]]:
    """The pictures on screen at `times` (seconds from the file's first), `[size, size, 3]` RGB each, in that order.

    Raises as `read_pictures`, when the first picture is asked for. Memory does not grow with the number of times.
    """
    info = probe(media)
    width, height = scaled_size(info.width, info.height, size)
    for picture in read_pictures(media, times, width=width, height=height):
        yield middle_square(picture)


def scaled_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height of a picture whose short side is `size`, the long one at most `LONGEST` times that."""
    stretch = min(Fraction(max(width, height), min(width, height)), Fraction(LONGEST))
    long = round_half_up(size * stretch)
    return (long, size) if width >= height else (size, long)


def middle_square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The square `[S, S, 3]` in the middle of a picture `[H, W, 3]`; half a pixel to the left or up where it is odd."""
    height, width = picture.shape[:2]
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return np.ascontiguousarray(picture[top : top + size, left : left + size])
