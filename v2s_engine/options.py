"""Options that travel with a model: one frozen dataclass is the header of every checkpoint and bundle."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, FRAME_LENGTH

Quantisation = Literal["linear", "mu-law"]
"""How an amplitude becomes one of 256 codes; in both, code 128 is silence and decodes to exactly 0."""

ConditioningName = Literal["envelope"]
"""What the coarsest tier is told about the pictures."""

LEVELS = 256
SILENCE_CODE = 128

ENVELOPE_WINDOW = 4
"""Envelope steps told to the coarsest tier at once: the one before, the current one, and two to come."""


@dataclass(frozen=True)
class ModelConfig:
    """Shape of one SampleRNN and what it expects. Raises `UsageError` where fields contradict each other.

    Three tiers as in "Visual to Sound" section 3 on top of SampleRNN (Mehri et al. 2017): two GRUs at `coarse_unit`
    and `mid_unit` samples per step and an MLP over the last `window` samples.
    """

    sound_classes: tuple[str, ...]
    """What this model can sound like; the position in the tuple is the class index."""
    hidden_size: int = 256
    """Width of both GRUs."""
    mlp_size: int = 256
    """Width of the MLP of the finest tier."""
    coarse_unit: int = 8
    """Samples that one step of the coarsest tier covers; divides 256."""
    mid_unit: int = 2
    """Samples that one step of the middle tier covers; divides `coarse_unit`."""
    window: int = 4
    """Past samples that the finest tier sees directly."""
    embedding_size: int = 256
    """Size of the embedding of one code in the finest tier."""
    quantisation: Quantisation = "mu-law"
    pre_emphasis: float = 0.0
    """Coefficient a of y[t] = x[t] - a x[t-1], applied before quantisation and undone after it; 0 switches it off."""
    conditioning: ConditioningName = "envelope"
    weight_norm: bool = False
    """Whether training reparametrises the linear layers by weight norm; folded away in every exported model."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sound_classes", tuple(self.sound_classes))
        if not self.sound_classes or len(set(self.sound_classes)) != len(self.sound_classes):
            raise UsageError(
                f"ModelConfig.sound_classes must name at least one class, each once; got {self.sound_classes!r}"
            )
        for name in ("hidden_size", "mlp_size", "mid_unit", "window", "embedding_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"ModelConfig.{name} must be at least 1; got {getattr(self, name)}")
        if self.coarse_unit % self.mid_unit or ENVELOPE_LENGTH % self.coarse_unit:
            raise UsageError(
                f"ModelConfig wants mid_unit to divide coarse_unit and coarse_unit to divide {ENVELOPE_LENGTH}; "
                f"got mid_unit {self.mid_unit}, coarse_unit {self.coarse_unit}"
            )
        if self.quantisation not in get_args(Quantisation):
            raise UsageError(
                f"ModelConfig.quantisation must be one of {get_args(Quantisation)}; got {self.quantisation!r}"
            )
        if self.conditioning not in get_args(ConditioningName):
            raise UsageError(
                f"ModelConfig.conditioning must be one of {get_args(ConditioningName)}; got {self.conditioning!r}"
            )
        if not 0 <= self.pre_emphasis < 1:
            raise UsageError(f"ModelConfig.pre_emphasis must lie in [0, 1); got {self.pre_emphasis}")

    @property
    def conditioning_size(self) -> int:
        """Numbers per conditioning vector: loudness and onset of four envelope steps, and the class as one-hot."""
        return 2 * ENVELOPE_WINDOW + len(self.sound_classes)

    @property
    def conditioning_length(self) -> int:
        """Samples that one conditioning vector covers."""
        return ENVELOPE_LENGTH if self.conditioning == "envelope" else FRAME_LENGTH

    @property
    def history_length(self) -> int:
        """Past codes that a step at the start of a unit needs."""
        return max(self.coarse_unit, self.window)

    def class_index(self, sound_class: str) -> int:
        """Position of a sound class; raises `UsageError` that lists the known ones."""
        if sound_class not in self.sound_classes:
            raise UsageError(f"this model has no sound class {sound_class!r}; it has: {', '.join(self.sound_classes)}")
        return self.sound_classes.index(sound_class)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for `bundle.json` and checkpoints."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ModelConfig:
        """Inverse of `to_json`; raises `UsageError` that names an unknown or missing field."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(data) - known):
            raise UsageError(f"unknown model option {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        try:
            return cls(**data)
        except TypeError as error:
            raise UsageError(f"model options are not complete: {error}") from error
