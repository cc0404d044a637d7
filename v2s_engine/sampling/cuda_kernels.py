"""The CUDA sampler's kernels, in Triton.

One kernel's end is the only synchronisation: nothing that a program reads is written by another program of the same
launch. So every program that needs the code of the sample before draws it again, from the partial logits that the
launch before left; all come to the same code, because the sums are whole numbers or have a fixed order.

A program works on `lanes` rows (a power of two) and one tile of `columns` outputs; `bucket` is all rows of the batch.
Widths are padded with zeros to whole tiles, so that only rows are ever masked. Matrices lie in strips
`[outputs / columns, inputs, columns]`: each program reads one block of memory from front to back. Everything that
changes from frame to frame is read from memory, never passed as a number: the launches are captured once and replayed.

Tensor cores want 16 rows: fewer lanes are repeated, and the copies' results dropped.
"""

# ruff: noqa: SIM102 (of two `if`s, one is the compiler's and one the GPU's)

from __future__ import annotations

from typing import Final

import triton.language as tl

from v2s_engine.options import SILENCE_CODE
from v2s_engine.sampling.cuda_draw import FRAME, LEVELS, code_before, compiled, stepping

SILENCE: Final = tl.constexpr(SILENCE_CODE)
TENSOR_CORE_ROWS: Final = tl.constexpr(16)
MOST_OF_FP16: Final = tl.constexpr(65504.0)


@compiled
def repeat_rows(block: tl.tensor, lanes: tl.constexpr, width: tl.constexpr) -> tl.tensor:
    """`[lanes, width]` to at least 16 rows; row r of the result is row r modulo `lanes`."""
    if lanes >= TENSOR_CORE_ROWS:
        return block
    copies: tl.constexpr = TENSOR_CORE_ROWS // lanes
    return tl.broadcast_to(block[None, :, :], (copies, lanes, width)).reshape(copies * lanes, width)


@compiled
def multiply_block(
    block: tl.tensor, matrix: tl.tensor, total: tl.tensor, lanes: tl.constexpr, depth: tl.constexpr
) -> tl.tensor:
    """`total + block @ matrix`, in the matrix's precision with float32 sums."""
    repeated = repeat_rows(block.to(matrix.dtype), lanes, depth)
    return tl.dot(repeated, matrix, total, input_precision="ieee", out_dtype=tl.float32)


@compiled
def load_weights(
    strip: tl.tensor, first: tl.tensor, size: tl.constexpr, depth: tl.constexpr, columns: tl.constexpr
) -> tl.tensor:
    """`depth` inputs of a strip from `first` on; nothing is read beyond its end."""
    place = first + tl.arange(0, depth)[:, None]
    return tl.load(strip + place * columns + tl.arange(0, columns)[None, :], mask=place < size, other=0.0)


@compiled
def store_rows(
    out: tl.tensor, block: tl.tensor, places: tl.tensor, stride: tl.constexpr, lanes: tl.constexpr, width: tl.constexpr
) -> None:
    """Store this program's lanes of a block whose rows were repeated."""
    row = tl.arange(0, max(lanes, TENSOR_CORE_ROWS))
    target = (tl.program_id(1) * lanes + row[:, None]) * stride + places[None, :]
    tl.store(out + target, block, mask=tl.broadcast_to(row[:, None] < lanes, (max(lanes, TENSOR_CORE_ROWS), width)))


@compiled
def multiply(
    inputs: tl.tensor,
    matrix: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    size: tl.constexpr,
    out_stride: tl.constexpr,
    depth: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
) -> None:
    """One tile of `out = inputs @ matrix + bias` for `inputs` `[rows, size]`."""
    tile, rows = tl.program_id(0), tl.program_id(1) * lanes + tl.arange(0, lanes)
    outputs = tl.arange(0, columns)
    total = tl.zeros((max(lanes, TENSOR_CORE_ROWS), columns), tl.float32)
    for first in range(0, size, depth):
        units = first + tl.arange(0, depth)
        block = tl.load(inputs + rows[:, None] * size + units[None, :])
        weights = tl.load(matrix + (tile * size + units[:, None]) * columns + outputs[None, :])
        total = multiply_block(block, weights, total, lanes, depth)
    total += tl.load(bias + tile * columns + outputs)[None, :]
    store_rows(out, total, tile * columns + outputs, out_stride, lanes, columns)


@compiled
def amplitudes(code: tl.tensor) -> tl.tensor:
    """Codes as real numbers in [-2, 2), the scale that the recurrent tiers see."""
    return (code.to(tl.float32) - SILENCE) * (2.0 / SILENCE)


