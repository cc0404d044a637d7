"""The CPU sampler: Numba, no PyTorch; rows in lockstep groups, groups on threads."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.sampling.cpu_kernels import Group, Keys, Scratch, run_group
from v2s_engine.sampling.cpu_packing import make_scratch, pack_weights, padded, weights_size, widest_product
from v2s_engine.sampling.cpu_pair import Pair
from v2s_engine.sampling.cpu_pairing import Pairing
from v2s_engine.sampling.sampler import (
    Codes,
    Floats,
    Row,
    SamplerState,
    check_call,
    check_codes,
    group_rows,
    start_state,
)
from v2s_engine.sampling.weights import FoldedWeights

GROUP_ROWS: Final = 8
"""Most rows that go in lockstep: with more, what they compute with no longer fits the core's own cache."""

PAIR_SIZE: Final = 5_000_000
"""Bytes of large matrices from which on two threads make a single row together: they take 0.5 to 0.8 of the time of
one (docs/performance.md), below that hardly less."""


class CpuSampler:
    """See `Sampler`. `threads` is how many groups of rows run at once; by default, as many as there are usable cores.
    A single row of a large model is made by two threads, unless one alone is asked for; its codes are the same.

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
        self.most_rows = GROUP_ROWS * self._threads
        self._pool = ThreadPoolExecutor(self._threads)  # its threads start when there is work for them
        worthwhile = self._threads > 1 and weights_size(self._packed) >= PAIR_SIZE
        self._pairing = Pairing(widest_product(self.config)) if worthwhile else None
        self._scratch: dict[int, list[Scratch]] = defaultdict(list)

    def start(self, rows: Sequence[Row]) -> SamplerState:
        """See `Sampler.start`."""
        return start_state(self._weights, rows)

    def generate(self, state: SamplerState, conditioning: Floats, length: int) -> tuple[Codes, SamplerState]:
        """See `Sampler.generate`."""
        check_call(self.config, state, conditioning, length)
        codes = np.zeros((len(state), length), dtype=np.uint8)
        batch, after = self._run(state, conditioning, codes, logits=False)
        return batch.codes[:, self.config.history_length :].copy(), after

    def logits(self, state: SamplerState, codes: Codes, conditioning: Floats) -> tuple[Floats, SamplerState]:
        """See `Sampler.logits`."""
        check_codes(state, codes)
        check_call(self.config, state, conditioning, codes.shape[1])
        batch, after = self._run(state, conditioning, codes, logits=True)
        return batch.logits, after

    def _run(
        self, state: SamplerState, conditioning: Floats, codes: Codes, *, logits: bool
    ) -> tuple[Group, SamplerState]:
        """All rows as they are when done, and their state."""
        phases = state.position % self.config.conditioning_length
        batch = self._make_batch(state, conditioning, codes, logits=logits)

        groups = share_rows(phases, self._threads)
        pairing = self._pairing if len(state) == 1 else None

        def make(rows: NDArray[np.intp], pair: Pair | None) -> Group:
            group = take_rows(batch, rows, int(phases[rows[0]]))
            with self._scratch_of(len(rows)) as scratch:
                run_group(self._packed, group, scratch, self.config.conditioning_length, pair)
            return group

        def run(rows: NDArray[np.intp]) -> None:
            group = make(rows, None) if pairing is None else pairing.run(partial(make, rows))
            batch.coarse[rows], batch.mid[rows] = group.coarse, group.mid
            batch.codes[rows], batch.logits[rows] = group.codes, group.logits

        if len(groups) < 2 or self._threads == 1:
            for rows in groups:
                run(rows)
        else:
            list(self._pool.map(run, groups))
        size, history = self.config.hidden_size, self.config.history_length
        return batch, SamplerState(
            rows=state.rows,
            position=state.position + codes.shape[1],
            coarse=batch.coarse[:, :size].copy(),
            mid=batch.mid[:, :size].copy(),
            history=batch.codes[:, -history:].copy(),
        )

    @contextmanager
    def _scratch_of(self, rows: int) -> Iterator[Scratch]:
        """Memory that no other thread computes in, kept for the next group of this many rows."""
        free = self._scratch[rows]
        try:
            scratch = free.pop()
        except IndexError:  # asked for, not tested: another thread may take the last one
            scratch = make_scratch(self.config, rows)
        yield scratch
        free.append(scratch)

    def _make_batch(self, state: SamplerState, conditioning: Floats, codes: Codes, *, logits: bool) -> Group:
        size = self.config.hidden_size
        padding = [(0, 0), (0, padded(size) - size)]
        return Group(
            phase=0,  # each group has its own
            length=codes.shape[1],
            conditioning=np.ascontiguousarray(conditioning),
            coarse=np.pad(state.coarse, padding),
            mid=np.pad(state.mid, padding),
            codes=np.concatenate([state.history, codes], axis=1),
            logits=np.empty((len(state), codes.shape[1] if logits else 0, LEVELS), dtype=np.float32),
            keys=Keys(
                seeds=np.array([row.seed for row in state.rows], dtype=np.uint64),
                takes=np.array([row.take for row in state.rows], dtype=np.uint64),
                positions=state.position.astype(np.uint64),
                temperatures=np.array([row.temperature for row in state.rows], dtype=np.float32),
            ),
        )


def take_rows(batch: Group, rows: NDArray[np.intp], phase: int) -> Group:
    """A copy of some rows, in memory that no other thread writes to."""
    return Group(
        phase=phase,
        length=batch.length,
        conditioning=batch.conditioning[rows],
        coarse=batch.coarse[rows],
        mid=batch.mid[rows],
        codes=batch.codes[rows],
        logits=batch.logits[rows],
        keys=Keys(
            seeds=batch.keys.seeds[rows],
            takes=batch.keys.takes[rows],
            positions=batch.keys.positions[rows],
            temperatures=batch.keys.temperatures[rows],
        ),
    )


def share_rows(phases: NDArray[np.int64], threads: int) -> list[NDArray[np.intp]]:
    """Row indices by group: same phase, at most `GROUP_ROWS` each, spread evenly over the threads."""
    return group_rows(phases, min(GROUP_ROWS, -(-len(phases) // threads)))


def usable_cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux; containers and job schedulers lower it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
