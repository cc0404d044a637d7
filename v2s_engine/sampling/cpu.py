"""The CPU sampler: Numba, no PyTorch; rows in lockstep groups, groups on threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.sampling.cpu_kernels import PADDING, Group, PackedWeights, run_group
from v2s_engine.sampling.philox import uniform_rows
from v2s_engine.sampling.sampler import Codes, Floats, Row, SamplerState, check_call, check_codes, start_state
from v2s_engine.sampling.vectors import LANES
from v2s_engine.sampling.weights import FoldedWeights

GROUP_ROWS: Final = 8
"""Most rows that go in lockstep: with more, what they compute with no longer fits the core's own cache."""


class CpuSampler:
    """See `Sampler`. `threads` is how many groups of rows run at once; by default, as many as there are usable cores.

    Safe to use from several threads.
    """

    name = "cpu"

    def __init__(self, weights: FoldedWeights, *, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"threads must be at least 1; got {threads}")
        self.config: ModelConfig = weights.config
        self._weights = weights
        self._packed = pack_weights(weights)
        self._threads = threads or usable_cores()

    def start(self, rows: Sequence[Row]) -> SamplerState:
        """See `Sampler.start`."""
        return start_state(self._weights, rows)

    def generate(self, state: SamplerState, conditioning: Floats, length: int) -> tuple[Codes, SamplerState]:
        """See `Sampler.generate`."""
        check_call(self.config, state, conditioning, length)
        seeds, takes = [row.seed for row in state.rows], [row.take for row in state.rows]
        drawn = uniform_rows(seeds, takes, state.position.tolist(), length)
        codes = np.zeros((len(state), length), dtype=np.uint8)
        no_logits = np.empty((len(state), 0, LEVELS), dtype=np.float32)
        batch, after = self._run(state, conditioning, codes, drawn, no_logits)
        return batch.codes[:, self.config.history_length :].copy(), after

    def logits(self, state: SamplerState, codes: Codes, conditioning: Floats) -> tuple[Floats, SamplerState]:
        """See `Sampler.logits`."""
        check_codes(state, codes)
        check_call(self.config, state, conditioning, codes.shape[1])
        nothing_drawn = np.empty((len(state), 0), dtype=np.float32)
        logits = np.empty((*codes.shape, LEVELS), dtype=np.float32)
        batch, after = self._run(state, conditioning, codes, nothing_drawn, logits)
        return batch.logits, after

    def _run(
        self, state: SamplerState, conditioning: Floats, codes: Codes, drawn: Floats, logits: Floats
    ) -> tuple[Group, SamplerState]:
        """All rows as they are when done, and their state."""
        phases = state.position % self.config.conditioning_length
        size, history = self.config.hidden_size, self.config.history_length
        padding = [(0, 0), (0, -size % PADDING)]
        batch = Group(
            phase=0,  # each group has its own
            conditioning=np.ascontiguousarray(conditioning),
            coarse=np.pad(state.coarse, padding),
            mid=np.pad(state.mid, padding),
            codes=np.concatenate([state.history, codes], axis=1),
            uniforms=drawn,
            temperatures=np.array([row.temperature for row in state.rows], dtype=np.float32),
            logits=logits,
        )

        def run(rows: NDArray[np.intp]) -> None:
            group = take_rows(batch, rows, int(phases[rows[0]]))
            run_group(self._packed, group, self.config.conditioning_length)
            batch.coarse[rows], batch.mid[rows] = group.coarse, group.mid
            batch.codes[rows], batch.logits[rows] = group.codes, group.logits

        groups = group_rows(phases, self._threads)
        if len(groups) < 2 or self._threads == 1:
            for rows in groups:
                run(rows)
        else:
            with ThreadPoolExecutor(min(self._threads, len(groups))) as pool:
                list(pool.map(run, groups))
        return batch, SamplerState(
            rows=state.rows,
            position=state.position + codes.shape[1],
            coarse=batch.coarse[:, :size].copy(),
            mid=batch.mid[:, :size].copy(),
            history=batch.codes[:, -history:].copy(),
        )


