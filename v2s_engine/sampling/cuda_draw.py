"""Drawing codes in the CUDA sampler's kernels: random numbers, logits from their parts, and the code itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import triton
import triton.language as tl

from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.options import LEVELS as _LEVELS

LEVELS: Final = tl.constexpr(_LEVELS)
FRAME: Final = tl.constexpr(FRAME_LENGTH)

Function = Callable[..., Any]

# Triton has no type hints; these names give some to what is used of it.
compiled: Callable[[Function], Function] = triton.jit
stepping: Callable[[Function], Function] = triton.jit(do_not_specialize=["index", "advance"])
"""For kernels of one step: compiled once for all places of a frame."""


@compiled
def uniform_words(seeds: tl.tensor, takes: tl.tensor, position: tl.tensor) -> tl.tensor:
    """The 24 bits behind `philox.uniforms`, as int64, for rows with these seeds and takes at these samples."""
    low = (position & 0xFFFFFFFF).to(tl.uint32)
    high = (position >> 32).to(tl.uint32)
    take = takes.to(tl.uint32)
    first, _, _, _ = tl.philox(seeds.to(tl.uint64, bitcast=True), low, high, take, take * 0)
    return (first >> 8).to(tl.int64)


@compiled
def sum_partials(
    rows: tl.tensor,
    partials: tl.tensor,
    output_bias: tl.tensor,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    tiles: tl.constexpr,
) -> tl.tensor:
    """Logits `[lanes, 256]`: what each tile of the MLP adds to them, in rising order."""
    levels = tl.arange(0, LEVELS)
    logits = tl.zeros((lanes, LEVELS), tl.float32) + tl.load(output_bias + levels)[None, :]
    for tile in tl.static_range(tiles):
        logits += tl.load(partials + (tile * bucket + rows[:, None]) * LEVELS + levels[None, :])
    return logits


@compiled
def draw_codes(logits: tl.tensor, temperatures: tl.tensor, words: tl.tensor) -> tl.tensor:
    """Codes `[lanes]`: `draw.draw_code` with softmax terms as multiples of 2^-30.

    Whole numbers have one sum in whatever order they are added, and a code of probability 0 is never drawn.
    """
    exponents = tl.div_rn(logits - tl.max(logits, axis=1)[:, None], temperatures[:, None])
    terms = (tl.exp(exponents) * 1073741824.0 + 0.5).to(tl.int64)
    running = tl.cumsum(terms, axis=1)
    passed = words * tl.sum(terms, axis=1)
    return tl.sum(((running << 24) <= passed[:, None]).to(tl.int32), axis=1)


@compiled
def code_before(
    index: tl.tensor,
    rows: tl.tensor,
    codes: tl.tensor,
    given: tl.tensor,
    partials: tl.tensor,
    output_bias: tl.tensor,
    origin: tl.tensor,
    seeds: tl.tensor,
    takes: tl.tensor,
    temperatures: tl.tensor,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    tiles: tl.constexpr,
    history: tl.constexpr,
    draw: tl.constexpr,
) -> tl.tensor:
    """Codes `[lanes]` of sample `index - 1`: drawn, or read where they are given or an earlier launch drew them."""
    code = tl.load(codes + rows * (history + FRAME) + history + index - 1).to(tl.int32)
    if draw:
        logits = sum_partials(rows, partials, output_bias, lanes, bucket, tiles)
        position = tl.load(origin + rows) + index - 1
        words = uniform_words(tl.load(seeds + rows), tl.load(takes + rows), position)
        drawn = draw_codes(logits, tl.load(temperatures + rows), words)
        code = tl.where(index - 1 < tl.load(given), code, drawn)
    return code


@stepping
def draw_sample(
    index: tl.tensor,
    codes: tl.tensor,
    given: tl.tensor,
    partials: tl.tensor,
    output_bias: tl.tensor,
    origin: tl.tensor,
    seeds: tl.tensor,
    takes: tl.tensor,
    temperatures: tl.tensor,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    tiles: tl.constexpr,
    history: tl.constexpr,
) -> None:
    """Draw sample `index - 1`: after the last one of a part, or for all where that is cheaper than drawing again."""
    rows = tl.program_id(1) * lanes + tl.arange(0, lanes)
    code = code_before(
        index, rows, codes, given, partials, output_bias, origin, seeds, takes, temperatures,
        lanes, bucket, tiles, history, True,
    )  # fmt: skip
    tl.store(codes + rows * (history + FRAME) + history + index - 1, code.to(tl.uint8))


@stepping
def collect_logits(
    index: tl.tensor,
    partials: tl.tensor,
    output_bias: tl.tensor,
    out: tl.tensor,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    tiles: tl.constexpr,
) -> None:
    """Write the logits of sample `index` of a frame to `out` `[bucket, frame, 256]`."""
    rows = tl.program_id(1) * lanes + tl.arange(0, lanes)
    logits = sum_partials(rows, partials, output_bias, lanes, bucket, tiles)
    place = (rows.to(tl.int64) * FRAME + index) * LEVELS
    tl.store(out + place[:, None] + tl.arange(0, LEVELS)[None, :], logits)