@compiled
def gate_block(
    index: tl.tensor,
    rows: tl.tensor,
    units: tl.tensor,
    code: tl.tensor,
    advance: tl.tensor,
    inputs: tl.tensor,
    recurrent: tl.tensor,
    samples: tl.tensor,
    state: tl.tensor,
    codes: tl.tensor,
    unit: tl.constexpr,
    size: tl.constexpr,
    inputs_stride: tl.constexpr,
    recurrent_stride: tl.constexpr,
    history: tl.constexpr,
) -> tl.tensor:
    """Some `units` of the next GRU state, `[lanes, units]`; the state as it is where `advance` is 0."""
    at = rows[:, None] * inputs_stride + units[None, :]
    reset = tl.load(inputs + at)
    update = tl.load(inputs + at + size)
    candidate = tl.load(inputs + at + 2 * size)
    past = codes + rows * (history + FRAME) + history + index - unit
    for step in range(unit):
        # The newest one may still be on its way to memory.
        heard = tl.where(step == unit - 1, code, tl.load(past + step).to(tl.int32))
        amplitude = amplitudes(heard)[:, None]
        weight = samples + step * 3 * size + units
        reset += amplitude * tl.load(weight).to(tl.float32)[None, :]
        update += amplitude * tl.load(weight + size).to(tl.float32)[None, :]
        candidate += amplitude * tl.load(weight + 2 * size).to(tl.float32)[None, :]
    at = rows[:, None] * recurrent_stride + units[None, :]
    reset = 1 / (1 + tl.exp(-(reset + tl.load(recurrent + at))))
    update = 1 / (1 + tl.exp(-(update + tl.load(recurrent + at + size))))
    candidate = 1 - 2 / (1 + tl.exp(2 * (candidate + reset * tl.load(recurrent + at + 2 * size))))
    before = tl.load(state + rows[:, None] * size + units[None, :])
    return tl.where(advance != 0, candidate + update * (before - candidate), before)


@stepping
def step_tier(
    index: tl.tensor,
    advance: tl.tensor,
    inputs: tl.tensor,
    recurrent: tl.tensor,
    samples: tl.tensor,
    state: tl.tensor,
    next_state: tl.tensor,
    matrix: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    codes: tl.tensor,
    given: tl.tensor,
    partials: tl.tensor,
    output_bias: tl.tensor,
    origin: tl.tensor,
    seeds: tl.tensor,
    takes: tl.tensor,
    temperatures: tl.tensor,
    unit: tl.constexpr,
    size: tl.constexpr,
    inputs_stride: tl.constexpr,
    out_stride: tl.constexpr,
    depth: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    tiles: tl.constexpr,
    history: tl.constexpr,
    draw: tl.constexpr,
) -> None:
    """One step of a GRU tier and one tile of what its state says, to the tier below and to its own next step.

    With `advance` 0 the state stays: that computes again what a state carried over from another call says.
    """
    tile, rows = tl.program_id(0), tl.program_id(1) * lanes + tl.arange(0, lanes)
    strip = matrix + tile * size * columns
    weights = load_weights(strip, 0, size, depth, columns)  # on their way while the code is drawn
    code = code_before(
        index, rows, codes, given, partials, output_bias, origin, seeds, takes, temperatures,
        lanes, bucket, tiles, history, draw,
    )  # fmt: skip
    if draw:
        if (tile == 0) & (advance != 0):
            tl.store(codes + rows * (history + FRAME) + history + index - 1, code.to(tl.uint8))
    outputs = tl.arange(0, columns)
    total = tl.zeros((max(lanes, TENSOR_CORE_ROWS), columns), tl.float32)
    for first in range(0, size, depth):
        units = first + tl.arange(0, depth)
        block = gate_block(
            index, rows, units, code, advance, inputs, recurrent, samples, state, codes,
            unit, size, inputs_stride, out_stride, history,
        )  # fmt: skip
        if tile == 0:
            tl.store(next_state + rows[:, None] * size + units[None, :], block)
        total = multiply_block(block, weights, total, lanes, depth)
        weights = load_weights(strip, first + depth, size, depth, columns)
    total += tl.load(bias + tile * columns + outputs)[None, :]
    store_rows(out, total, tile * columns + outputs, out_stride, lanes, columns)


@stepping
def step_gates(
    index: tl.tensor,
    inputs: tl.tensor,
    recurrent: tl.tensor,
    samples: tl.tensor,
    state: tl.tensor,
    next_state: tl.tensor,
    codes: tl.tensor,
    given: tl.tensor,
    partials: tl.tensor,
    output_bias: tl.tensor,
    origin: tl.tensor,
    seeds: tl.tensor,
    takes: tl.tensor,
    temperatures: tl.tensor,
    unit: tl.constexpr,
    size: tl.constexpr,
    inputs_stride: tl.constexpr,
    out_stride: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    tiles: tl.constexpr,
    history: tl.constexpr,
    draw: tl.constexpr,
) -> None:
    """The first half of `step_tier`, `columns` units of the state per program: for batches and widths where it would
    cost too much to do it again for each tile. `multiply` is the second.
    """
    tile, rows = tl.program_id(0), tl.program_id(1) * lanes + tl.arange(0, lanes)
    code = code_before(
        index, rows, codes, given, partials, output_bias, origin, seeds, takes, temperatures,
        lanes, bucket, tiles, history, draw,
    )  # fmt: skip
    if draw:
        if tile == 0:
            tl.store(codes + rows * (history + FRAME) + history + index - 1, code.to(tl.uint8))
    units = tile * columns + tl.arange(0, columns)
    block = gate_block(
        index, rows, units, code, 1, inputs, recurrent, samples, state, codes,
        unit, size, inputs_stride, out_stride, history,
    )  # fmt: skip
    tl.store(next_state + rows[:, None] * size + units[None, :], block)