def take_rows(batch: Group, rows: NDArray[np.intp], phase: int) -> Group:
    """A copy of some rows, in memory that no other thread writes to."""
    return Group(
        phase=phase,
        conditioning=batch.conditioning[rows],
        coarse=batch.coarse[rows],
        mid=batch.mid[rows],
        codes=batch.codes[rows],
        uniforms=batch.uniforms[rows],
        temperatures=batch.temperatures[rows],
        logits=batch.logits[rows],
    )


def group_rows(phases: NDArray[np.int64], threads: int) -> list[NDArray[np.intp]]:
    """Row indices by group: same phase, at most `GROUP_ROWS` each, spread evenly over the threads."""
    most = min(GROUP_ROWS, -(-len(phases) // threads))
    groups = []
    for phase in np.unique(phases):
        rows = np.flatnonzero(phases == phase)
        groups += [rows[first : first + most] for first in range(0, len(rows), most)]
    return groups


def usable_cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux; containers and job schedulers lower it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def pack_weights(weights: FoldedWeights) -> PackedWeights:
    """Lay folded weights out for the kernels."""
    size, mlp = weights.config.hidden_size, weights.config.mlp_size
    return PackedWeights(
        conditioning=_pack(weights.conditioning, size),
        conditioning_bias=_pad(weights.conditioning_bias, size),
        coarse_samples=_pack(weights.coarse_samples, size),
        coarse_recurrent=_pack(weights.coarse_recurrent, size),
        coarse_recurrent_bias=_candidate_only(weights.coarse_candidate_bias),
        coarse_up=_pack_each(weights.coarse_up, size),
        coarse_up_bias=_pad_each(weights.coarse_up_bias, size),
        mid_samples=_pack(weights.mid_samples, size),
        mid_recurrent=_pack(weights.mid_recurrent, size),
        mid_recurrent_bias=_candidate_only(weights.mid_candidate_bias),
        mid_up=_pack_each(weights.mid_up, mlp),
        mid_up_bias=_pad_each(weights.mid_up_bias, mlp),
        tables=_aligned(_pad_last(weights.tables)),
        fine_hidden=_pack(weights.fine_hidden, mlp),
        fine_hidden_bias=_pad(weights.fine_hidden_bias, mlp),
        fine_output=_pack(weights.fine_output, LEVELS),
        fine_output_bias=_pad(weights.fine_output_bias, LEVELS),
    )


def _pack(matrix: Floats, width: int) -> Floats:
    """`[inputs, ..]` to strips `[outputs / 16, inputs, 16]`, each `width` of outputs padded."""
    padded = _pad_last(matrix.reshape(len(matrix), -1, width))
    return _aligned(padded.reshape(len(matrix), -1, LANES).swapaxes(0, 1))


def _pack_each(matrices: Floats, width: int) -> Floats:
    return _aligned(np.stack([_pack(matrices[:, step], width) for step in range(matrices.shape[1])]))


def _pad_each(biases: Floats, width: int) -> Floats:
    return _aligned(np.stack([_pad(bias, width) for bias in biases]))


def _pad(bias: Floats, width: int) -> Floats:
    """`[..]` to `[1, outputs]`, each `width` of outputs padded."""
    return _aligned(_pad_last(bias.reshape(-1, width)).reshape(1, -1))


def _candidate_only(bias: Floats) -> Floats:
    """A bias `[1, 3P]` of three gates that are 0 but for the candidate's."""
    return _pad(np.concatenate([np.zeros(2 * len(bias), dtype=np.float32), bias]), len(bias))


def _pad_last(array: Floats) -> Floats:
    missing = -array.shape[-1] % PADDING
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)])


def _aligned(array: Floats) -> Floats:
    """A contiguous copy that begins at a multiple of 64 bytes: no vector then lies across two cache lines."""
    memory = np.empty(array.nbytes + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(np.float32).reshape(array.shape)
    copy[...] = array
    return copy
