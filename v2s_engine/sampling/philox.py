"""Philox4x32-10: random numbers that are a function of (seed, take, sample index), not of what was drawn before.

So a sound does not depend on the batch, order or chunks it was made in. Source: Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3" (SC 2011); the known-answer vectors of their Random123 are among the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError

_LOW: Final = np.uint64(0xFFFF_FFFF)
_HALF: Final = np.uint64(32)
MULTIPLIERS: Final = (np.uint64(0xD251_1F53), np.uint64(0xCD9E_8D57))
KEY_STEPS: Final = (np.uint64(0x9E37_79B9), np.uint64(0xBB67_AE85))
ROUNDS: Final = 10

Words = NDArray[np.uint64]
"""32-bit words, each in a 64-bit integer so that products are whole."""


def uniforms(seed: int, take: int, start: int, length: int) -> NDArray[np.float32]:
    """One number in [0, 1) for each of the samples `start` .. `start + length - 1` of a take, float32 `[length]`.

    `seed` is any 64-bit and `take` any 32-bit unsigned number, `start` counts samples from the clip's first one. The
    top 24 bits of the first output word are used, so every value is a multiple of 2^-24 and exact in float32.
    Raises `UsageError` for a number out of range.
    """
    drawn: NDArray[np.float32] = uniform_rows([seed], [take], [start], length)[0]
    return drawn


def uniform_rows(seeds: Sequence[int], takes: Sequence[int], starts: Sequence[int], length: int) -> NDArray[np.float32]:
    """`uniforms` for many rows at once, float32 `[B, length]`."""
    for seed, take, start in zip(seeds, takes, starts, strict=True):
        if not (0 <= seed < 2**64 and 0 <= take < 2**32 and 0 <= start <= start + length < 2**63):
            raise UsageError(
                "random numbers want a seed below 2^64, a take below 2^32 and sample numbers below 2^63, none "
                f"negative; got seed {seed}, take {take}, samples {start} .. {start + length}"
            )
    key = _column(seeds)
    index = np.add(_column(starts), np.arange(length), dtype=np.uint64, casting="unsafe")
    take_words = _column(takes)
    counter = (index & _LOW, index >> _HALF, take_words, np.zeros_like(take_words))
    first = philox4x32(counter, (key & _LOW, key >> _HALF))[0]
    return np.float32(2.0**-24) * (first >> np.uint64(8)).astype(np.float32)


def _column(numbers: Sequence[int]) -> Words:
    return np.array(numbers, dtype=np.uint64)[:, None]


def philox4x32(counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words]) -> tuple[Words, ...]:
    """The four output words for counters and keys, which are broadcast against each other."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        product0, product1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1 = (product1 >> _HALF) ^ c1 ^ k0, product1 & _LOW
        c2, c3 = (product0 >> _HALF) ^ c3 ^ k1, product0 & _LOW
        k0, k1 = (k0 + KEY_STEPS[0]) & _LOW, (k1 + KEY_STEPS[1]) & _LOW
    return c0, c1, c2, c3
