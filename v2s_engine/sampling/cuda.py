"""The CUDA sampler: fused Triton kernels, one captured CUDA graph per video frame for a bucket of rows.

Not yet run on a GPU: its kernels are tested in Triton's interpreter and compiled for four kinds of GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from v2s_engine.arrays import FloatArray
from v2s_engine.errors import UsageError
from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.sampling.cuda_bucket import Bucket
from v2s_engine.sampling.cuda_buffers import make_buffers, pack_weights
from v2s_engine.sampling.cuda_device import Gpu, Machine
from v2s_engine.sampling.cuda_frame import Frame
from v2s_engine.sampling.cuda_plan import Arithmetic, Plan, choose_plan, model_widths
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

if TYPE_CHECKING:
    import torch


class CudaSampler:
    """See `DeviceSampler`. A row's bits are those of every sampler with the same bucket on the same kind of GPU.

    All rows go through kernels, buffers and graphs made for one number of rows, the bucket: fewer are filled up with
    blank ones, more take turns. So what is left of a batch costs as much as a full one: the last sound of 64 goes no
    faster than 64 of them. Smaller graphs for fewer rows would, but sums in them are taken in another order, and a
    sound would change in its midst when its neighbours end.

    Parameters
    ----------
    bucket
        Rows, a power of two; `BUCKETS` of `cuda_plan.py` are those that plans were made for.
    arithmetic
        What matrices are stored and multiplied in; sums and states are float32 in both.
    plan
        Kernels for a model and a bucket, if not those of `choose_plan`.
    machine
        The current GPU, unless it is a test that says otherwise.

    Raises `DeviceError` and `MissingExtraError` where there is no GPU to use (see `check_cuda`), where its memory does
    not suffice or where a graph cannot be captured; `UsageError` for weights that fp16 cannot hold. Safe to use from
    several threads, one after the other.
    """

    name = "cuda"

    def __init__(
        self,
        weights: FoldedWeights,
        bucket: int,
        *,
        arithmetic: Arithmetic = "fp16",
        plan: Callable[[ModelConfig, int], Plan] | None = None,
        machine: Machine | None = None,
    ) -> None:
        if bucket < 1 or bucket & (bucket - 1):
            raise UsageError(f"a bucket of rows must be a power of two; got {bucket}")
        self.config: ModelConfig = weights.config
        self.most_rows = bucket
        self._folded = weights
        self._machine: Machine = Gpu() if machine is None else machine
        widths = model_widths(self.config)
        chosen = plan(self.config, bucket) if plan else choose_plan(self.config, bucket, arithmetic)
        with self._machine.running():
            packed = pack_weights(weights, widths, arithmetic, self._machine.device)
            buffers = make_buffers(self.config, widths, bucket, self._machine.device)
        self._bucket = Bucket(Frame(self.config, widths, chosen, packed, buffers), self._machine)
        self._lock = Lock()

    @property
    def device(self) -> torch.device:
        """See `DeviceSampler.device`."""
        where: torch.device = self._machine.device
        return where

    def start(self, rows: Sequence[Row]) -> SamplerState:
        """See `Sampler.start`."""
        return start_state(self._folded, rows)

    def generate(self, state: SamplerState, conditioning: FloatArray, length: int) -> tuple[Codes, SamplerState]:
        """See `DeviceSampler.generate`."""
        check_call(self.config, state, conditioning, length)
        codes = np.zeros((len(state), length), dtype=np.uint8)
        if not codes.size:
            return codes, state
        after = []
        for rows in self._groups(state):
            made = np.empty((len(rows), length), dtype=np.uint8)
            with self._lock, self._machine.running():
                after.append(self._bucket.generate(state.select(rows.tolist()), conditioning[rows], made))
            codes[rows] = made
        return codes, self._in_order(state, after)

    def logits(self, state: SamplerState, codes: Codes, conditioning: Floats) -> tuple[Floats, SamplerState]:
        """See `Sampler.logits`."""
        check_codes(state, codes)
        check_call(self.config, state, conditioning, codes.shape[1])
        logits = np.zeros((*codes.shape, LEVELS), dtype=np.float32)
        if not codes.size:
            return logits, state
        after = []
        for rows in self._groups(state):
            with self._lock, self._machine.running():
                some, then = self._bucket.logits(state.select(rows.tolist()), conditioning[rows], codes[rows])
            logits[rows] = some
            after.append(then)
        return logits, self._in_order(state, after)

    def _groups(self, state: SamplerState) -> list[NDArray[np.intp]]:
        """Row indices of equal phase, no more than the bucket holds."""
        return group_rows(state.position % self.config.conditioning_length, self.most_rows)

    def _in_order(self, before: SamplerState, after: list[SamplerState]) -> SamplerState:
        """The states of all groups, in the order of the rows that they were made from."""
        order = np.argsort(np.concatenate(self._groups(before)))
        return SamplerState.join(after).select(order.tolist())
