"""Rounding to int8 and int4 that makes up for its own errors, on what the network really computes.

Rounding each weight to the nearest level is the best that can be done for one weight, not for a product: inputs are
correlated, and one weight's error can be undone by those rounded after it. That is GPTQ (Frantar et al., ICLR 2023,
arXiv 2210.17323, algorithm 1 without blocks), which minimises the mean square error of a matrix's outputs.
For int8 it is done for the two matrices of the finest tier, since nearly all that rounding costs comes from them: they
decide on every sample, and nothing after them averages out. For int4 it is done for all large matrices.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from v2s_engine.options import LEVELS
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.quantised import QuantisedMatrix
from v2s_engine.sampling.weights import FoldedWeights
from v2s_export.passages import Passages, teacher_forced

_DAMPING = 0.01  # of the mean square of the inputs, added to each: what GPTQ's authors take

_Wide = NDArray[np.float64]


def calibrated(weights: FoldedWeights, precision: Literal["int8", "int4"], passages: Passages) -> FoldedWeights:
    """`weights.rounded(precision)`, rounded for what its layers give on these sounds.

    Measure what it costs on other sounds. Takes a logit pass over the sounds for each 256 units of both hidden layers,
    and for int4 one for the states. The last bits depend on this machine's linear algebra: two machines may round a few
    weights otherwise.
    """
    weights = _centred(weights)
    moments = {
        "fine_hidden": _second_moments(_first_layer(weights), passages),
        "fine_output": _second_moments(weights, passages),
    }
    if precision == "int4":
        coarse, mid = _moments_of_states(weights, passages)
        moments |= {"coarse_recurrent": coarse, "coarse_up": coarse, "mid_recurrent": mid, "mid_up": mid}
    rounded = weights.rounded(precision)
    better = {
        name: round_compensating(getattr(weights, name), rounded.quantised[name], moment)
        for name, moment in moments.items()
    }
    tensors: dict[str, Any] = {name: matrix.values() for name, matrix in better.items()}
    return replace(rounded, **tensors, quantised={**rounded.quantised, **better})


def round_compensating(matrix: NDArray[np.float32], plain: QuantisedMatrix, moments: _Wide) -> QuantisedMatrix:
    """Levels of a matrix `[inputs, ..outputs]` for vectors of these second moments `[inputs, inputs]`.

    Scales and multipliers are those of `plain`, the same rounded weight by weight. Inputs are rounded one after the
    other, the strongest first, and each one's error is spread over those to come.
    """
    inputs = len(matrix)
    strength = np.diag(moments)
    order = np.argsort(-strength, kind="stable")
    damped = moments[np.ix_(order, order)] + np.eye(inputs) * max(_DAMPING * strength.mean(), 1e-12)
    # Row i: how the error of input i is made up for by the later ones.
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T
    steps = plain.steps().reshape(inputs, -1).astype(np.float64)
    steps[steps == 0] = 1
    left = matrix.reshape(inputs, -1)[order].astype(np.float64)
    levels = np.zeros(left.shape, np.int8)
    for row, place in enumerate(order):
        nearest = np.clip(np.rint(left[row] / steps[place]), *plain.limits())
        levels[place] = nearest
        error = (left[row] - nearest * steps[place]) / spread[row, row]
        left[row + 1 :] -= np.outer(spread[row, row + 1 :], error)
    return replace(plain, levels=levels.reshape(matrix.shape))


def _centred(weights: FoldedWeights) -> FoldedWeights:
    """The same model with logits of mean 0: a softmax does not see it, and there is less to be rounded."""
    output, bias = weights.fine_output, weights.fine_output_bias
    return replace(
        weights, fine_output=output - output.mean(axis=1, keepdims=True), fine_output_bias=bias - bias.mean()
    )


def _first_layer(weights: FoldedWeights) -> FoldedWeights:
    """The same model with its second hidden layer passing on the first one, which a ReLU leaves as it is."""
    size = weights.config.mlp_size
    return replace(weights, fine_hidden=np.eye(size, dtype=np.float32), fine_hidden_bias=np.zeros(size, np.float32))


def _second_moments(weights: FoldedWeights, passages: Passages) -> _Wide:
    """E[h hᵀ] `[H, H]` of what the last hidden layer gives, read off by output layers that pass on 256 units each."""
    size = weights.config.mlp_size
    samplers = [open_sampler(_showing(weights, first), "cpu") for first in range(0, size, LEVELS)]
    total, samples = np.zeros((size, size)), 0
    for pieces in zip(*(teacher_forced(sampler, passages) for sampler in samplers), strict=True):
        hidden = np.concatenate([piece.logits for piece in pieces], axis=-1)[pieces[0].counted, :size].astype(
            np.float64
        )
        total += hidden.T @ hidden
        samples += len(hidden)
    return total / samples


def _showing(weights: FoldedWeights, first: int) -> FoldedWeights:
    """The same model whose logits are 256 units of the last hidden layer, from `first` on; 0 beyond the last."""
    output = np.eye(weights.config.mlp_size, LEVELS, -first, dtype=np.float32)
    return replace(weights, fine_output=output, fine_output_bias=np.zeros(LEVELS, np.float32))


def _moments_of_states(weights: FoldedWeights, passages: Passages) -> tuple[_Wide, _Wide]:
    """E[h hᵀ] `[d, d]` of the coarse and of the mid GRU's state, as levels show it: within ±1."""
    size = weights.config.hidden_size
    coarse, mid, count = np.zeros((size, size)), np.zeros((size, size)), 0
    for piece in teacher_forced(open_sampler(weights, "cpu"), passages, length=weights.config.mid_unit):
        heard = piece.counted[:, -1]
        coarse += _outer_products(piece.after.coarse[heard])
        mid += _outer_products(piece.after.mid[heard])
        count += int(heard.sum())
    return coarse / count, mid / count


def _outer_products(states: NDArray[np.float32]) -> _Wide:
    within = np.clip(states, -1, 1).astype(np.float64)
    return within.T @ within
