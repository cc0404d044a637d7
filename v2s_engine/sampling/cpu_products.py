"""Products of the CPU sampler, compiled by Numba: activations of some rows times a packed matrix.

A packed matrix is `[outputs / 64, steps, 64, inputs per step]`, so that a product reads memory front to back: a
float32 array; a uint16 array, the bits of bfloat16 numbers; `LevelsMatrix`, int8; or `NibblesMatrix`, 4 bits. Its type
decides which code is compiled. Every output is made by the same operations in the same order whatever the rows it
shares a call with.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from v2s_engine.sampling.cpu_pair import Pair, outputs_left, own_outputs
from v2s_engine.sampling.quantised import SMALLEST_MAXIMUM, STATE_STEP, STATE_ZERO
from v2s_engine.sampling.sampler import Floats
from v2s_engine.sampling.tiles import (
    BLOCK,
    FOUR_STRIPS,
    ONE_STRIP,
    TWO_STRIPS,
    add_group,
    add_products,
    has_many_registers,
    inputs_per_step,
    load_tile,
    rescale,
    store_tile,
)
from v2s_engine.sampling.vectors import (
    LANES,
    Function,
    compiled,
    fma,
    highest,
    implements,
    load,
    maximum,
    minimum,
    splat,
    store,
    store_bytes,
)


class LevelsMatrix(NamedTuple):
    """A `QuantisedMatrix` as the kernels read it."""

    levels: NDArray[np.int8]
    """`[outputs / 64, steps, 64, 4]`."""
    scales: Floats
    """`[1, outputs]`."""
    offsets: NDArray[np.int32]
    """`[1, outputs]`: where sums begin, so that a level of `STATE_ZERO` adds nothing."""


class NibblesMatrix(NamedTuple):
    """A `QuantisedMatrix` of 4 bits as the kernels read it."""

    nibbles: NDArray[np.uint8]
    """`[outputs / 64, steps, 64, 4]`: see `tiles.NIBBLES_PER_STEP`."""
    multipliers: NDArray[np.uint8]
    """`[outputs / 64, groups, 64, 1]`."""
    scales: Floats
    """`[1, outputs]`."""
    offsets: NDArray[np.int32]
    """`[1, outputs]`: as for `LevelsMatrix`."""


class Levels(NamedTuple):
    """Activations of R rows as levels; see `quantised.Activations`."""

    levels: NDArray[np.uint8]
    """`[R, inputs]`."""
    steps: Floats
    """`[R]`."""


_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_STATE_LEVELS, _STATE_SHIFT, _STATE_STEP = np.float32(127), np.float32(STATE_ZERO + 0.5), np.float32(STATE_STEP)
_RECTIFIED_LEVELS, _SMALLEST = np.float32(255), np.float32(SMALLEST_MAXIMUM)


@compiled
def multiply(matrix: Any, first: int, inputs: Any, start: Floats, out: Floats, pair: Pair | None) -> None:
    """`out[r] = start[r] + inputs[r] @ matrix[:, first:]` for every row r; a `start` of one row serves all rows.

    As many outputs are made as `out` has columns; `first`, the first of them, is a whole multiple of `BLOCK`.
    `inputs` are what `as_state` or `as_rectified` made for the matrix; they may have columns to spare. Where there is a
    `pair`, the two threads of it make one row together.
    """
    rows = out.shape[0]
    begin, end = np.intp(0), out.shape[1]
    if pair is not None:
        begin, end = own_outputs(pair, end)
    while begin < end:
        for column in range(begin, end, BLOCK):
            if rows < 4:
                for row in range(rows):
                    make_tile(matrix, first, inputs, start, out, (row,), column, FOUR_STRIPS)
            else:
                for row in range(0, rows, 4):
                    # The last four may overlap with those before: the same numbers are then written twice.
                    make_four_rows(matrix, first, inputs, start, out, min(row, rows - 4), column)
        if pair is None:
            return
        begin, end = outputs_left(pair, out, begin, end)


def make_four_rows(matrix: Any, first: int, inputs: Any, start: Floats, out: Floats, row: int, column: int) -> None:
    """A block of outputs of four rows, in tiles that the processor has registers for."""
    raise NotImplementedError("for compiled code")


@implements(make_four_rows)
def _choose_make_four_rows(
    matrix: Any, first: Any, inputs: Any, start: Any, out: Any, row: Any, column: Any
) -> Function:
    if not has_many_registers():
        return _make_four_rows_by_strips
    return _make_four_rows_by_pairs if is_nibbles(matrix) else _make_four_rows_at_once


def is_nibbles(matrix: Any) -> bool:
    """Whether Numba's type of a matrix is that of a `NibblesMatrix`."""
    return isinstance(matrix, types.NamedTuple) and matrix.instance_class is NibblesMatrix


def _make_four_rows_at_once(
    matrix: Any, first: int, inputs: Any, start: Floats, out: Floats, row: int, column: int
) -> None:
    make_tile(matrix, first, inputs, start, out, (row, row + 1, row + 2, row + 3), column, FOUR_STRIPS)


def _make_four_rows_by_pairs(
    matrix: Any, first: int, inputs: Any, start: Floats, out: Floats, row: int, column: int
) -> None:
    """Weights of 4 bits take two sums for each output."""
    for strip in range(column, column + BLOCK, 2 * LANES):
        make_tile(matrix, first, inputs, start, out, (row, row + 1, row + 2, row + 3), strip, TWO_STRIPS)


