"""Which way up a stored picture is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from numpy.typing import NDArray


@dataclass(frozen=True)
class Turn:
    """How a stored picture is turned to be upright: first transposed, then flipped."""

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`[height, width, 3]` as stored to the same picture upright."""
        if self.transposed:
            picture = picture.transpose(1, 0, 2)
        if self.flip_rows:
            picture = picture[::-1]
        if self.flip_columns:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(picture)


def turn_of(frame: VideoFrame) -> Turn:
    """From the display matrix: (column, row) is shown at (a·column + c·row, b·column + d·row).

    Quarter turns and mirrors only; any other angle is taken as the nearest of those. Of photographs, mirrors are lost:
    PyAV does not let one look at the matrix where a frame carries something that PyAV has no name for, as EXIF is.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        return _turned(frame.rotation)
    if not isinstance(data, SideData):
        return Turn()
    a, b, _, c, d = np.frombuffer(bytes(data), dtype=np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(True, flip_rows=b < 0, flip_columns=c < 0)
    return Turn(False, flip_rows=d < 0, flip_columns=a < 0)


def _turned(degrees: int) -> Turn:
    """The turn by so many degrees, counter-clockwise."""
    quarters = round(degrees / 90) % 4
    return (Turn(), Turn(True, flip_rows=True), Turn(False, True, True), Turn(True, flip_columns=True))[quarters]
