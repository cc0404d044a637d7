"""What an evaluation found, as one frozen value that becomes one JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2s_engine.evaluate.generated import GeneratedResult
from v2s_engine.evaluate.retrieval import RetrievalResult
from v2s_engine.evaluate.shuffled import ShuffleResult
from v2s_engine.evaluate.table import CrossEntropy

FORMAT = 1


@dataclass(frozen=True, eq=False)
class ExampleCurves:
    """Loudness of one clip's sounds, for the plot page; each `[N]` in dBFS, 62.5 values per second."""

    name: str
    recorded: NDArray[np.float32]
    made: NDArray[np.float32]
    null: NDArray[np.float32]
    """The sound made for another clip, looped or cut to this one's length; empty without another."""


@dataclass(frozen=True)
class MethodResult:
    """One method's figures."""

    name: str
    conditioning: str
    parameters: int
    """Of all its models, weight norm multiplied out."""
    models: int
    class_told: bool
    """Whether it knows a clip's category beside the pictures."""
    cross_entropy: tuple[CrossEntropy, ...]
    shuffles: tuple[ShuffleResult, ...]
    retrieval: RetrievalResult | None
    """None where it was not asked for."""
    generated: GeneratedResult | None
    """None where it was not asked for."""
    notes: tuple[str, ...]
    """What to know about these figures, and why some could not be computed."""
    left_out: tuple[tuple[str, str], ...]
    """Clips that it was not measured on, with the reason."""
    examples: tuple[ExampleCurves, ...] = ()
    """For the plots; not in the JSON."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        told = {name: value for name, value in self.__dict__.items() if name != "examples"}
        return {name: _plain(value) for name, value in told.items()}


@dataclass(frozen=True)
class EvaluationResult:
    """All methods on one index of clips."""

    data: str
    """The index."""
    clips: dict[str, int]
    """Clips per split that were measured, at most."""
    categories: tuple[str, ...]
    seed: int
    methods: tuple[MethodResult, ...]
    left_out: tuple[tuple[str, str], ...]
    """What of the index was left out, whatever the method, with the reason."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary; figures that could not be computed are null."""
        return {
            "format": FORMAT,
            "data": self.data,
            "clips": self.clips,
            "categories": list(self.categories),
            "seed": self.seed,
            "methods": [method.to_json() for method in self.methods],
            "left_out": _plain(self.left_out),
        }


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
