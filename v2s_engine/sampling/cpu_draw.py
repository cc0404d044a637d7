"""Drawing codes from logits, compiled by Numba: `draw.draw_code` and `philox.uniforms` for many rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from v2s_engine.options import LEVELS
from v2s_engine.sampling.cpu_gates import exponential
from v2s_engine.sampling.draw import EXPONENT_FLOOR
from v2s_engine.sampling.philox import KEY_STEPS, MULTIPLIERS, ROUNDS
from v2s_engine.sampling.sampler import Codes, Floats
from v2s_engine.sampling.vectors import (
    LANES,
    compiled,
    count_not_above,
    highest,
    keep_where_not_below,
    load,
    maximum,
    splat,
    store,
)

_ZERO, _FLOOR = np.float32(0), np.float32(EXPONENT_FLOOR)
_LOW, _HALF, _UNUSED = np.uint64(0xFFFF_FFFF), np.uint64(32), np.uint64(8)
_RESOLUTION = np.float32(2.0**-24)


@compiled
def draw_codes(
    logits: Floats, uniforms: Floats, temperatures: Floats, running: Floats, codes: Codes, place: int
) -> None:
    """`draw.draw_code` for every row of `logits [R, 256]`, into `codes[:, place]`; `running [R, 256]` is scratch."""
    for row in range(logits.shape[0]):
        write_terms(logits, row, temperatures[row], running)
    add_up(running)
    for row in range(logits.shape[0]):
        codes[row, place] = find_code(running, row, uniforms[row])


@compiled
def write_terms(logits: Floats, row: int, temperature: float, terms: Floats) -> None:
    """A row's terms of the softmax, the largest of which is 1."""
    start = row * LEVELS
    most = load(logits, start)
    for at in range(start + LANES, start + LEVELS, LANES):
        most = maximum(most, load(logits, at))
    largest = splat(highest(most))
    for at in range(start, start + LEVELS, LANES):
        exponent = (load(logits, at) - largest) / splat(temperature)
        store(terms, at, keep_where_not_below(exponential(exponent), exponent, splat(_FLOOR)))


@compiled
def add_up(terms: Floats) -> None:
    """Running sums of every row, in place. Each addition waits for the one before, so four rows go side by side."""
    rows = terms.shape[0]
    for first in range(0, rows - 3, 4):
        a, b, c, d = _ZERO, _ZERO, _ZERO, _ZERO
        for code in range(LEVELS):
            a += terms[first, code]
            b += terms[first + 1, code]
            c += terms[first + 2, code]
            d += terms[first + 3, code]
            terms[first, code] = a
            terms[first + 1, code] = b
            terms[first + 2, code] = c
            terms[first + 3, code] = d
    for row in range(rows - rows % 4, rows):
        total = _ZERO
        for code in range(LEVELS):
            total += terms[row, code]
            terms[row, code] = total


@compiled
def find_code(running: Floats, row: int, uniform: float) -> int:
    """The first code whose running sum exceeds `uniform` of the total."""
    start = row * LEVELS
    bound = splat(uniform * running[row, LEVELS - 1])
    code = 0
    for at in range(start, start + LEVELS, LANES):
        code += count_not_above(load(running, at), bound)
    return min(code, LEVELS - 1)


@compiled
def uniform_number(seed: Any, take: Any, sample: Any) -> Any:
    """`philox.uniforms(seed, take, sample, 1)[0]`; all three are uint64."""
    c0, c1, c2, c3 = sample & _LOW, sample >> _HALF, take, np.uint64(0)
    k0, k1 = seed & _LOW, seed >> _HALF
    for _ in range(ROUNDS):
        product0, product1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1 = (product1 >> _HALF) ^ c1 ^ k0, product1 & _LOW
        c2, c3 = (product0 >> _HALF) ^ c3 ^ k1, product0 & _LOW
        k0, k1 = (k0 + KEY_STEPS[0]) & _LOW, (k1 + KEY_STEPS[1]) & _LOW
    return _RESOLUTION * np.float32(c0 >> _UNUSED)