def _make_four_rows_by_strips(
    matrix: Any, first: int, inputs: Any, start: Floats, out: Floats, row: int, column: int
) -> None:
    for strip in range(column, column + BLOCK, LANES):
        make_tile(matrix, first, inputs, start, out, (row, row + 1, row + 2, row + 3), strip, ONE_STRIP)


def make_tile(
    matrix: Any, first: int, inputs: Any, start: Floats, out: Floats, rows: Any, column: int, strips: Any
) -> None:
    """Some rows of some strips of `multiply`: as many sums at once as keep the multipliers busy."""
    raise NotImplementedError("for compiled code")


@implements(make_tile)
def _choose_make_tile(
    matrix: Any, first: Any, inputs: Any, start: Any, out: Any, rows: Any, column: Any, strips: Any
) -> Function:
    if isinstance(matrix, types.Array):
        return _make_tile_of_floats
    return _make_tile_of_nibbles if is_nibbles(matrix) else _make_tile_of_levels


def _make_tile_of_floats(
    matrix: Any, first: int, inputs: Floats, start: Floats, out: Floats, rows: Any, column: int, strips: Any
) -> None:
    """float32 or bfloat16 weights: summed in rising order of the inputs, with fused multiply-adds."""
    place = place_in(matrix, first + column)
    sums = load_tile(start, rows, column, strips)
    for index in range(0, matrix.shape[1] * inputs_per_step(matrix), inputs_per_step(matrix)):
        sums = add_products(sums, matrix, place, strips, inputs, rows, index)
    store_tile(out, rows, column, strips, sums)


def _make_tile_of_levels(
    matrix: LevelsMatrix, first: int, inputs: Levels, start: Floats, out: Floats, rows: Any, column: int, strips: Any
) -> None:
    """int8 weights: exact sums in int32, then one fixed expression."""
    place = place_in(matrix.levels, first + column)
    sums = load_tile(matrix.offsets, rows, first + column, strips)
    for index in range(0, matrix.levels.shape[1] * 4, 4):
        sums = add_products(sums, matrix.levels, place, strips, inputs.levels, rows, index)
    scales = load_tile(matrix.scales, rows, first + column, strips)
    begun = load_tile(start, rows, column, strips)
    store_tile(out, rows, column, strips, rescale(sums, scales, inputs.steps, rows, begun))


def _make_tile_of_nibbles(
    matrix: NibblesMatrix, first: int, inputs: Levels, start: Floats, out: Floats, rows: Any, column: int, strips: Any
) -> None:
    """Weights of 4 bits: the same, group by group."""
    places = place_in(matrix.nibbles, first + column), place_in(matrix.multipliers, first + column)
    sums = load_tile(matrix.offsets, rows, first + column, strips)
    for group in range(matrix.multipliers.shape[1]):
        sums = add_group(sums, matrix.nibbles, places, matrix.multipliers, strips, inputs.levels, rows, group)
    scales = load_tile(matrix.scales, rows, first + column, strips)
    begun = load_tile(start, rows, column, strips)
    store_tile(out, rows, column, strips, rescale(sums, scales, inputs.steps, rows, begun))


@compiled
def place_in(matrix: Any, output: int) -> int:
    """Where in the flat memory of a packed matrix the weights of an output begin."""
    steps, each = matrix.shape[1], matrix.shape[3]
    place: int = output // BLOCK * (steps * BLOCK * each) + output % BLOCK * each
    return place


def as_state(matrix: Any, state: Floats, levels: Levels) -> Any:
    """States of GRUs `[R, P]` as the product with `matrix` wants them: as they are, or in `levels`."""
    raise NotImplementedError("for compiled code")


def as_rectified(matrix: Any, hidden: Floats, levels: Levels) -> Any:
    """ReLU of `hidden [R, P]` as the product with `matrix` wants it: in place, or in `levels`."""
    raise NotImplementedError("for compiled code")


@implements(as_state)
def _choose_as_state(matrix: Any, state: Any, levels: Any) -> Function:
    return _same if isinstance(matrix, types.Array) else _quantise_state


@implements(as_rectified)
def _choose_as_rectified(matrix: Any, hidden: Any, levels: Any) -> Function:
    return _rectify if isinstance(matrix, types.Array) else _quantise_rectified


def _same(matrix: Any, state: Floats, levels: Levels) -> Floats:
    return state


def _quantise_state(matrix: Any, state: Floats, levels: Levels) -> Levels:
    """`quantised.quantise_state` of every row."""
    for at in range(0, state.size, LANES):
        within = minimum(maximum(load(state, at), splat(-_ONE)), splat(_ONE))
        store_bytes(levels.levels, at, fma(within, splat(_STATE_LEVELS), splat(_STATE_SHIFT)))
    levels.steps[:] = _STATE_STEP
    return levels


def _rectify(matrix: Any, hidden: Floats, levels: Levels) -> Floats:
    for at in range(0, hidden.size, LANES):
        store(hidden, at, maximum(load(hidden, at), splat(_ZERO)))
    return hidden


def _quantise_rectified(matrix: Any, hidden: Floats, levels: Levels) -> Levels:
    """ReLU and `quantised.quantise_rectified` of every row."""
    rows, width = hidden.shape
    for row in range(rows):
        most = splat(_SMALLEST)
        for at in range(row * width, (row + 1) * width, LANES):
            most = maximum(most, load(hidden, at))
        largest = highest(most)
        scale = splat(_RECTIFIED_LEVELS / largest)
        for at in range(row * width, (row + 1) * width, LANES):
            rectified = maximum(load(hidden, at), splat(_ZERO))
            store_bytes(levels.levels, at, fma(rectified, scale, splat(_HALF)))
        levels.steps[row] = largest / _RECTIFIED_LEVELS
    return levels
