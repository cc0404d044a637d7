"""Models whose sampling is measured: sizes, what a sample of each costs, and random weights for it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from v2s_engine.options import ModelConfig
from v2s_engine.sampling.quantised import FOUR_BITS, GROUP, QUANTISED
from v2s_engine.sampling.weights import FoldedWeights, Precision, tensor_shapes

WEIGHT_BYTES: Final[dict[Precision, int]] = {"fp32": 4, "fp16": 4, "bf16": 2, "int8": 1, "int4": 1}
"""Bytes per weight as the CPU sampler reads them; fp16 is only a way to store fp32."""

GROUPED_BYTES: Final = 0.5 + 1 / GROUP
"""The same for those weights that int4 has in 4 bits, with their share of a multiplier."""


@dataclass(frozen=True)
class Size:
    """Hidden and MLP width, samples per unit and window of a model."""

    hidden: int
    mlp: int
    mid_unit: int
    coarse_unit: int
    window: int

    def __str__(self) -> str:
        return f"{self.hidden}/{self.mlp} ({self.mid_unit},{self.coarse_unit}) k{self.window}"

    @property
    def config(self) -> ModelConfig:
        """A model of this size, with one sound class and an envelope."""
        return ModelConfig(
            ("dog",),
            hidden_size=self.hidden,
            mlp_size=self.mlp,
            coarse_unit=self.coarse_unit,
            mid_unit=self.mid_unit,
            window=self.window,
        )

    @property
    def products(self) -> float:
        """Multiplications per sample in the large matrices; all that are not in a table."""
        return sum(count / every for _, count, every in self._matrices())

    def read(self, precision: Precision) -> float:
        """Bytes of them that are read for a sample."""
        return sum(count / every * _bytes(name, precision) for name, count, every in self._matrices())

    def size(self, precision: Precision) -> float:
        """Bytes of them."""
        return sum(count * _bytes(name, precision) for name, count, _ in self._matrices())

    def _matrices(self) -> Iterator[tuple[str, int, int]]:
        """Name, weights and samples from one use to the next."""
        shapes = tensor_shapes(self.config)
        for name in QUANTISED:
            every = {"coarse": self.coarse_unit, "mid": self.mid_unit, "fine": 1}[name.partition("_")[0]]
            yield name, math.prod(shapes[name]), every


def _bytes(name: str, precision: Precision) -> float:
    return GROUPED_BYTES if precision == "int4" and name in FOUR_BITS else WEIGHT_BYTES[precision]


LIVE: Final = Size(256, 256, 2, 8, 4)
"""What the design's figures are for."""

STARTER: Final = Size(256, 256, 4, 16, 8)

SIZES: Final = (
    Size(128, 128, 2, 8, 4),
    LIVE,
    Size(384, 384, 2, 8, 4),
    Size(512, 512, 2, 8, 4),
    Size(512, 256, 2, 8, 4),
    Size(768, 768, 2, 8, 4),
    Size(1024, 1024, 2, 8, 4),
    STARTER,
    Size(256, 256, 4, 16, 4),
    Size(512, 256, 4, 16, 4),
    Size(512, 512, 4, 16, 4),
    Size(512, 256, 8, 32, 8),
    Size(1024, 512, 8, 32, 8),
    Size(512, 256, 16, 64, 16),
    Size(1024, 512, 16, 64, 16),
    Size(1024, 1024, 16, 64, 16),
)
"""From the smallest to the paper's (1024, (2,8)) and that of samplernn-pytorch (1024, (16,64))."""


def random_weights(config: ModelConfig) -> FoldedWeights:
    """Numbers that keep the network's states and logits in a natural range; speed does not depend on them."""
    numbers = np.random.default_rng(0)
    tensors = {}
    for name, shape in tensor_shapes(config).items():
        deviation = 1 / np.sqrt(shape[0]) if len(shape) > 1 else 0.25
        tensors[name] = numbers.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
    return FoldedWeights(config, **tensors)
