"""Pictures that carry their own number, and clicks that stand at known samples: film's slate, for machines.

A slate shows a number as black and white squares that survive compression and scaling, and flashes. What reads
it back (`read_number`) tells which frame a decoder really gave; a click in the sound belongs to every flash.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.grid import round_half_up

COLUMNS, ROWS = 6, 3  # 16 bits, their parity, and its opposite
BITS = 16
BLACK, DARK, WHITE = 16, 48, 235
CLICK_SECONDS = Fraction(1, 50)
CLICK_PITCH = 1_500  # Hz


def slate_picture(number: int, *, width: int, height: int, flash: bool = False) -> NDArray[np.uint8]:
    """A `[height, width, 3]` RGB picture that shows `number` (0..65535); the ground is white in a flash, else dark.

    The squares fill the lower three quarters. Wants at least 48 × 32 pixels; raises `UsageError` below that.
    """
    if not 0 <= number < 2**BITS or width < 48 or height < 32:
        raise UsageError(
            f"a slate shows 0..{2**BITS - 1} on at least 48 × 32 pixels; got {number} on {width} × {height}"
        )
    picture = np.full((height, width, 3), WHITE if flash else DARK, np.uint8)
    bits = _with_parity([number >> place & 1 for place in range(BITS)])
    for bit, (rows, columns) in zip(bits, _cells(width, height), strict=True):
        picture[rows, columns] = WHITE if bit else BLACK
    return picture


def read_number(picture: NDArray[np.uint8]) -> int | None:
    """The number on a slate `[height, width, 3]` of any size; None if it cannot be read (parity does not fit)."""
    height, width = picture.shape[:2]
    bits = []
    for rows, columns in _cells(width, height):
        inset_rows = (rows.stop - rows.start) // 4
        inset_columns = (columns.stop - columns.start) // 4
        middle = picture[
            rows.start + inset_rows : rows.stop - inset_rows,
            columns.start + inset_columns : columns.stop - inset_columns,
        ]
        bits.append(int(middle.mean() > (BLACK + WHITE) / 2))
    if bits != _with_parity(bits[:BITS]):
        return None
    return sum(bit << place for place, bit in enumerate(bits[:BITS]))


def is_flash(picture: NDArray[np.uint8]) -> bool:
    """Whether the ground of a slate is white."""
    height = picture.shape[0]
    return bool(picture[: max(1, height // 6)].mean() > (DARK + WHITE) / 2)


def click_track(times: Iterable[Fraction], *, duration: Fraction, rate: int) -> NDArray[np.float32]:
    """A sound `[round(duration · rate)]` in [-1, 1]: silence, and a click at each time (seconds).

    A click is a decaying 1.5 kHz tone of 20 ms at most; its first sample that is not 0 is round(time · rate) + 1.
    """
    length = round_half_up(duration * rate)
    sound = np.zeros(length, np.float32)
    steps = np.arange(round_half_up(CLICK_SECONDS * rate))
    click = 0.8 * np.sin(2 * np.pi * CLICK_PITCH / rate * steps) * np.exp(-steps / (0.005 * rate))
    for time in times:
        start = round_half_up(time * rate)
        if 0 <= start < length:
            end = min(length, start + len(click))
            sound[start:end] += click[: end - start].astype(np.float32)
    return np.clip(sound, -1.0, 1.0)


def _with_parity(bits: list[int]) -> list[int]:
    parity = sum(bits) % 2
    return [*bits, parity, 1 - parity]


def _cells(width: int, height: int) -> list[tuple[slice, slice]]:
    """Rows and columns of each square, in reading order, for a picture of any size."""
    top = height // 4
    rows = np.linspace(top, height, ROWS + 1).astype(int).tolist()
    columns = np.linspace(0, width, COLUMNS + 1).astype(int).tolist()
    return [
        (slice(rows[r], rows[r + 1]), slice(columns[c], columns[c + 1])) for r in range(ROWS) for c in range(COLUMNS)
    ]
