"""What one core of this machine can do at most: reading from its caches and memory, multiplying and adding.

Measured in the same process as what is held against it, since neighbours share caches and memory and come and go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from v2s_engine.sampling.tiles import BLOCK, add_products, load_tile, rescale, store_tile
from v2s_engine.sampling.vectors import LANES, load, store

KIB, MIB = 1 << 10, 1 << 20
READ_SIZES: Final = (128 * KIB, 512 * KIB, 2 * MIB, 6 * MIB, 12 * MIB, 24 * MIB, 48 * MIB, 96 * MIB)
"""Bytes that are read again and again; the larger ones no longer fit the caches of common processors."""

_READ_AT_ONCE = 8 * LANES
_READ_BYTES = 256 * MIB  # in one measurement
_STEPS = 1 << 18
_REPEATS = 5

compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = njit(nogil=True)


@dataclass(frozen=True)
class Ceilings:
    """Of one core: the best that was seen, as neighbours can only take away from it."""

    reading: tuple[tuple[int, float], ...]
    """Bytes that are read over and over, and bytes per second."""
    multiplying: dict[str, float]
    """Multiplications with addition per second, by the precision of the weights; bf16 is computed in fp32, int4 as int8
    is."""

    def read_rate(self, size: float) -> float:
        """Bytes per second where so many are read over and over: those of the next larger size."""
        return next((rate for measured, rate in self.reading if measured >= size), self.reading[-1][1])

    def seconds_at_least(self, read: float, size: float, products: float, precision: str) -> float:
        """What reading and multiplying take where both go on side by side (the roofline)."""
        return max(read / self.read_rate(size), products / self.multiplying[precision])

    def or_better(self, other: Ceilings) -> Ceilings:
        """The better of two measurements, each figure by itself."""
        pairs = zip(self.reading, other.reading, strict=True)
        return Ceilings(
            tuple((size, max(rate, again)) for (size, rate), (_, again) in pairs),
            {name: max(rate, other.multiplying[name]) for name, rate in self.multiplying.items()},
        )


def measure_ceilings() -> Ceilings:
    """Takes some two seconds; measure before and after what is held against it, and take `or_better`."""
    fp32, int8 = _multiply_rate(np.float32, np.float32), _multiply_rate(np.int8, np.uint8)
    reading = tuple((size, _read_rate(size)) for size in READ_SIZES)
    return Ceilings(reading, {"fp32": fp32, "fp16": fp32, "bf16": fp32, "int8": int8, "int4": int8})


def describe_ceilings(ceilings: Ceilings) -> str:
    reading = ", ".join(f"{size / MIB:g} MiB {rate / 1e9:.0f}" for size, rate in ceilings.reading)
    products = ", ".join(f"{name} {ceilings.multiplying[name] / 1e9:.0f}" for name in ("fp32", "int8"))
    return f"one core reads (GB/s): {reading}; multiplies and adds (billions/s): {products}"


def _read_rate(size: int) -> float:
    data, out = np.ones(size // 4, np.float32), np.zeros(LANES, np.float32)  # pages of zeros would all be one page
    times = max(1, _READ_BYTES // size)
    _read(data, 1, out)
    return times * data.nbytes / _least_seconds(lambda: _read(data, times, out))


def _multiply_rate(weights: type[np.generic], activations: type[np.generic]) -> float:
    """A tile of 4 rows by 4 vectors, which the registers hold; what it multiplies lies in the nearest cache."""
    each = 4 // np.dtype(weights).itemsize
    matrix: NDArray[Any] = np.zeros((1, 8, BLOCK, each), weights)
    inputs: NDArray[Any] = np.zeros((4, 8 * each), activations)
    sums = np.zeros((4, BLOCK), np.int32 if weights is np.int8 else np.float32)
    out = np.zeros((4, BLOCK), np.float32)
    multiply = _multiply_levels if weights is np.int8 else _multiply_floats
    multiply(matrix, inputs, sums, 1, out)
    seconds = _least_seconds(lambda: multiply(matrix, inputs, sums, _STEPS, out))
    return _STEPS * 8 * 4 * BLOCK * each / seconds


def _least_seconds(call: Callable[[], None]) -> float:
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


@compiled
def _read(data: Any, times: int, out: Any) -> None:
    a = b = c = d = e = f = g = h = load(out, 0)
    for _ in range(times):
        for place in range(0, len(data), _READ_AT_ONCE):
            a, b = a + load(data, place), b + load(data, place + 16)
            c, d = c + load(data, place + 32), d + load(data, place + 48)
            e, f = e + load(data, place + 64), f + load(data, place + 80)
            g, h = g + load(data, place + 96), h + load(data, place + 112)
    store(out, 0, a + b + c + d + e + f + g + h)


@compiled
def _multiply_floats(matrix: Any, inputs: Any, start: Any, times: int, out: Any) -> None:
    rows, strips = (0, 1, 2, 3), (0, 1, 2, 3)
    sums = load_tile(start, rows, 0, strips)
    for _ in range(times):
        for index in range(8):
            sums = add_products(sums, matrix, 0, strips, inputs, rows, index)
    store_tile(out, rows, 0, strips, sums)


@compiled
def _multiply_levels(matrix: Any, inputs: Any, start: Any, times: int, out: Any) -> None:
    rows, strips = (0, 1, 2, 3), (0, 1, 2, 3)
    sums = load_tile(start, rows, 0, strips)
    for _ in range(times):
        for index in range(0, 32, 4):
            sums = add_products(sums, matrix, 0, strips, inputs, rows, index)
    floats = load_tile(out, rows, 0, strips)
    store_tile(out, rows, 0, strips, rescale(sums, floats, out, rows, floats))
