"""Networks with random weights in several sizes, and the samplers that run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import LEVELS, ModelConfig, VisualConfig
from v2s_engine.sampling.cpu import CpuSampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.onnx_sampler import OnnxSampler
from v2s_engine.sampling.reference import ReferenceSampler
from v2s_engine.sampling.sampler import Row, Sampler, SamplerState
from v2s_engine.sampling.weights import FoldedWeights, Precision

SIZES = {
    "plain": ModelConfig(("dog",), hidden_size=32, mlp_size=32, embedding_size=16),
    "wide-mlp": ModelConfig(
        ("dog", "drum", "water"),
        hidden_size=64,
        mlp_size=96,
        coarse_unit=16,
        mid_unit=4,
        window=16,
        embedding_size=24,
        source_filter=True,
    ),
    "long-units": ModelConfig(
        ("dog", "drum"), hidden_size=96, mlp_size=32, coarse_unit=64, mid_unit=16, window=2, embedding_size=8
    ),
    "odd": ModelConfig(("dog",), hidden_size=33, mlp_size=50, window=11, embedding_size=7),
    "frame": ModelConfig(
        ("dog", "drum"),
        hidden_size=32,
        mlp_size=32,
        window=2,
        embedding_size=8,
        quantisation="linear",
        conditioning="frame",
        visual=VisualConfig("small", 32, 40),
        sample_expansion=40,
    ),
    "sequence": ModelConfig(
        ("dog",),
        hidden_size=40,
        mlp_size=24,
        embedding_size=12,
        conditioning="sequence",
        visual=VisualConfig("small", 32, 40),
        encoder_window=2,
    ),
    "flow": ModelConfig(
        ("dog", "drum"),
        hidden_size=24,
        mlp_size=40,
        coarse_unit=16,
        mid_unit=4,
        embedding_size=8,
        conditioning="flow",
        visual=VisualConfig("small", 32, 40, motion_features=12),
        encoder_window=2,
    ),
}
"""Units (2,8), (4,16) and (16,64), k of 2, 4, 11 and 16, H beside and beyond d, every conditioning."""


@dataclass(frozen=True)
class Model:
    """A network with random weights, and the same folded."""

    config: ModelConfig
    network: SampleRNN
    weights: FoldedWeights

    def vectors(self, rows: int, count: int, seed: int = 0) -> NDArray[np.float32]:
        """Random conditioning `[rows, count, C]`."""
        shape = (rows, count, self.config.conditioning_size)
        return np.random.default_rng(seed).normal(size=shape).astype(np.float32)

    def start(self, run: Sampler, rows: Sequence[Row]) -> SamplerState:
        """The state before the first sample; the coarsest tier's is random where pictures give it."""
        state = run.start(rows)
        if not self.config.starts_from_pictures:
            return state
        keyed = [np.random.default_rng(row.seed).uniform(-1, 1, self.config.hidden_size) for row in rows]
        return state.with_coarse(np.array(keyed, dtype=np.float32).reshape(state.coarse.shape))

    def codes(self, rows: int, length: int, seed: int = 0) -> NDArray[np.uint8]:
        """Random codes `[rows, length]`."""
        return np.random.default_rng(seed).integers(0, LEVELS, (rows, length), dtype=np.uint8)

    def piece(self, conditioning: NDArray[np.float32], start: int, length: int) -> NDArray[np.float32]:
        """The vectors that cover `length` samples from `start` on."""
        each = self.config.conditioning_length
        return conditioning[:, start // each : -(-(start + length) // each)]


@cache
def model(size: str) -> Model:
    config = SIZES[size]
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = SampleRNN(config).eval().requires_grad_(False)
        for name, parameter in network.named_parameters():
            if "bias" in name or name.endswith("_start"):  # zero at first, which would hide a forgotten one
                parameter.uniform_(-0.3, 0.3)
    parameters = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return Model(config, network, fold_weights(parameters, config))


@dataclass(frozen=True)
class Implementation:
    """A sampler as the suite sees it."""

    make: Callable[[FoldedWeights], Sampler]
    tolerances: dict[Precision, float]
    """How far logits may lie from the reference's, for each precision. Logits of these networks lie within ±10."""
    most: int = 2000
    """Samples that it is fast enough to be taken through in a test."""


_EXACT: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1e-4, "bf16": 1e-4}

SAMPLERS = {
    "reference": Implementation(ReferenceSampler, dict.fromkeys(get_args(Precision), 0.0)),
    # Levels: where float32 rounds another way, a state may be one level apart, 1/127 of it.
    "cpu": Implementation(partial(CpuSampler, threads=1), _EXACT | {"int8": 0.05, "int4": 0.05}),
    # Levels: computed with what the weights stand for, and with states as they are.
    "onnx": Implementation(OnnxSampler, _EXACT | {"int8": 0.25, "int4": 0.25}),
}
"""Every implementation that runs here; the CUDA sampler's kernels do in a process of their own, cuda_interpreted.py."""

KINDS = [(name, "fp32") for name in SAMPLERS] + [
    ("reference", "int8"),
    ("cpu", "bf16"),
    ("cpu", "int8"),
    ("cpu", "int4"),
]
"""Implementations at every precision that they compute in another way."""


@cache
def sampler(name: str, size: str, precision: Precision = "fp32") -> Sampler:
    return SAMPLERS[name].make(model(size).weights.rounded(precision))


ROWS = (Row(1, 1), Row(2**64 - 1, 7, 0.8), Row(1, 2, 1.3), Row(0, 0))


def assert_same_state(got: SamplerState, wanted: SamplerState) -> None:
    assert got.rows == wanted.rows
    for name in ("position", "coarse", "mid", "history"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)
