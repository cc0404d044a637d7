"""A video frame as a CUDA graph of plain PyTorch operations: what the fused kernels have to beat.

Two dozen launches a sample, over the same folded weights. Not a sampler: only `benchmarks` and `scripts/gpu` use it.
Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.options import LEVELS, SILENCE_CODE
from v2s_engine.sampling.philox import uniform_rows
from v2s_engine.sampling.sampler import Codes, Floats, SamplerState
from v2s_engine.sampling.weights import FoldedWeights


class TorchFrame:
    """Rows at the start of a frame; `load` them, `run` or replay, read `codes`. `kind` is that of all matrices."""

    def __init__(self, weights: FoldedWeights, rows: int, device: torch.device, kind: torch.dtype) -> None:
        config = self.config = weights.config
        self._weights = {name: torch.from_numpy(array).to(device, kind) for name, array in weights.tensors().items()}
        self._tables = self._weights["tables"].reshape(-1, config.mlp_size)
        self._table_starts = torch.arange(config.window, device=device) * LEVELS

        def zeros(*shape: int, kind: torch.dtype = kind) -> Tensor:
            return torch.zeros(shape, dtype=kind, device=device)

        slots = FRAME_LENGTH // config.conditioning_length
        self._conditioned = zeros(slots, rows, 3 * config.hidden_size)
        self._coarse, self._mid = zeros(rows, config.hidden_size), zeros(rows, config.hidden_size)
        self._mid_inputs = zeros(rows, config.coarse_unit // config.mid_unit, 3 * config.hidden_size)
        self._fine_inputs = zeros(rows, config.mid_unit, config.mlp_size)
        self._codes = zeros(rows, config.history_length + FRAME_LENGTH, kind=torch.int64)
        self._uniforms = zeros(rows, FRAME_LENGTH, kind=torch.float32)
        self._temperatures = zeros(rows, 1, kind=torch.float32) + 1

    def load(self, state: SamplerState, conditioning: Floats) -> None:
        """Put as many rows as there are into the buffers, all of them at the start of a conditioning vector."""
        seeds, takes = [row.seed for row in state.rows], [row.take for row in state.rows]
        uniforms = uniform_rows(seeds, takes, state.position.tolist(), FRAME_LENGTH)
        temperatures = np.array([[row.temperature] for row in state.rows], dtype=np.float32)
        for buffer, array in (
            (self._coarse, state.coarse),
            (self._mid, state.mid),
            (self._codes[:, : self.config.history_length], state.history.astype(np.int64)),
            (self._uniforms, uniforms),
            (self._temperatures, temperatures),
        ):
            buffer.copy_(torch.from_numpy(array))
        told = torch.from_numpy(conditioning[:, : len(self._conditioned)].swapaxes(0, 1).copy())
        weights = self._weights
        vectors = told.to(self._coarse.device, self._coarse.dtype)
        self._conditioned[: len(told)] = vectors @ weights["conditioning"] + weights["conditioning_bias"]

    def run(self, length: int = FRAME_LENGTH) -> None:
        """Draw the first `length` samples of the frame."""
        for place in range(length):
            self._step(place)

    def capture(self, stream: torch.cuda.Stream) -> Callable[[], None]:
        """The whole frame as a CUDA graph."""
        with torch.cuda.stream(stream):
            self.run(self.config.coarse_unit)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            self.run()
        replay: Callable[[], None] = graph.replay
        return replay

    def codes(self, length: int = FRAME_LENGTH) -> Codes:
        """The frame's first codes `[rows, length]`."""
        history = self.config.history_length
        made: Codes = self._codes[:, history : history + length].to(torch.uint8).cpu().numpy()
        return made

    def _step(self, place: int) -> None:
        weights, config = self._weights, self.config
        at = config.history_length + place
        if place % config.coarse_unit == 0:
            slot = steps_covering(place + 1, config.conditioning_length) - 1
            heard = self._amplitudes(at, config.coarse_unit) @ weights["coarse_samples"]
            self._update(self._coarse, self._conditioned[slot] + heard, "coarse")
            said = self._coarse @ weights["coarse_up"].flatten(1)
            self._mid_inputs.copy_(said.view_as(self._mid_inputs)).add_(weights["coarse_up_bias"])
        if place % config.mid_unit == 0:
            step = place % config.coarse_unit // config.mid_unit
            heard = self._amplitudes(at, config.mid_unit) @ weights["mid_samples"]
            self._update(self._mid, self._mid_inputs[:, step] + heard, "mid")
            said = self._mid @ weights["mid_up"].flatten(1)
            self._fine_inputs.copy_(said.view_as(self._fine_inputs)).add_(weights["mid_up_bias"])
        rows = self._codes[:, at - config.window : at] + self._table_starts
        tables = functional.embedding_bag(rows, self._tables, mode="sum")
        hidden = torch.relu(self._fine_inputs[:, place % config.mid_unit] + tables)
        hidden = torch.relu(torch.addmm(weights["fine_hidden_bias"], hidden, weights["fine_hidden"]))
        logits = torch.addmm(weights["fine_output_bias"], hidden, weights["fine_output"])
        self._codes[:, at] = self._draw(logits, self._uniforms[:, place : place + 1])

    def _amplitudes(self, at: int, count: int) -> Tensor:
        heard = self._codes[:, at - count : at].to(self._coarse.dtype)
        return (heard - SILENCE_CODE) * (2.0 / SILENCE_CODE)

    def _update(self, state: Tensor, inputs: Tensor, tier: str) -> None:
        """PyTorch's GRU, in place."""
        reset_in, update_in, candidate_in = inputs.chunk(3, dim=1)
        reset_from, update_from, candidate_from = (state @ self._weights[f"{tier}_recurrent"]).chunk(3, dim=1)
        reset, update = torch.sigmoid(reset_in + reset_from), torch.sigmoid(update_in + update_from)
        candidate = torch.tanh(candidate_in + reset * (candidate_from + self._weights[f"{tier}_candidate_bias"]))
        state.copy_(torch.lerp(candidate, state, update))

    def _draw(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        exponents = (logits.float() - logits.float().amax(dim=1, keepdim=True)) / self._temperatures
        running = torch.cumsum(torch.exp(exponents), dim=1)
        return (running <= uniforms * running[:, -1:]).sum(dim=1).clamp(max=LEVELS - 1)
