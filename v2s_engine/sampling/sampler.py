"""What every sampler can do, and the state that it carries from one piece of a sound to the next."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from v2s_engine.arrays import FloatArray, is_float32
from v2s_engine.errors import UsageError
from v2s_engine.grid import steps_covering
from v2s_engine.options import SILENCE_CODE, ModelConfig
from v2s_engine.sampling.weights import FoldedWeights

if TYPE_CHECKING:
    import torch

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One sound to be made: what its random numbers are keyed by. Raises `UsageError` for a value out of range."""

    seed: int
    """0 .. 2^64 - 1."""
    take: int
    """0 .. 2^32 - 1; same job, other take, other sound."""
    temperature: float = 1.0
    """Divides the logits; below 1 the likelier codes win more often."""

    def __post_init__(self) -> None:
        if not (0 <= self.seed < 2**64 and 0 <= self.take < 2**32):
            raise UsageError(
                f"Row wants a seed in 0 .. 2^64 - 1 and a take in 0 .. 2^32 - 1; got {self.seed}, {self.take}"
            )
        if not (0.01 <= self.temperature <= 100):
            raise UsageError(f"Row.temperature must lie in 0.01 .. 100; got {self.temperature}")


@dataclass(frozen=True, eq=False)
class SamplerState:
    """Everything that the rest of some sounds depends on: B rows, each at its own position.

    A value: samplers return a new state and leave the one they were given as it was, so keeping it is a save. The
    same for all samplers: a sound begun by one may be continued by another.
    """

    rows: tuple[Row, ...]
    position: NDArray[np.int64]
    """`[B]`: samples made so far."""
    coarse: Floats
    """`[B, hidden_size]`: state of the coarse GRU, after its step for the unit that `position` stands in."""
    mid: Floats
    """`[B, hidden_size]`: the same for the mid GRU."""
    history: Codes
    """`[B, history_length]`: the last codes, oldest first; silence before the first sample."""

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, indices: Sequence[int]) -> SamplerState:
        """The state of these rows, in this order."""
        chosen = np.asarray(indices, dtype=np.intp)
        return SamplerState(
            rows=tuple(self.rows[index] for index in indices),
            position=self.position[chosen],
            coarse=self.coarse[chosen],
            mid=self.mid[chosen],
            history=self.history[chosen],
        )

    @staticmethod
    def join(states: Sequence[SamplerState]) -> SamplerState:
        """One state of all rows of several, which need not stand at the same position."""
        return SamplerState(
            rows=tuple(row for state in states for row in state.rows),
            position=np.concatenate([state.position for state in states]),
            coarse=np.concatenate([state.coarse for state in states]),
            mid=np.concatenate([state.mid for state in states]),
            history=np.concatenate([state.history for state in states]),
        )

    def with_coarse(self, coarse: Floats) -> SamplerState:
        """The same, but for the coarsest tier's state `[B, hidden_size]`: where pictures give it (`sequence`, `flow`).

        For positions at a unit's start. Raises `UsageError` for another shape.
        """
        if coarse.shape != self.coarse.shape or coarse.dtype != np.float32:
            raise UsageError(f"coarse states are {coarse.dtype} {list(coarse.shape)}; wanted {list(self.coarse.shape)}")
        return dataclasses.replace(self, coarse=coarse)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Plain arrays, for `numpy.savez` and the like."""
        return {
            "seed": np.array([row.seed for row in self.rows], dtype=np.uint64),
            "take": np.array([row.take for row in self.rows], dtype=np.uint32),
            "temperature": np.array([row.temperature for row in self.rows], dtype=np.float64),
            "position": self.position,
            "coarse": self.coarse,
            "mid": self.mid,
            "history": self.history,
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> SamplerState:
        """Inverse of `to_arrays`."""
        columns = zip(arrays["seed"], arrays["take"], arrays["temperature"], strict=True)
        return SamplerState(
            rows=tuple(Row(int(seed), int(take), float(temperature)) for seed, take, temperature in columns),
            position=arrays["position"].astype(np.int64),
            coarse=arrays["coarse"].astype(np.float32),
            mid=arrays["mid"].astype(np.float32),
            history=arrays["history"].astype(np.uint8),
        )


class Sampler(Protocol):
    """Turns conditioning into audio codes, one after the other.

    A row's result does not depend on what else is in the batch, nor on how its length is cut into calls: the same bits
    each time from the same sampler. The caller calls for short pieces where it wants to report progress or to stop.

    `conditioning` is `[B, n, C]` float32: for each row the vectors that cover the samples asked for, beginning with
    the one that covers the row's `position`. Calls raise `UsageError` where a shape or value is wrong.
    """

    @property
    def name(self) -> str:
        """`cpu`, `cuda`, `onnx` or `reference`."""

    @property
    def config(self) -> ModelConfig:
        """Options of the model that it runs."""

    @property
    def most_rows(self) -> int:
        """Rows worth giving it side by side: more of them do not go faster (docs/performance.md)."""

    def start(self, rows: Sequence[Row]) -> SamplerState:
        """The state before the first sample of these rows."""

    def generate(self, state: SamplerState, conditioning: Floats, length: int) -> tuple[Codes, SamplerState]:
        """The next `length` codes of every row, `[B, length]`, and the state after them."""

    def logits(self, state: SamplerState, codes: Codes, conditioning: Floats) -> tuple[Floats, SamplerState]:
        """What the model makes of given codes: logits `[B, L, 256]` for codes `[B, L]`, and the state after them.

        Logit t is what code t would be drawn from (before temperature), given the codes before it.
        """


@runtime_checkable
class DeviceSampler(Sampler, Protocol):
    """A sampler on a device that also takes conditioning which lies there, as PyTorch's tensors.

    Of those the numbers must be finite. It is not looked at: that would wait for the device at every call. Whoever
    leaves them there has looked (`PictureEncoder`).
    """

    @property
    def device(self) -> torch.device:
        """Where it samples."""

    def generate(self, state: SamplerState, conditioning: FloatArray, length: int) -> tuple[Codes, SamplerState]:
        """See `Sampler.generate`."""


def generate_codes(
    sampler: Sampler, state: SamplerState, conditioning: FloatArray, length: int
) -> tuple[Codes, SamplerState]:
    """`Sampler.generate` with conditioning wherever it lies.

    Raises `UsageError` for a sampler that cannot take it from there.
    """
    if isinstance(conditioning, np.ndarray):
        return sampler.generate(state, conditioning, length)
    if isinstance(sampler, DeviceSampler):
        return sampler.generate(state, conditioning, length)
    raise UsageError(
        f"the sampler {sampler.name!r} takes conditioning from host memory; got some on {conditioning.device}: open "
        "the conditioner without `on_device`"
    )


def start_state(weights: FoldedWeights, rows: Sequence[Row]) -> SamplerState:
    """The state before the first sample: learned initial states, silence behind."""
    count = len(rows)
    return SamplerState(
        rows=tuple(rows),
        position=np.zeros(count, dtype=np.int64),
        coarse=np.tile(weights.coarse_start, (count, 1)),
        mid=np.tile(weights.mid_start, (count, 1)),
        history=np.full((count, weights.config.history_length), SILENCE_CODE, dtype=np.uint8),
    )


def vectors_needed(config: ModelConfig, state: SamplerState, length: int) -> int:
    """How many conditioning vectors a call for `length` samples reads at most."""
    if not length or not len(state):
        return 0
    phase = int((state.position % config.conditioning_length).max())
    return steps_covering(phase + length, config.conditioning_length)


def group_rows(phases: NDArray[np.int64], most: int) -> list[NDArray[np.intp]]:
    """Row indices by group: same phase, at most `most` each."""
    groups = []
    for phase in np.unique(phases):
        rows = np.flatnonzero(phases == phase)
        groups += [rows[first : first + most] for first in range(0, len(rows), most)]
    return groups


def check_call(config: ModelConfig, state: SamplerState, conditioning: FloatArray, length: int) -> None:
    """Raise `UsageError` where a call's arguments do not belong together or to this model.

    Whether numbers on a device are finite is not looked at (see `DeviceSampler`).
    """
    size, rows = config.hidden_size, len(state)
    if state.coarse.shape != (rows, size) or state.history.shape != (rows, config.history_length):
        raise UsageError(
            f"this state is of another model: hidden states {list(state.coarse.shape)}, history "
            f"{list(state.history.shape)}; wanted [{rows}, {size}] and [{rows}, {config.history_length}]"
        )
    if length < 0:
        raise UsageError(f"length must be 0 or more; got {length}")
    wanted = (rows, vectors_needed(config, state, length), config.conditioning_size)
    got = conditioning.shape
    if len(got) != 3 or (got[0], got[2]) != (wanted[0], wanted[2]) or got[1] < wanted[1]:
        raise UsageError(
            f"conditioning has shape {list(got)}; wanted {list(wanted)} or more in the middle: one vector for every "
            f"{config.conditioning_length} samples, from the one that covers each row's position"
        )
    finite = not isinstance(conditioning, np.ndarray) or math.isfinite(float(np.abs(conditioning).sum()))
    if not is_float32(conditioning) or not finite:
        raise UsageError(f"conditioning must be finite float32; got {conditioning.dtype}")


def check_codes(state: SamplerState, codes: Codes) -> None:
    """Raise `UsageError` where given codes are not one line of bytes for each row."""
    if codes.ndim != 2 or codes.shape[0] != len(state) or codes.dtype != np.uint8:
        raise UsageError(f"codes are {codes.dtype} {list(codes.shape)}; wanted uint8 [{len(state)}, length]")
