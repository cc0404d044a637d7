"""What the CUDA sampler keeps on the GPU: a model's weights, and the static memory of one bucket of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from v2s_engine.errors import UsageError
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.options import LEVELS, SILENCE_CODE, ModelConfig
from v2s_engine.sampling.cuda_plan import GRAIN, Arithmetic, Widths
from v2s_engine.sampling.sampler import Floats, SamplerState
from v2s_engine.sampling.weights import FoldedWeights


@dataclass(frozen=True, eq=False)
class CudaWeights:
    """`FoldedWeights` as the kernels read them, padded with zeros.

    Matrices lie in strips `[outputs / 32, inputs, 32]`; what a tier says to the one below and to its own next
    step is one matrix. Biases are float32, and so is the conditioning, which is not in the loop over samples.
    """

    conditioning: Tensor
    conditioning_bias: Tensor
    coarse_samples: Tensor
    """`[coarse_unit, 3 hidden]`."""
    coarse: Tensor
    """hidden to `coarse_out`, in strips."""
    coarse_bias: Tensor
    mid_samples: Tensor
    mid: Tensor
    """hidden to `mid_out`, in strips."""
    mid_bias: Tensor
    tables: Tensor
    """`[window, 256, mlp]`."""
    fine_hidden: Tensor
    """mlp to mlp, in strips."""
    fine_hidden_bias: Tensor
    fine_output: Tensor
    """`[mlp, 256]`."""
    fine_output_bias: Tensor


def pack_weights(weights: FoldedWeights, widths: Widths, arithmetic: Arithmetic, device: torch.device) -> CudaWeights:
    """Lay folded weights out for the kernels. Raises `UsageError` where a weight is too large for fp16."""
    kind = np.float16 if arithmetic == "fp16" else np.float32
    hidden, mlp = widths.hidden, widths.mlp

    def tensor(array: Floats, kind: type[np.floating] = np.float32) -> Tensor:
        with np.errstate(over="ignore"):  # said in our own words below
            stored = np.ascontiguousarray(array, dtype=kind)
        if not np.isfinite(stored).all():
            raise UsageError(
                f"a weight of this model is {np.abs(array).max():g}, which fp16 cannot hold; "
                "use the CUDA sampler with fp32, or the CPU"
            )
        return torch.from_numpy(stored).to(device)

    def strips(matrix: Floats, inputs: int, kind: type[np.floating]) -> Tensor:
        padded = np.pad(matrix, [(0, inputs - len(matrix)), (0, 0)])
        return tensor(padded.reshape(inputs, -1, GRAIN).swapaxes(0, 1), kind)

    def gates(array: Floats) -> Floats:
        """`[.., 3d]` to `[.., 3 hidden]`."""
        apart = _pad_last(array.reshape(*array.shape[:-1], 3, -1), hidden)
        return apart.reshape(*array.shape[:-1], -1)

    def both(below: Floats, own: Floats) -> Floats:
        """What is said to the tier below `[.., steps, outputs]` and to the next step `[.., 3 hidden]`, in one."""
        return np.concatenate([below.reshape(*own.shape[:-1], -1), own], axis=-1)

    def own_bias(candidate: Floats) -> Floats:
        return gates(np.concatenate([np.zeros(2 * len(candidate), dtype=np.float32), candidate]))

    mid_up, mid_up_bias = _pad_last(weights.mid_up, mlp), _pad_last(weights.mid_up_bias, mlp)
    fine_output = np.pad(weights.fine_output, [(0, mlp - len(weights.fine_output)), (0, 0)])
    return CudaWeights(
        conditioning=strips(gates(weights.conditioning), widths.vector, np.float32),
        conditioning_bias=tensor(gates(weights.conditioning_bias)),
        coarse_samples=tensor(gates(weights.coarse_samples), kind),
        coarse=strips(both(gates(weights.coarse_up), gates(weights.coarse_recurrent)), hidden, kind),
        coarse_bias=tensor(both(gates(weights.coarse_up_bias), own_bias(weights.coarse_candidate_bias))),
        mid_samples=tensor(gates(weights.mid_samples), kind),
        mid=strips(both(mid_up, gates(weights.mid_recurrent)), hidden, kind),
        mid_bias=tensor(both(mid_up_bias, own_bias(weights.mid_candidate_bias))),
        tables=tensor(_pad_last(weights.tables, mlp), kind),
        fine_hidden=strips(_pad_last(weights.fine_hidden, mlp), mlp, kind),
        fine_hidden_bias=tensor(_pad_last(weights.fine_hidden_bias, mlp)),
        fine_output=tensor(fine_output, kind),
        fine_output_bias=tensor(weights.fine_output_bias),
    )


@dataclass(frozen=True, eq=False)
class Buffers:
    """Static memory for one bucket of rows (b) on their way through a frame.

    Places of a frame are 0 .. 1023; what two launches must not mix up has two halves that are used in turn.
    """

    vectors: Tensor
    """`[slots, b, vector]`: the frame's conditioning vectors."""
    conditioned: Tensor
    """`[slots, b, 3 hidden]`: what they say to the coarse GRU."""
    coarse_state: Tensor
    """`[2, b, hidden]`."""
    coarse_out: Tensor
    """`[2, b, coarse_out]`."""
    mid_state: Tensor
    mid_out: Tensor
    partials: Tensor
    """`[2, tiles, b, 256]`: what each tile of the MLP adds to the logits."""
    codes: Tensor
    """`[b, history + 1024]` uint8: codes before the frame, then its own."""
    given: Tensor
    """`[1]` int32: codes at places before this one are given, not drawn."""
    origin: Tensor
    """`[b]` int64: the sample of a row that stands at place 0; may be negative where a part begins later."""
    seeds: Tensor
    """`[b]` int64: the seeds' 64 bits."""
    takes: Tensor
    """`[b]` int64."""
    temperatures: Tensor
    """`[b]` float32."""

    @property
    def rows(self) -> int:
        """Rows of the bucket, used or not."""
        return len(self.origin)

    @property
    def nbytes(self) -> int:
        """Bytes of GPU memory."""
        return sum(tensor.nbytes for tensor in vars(self).values())


