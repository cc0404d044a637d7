"""The CPU sampler's inner loops, compiled by Numba.

The rows of a group go in lockstep: they stand at the same place of a conditioning vector. Every number comes from the
same operations in the same order whatever the group, so a row's result does not depend on its neighbours.

Widths are padded with zeros to whole multiples of `PADDING`; what is computed there stays zero or is never read.
A matrix lies in strips of 16 outputs, `[outputs / 16, inputs, 16]`, so that a product reads memory front to back.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from v2s_engine.options import LEVELS, SILENCE_CODE
from v2s_engine.sampling.draw import EXPONENT_FLOOR
from v2s_engine.sampling.sampler import Codes, Floats
from v2s_engine.sampling.vectors import (
    LANES,
    compiled,
    fma,
    keep_where_not_below,
    load,
    maximum,
    minimum,
    power_of_two,
    splat,
    store,
    whole_part,
)

PADDING: Final = 4 * LANES
"""Outputs of a product come in whole multiples of this: one row is summed up in four strips at once."""

Vector = Any
"""Sixteen float32 numbers, see `vectors`."""

_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_SILENCE, _SCALE = np.float32(SILENCE_CODE), np.float32(2 / SILENCE_CODE)
_FLOOR, _CEILING = np.float32(EXPONENT_FLOOR), np.float32(88)

# e^x as in Cephes' `expf`: 2^n times a polynomial on ±ln(2)/2.
_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P5, _P4, _P3 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P2, _P1 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1)


class PackedWeights(NamedTuple):
    """`FoldedWeights` as the kernels read them: matrices in strips, biases `[1, outputs]`.

    P and Q are hidden_size and mlp_size with padding; the three gates of a GRU are 3P outputs.
    """

    conditioning: Floats
    conditioning_bias: Floats
    coarse_samples: Floats
    coarse_recurrent: Floats
    coarse_recurrent_bias: Floats
    coarse_up: Floats
    """`[mid steps per unit, 3P / 16, d, 16]`, its bias `[mid steps per unit, 1, 3P]`."""
    coarse_up_bias: Floats
    mid_samples: Floats
    mid_recurrent: Floats
    mid_recurrent_bias: Floats
    mid_up: Floats
    """`[mid_unit, Q / 16, d, 16]`, its bias `[mid_unit, 1, Q]`."""
    mid_up_bias: Floats
    tables: Floats
    """`[window, 256, Q]`."""
    fine_hidden: Floats
    fine_hidden_bias: Floats
    fine_output: Floats
    fine_output_bias: Floats


class Group(NamedTuple):
    """R rows on their way through L samples; `coarse`, `mid` and either `codes` or `logits` are written to."""

    phase: int
    """Samples from the start of the first conditioning vector to the first sample asked for, the same for all rows."""
    conditioning: Floats
    """`[R, n, C]`."""
    coarse: Floats
    """`[R, P]`."""
    mid: Floats
    """`[R, P]`."""
    codes: Codes
    """`[R, history_length + L]`: the history, then the codes: drawn here, or given where `logits` are asked for."""
    uniforms: Floats
    """`[R, L]`, or `[R, 0]` where the codes are given."""
    temperatures: Floats
    """`[R]`."""
    logits: Floats
    """`[R, L, 256]` where the codes are given, else `[R, 0, 256]`."""


@compiled
def run_group(weights: PackedWeights, group: Group, conditioning_length: int) -> None:
    """Take all rows of a group through L samples: draw codes from `uniforms`, or write the `logits` of given ones."""
    rows, width = group.coarse.shape
    length = max(group.uniforms.shape[1], group.logits.shape[1])
    coarse_unit, mid_unit = weights.coarse_samples.shape[1], weights.mid_samples.shape[1]
    vectors = np.empty((rows, group.conditioning.shape[2]), np.float32)
    conditioned = np.empty((rows, 3 * width), np.float32)
    mid_inputs = np.empty((coarse_unit // mid_unit, rows, 3 * width), np.float32)
    fine_inputs = np.empty((mid_unit, rows, weights.tables.shape[2]), np.float32)
    amplitudes = np.empty((rows, coarse_unit), np.float32)
    gates = np.empty((2, rows, 3 * width), np.float32)
    hidden = np.empty((2, rows, weights.tables.shape[2]), np.float32)
    logits = np.empty((rows, LEVELS), np.float32)
    terms = np.empty(LEVELS, np.float32)
    for sample in range(length):
        place = group.codes.shape[1] - length + sample
        at = group.phase + sample
        # What a unit's later samples need is not part of the state: the first sample of a call computes it again.
        first = sample == 0
        if first or at % conditioning_length == 0:
            copy_vectors(group.conditioning, at // conditioning_length, vectors)
            multiply(weights.conditioning, vectors, weights.conditioning_bias, conditioned)
        if at % coarse_unit == 0:
            scale_codes(group.codes, place - coarse_unit, coarse_unit, amplitudes)
            multiply(weights.coarse_samples, amplitudes, conditioned, gates[0])
            multiply(weights.coarse_recurrent, group.coarse, weights.coarse_recurrent_bias, gates[1])
            update_gru(gates[0], gates[1], group.coarse)
        if first or at % coarse_unit == 0:
            multiply_each(weights.coarse_up, group.coarse, weights.coarse_up_bias, mid_inputs)
        if at % mid_unit == 0:
            scale_codes(group.codes, place - mid_unit, mid_unit, amplitudes)
            multiply(weights.mid_samples, amplitudes, mid_inputs[at % coarse_unit // mid_unit], gates[0])
            multiply(weights.mid_recurrent, group.mid, weights.mid_recurrent_bias, gates[1])
            update_gru(gates[0], gates[1], group.mid)
        if first or at % mid_unit == 0:
            multiply_each(weights.mid_up, group.mid, weights.mid_up_bias, fine_inputs)
        add_tables(weights.tables, group.codes, place, fine_inputs[at % mid_unit], hidden[0])
        rectify(hidden[0])
        multiply(weights.fine_hidden, hidden[0], weights.fine_hidden_bias, hidden[1])
        rectify(hidden[1])
        multiply(weights.fine_output, hidden[1], weights.fine_output_bias, logits)
        put_out(group, logits, sample, place, terms)


@compiled
def put_out(group: Group, logits: Floats, sample: int, place: int, terms: Floats) -> None:
    """Write the logits of a sample, or draw its code, for every row."""
    for row in range(logits.shape[0]):
        if group.logits.shape[1]:
            for code in range(LEVELS):
                group.logits[row, sample, code] = logits[row, code]
        else:
            uniform, temperature = group.uniforms[row, sample], group.temperatures[row]
            group.codes[row, place] = draw_compiled(logits, row, uniform, temperature, terms)


@compiled
def multiply(matrix: Floats, inputs: Floats, start: Floats, out: Floats) -> None:
    """`out[r] = start[r] + inputs[r] @ matrix` for every row r; a `start` of one row serves all rows.

    Every output is summed in rising order of the inputs, with fused multiply-adds. `inputs` may have columns to spare.
    """
    rows = inputs.shape[0]
    if rows < 4:
        for strip in range(0, matrix.shape[0], 4):
            for row in range(rows):
                sum_four_strips(matrix, strip, inputs, row, start, out)
    else:
        for strip in range(matrix.shape[0]):
            for row in range(0, rows, 4):
                # The last four may overlap with those before: the same numbers are then written twice.
                sum_four_rows(matrix, strip, inputs, min(row, rows - 4), start, out)


@compiled
def multiply_each(matrices: Floats, inputs: Floats, starts: Floats, outs: Floats) -> None:
    """`multiply` with each of several matrices: what one state says to each step of the tier below."""
    for step in range(matrices.shape[0]):
        multiply(matrices[step], inputs, starts[step], outs[step])


@compiled
def sum_four_strips(  # noqa: PLR0917 (Numba knows no keyword-only arguments)
    matrix: Floats, strip: int, inputs: Floats, row: int, start: Floats, out: Floats
) -> None:
    """Four strips of one row: as many sums at once as keep the multipliers busy."""
    depth = matrix.shape[1]
    place, stride = strip * depth * LANES, depth * LANES
    at = start_place(start, row, strip)
    a, b = load(start, at), load(start, at + LANES)
    c, d = load(start, at + 2 * LANES), load(start, at + 3 * LANES)
    for index in range(depth):
        value = splat(inputs[row, index])
        a = fma(value, load(matrix, place), a)
        b = fma(value, load(matrix, place + stride), b)
        c = fma(value, load(matrix, place + 2 * stride), c)
        d = fma(value, load(matrix, place + 3 * stride), d)
        place += LANES
    at = row * out.shape[1] + strip * LANES
    store(out, at, a)
    store(out, at + LANES, b)
    store(out, at + 2 * LANES, c)
    store(out, at + 3 * LANES, d)


@compiled
def sum_four_rows(  # noqa: PLR0917 (as above)
    matrix: Floats, strip: int, inputs: Floats, row: int, start: Floats, out: Floats
) -> None:
    """One strip of four rows: each weight is read once for all four."""
    depth, stride = matrix.shape[1], out.shape[1]
    a, b = load(start, start_place(start, row, strip)), load(start, start_place(start, row + 1, strip))
    c, d = load(start, start_place(start, row + 2, strip)), load(start, start_place(start, row + 3, strip))
    place = strip * depth * LANES
    for index in range(depth):
        weight = load(matrix, place)
        a = fma(splat(inputs[row, index]), weight, a)
        b = fma(splat(inputs[row + 1, index]), weight, b)
        c = fma(splat(inputs[row + 2, index]), weight, c)
        d = fma(splat(inputs[row + 3, index]), weight, d)
        place += LANES
    at = row * stride + strip * LANES
    store(out, at, a)
    store(out, at + stride, b)
    store(out, at + 2 * stride, c)
    store(out, at + 3 * stride, d)


@compiled
def start_place(start: Floats, row: int, strip: int) -> int:
    """Where in flat memory a strip of a row's start lies."""
    return strip * LANES if start.shape[0] == 1 else row * start.shape[1] + strip * LANES


