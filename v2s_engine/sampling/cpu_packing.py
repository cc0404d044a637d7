"""Folded weights laid out for the CPU sampler's kernels, and the memory that these compute in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.sampling.cpu_kernels import (
    GruScratch,
    GruWeights,
    MlpScratch,
    MlpWeights,
    PackedWeights,
    Scratch,
    TierWeights,
)
from v2s_engine.sampling.cpu_products import Levels, LevelsMatrix, NibblesMatrix
from v2s_engine.sampling.quantised import GROUP, STATE_ZERO, QuantisedMatrix, to_bfloat16
from v2s_engine.sampling.sampler import Floats
from v2s_engine.sampling.tiles import BLOCK, NIBBLES_PER_STEP
from v2s_engine.sampling.weights import FoldedWeights

Array = NDArray[Any]


def pack_weights(weights: FoldedWeights) -> PackedWeights:
    """Lay folded weights out for the kernels."""
    config = weights.config
    size, mlp = config.hidden_size, config.mlp_size
    return PackedWeights(
        conditioning=_pack(weights.conditioning, size, 1),
        conditioning_bias=_pad(weights.conditioning_bias, size),
        coarse=TierWeights(
            GruWeights(
                samples=_pack(weights.coarse_samples, size, 1),
                recurrent=_pack_large(weights, "coarse_recurrent", size),
                recurrent_bias=_candidate_only(weights.coarse_candidate_bias),
            ),
            up=_pack_large(weights, "coarse_up", size),
            up_bias=_pad_each(weights.coarse_up_bias, size),
        ),
        mid=TierWeights(
            GruWeights(
                samples=_pack(weights.mid_samples, size, 1),
                recurrent=_pack_large(weights, "mid_recurrent", size),
                recurrent_bias=_candidate_only(weights.mid_candidate_bias),
            ),
            up=_pack_large(weights, "mid_up", mlp),
            up_bias=_pad_each(weights.mid_up_bias, mlp),
        ),
        fine=MlpWeights(
            tables=_aligned(_pad_last(weights.tables.reshape(-1, mlp))),
            hidden=_pack_large(weights, "fine_hidden", mlp),
            hidden_bias=_pad(weights.fine_hidden_bias, mlp),
            output=_pack_large(weights, "fine_output", LEVELS),
            output_bias=_pad(weights.fine_output_bias, LEVELS),
        ),
    )


def make_scratch(config: ModelConfig, rows: int) -> Scratch:
    """Memory for groups of this many rows."""
    size, mlp = padded(config.hidden_size), padded(config.mlp_size)
    return Scratch(
        vectors=_zeros(rows, config.conditioning_size),
        coarse_inputs=_zeros(rows, 3 * size),
        mid_inputs=_zeros(config.coarse_unit // config.mid_unit, rows, 3 * size),
        fine_inputs=_zeros(config.mid_unit, rows, mlp),
        gru=GruScratch(_zeros(rows, config.coarse_unit), _zeros(2, rows, 3 * size), _make_levels(rows, size)),
        mlp=MlpScratch(_zeros(2, rows, mlp), _make_levels(rows, mlp)),
        logits=_zeros(rows, LEVELS),
        running=_zeros(rows, LEVELS),
        uniforms=_zeros(rows),
    )


def weights_size(weights: PackedWeights) -> int:
    """Bytes of the large matrices."""
    tiers, fine = (weights.coarse, weights.mid), weights.fine
    large = [matrix for tier in tiers for matrix in (tier.gru.recurrent, tier.up)] + [fine.hidden, fine.output]
    arrays = [array for matrix in large for array in ([matrix] if isinstance(matrix, np.ndarray) else matrix)]
    return sum(array.nbytes for array in arrays)


def widest_product(config: ModelConfig) -> int:
    """Most outputs of a product."""
    return max(3 * padded(config.hidden_size), padded(config.mlp_size), LEVELS)


def padded(width: int) -> int:
    """A width with what is added to make it a whole multiple of `BLOCK`."""
    return width + -width % BLOCK


def _zeros(*shape: int) -> Floats:
    return _aligned(np.zeros(shape, dtype=np.float32))


def _make_levels(rows: int, width: int) -> Levels:
    return Levels(_aligned(np.zeros((rows, width), dtype=np.uint8)), _zeros(rows))


def _pack_large(weights: FoldedWeights, name: str, width: int) -> Any:
    """One of the large matrices, in the type that its precision is computed with."""
    if name in weights.quantised:
        return _pack_levels(weights.quantised[name], width, 0 if name.startswith("fine_") else STATE_ZERO)
    matrix = getattr(weights, name)
    return _pack(to_bfloat16(matrix), width, 2) if weights.precision == "bf16" else _pack(matrix, width, 1)


def _pack_levels(matrix: QuantisedMatrix, width: int, zero: int) -> LevelsMatrix | NibblesMatrix:
    """`zero` is the level of the inputs that stands for 0."""
    scales = _pad(matrix.scales, width)
    offsets = _pad(-zero * matrix.whole().sum(axis=0, dtype=np.int32), width)
    if matrix.multipliers is None:
        return LevelsMatrix(_pack(matrix.levels, width, 4), scales, offsets)
    return NibblesMatrix(_pack_nibbles(matrix.levels, width), _pack(matrix.multipliers, width, 1), scales, offsets)


def _pack_nibbles(levels: Array, width: int) -> Array:
    """As `_pack`, two inputs in a byte: see `tiles.NIBBLES_PER_STEP`."""
    groups = np.pad(levels, [(0, -len(levels) % GROUP)] + [(0, 0)] * (levels.ndim - 1)).view(np.uint8)
    halves = groups.reshape(-1, 2, NIBBLES_PER_STEP // 2, *levels.shape[1:])
    both = (halves[:, 0] & 15) | (halves[:, 1] << 4)
    return _pack(both.reshape(-1, *levels.shape[1:]), width, NIBBLES_PER_STEP // 2)


def _pack(matrix: Array, width: int, each: int) -> Array:
    """`[inputs, ..]` to `[outputs / 64, steps, 64, each]`: `each` inputs a step, each `width` of outputs padded."""
    outputs = _pad_last(matrix.reshape(len(matrix), -1, width)).reshape(len(matrix), -1)
    steps = np.pad(outputs, [(0, -len(matrix) % each), (0, 0)]).reshape(-1, each, outputs.shape[1] // BLOCK, BLOCK)
    return _aligned(steps.transpose(2, 0, 3, 1))


def _pad_each(biases: Floats, width: int) -> Floats:
    return _aligned(np.stack([_pad(bias, width) for bias in biases]))


def _pad(outputs: Array, width: int) -> Array:
    """`[..]` to `[1, outputs]`, each `width` of outputs padded."""
    return _aligned(_pad_last(outputs.reshape(-1, width)).reshape(1, -1))


def _candidate_only(bias: Floats) -> Floats:
    """A bias `[1, 3P]` of three gates that are 0 but for the candidate's."""
    return _pad(np.concatenate([np.zeros(2 * len(bias), dtype=np.float32), bias]), len(bias))


def _pad_last(array: Array) -> Array:
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, -array.shape[-1] % BLOCK)])


def _aligned(array: Array) -> Array:
    """A contiguous copy that begins at a multiple of 64 bytes: no vector then lies across two cache lines."""
    memory = np.empty(array.nbytes + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