def make_buffers(config: ModelConfig, widths: Widths, rows: int, device: torch.device) -> Buffers:
    """Buffers in which nothing has been computed yet."""

    def zeros(*shape: int, kind: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(shape, dtype=kind, device=device)

    slots = FRAME_LENGTH // config.conditioning_length
    return Buffers(
        vectors=zeros(slots, rows, widths.vector),
        conditioned=zeros(slots, rows, 3 * widths.hidden),
        coarse_state=zeros(2, rows, widths.hidden),
        coarse_out=zeros(2, rows, widths.coarse_out),
        mid_state=zeros(2, rows, widths.hidden),
        mid_out=zeros(2, rows, widths.mid_out),
        partials=zeros(2, widths.mlp // GRAIN, rows, LEVELS),
        codes=zeros(rows, config.history_length + FRAME_LENGTH, kind=torch.uint8),
        given=zeros(1, kind=torch.int32),
        origin=zeros(rows, kind=torch.int64),
        seeds=zeros(rows, kind=torch.int64),
        takes=zeros(rows, kind=torch.int64),
        temperatures=torch.ones(rows, device=device),
    )


def load_state(buffers: Buffers, state: SamplerState, place: int) -> None:
    """Put rows into the buffers so that the next sample of each stands at `place`; the other rows are blank."""
    count, history = len(state), state.history.shape[1]
    for target, source in ((buffers.coarse_state, state.coarse), (buffers.mid_state, state.mid)):
        target.zero_()
        target[:, :count, : source.shape[1]] = torch.from_numpy(np.ascontiguousarray(source)).to(target.device)
    buffers.codes.fill_(SILENCE_CODE)
    buffers.codes[:count, place : place + history] = torch.from_numpy(np.array(state.history)).to(buffers.codes.device)
    seeds = np.array([row.seed for row in state.rows], dtype=np.uint64).view(np.int64)
    takes = np.array([row.take for row in state.rows], dtype=np.int64)
    temperatures = np.array([row.temperature for row in state.rows], dtype=np.float32)
    for tensor, numbers, blank in (
        (buffers.origin, state.position - place, 0),
        (buffers.seeds, seeds, 0),
        (buffers.takes, takes, 0),
        (buffers.temperatures, temperatures, 1),
    ):
        tensor.copy_(torch.from_numpy(np.pad(numbers, (0, len(tensor) - count), constant_values=blank)))


def _pad_last(array: Floats, width: int) -> Floats:
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])])