@compiled
def copy_vectors(conditioning: Floats, index: int, out: Floats) -> None:
    """One conditioning vector of every row."""
    for row in range(out.shape[0]):
        for number in range(out.shape[1]):
            out[row, number] = conditioning[row, index, number]


@compiled
def scale_codes(codes: Codes, place: int, count: int, out: Floats) -> None:
    """Codes as real numbers in [-2, 2), the scale that the recurrent tiers see."""
    for row in range(codes.shape[0]):
        for index in range(count):
            out[row, index] = (np.float32(codes[row, place + index]) - _SILENCE) * _SCALE


@compiled
def update_gru(inputs: Floats, recurrent: Floats, hidden: Floats) -> None:
    """One step of PyTorch's GRU from the two products `[R, 3P]` of its gates (reset, update, candidate)."""
    rows, width = hidden.shape
    for row in range(rows):
        for unit in range(0, width, LANES):
            at = row * 3 * width + unit
            reset = sigmoid(load(inputs, at) + load(recurrent, at))
            at += width
            update = sigmoid(load(inputs, at) + load(recurrent, at))
            at += width
            candidate = tanh(fma(reset, load(recurrent, at), load(inputs, at)))
            before = load(hidden, row * width + unit)
            store(hidden, row * width + unit, fma(update, before - candidate, candidate))


