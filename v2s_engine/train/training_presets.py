"""How models are trained: the optimiser's options, and what they are for each preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from v2s_engine.errors import UsageError
from v2s_engine.train.steps import Truncation

Schedule = Literal["cosine", "constant"]
"""How the learning rate goes after the warm-up: along half a cosine to 0, or not at all."""

Clipping = Literal["norm", "value"]
"""What of the gradient is limited: the norm of the whole, or each number (SampleRNN's reference code)."""


@dataclass(frozen=True)
class OptimiserOptions:
    """Adam and what stands around it. The defaults are the starter's. Raises `UsageError` for a value out of range."""

    learning_rate: float = 1.5e-3
    warmup_steps: int = 200
    """Steps in which the learning rate rises from 0."""
    schedule: Schedule = "cosine"
    clipping: Clipping = "norm"
    gradient_clip: float = 1.0
    averaging: float | None = 0.9995
    """Decay of the moving average of the weights, per step; None for none."""
    truncation: Truncation = "chunk"
    """What is back-propagated through: see `v2s_engine.train.steps`."""
    truncation_length: int = 512
    """Samples after which the lower tiers are truncated where `truncation` is `coarse-tier`."""

    def __post_init__(self) -> None:
        for name, known in (("schedule", Schedule), ("clipping", Clipping), ("truncation", Truncation)):
            if getattr(self, name) not in get_args(known):
                raise UsageError(f"{name} must be one of {', '.join(get_args(known))}; got {getattr(self, name)!r}")
        if self.learning_rate <= 0 or self.gradient_clip <= 0 or self.warmup_steps < 0 or self.truncation_length < 1:
            raise UsageError(
                "wanted a learning rate, a gradient clip and a truncation length above 0 and warm-up steps of at least "
                f"0; got {self.learning_rate}, {self.gradient_clip}, {self.truncation_length}, {self.warmup_steps}"
            )
        if self.averaging is not None and not 0 <= self.averaging < 1:
            raise UsageError(f"averaging wants a decay in [0, 1), or none; got {self.averaging}")


@dataclass(frozen=True)
class TrainingPreset:
    """All of a training that a preset decides."""

    optimiser: OptimiserOptions
    rows: int
    chunk_length: int
    steps: int
    checkpoint_every: int


def preset_training(name: str) -> TrainingPreset:
    """The training of a preset. Raises `UsageError` for an unknown one.

    `paper-*`: Adam at 1e-3 all the way, minibatches of 128 ("Visual to Sound", section 3), each number of the gradient
    clipped to ±1 and truncation after 512 samples (SampleRNN's reference code), no moving average. How many steps the
    paper took is not known; 100,000 (about 15 passes over one of its classes) is our choice.
    """
    if name == "starter":
        return TrainingPreset(OptimiserOptions(), rows=16, chunk_length=512, steps=16_000, checkpoint_every=1_000)
    if name in ("paper-frame", "paper-sequence", "paper-flow"):
        optimiser = OptimiserOptions(
            learning_rate=1e-3, warmup_steps=0, schedule="constant", clipping="value", gradient_clip=1.0, averaging=None
        )
        return TrainingPreset(optimiser, rows=128, chunk_length=512, steps=100_000, checkpoint_every=1_000)
    raise UsageError(f"unknown preset {name!r}; known: starter, paper-frame, paper-sequence, paper-flow")
