"""Two threads that make one row together: each makes half of the outputs of every product.

So each core reads half of the weights, and has them in its own cache. Everything else both compute, the same numbers
twice: the outputs of products are all that they tell each other. Each output is summed up by one of them, in the same
order as ever, so the bits are those of one thread.

Each writes to memory of its own and to its own mail. So the first of the two, the leader, can go on alone from any
product on, whatever the other does then: it does where its partner lets it wait for too long, because another program
has the core, say. The partner's run ends then, and the leader's is complete either way.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.sampling.sampler import Floats
from v2s_engine.sampling.tiles import BLOCK
from v2s_engine.sampling.vectors import LANES, compiled, load, read_shared, rest, store, write_shared

PATIENCE: Final = 400_000
"""Rests (`vectors.rest`) that a thread waits for the other: about ten milliseconds, which outlasts what an otherwise
idle system does now and then."""

_REGAINED: Final = 40
"""Rests of them that come back at every product: a microsecond. Threads that nothing holds up need less."""

_CELL: Final = 32  # words: no two cells share a cache line, nor a pair of lines that are fetched together
_PARTED: Final = 2 * _CELL


class Pair(NamedTuple):
    """What one of two threads knows of the other."""

    member: int
    """0 is the leader, 1 its partner."""
    meeting: NDArray[np.int64]
    """Three cells: how many products each has made, and whether they have parted."""
    patience: NDArray[np.int64]
    """`[2]`: rests that this thread has left, and how many it has at most."""
    mail: Floats
    """`[2, 2, width]`: outputs for the other, by sender, and by odd and even products."""


def make_pair(width: int, patience: int = PATIENCE) -> tuple[Pair, Pair]:
    """Leader and partner, for one run with products of at most so many outputs."""
    meeting = np.zeros(3 * _CELL, dtype=np.int64)
    mail = np.zeros((2, 2, width), dtype=np.float32)
    leader, partner = (Pair(member, meeting, np.full(2, patience), mail) for member in (0, 1))
    return leader, partner


def part(pair: Pair) -> None:
    """Let the leader go on alone and end its partner's run; from any thread."""
    pair.meeting[_PARTED] = 1


def have_parted(pair: Pair) -> bool:
    """Whether the leader goes on alone."""
    return bool(pair.meeting[_PARTED])


@compiled
def is_over(pair: Pair) -> bool:
    """Whether this thread is a partner who is not waited for any more."""
    return pair.member == 1 and read_shared(pair.meeting, _PARTED) != 0


@compiled
def own_outputs(pair: Pair, width: int) -> tuple[int, int]:
    """Begin and end of what this thread is to make of a product: whole blocks."""
    middle = width // BLOCK // 2 * BLOCK
    if read_shared(pair.meeting, _PARTED) != 0:
        return 0, width * (1 - pair.member)
    if middle == 0:
        return 0, width
    if pair.member == 0:
        return 0, middle
    return middle, width


@compiled
def outputs_left(pair: Pair, out: Floats, begin: int, end: int) -> tuple[int, int]:
    """Trade the outputs just made for the others of `out [1, width]`; begin and end of what the leader has to make too.

    Nothing is left where both are the width.
    """
    width = out.shape[1]
    if pair.member == 1:
        if begin > 0:
            trade(pair, out, begin, end)
        return width, width
    if end == width or trade(pair, out, begin, end):
        return width, width
    return end, width


@compiled
def trade(pair: Pair, out: Floats, begin: int, end: int) -> bool:
    """Whether the other came; then its outputs, all but those from `begin` to `end`, are in `out`."""
    own, other = pair.member, 1 - pair.member
    width = pair.mail.shape[2]
    turn = pair.meeting[own * _CELL] + 1
    sent, received = (2 * own + turn % 2) * width, (2 * other + turn % 2) * width
    for at in range(begin, end, LANES):
        store(pair.mail, sent + at, load(out, at))
    write_shared(pair.meeting, own * _CELL, turn)
    if not wait(pair, other * _CELL, turn):
        return False
    for at in range(0, begin, LANES):
        store(out, at, load(pair.mail, received + at))
    for at in range(end, out.shape[1], LANES):
        store(out, at, load(pair.mail, received + at))
    return True


@compiled
def wait(pair: Pair, cell: int, turn: int) -> bool:
    """Whether the other has made as many products in time; where not, the two have parted."""
    left = min(pair.patience[0] + _REGAINED, pair.patience[1])
    while read_shared(pair.meeting, cell) < turn:
        if left <= 0:
            write_shared(pair.meeting, _PARTED, 1)
        if read_shared(pair.meeting, _PARTED) != 0:
            return False
        left -= 1
        rest()
    pair.patience[0] = left
    return True
