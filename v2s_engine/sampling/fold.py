"""Folding: multiplies out every linear chain of a trained SampleRNN, once, so that samplers need not at every sample.

conditioning, biases, expansion  -> coarse GRU's input        (pictures then cost nothing per sample)
coarse up-sampling, mid input    -> mid GRU's input
embedding, fine input, hidden 1  -> one table per past code
mid up-sampling, hidden 1        -> MLP's first hidden layer  (there is no ReLU before it)

The network that gives `sequence` and `flow` their state (`pictures.*`) runs once per window and is not folded.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import BundleDamagedError
from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.sampling.weights import FoldedWeights

_Wide = NDArray[np.float64]

_ROWS_AT_ONCE = 16  # of a product: what is added up then stays in the processor's cache


def fold_weights(parameters: Mapping[str, NDArray[np.floating]], config: ModelConfig) -> FoldedWeights:
    """Folded weights of the network with these parameters.

    Computed in float64 with every sum in one fixed order, then rounded to float32: the same bits on any machine.

    Parameters
    ----------
    parameters
        `SampleRNN.state_dict()` as arrays, weight norm removed; names and shapes in its docstring.
    config
        Its options.

    Raises
    ------
    BundleDamagedError
        A parameter is missing, unknown or of the wrong shape.
    """
    wide = _checked(parameters, config)
    folded = {**_fold_coarse(wide, config), **_fold_mid(wide, config), **_fold_fine(wide, config)}
    narrow = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in folded.items()}
    return FoldedWeights(config=config, **narrow, precision="fp32", quantised={})


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of the unfolded network, weight norm removed."""
    size, mlp, embedding = config.hidden_size, config.mlp_size, config.embedding_size
    mids = config.coarse_unit // config.mid_unit
    expanded = config.sample_expansion or config.coarse_unit
    shapes: dict[str, tuple[int, ...]] = {"coarse_start": (size,), "mid_start": (size,)}
    if config.sample_expansion:
        shapes["coarse_input.weight"], shapes["coarse_input.bias"] = (expanded, config.coarse_unit), (expanded,)
    grus = {"coarse_gru": expanded + config.conditioning_size, "mid_gru": size}
    if config.starts_from_pictures:
        grus["pictures.gru"] = config.feature_size
    for gru, inputs in grus.items():
        shapes[f"{gru}.weight_ih_l0"] = (3 * size, inputs)
        shapes[f"{gru}.weight_hh_l0"] = (3 * size, size)
        shapes[f"{gru}.bias_ih_l0"] = shapes[f"{gru}.bias_hh_l0"] = (3 * size,)
    for linear, outputs, inputs in (
        ("coarse_up", mids * size, size),
        ("mid_input", size, config.mid_unit),
        ("mid_up", config.mid_unit * mlp, size),
        ("fine_hidden1", mlp, mlp),
        ("fine_hidden2", mlp, mlp),
        ("fine_output", LEVELS, mlp),
    ):
        shapes[f"{linear}.weight"], shapes[f"{linear}.bias"] = (outputs, inputs), (outputs,)
    shapes["embedding.weight"] = (LEVELS, embedding)
    shapes["fine_input.weight"] = (mlp, config.window * embedding)
    return shapes


def _checked(parameters: Mapping[str, NDArray[np.floating]], config: ModelConfig) -> dict[str, _Wide]:
    wanted = parameter_shapes(config)
    if set(parameters) != set(wanted):
        raise BundleDamagedError(
            f"SampleRNN parameters: missing {sorted(set(wanted) - set(parameters))}, "
            f"unknown {sorted(set(parameters) - set(wanted))}; wanted the state_dict with weight norm removed"
        )
    for name, shape in wanted.items():
        if parameters[name].shape != shape:
            raise BundleDamagedError(
                f"SampleRNN parameters: tensor {name!r} has shape {list(parameters[name].shape)}, "
                f"wanted {list(shape)}: the options do not belong to these parameters"
            )
    return {name: np.asarray(array, dtype=np.float64) for name, array in parameters.items()}