@compiled
def rectify(block: tl.tensor, matrix: tl.tensor) -> tl.tensor:
    """ReLU before a product with `matrix`; beyond what fp16 holds it stays at the largest, and is not infinite."""
    block = tl.maximum(block, 0.0)
    if matrix.dtype.element_ty == tl.float16:
        block = tl.minimum(block, MOST_OF_FP16)
    return block


@compiled
def first_layer(
    index: tl.tensor,
    rows: tl.tensor,
    units: tl.tensor,
    code: tl.tensor,
    inputs: tl.tensor,
    tables: tl.tensor,
    codes: tl.tensor,
    window: tl.constexpr,
    size: tl.constexpr,
    inputs_stride: tl.constexpr,
    history: tl.constexpr,
) -> tl.tensor:
    """Some `units` of the MLP's first layer for sample `index`, `[lanes, units]`, before its ReLU."""
    past = codes + rows * (history + FRAME) + history + index - window
    block = tl.load(inputs + rows[:, None] * inputs_stride + units[None, :])
    for place in range(window):
        # The newest one may still be on its way to memory.
        heard = tl.where(place == window - 1, code, tl.load(past + place).to(tl.int32))
        block += tl.load(tables + (place * LEVELS + heard[:, None]) * size + units[None, :]).to(tl.float32)
    return block


@stepping
def step_sample(
    index: tl.tensor,
    inputs: tl.tensor,
    tables: tl.tensor,
    matrix: tl.tensor,
    bias: tl.tensor,
    output_matrix: tl.tensor,
    next_partials: tl.tensor,
    codes: tl.tensor,
    given: tl.tensor,
    partials: tl.tensor,
    output_bias: tl.tensor,
    origin: tl.tensor,
    seeds: tl.tensor,
    takes: tl.tensor,
    temperatures: tl.tensor,
    window: tl.constexpr,
    size: tl.constexpr,
    inputs_stride: tl.constexpr,
    depth: tl.constexpr,
    columns: tl.constexpr,
    lanes: tl.constexpr,
    bucket: tl.constexpr,
    tiles: tl.constexpr,
    history: tl.constexpr,
    draw: tl.constexpr,
) -> None:
    """The MLP for one sample: one tile of its second hidden layer, and what that tile adds to all 256 logits."""
    tile, rows = tl.program_id(0), tl.program_id(1) * lanes + tl.arange(0, lanes)
    outputs, levels = tl.arange(0, columns), tl.arange(0, LEVELS)
    strip = matrix + tile * size * columns
    weights = load_weights(strip, 0, size, depth, columns)  # on their way while the code is drawn
    to_logits = tl.load(output_matrix + (tile * columns + outputs[:, None]) * LEVELS + levels[None, :])
    code = code_before(
        index, rows, codes, given, partials, output_bias, origin, seeds, takes, temperatures,
        lanes, bucket, tiles, history, draw,
    )  # fmt: skip
    if draw:
        if tile == 0:
            tl.store(codes + rows * (history + FRAME) + history + index - 1, code.to(tl.uint8))
    total = tl.zeros((max(lanes, TENSOR_CORE_ROWS), columns), tl.float32)
    for first in range(0, size, depth):
        units = first + tl.arange(0, depth)
        block = first_layer(index, rows, units, code, inputs, tables, codes, window, size, inputs_stride, history)
        total = multiply_block(rectify(block, matrix), weights, total, lanes, depth)
        weights = load_weights(strip, first + depth, size, depth, columns)
    hidden = rectify(total + tl.load(bias + tile * columns + outputs)[None, :], matrix)
    share = tl.dot(hidden.to(to_logits.dtype), to_logits, input_precision="ieee", out_dtype=tl.float32)
    store_rows(next_partials + tile * bucket * LEVELS, share, levels, LEVELS, lanes, LEVELS)


@compiled
def turn_frame(codes: tl.tensor, origin: tl.tensor, history: tl.constexpr, width: tl.constexpr) -> None:
    """Make the last codes of a frame the history of the next; `width` is `history` rounded up to a power of two."""
    row, place = tl.program_id(1), tl.arange(0, width)
    line = codes + row * (history + FRAME)
    last = tl.load(line + FRAME + place, mask=place < history)
    tl.store(line + place, last, mask=place < history)
    tl.store(origin + row, tl.load(origin + row) + FRAME)
