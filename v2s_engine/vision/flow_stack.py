"""Flow of several steps at once, as the motion network sees it.

    field of picture 0, 1, 2, ... [S, S, 2] ──FlowStacks──> stack of picture 0, 1, 2, ... [2 L, S, S]

The field of picture i is how things moved since picture i - 1. The stack of picture i holds the L fields around it: for
L = 10 those of pictures i - 4 to i + 5, which is all motion from five pictures before to five after. Channels go
across, down, across, down, ... in the order of time (two-stream networks, 2014, equation 1). Beyond a clip's ends
nothing moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""`[S, S, 2]`, parts of the picture's width to the right and of its height downwards, per step."""


class FlowStacks:
    """Takes one clip's fields one after the other and gives each picture's stack as soon as it is complete.

    Holds `length` fields, however long the clip.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._ahead = fields_around(length)[1]
        self._fields: deque[Field] = deque(maxlen=length)
        self._taken = 0

    def add(self, field: Field) -> Field | None:
        """Take the next picture's field; the next stack `[2 L, S, S]`, or None while it still wants fields."""
        if not self._fields:
            self._fields.extend([np.zeros_like(field)] * self._length)
        self._fields.append(field)
        self._taken += 1
        return stacked(self._fields) if self._taken > self._ahead else None

    def rest(self) -> Iterator[Field]:
        """The stacks of the last pictures, once there are no more fields."""
        for _ in range(self._ahead if self._taken else 0):
            stack = self.add(np.zeros_like(self._fields[-1]))
            if stack is not None:
                yield stack


def fields_around(length: int) -> tuple[int, int]:
    """How many fields before and after a picture's own its stack holds: (4, 5) for 10, (0, 0) for 1."""
    ahead = length // 2
    return length - ahead - 1, ahead


def stacked(fields: Iterable[Field]) -> Field:
    """`[2 L, S, S]` from L fields `[S, S, 2]`."""
    channels = np.stack(list(fields)).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(channels.reshape(-1, *channels.shape[2:]))
