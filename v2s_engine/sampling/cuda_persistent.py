"""The CUDA sampler's kernel for hundreds of rows: one program takes its rows through a whole frame, in one launch.

A program needs nothing from the others, so nothing is waited for but its own threads: a barrier stands wherever some of
them read what others wrote. Weights come from the L2 cache, which all programs share; what one step leaves to the
next passes through the same buffers as between the launches of `cuda_kernels`. Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import triton
import triton.language as tl

from v2s_engine.sampling.cuda_draw import FRAME, LEVELS, Function, compiled, draw_codes, uniform_words
from v2s_engine.sampling.cuda_kernels import first_layer, gate_block, rectify
from v2s_engine.sampling.cuda_plan import GRAIN

STRIP: Final = tl.constexpr(GRAIN)
STAGES: Final = tl.constexpr(4)
"""Blocks of weights that are on their way at once, and one more."""

_ranging: Callable[[Function], Function] = triton.jit(do_not_specialize=["start", "stop"])


@compiled
def multiply_rows(
    rows: tl.tensor,
    inputs: tl.tensor,
    matrix: tl.tensor,
    bias: tl.tensor,
    outputs: tl.tensor,
    size: tl.constexpr,
    strip: tl.constexpr,
    depth: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
) -> tl.tensor:
    """`columns` outputs of `inputs @ matrix + bias` for these rows of `inputs` `[.., size]`.

    `matrix` lies in strips `[.., size, strip]`.
    """
    total = tl.zeros((lanes, columns), tl.float32)
    column = outputs // strip * size * strip + outputs % strip
    for first in tl.range(0, size, depth, num_stages=STAGES):
        units = first + tl.arange(0, depth)
        weights = tl.load(matrix + units[:, None] * strip + column[None, :])
        block = tl.load(inputs + rows[:, None] * size + units[None, :]).to(weights.dtype)
        total = tl.dot(block, weights, total, input_precision="ieee", out_dtype=tl.float32)
    return total + tl.load(bias + outputs)[None, :]


@compiled
def say_state(
    rows: tl.tensor,
    state: tl.tensor,
    matrix: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    size: tl.constexpr,
    out_size: tl.constexpr,
    depth: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
) -> None:
    """What a tier's state says, to the tier below and to its own next step."""
    for tile in range(out_size // columns):
        outputs = tile * columns + tl.arange(0, columns)
        total = multiply_rows(rows, state, matrix, bias, outputs, size, STRIP, depth, columns, lanes)
        tl.store(out + rows[:, None] * out_size + outputs[None, :], total)


@compiled
def advance_tier(
    index: tl.tensor,
    rows: tl.tensor,
    code: tl.tensor,
    inputs: tl.tensor,
    samples: tl.tensor,
    state: tl.tensor,
    matrix: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    codes: tl.tensor,
    unit: tl.constexpr,
    size: tl.constexpr,
    inputs_stride: tl.constexpr,
    out_size: tl.constexpr,
    below: tl.constexpr,
    depth: tl.constexpr,
    width: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    history: tl.constexpr,
) -> None:
    """One step of a GRU tier; `below` of its outputs are for the tier below. Halves as in `cuda_frame.half`."""
    old = index // unit % 2
    before, after = state + old * bucket * size, state + (1 - old) * bucket * size
    recurrent = out + old * bucket * out_size + below
    for first in range(0, size, width):
        units = first + tl.arange(0, width)
        block = gate_block(
            index, rows, units, code, 1, inputs, recurrent, samples, before, codes,
            unit, size, inputs_stride, out_size, history,
        )  # fmt: skip
        tl.store(after + rows[:, None] * size + units[None, :], block)
    tl.debug_barrier()
    said = out + (1 - old) * bucket * out_size
    say_state(rows, after, matrix, bias, said, size, out_size, depth, columns, lanes)
    tl.debug_barrier()


@compiled
def sample_logits(
    index: tl.tensor,
    rows: tl.tensor,
    code: tl.tensor,
    inputs: tl.tensor,
    tables: tl.tensor,
    matrix: tl.tensor,
    bias: tl.tensor,
    output_matrix: tl.tensor,
    output_bias: tl.tensor,
    hidden: tl.tensor,
    second: tl.tensor,
    codes: tl.tensor,
    window: tl.constexpr,
    size: tl.constexpr,
    inputs_stride: tl.constexpr,
    depth: tl.constexpr,
    width: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
    history: tl.constexpr,
) -> tl.tensor:
    """Logits `[lanes, 256]` of sample `index`; `hidden` and `second` `[.., size]` hold the MLP's layers meanwhile."""
    for first in range(0, size, width):
        units = first + tl.arange(0, width)
        block = first_layer(index, rows, units, code, inputs, tables, codes, window, size, inputs_stride, history)
        tl.store(hidden + rows[:, None] * size + units[None, :], rectify(block, tables))
    tl.debug_barrier()
    for tile in range(size // columns):
        outputs = tile * columns + tl.arange(0, columns)
        total = multiply_rows(rows, hidden, matrix, bias, outputs, size, STRIP, depth, columns, lanes)
        tl.store(second + rows[:, None] * size + outputs[None, :], rectify(total, matrix))
    tl.debug_barrier()
    levels = tl.arange(0, LEVELS)
    return multiply_rows(rows, second, output_matrix, output_bias, levels, size, LEVELS, depth, LEVELS, lanes)


@_ranging
def run_frame(
    start: tl.tensor,
    stop: tl.tensor,
    conditioned: tl.tensor,
    coarse_samples: tl.tensor,
    coarse_state: tl.tensor,
    coarse: tl.tensor,
    coarse_bias: tl.tensor,
    coarse_out: tl.tensor,
    mid_samples: tl.tensor,
    mid_state: tl.tensor,
    mid: tl.tensor,
    mid_bias: tl.tensor,
    mid_out: tl.tensor,
    tables: tl.tensor,
    fine_hidden: tl.tensor,
    fine_hidden_bias: tl.tensor,
    fine_output: tl.tensor,
    fine_output_bias: tl.tensor,
    hidden: tl.tensor,
    second: tl.tensor,
    codes: tl.tensor,
    given: tl.tensor,
    origin: tl.tensor,
    seeds: tl.tensor,
    takes: tl.tensor,
    temperatures: tl.tensor,
    logits: tl.tensor,
    coarse_unit: tl.constexpr,
    mid_unit: tl.constexpr,
    window: tl.constexpr,
    conditioning_length: tl.constexpr,
    size: tl.constexpr,
    mlp: tl.constexpr,
    coarse_size: tl.constexpr,
    mid_size: tl.constexpr,
    depth: tl.constexpr,
    fine_depth: tl.constexpr,
    width: tl.constexpr,
    fine_width: tl.constexpr,
    coarse_columns: tl.constexpr,
    mid_columns: tl.constexpr,
    fine_columns: tl.constexpr,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    history: tl.constexpr,
    keep: tl.constexpr,
) -> None:
    """Samples `start` .. `stop - 1` of a frame, drawn or given; with `keep`, their logits `[bucket, frame, 256]`."""
    rows = tl.program_id(1) * lanes + tl.arange(0, lanes)
    line = codes + rows * (history + FRAME) + history
    begun, seed, take = tl.load(origin + rows), tl.load(seeds + rows), tl.load(takes + rows)
    temperature, first_drawn = tl.load(temperatures + rows), tl.load(given)
    code = tl.load(line + start - 1).to(tl.int32)
    for index in range(start, stop):
        if index % coarse_unit == 0:
            told = conditioned + index // conditioning_length * bucket * 3 * size
            advance_tier(
                index, rows, code, told, coarse_samples, coarse_state, coarse, coarse_bias, coarse_out, codes,
                coarse_unit, size, 3 * size, coarse_size, coarse_size - 3 * size,
                depth, width, coarse_columns, lanes, bucket, history,
            )  # fmt: skip
        if index % mid_unit == 0:
            said = coarse_out + (1 - index // coarse_unit % 2) * bucket * coarse_size
            advance_tier(
                index, rows, code, said + index % coarse_unit // mid_unit * 3 * size,
                mid_samples, mid_state, mid, mid_bias, mid_out, codes,
                mid_unit, size, coarse_size, mid_size, mid_size - 3 * size,
                depth, width, mid_columns, lanes, bucket, history,
            )  # fmt: skip
        said = mid_out + (1 - index // mid_unit % 2) * bucket * mid_size + index % mid_unit * mlp
        drawn_from = sample_logits(
            index, rows, code, said, tables, fine_hidden, fine_hidden_bias, fine_output, fine_output_bias,
            hidden, second, codes, window, mlp, mid_size, fine_depth, fine_width, fine_columns, lanes, history,
        )  # fmt: skip
        if keep:
            place = (rows.to(tl.int64) * FRAME + index) * LEVELS
            tl.store(logits + place[:, None] + tl.arange(0, LEVELS)[None, :], drawn_from)
        drawn = draw_codes(drawn_from, temperature, uniform_words(seed, take, begun + index))
        # Read again only after the barriers of the next sample; until then it is at hand.
        code = tl.where(index < first_drawn, tl.load(line + index).to(tl.int32), drawn)
        tl.store(line + index, code.to(tl.uint8))


@compiled
def prime_rows(
    state: tl.tensor,
    matrix: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    size: tl.constexpr,
    out_size: tl.constexpr,
    depth: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
) -> None:
    """What a state carried over from another call says, as `run_frame` computes it."""
    rows = tl.program_id(1) * lanes + tl.arange(0, lanes)
    say_state(rows, state, matrix, bias, out, size, out_size, depth, columns, lanes)
