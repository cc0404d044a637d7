"""A GRU's gates and the functions in them, compiled by Numba on vectors: the same bits on every processor."""

from __future__ import annotations

import numpy as np

from v2s_engine.sampling.draw import EXPONENT_FLOOR
from v2s_engine.sampling.sampler import Floats
from v2s_engine.sampling.vectors import (
    LANES,
    Vector,
    compiled,
    fma,
    load,
    maximum,
    minimum,
    power_of_two,
    splat,
    store,
    whole_part,
)

_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_FLOOR, _CEILING = np.float32(EXPONENT_FLOOR), np.float32(88)

# e^x as in Cephes' `expf`: 2^n times a polynomial on ±ln(2)/2.
_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P5, _P4, _P3 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P2, _P1 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1)


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
