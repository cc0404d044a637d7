"""One bucket of rows on its way through frames: states in, launches or replayed graphs, codes and states out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from v2s_engine.arrays import FloatArray
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.options import LEVELS
from v2s_engine.sampling.cuda_buffers import load_state
from v2s_engine.sampling.cuda_device import Machine
from v2s_engine.sampling.cuda_frame import Frame, Part, half, split_call
from v2s_engine.sampling.sampler import Codes, Floats, SamplerState


class Bucket:
    """Rows of equal phase, no more than the frame's buffers hold. All calls belong inside `machine.running()`."""

    def __init__(self, frame: Frame, machine: Machine) -> None:
        self._frame, self._machine = frame, machine
        self._config, self._buffers = frame.config, frame.buffers
        self._graphs: dict[Part, Callable[[], None]] = {}

    def generate(self, state: SamplerState, conditioning: FloatArray, out: Codes) -> SamplerState:
        """Fill `out` `[rows, length]` with the next codes (it is whole once `running` ends); returns the state then."""
        parts, vectors = self._begin(state, conditioning, out.shape[1])
        for part in parts:
            self._prepare(part)
        self._load(state, parts[0].start)
        history, made = self._config.history_length, 0
        for part in parts:
            self._tell(part, vectors)
            self._buffers.given.fill_(part.start)
            self._graphs.get(part, lambda part=part: self._launch(part))()
            length = part.stop - part.start
            drawn = self._buffers.codes[: len(state), history + part.start : history + part.stop]
            self._machine.fetch(drawn, out[:, made : made + length])
            made += length
        return self._state(state, made, parts[-1].stop)

    def logits(self, state: SamplerState, conditioning: Floats, codes: Codes) -> tuple[Floats, SamplerState]:
        """Logits `[rows, length, 256]` of given codes, and the state after them."""
        parts, vectors = self._begin(state, conditioning, codes.shape[1])
        self._load(state, parts[0].start)
        rows, history, made = len(state), self._config.history_length, 0
        written = torch.zeros((self._buffers.rows, FRAME_LENGTH, LEVELS), device=self._machine.device)
        self._buffers.given.fill_(FRAME_LENGTH)
        pieces = []
        for part in parts:
            self._tell(part, vectors)
            length = part.stop - part.start
            piece = torch.from_numpy(codes[:, made : made + length].copy()).to(self._machine.device)
            self._buffers.codes[:rows, history + part.start : history + part.stop] = piece
            self._launch(part, written)
            pieces.append(written[:rows, part.start : part.stop].cpu().numpy().copy())
            made += length
        return np.concatenate(pieces, axis=1), self._state(state, made, parts[-1].stop)

    def _begin(self, state: SamplerState, conditioning: FloatArray, length: int) -> tuple[list[Part], list[Tensor]]:
        """Parts of a call, and the conditioning vectors `[rows, C]` on the device that they are told, in order."""
        each = self._config.conditioning_length
        phase = int(state.position[0]) % each
        needed = conditioning[:, : steps_covering(phase + length, each)].swapaxes(0, 1)
        told = torch.from_numpy(np.array(needed, order="C")) if isinstance(needed, np.ndarray) else needed
        return split_call(phase, length, each), list(told.to(self._machine.device))

    def _prepare(self, part: Part) -> None:
        """Capture a part that begins and ends with conditioning vectors, once. What is in the buffers is lost."""
        each = self._config.conditioning_length
        if part in self._graphs or part.start % each or part.stop % each:
            return
        self._launch(Part(0, self._config.coarse_unit))  # compiles all kernels
        self._launch(Part(FRAME_LENGTH - self._config.coarse_unit, FRAME_LENGTH))
        self._graphs[part] = self._machine.capture(lambda: self._launch(part))

    def _launch(self, part: Part, logits: Tensor | None = None) -> None:
        for launch in self._frame.part(part, logits):
            launch.run()

    def _load(self, state: SamplerState, place: int) -> None:
        load_state(self._buffers, state, place)
        for launch in self._frame.prime(place):
            launch.run()

    def _tell(self, part: Part, vectors: list[Tensor]) -> None:
        """Move the vectors that a part is told into its slots; drops those that no later part needs."""
        each = self._config.conditioning_length
        slots: Sequence[int] = range(part.start // each, steps_covering(part.stop, each))
        for slot in slots:
            vector = vectors.pop(0)
            self._buffers.vectors[slot, : vector.shape[0], : vector.shape[1]] = vector

    def _state(self, before: SamplerState, length: int, place: int) -> SamplerState:
        """The state of all rows, where the last part stopped at `place`."""
        # A frame's end is the place 0 of the next.
        place %= FRAME_LENGTH
        rows, size, history = len(before), self._config.hidden_size, self._config.history_length
        coarse = self._buffers.coarse_state[half(place, self._config.coarse_unit)]
        mid = self._buffers.mid_state[half(place, self._config.mid_unit)]
        return SamplerState(
            rows=before.rows,
            position=before.position + length,
            coarse=coarse[:rows, :size].cpu().numpy().copy(),
            mid=mid[:rows, :size].cpu().numpy().copy(),
            history=self._buffers.codes[:rows, place : place + history].cpu().numpy().copy(),
        )
