"""Matrices in fewer bits, and products with them that are exact: the definition that every sampler follows.

A weight is `level * scale`: an int8 level, one float32 scale per output. What it is multiplied with becomes uint8
levels too: a GRU's state by a fixed step, because it lies in [-1, 1]; what a ReLU gives by a step that follows the
largest number of the vector. The sum of the products of levels is then exact in int32, in any order, on any machine,
and one fixed expression in float32 turns it into an output.

With 4 bits a weight is `level * multiplier * scale`: a level in -8 .. 7 and a whole multiplier that each output has for
every `GROUP` inputs. Sums stay exact, which scales in floating point for every group would not be.

bfloat16 is the upper half of a float32. NumPy has no such type: its bits are kept as uint16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError

Floats = NDArray[np.float32]

QUANTISED: Final = ("coarse_recurrent", "coarse_up", "mid_recurrent", "mid_up", "fine_hidden", "fine_output")
"""The matrices that fewer bits are for: nearly all that is read and multiplied for a sample."""

FOUR_BITS: Final = ("coarse_recurrent", "coarse_up", "mid_recurrent")
"""Those of them that `int4` has in 4 bits: what feeds a GRU, whose gates even errors out. The others stay int8."""

STATE_ZERO: Final = 128
"""Level of a state of 0."""

STATE_STEP: Final = np.float32(1 / 127)
"""From one level of a state to the next: -1 .. 1 are the levels 1 .. 255."""

GROUP: Final = 32
"""Inputs that share the multipliers of 4-bit levels."""

LARGEST_MULTIPLIER: Final = 255

MOST_INPUTS: Final = 8192
"""That sums of 4-bit levels times multipliers stay within int32 for: 8 * 255 * 127 * 8192 < 2^31."""

_LARGEST_NIBBLE: Final = 7  # of both signs; -8 serves what the clipping of a group's largest weights leaves over
_CLIPPED: Final = (1.0, 0.95, 0.9, 0.85, 0.8)  # of a group's largest weight: which ranges are tried for its levels

SMALLEST_MAXIMUM: Final = np.float32(1e-30)
"""A largest number below it counts as this: 255 over it is finite."""


@dataclass(frozen=True, eq=False)
class QuantisedMatrix:
    """A matrix as int8 levels. Used as `row_vector @ matrix`, like the float32 ones."""

    levels: NDArray[np.int8]
    """`[inputs, ..outputs]`."""
    scales: Floats
    """`[..outputs]`: what one level is worth, where there are multipliers a level times 1."""
    multipliers: NDArray[np.uint8] | None = None
    """`[group_count(inputs), ..outputs]`; where there are any, levels are those of 4 bits, -8 .. 7."""

    def whole(self) -> NDArray[np.int32]:
        """Levels times their multipliers: whole numbers that times `scales` are the weights."""
        if self.multipliers is None:
            return self.levels.astype(np.int32)
        multipliers = np.repeat(self.multipliers.astype(np.int32), GROUP, axis=0)
        return multipliers[: len(self.levels)] * self.levels

    def steps(self) -> Floats:
        """What one level is worth, for each weight."""
        if self.multipliers is None:
            return np.broadcast_to(self.scales, self.levels.shape)
        return np.repeat(self.multipliers * self.scales, GROUP, axis=0)[: len(self.levels)]

    def limits(self) -> tuple[int, int]:
        """The lowest and the highest level that there may be."""
        return (-127, 127) if self.multipliers is None else (-_LARGEST_NIBBLE - 1, _LARGEST_NIBBLE)

    def values(self) -> Floats:
        """The float32 matrix that it stands for."""
        return self.whole().astype(np.float32) * self.scales

    def at(self, step: int) -> QuantisedMatrix:
        """`matrix[:, step]`."""
        multipliers = None if self.multipliers is None else self.multipliers[:, step]
        return QuantisedMatrix(self.levels[:, step], self.scales[step], multipliers)


@dataclass(frozen=True, eq=False)
class Activations:
    """A vector as uint8 levels: it stands for `(levels - zero) * step`."""

    levels: NDArray[np.uint8]
    zero: int
    step: np.float32


def quantise(matrix: Floats) -> QuantisedMatrix:
    """The nearest levels of a matrix `[inputs, ..outputs]`, symmetric; an output's largest weight is level ±127."""
    scales = np.abs(matrix).max(axis=0) / np.float32(127)
    levels = np.rint(np.divide(matrix, scales, out=np.zeros_like(matrix), where=scales > 0))
    return QuantisedMatrix(np.clip(levels, -127, 127).astype(np.int8), scales)