def _fold_coarse(wide: dict[str, _Wide], config: ModelConfig) -> dict[str, _Wide]:
    from_samples, from_vectors = np.split(wide["coarse_gru.weight_ih_l0"].T, [-config.conditioning_size])
    bias, candidate_bias = _gru_biases(wide, "coarse_gru", config)
    if config.sample_expansion:
        bias = bias + _product(wide["coarse_input.bias"][None], from_samples)[0]
        from_samples = _product(wide["coarse_input.weight"].T, from_samples)
    return {
        "conditioning": from_vectors,
        "conditioning_bias": bias,
        "coarse_samples": from_samples,
        "coarse_recurrent": wide["coarse_gru.weight_hh_l0"].T,
        "coarse_candidate_bias": candidate_bias,
        "coarse_start": wide["coarse_start"],
    }


def _fold_mid(wide: dict[str, _Wide], config: ModelConfig) -> dict[str, _Wide]:
    size, mids = config.hidden_size, config.coarse_unit // config.mid_unit
    from_input = wide["mid_gru.weight_ih_l0"].T
    bias, candidate_bias = _gru_biases(wide, "mid_gru", config)
    up = wide["coarse_up.weight"].reshape(mids, size, size)
    up_bias = wide["coarse_up.bias"].reshape(mids, size) + wide["mid_input.bias"]
    return {
        "coarse_up": np.stack([_product(step.T, from_input) for step in up], axis=1),
        "coarse_up_bias": _product(up_bias, from_input) + bias,
        "mid_samples": _product(wide["mid_input.weight"].T, from_input),
        "mid_recurrent": wide["mid_gru.weight_hh_l0"].T,
        "mid_candidate_bias": candidate_bias,
        "mid_start": wide["mid_start"],
    }


def _fold_fine(wide: dict[str, _Wide], config: ModelConfig) -> dict[str, _Wide]:
    mlp, first = config.mlp_size, wide["fine_hidden1.weight"].T
    up = wide["mid_up.weight"].reshape(config.mid_unit, mlp, config.hidden_size)
    up_bias = wide["mid_up.bias"].reshape(config.mid_unit, mlp)
    inputs = wide["fine_input.weight"].reshape(mlp, config.window, config.embedding_size)
    from_embedding = [_product(inputs[:, place].T, first) for place in range(config.window)]
    return {
        "mid_up": np.stack([_product(sample.T, first) for sample in up], axis=1),
        "mid_up_bias": _product(up_bias, first) + wide["fine_hidden1.bias"],
        "tables": np.stack([_product(wide["embedding.weight"], matrix) for matrix in from_embedding]),
        "fine_hidden": wide["fine_hidden2.weight"].T,
        "fine_hidden_bias": wide["fine_hidden2.bias"],
        "fine_output": wide["fine_output.weight"].T,
        "fine_output_bias": wide["fine_output.bias"],
    }


def _gru_biases(wide: dict[str, _Wide], gru: str, config: ModelConfig) -> tuple[_Wide, _Wide]:
    """Biases that simply add up, `[3d]`, and the candidate's recurrent one, `[d]`, which the reset gate multiplies."""
    recurrent = wide[f"{gru}.bias_hh_l0"]
    gates = 2 * config.hidden_size
    return (
        wide[f"{gru}.bias_ih_l0"] + np.concatenate([recurrent[:gates], np.zeros(config.hidden_size)]),
        recurrent[gates:],
    )


def _product(left: _Wide, right: _Wide) -> _Wide:
    """`left @ right` with every sum in rising order of the inner index; BLAS has another order on each machine."""
    total = np.zeros((left.shape[0], right.shape[1]))
    scratch, right = np.empty((_ROWS_AT_ONCE, right.shape[1])), np.ascontiguousarray(right)
    for first in range(0, len(left), _ROWS_AT_ONCE):
        rows, sums = left[first : first + _ROWS_AT_ONCE], total[first : first + _ROWS_AT_ONCE]
        for inner in range(left.shape[1]):
            np.multiply(rows[:, inner, None], right[inner], out=scratch[: len(rows)])
            sums += scratch[: len(rows)]
    return total
