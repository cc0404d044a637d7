"""Networks with random weights in several sizes, and the samplers that run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray

from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import LEVELS, ModelConfig, VisualConfig
from v2s_engine.sampling.cpu import CpuSampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.reference import ReferenceSampler
from v2s_engine.sampling.sampler import Row, Sampler, SamplerState
from v2s_engine.sampling.weights import FoldedWeights

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
}


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


SAMPLERS: dict[str, Callable[[FoldedWeights], Sampler]] = {
    "reference": ReferenceSampler,
    "cpu": partial(CpuSampler, threads=1),
}


@cache
def sampler(name: str, size: str) -> Sampler:
    return SAMPLERS[name](model(size).weights)


ROWS = (Row(1, 1), Row(2**64 - 1, 7, 0.8), Row(1, 2, 1.3), Row(0, 0))


def assert_same_state(got: SamplerState, wanted: SamplerState) -> None:
    assert got.rows == wanted.rows
    for name in ("position", "coarse", "mid", "history"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)