@compiled
def add_tables(tables: Floats, codes: Codes, place: int, start: Floats, out: Floats) -> None:
    """`out[r] = start[r]` and one table row for each of the row's last codes."""
    window, width = tables.shape[0], tables.shape[2]
    for row in range(codes.shape[0]):
        for unit in range(0, width, LANES):
            total = load(start, row * width + unit)
            for index in range(window):
                code = np.int64(codes[row, place - window + index])
                total = total + load(tables, (index * LEVELS + code) * width + unit)
            store(out, row * width + unit, total)


@compiled
def rectify(hidden: Floats) -> None:
    """ReLU in place."""
    zero = splat(_ZERO)
    for at in range(0, hidden.size, LANES):
        store(hidden, at, maximum(zero, load(hidden, at)))


@compiled
def draw_compiled(logits: Floats, row: int, uniform: float, temperature: float, terms: Floats) -> int:
    """`draw.draw_code` for one row of `logits [R, 256]`; `terms [256]` is scratch. All numbers are float32."""
    start = row * LEVELS
    highest = logits[row, 0]
    for code in range(1, LEVELS):
        highest = max(highest, logits[row, code])
    for at in range(0, LEVELS, LANES):
        exponent = (load(logits, start + at) - splat(highest)) / splat(temperature)
        store(terms, at, keep_where_not_below(exponential(exponent), exponent, splat(_FLOOR)))
    running = _ZERO
    for code in range(LEVELS):
        running += terms[code]
        terms[code] = running
    code = 0
    while code < LEVELS - 1 and terms[code] <= uniform * running:
        code += 1
    return code


@compiled
def sigmoid(x: Vector) -> Vector:
    """Within 1e-7."""
    return splat(_ONE) / (splat(_ONE) + exponential(splat(_ZERO) - x))


@compiled
def tanh(x: Vector) -> Vector:
    """Within 2e-7, absolute: a GRU's state needs no more."""
    return splat(_ONE) - splat(_TWO) / (splat(_ONE) + exponential(splat(_TWO) * x))


@compiled
def exponential(x: Vector) -> Vector:
    """e^x within 2e-7 of its value, for x cut to -87 .. 88."""
    x = minimum(maximum(x, splat(_FLOOR)), splat(_CEILING))
    whole = whole_part(fma(x, splat(_LOG2_E), splat(_HALF)))
    rest = fma(whole, splat(-_LN2_HIGH), x)
    rest = fma(whole, splat(-_LN2_LOW), rest)
    total = splat(_P5)
    for coefficient in (_P4, _P3, _P2, _P1, _HALF):
        total = fma(total, rest, splat(coefficient))
    return fma(total, rest * rest, rest + splat(_ONE)) * power_of_two(whole)