def quantise_in_groups(matrix: Floats) -> QuantisedMatrix:
    """Levels of 4 bits of a matrix `[inputs, ..outputs]`, and the multipliers that serve each group of inputs best.

    A few are tried, from that which reaches a group's largest weight downwards: to clip it costs less than coarser
    levels for all others. The least sum of squared errors decides. Raises `UsageError` for too many inputs.
    """
    inputs, outputs = len(matrix), matrix.shape[1:]
    if inputs > MOST_INPUTS:
        raise UsageError(f"int4 is for matrices of at most {MOST_INPUTS} inputs; got {inputs}; take int8")
    weights = matrix.reshape(inputs, -1)
    scales = np.abs(weights).max(axis=0) / np.float32(_LARGEST_NIBBLE * LARGEST_MULTIPLIER)
    relative = np.divide(weights, scales, out=np.zeros_like(weights), where=scales > 0)
    groups = np.pad(relative, [(0, -inputs % GROUP), (0, 0)]).reshape(-1, GROUP, len(scales))
    largest = np.abs(groups).max(axis=1) / np.float32(_LARGEST_NIBBLE)
    best, multipliers = np.full_like(largest, np.inf), np.zeros_like(largest)
    for share in _CLIPPED:
        tried = np.clip(np.rint(largest * np.float32(share)), 1, LARGEST_MULTIPLIER)
        error = np.square(_nibbles(groups, tried) * tried[:, None] - groups).sum(axis=1)
        multipliers = np.where(error < best, tried, multipliers)
        best = np.minimum(best, error)
    levels = _nibbles(groups, multipliers).astype(np.int8).reshape(-1, *outputs)[:inputs]
    return QuantisedMatrix(levels, scales.reshape(outputs), multipliers.astype(np.uint8).reshape(-1, *outputs))


def group_count(inputs: int) -> int:
    """Groups of so many inputs."""
    return -(-inputs // GROUP)


def _nibbles(groups: Floats, multipliers: Floats) -> Floats:
    """The nearest levels of weights `[groups, GROUP, outputs]` in steps of the multipliers `[groups, outputs]`."""
    levels: Floats = np.rint(groups / multipliers[:, None])
    return levels.clip(-_LARGEST_NIBBLE - 1, _LARGEST_NIBBLE, out=levels)


def pack_nibbles(levels: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Levels of 4 bits `[inputs, ..]`, two in a byte `[inputs / 2, ..]`: the earlier input is the lower half."""
    pairs = np.pad(levels, [(0, len(levels) % 2)] + [(0, 0)] * (levels.ndim - 1)).view(np.uint8)
    packed: NDArray[np.uint8] = np.bitwise_or(pairs[::2] & 15, pairs[1::2] << 4, dtype=np.uint8)
    return packed


def unpack_nibbles(packed: NDArray[np.uint8], inputs: int) -> NDArray[np.int8]:
    """Inverse of `pack_nibbles`."""
    signed = packed.view(np.int8)
    return np.stack([(signed << 4) >> 4, signed >> 4], axis=1).reshape(-1, *packed.shape[1:])[:inputs]


def quantise_state(state: Floats) -> Activations:
    """Levels of a GRU's state `[d]`. Beyond ±1, where only a learned start can lie, it counts as ±1."""
    # In float64 the product is exact, so this rounds once, as a fused multiply-add does.
    shifted = (np.clip(state, -1, 1).astype(np.float64) * 127 + (STATE_ZERO + 0.5)).astype(np.float32)
    return Activations(np.floor(shifted).astype(np.uint8), STATE_ZERO, STATE_STEP)


def quantise_rectified(vector: Floats) -> Activations:
    """Levels of what a ReLU gave `[H]`: the largest number is 255, 0 is 0."""
    highest = np.maximum(vector.max(), SMALLEST_MAXIMUM)
    shifted = (vector.astype(np.float64) * (np.float32(255) / highest) + 0.5).astype(np.float32)
    return Activations(np.floor(shifted).astype(np.uint8), 0, highest / np.float32(255))


def multiply_quantised(activations: Activations, matrix: QuantisedMatrix, start: Floats) -> Floats:
    """`start + vector @ matrix`, float32 `[..outputs]`."""
    left = activations.levels.astype(np.int32) - activations.zero
    sums = left @ matrix.whole().reshape(len(left), -1)
    scales = matrix.scales * activations.step
    return fused(sums.reshape(scales.shape).astype(np.float32), scales, start)


def fused(left: Floats, right: Floats, added: Floats) -> Floats:
    """`left * right + added`, rounded once: the product of two float32 is exact in float64."""
    wide: NDArray[np.float64] = left.astype(np.float64) * right + added
    return wide.astype(np.float32)


def to_bfloat16(array: Floats) -> NDArray[np.uint16]:
    """Bits of the nearest bfloat16 numbers, of two equally near ones the even; beyond the largest: infinity."""
    bits = np.ascontiguousarray(array).view(np.uint32)
    even = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return ((bits + even) >> np.uint32(16)).astype(np.uint16)


def from_bfloat16(bits: NDArray[np.uint16]) -> Floats:
    """The float32 numbers of these bits, exactly."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
