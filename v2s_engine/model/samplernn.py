"""Three-tier SampleRNN, teacher-forced: the network that is trained.

    coarse   |------- 16 samples + conditioning -> GRU -------|      one step per coarse_unit
                 | up-sampling: one projection per mid step
    mid      |-- 4 --|-- 4 --|-- 4 --|-- 4 --|   -> GRU              one step per mid_unit
                 | up-sampling: one projection per sample
    fine      MLP over the last `window` codes   -> 256 logits       every sample

Follows the reference code of SampleRNN (Mehri et al. 2017, `three_tier.py`) and "Visual to Sound" section 3:
real-valued samples scaled to [-2, 2] into the GRUs, embedded codes into the MLP, learned initial states, conditioning
at the coarsest tier only. Ours: PyTorch's GRU, whose reset gate acts after the recurrent product.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from v2s_engine.options import LEVELS, SILENCE_CODE, ModelConfig


class TierState(NamedTuple):
    """Hidden states of the two recurrent tiers, each `[B, hidden_size]`; B = rows."""

    coarse: Tensor
    mid: Tensor


class SampleRNN(nn.Module):
    """The trainable network; `forward` is teacher-forced, generation lives in `v2s_engine.sampling`.

    Its `state_dict` (weight norm removed) is what `v2s_engine.sampling.fold` takes and what `train.safetensors` holds;
    with d = hidden_size, H = mlp_size, E = embedding_size, C = conditioning_size:

        coarse_gru.weight_ih_l0 [3d, coarse_unit + C]     embedding.weight    [256, E]
        coarse_gru.weight_hh_l0 [3d, d]                   fine_input.weight   [H, window·E]
        coarse_gru.bias_ih_l0, bias_hh_l0 [3d]            fine_hidden1.weight, bias [H, H], [H]
        coarse_up.weight, bias  [(coarse/mid)·d, d], […]  fine_hidden2.weight, bias [H, H], [H]
        mid_input.weight, bias  [d, mid_unit], [d]        fine_output.weight, bias  [256, H], [256]
        mid_gru.*               as coarse_gru, input d    coarse_start, mid_start   [d]
        mid_up.weight, bias     [mid_unit·H, d], […]
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        size, mlp = config.hidden_size, config.mlp_size
        mids_per_coarse = config.coarse_unit // config.mid_unit
        self.coarse_gru = nn.GRU(config.coarse_unit + config.conditioning_size, size, batch_first=True)
        self.coarse_up = nn.Linear(size, mids_per_coarse * size)
        self.mid_input = nn.Linear(config.mid_unit, size)
        self.mid_gru = nn.GRU(size, size, batch_first=True)
        self.mid_up = nn.Linear(size, config.mid_unit * mlp)
        self.embedding = nn.Embedding(LEVELS, config.embedding_size)
        self.fine_input = nn.Linear(config.window * config.embedding_size, mlp, bias=False)
        self.fine_hidden1 = nn.Linear(mlp, mlp)
        self.fine_hidden2 = nn.Linear(mlp, mlp)
        self.fine_output = nn.Linear(mlp, LEVELS)
        self.coarse_start = nn.Parameter(torch.zeros(size))
        self.mid_start = nn.Parameter(torch.zeros(size))
        self._initialise()
        if config.weight_norm:
            for linear in self._linears():
                weight_norm(linear)

    def initial_state(self, rows: int) -> TierState:
        """The learned state at the start of a clip, for `rows` rows."""
        return TierState(self.coarse_start.expand(rows, -1), self.mid_start.expand(rows, -1))

    def restarted(self, state: TierState, reset: Tensor) -> TierState:
        """`state` with the learned initial state in the rows where `reset` `[B]` is true."""
        start = self.initial_state(len(reset))
        return TierState(*(torch.where(reset[:, None], new, old) for new, old in zip(start, state, strict=True)))

    def forward(self, codes: Tensor, conditioning: Tensor, state: TierState) -> tuple[Tensor, TierState]:
        """Logits of every sample given all samples before it.

        Parameters
        ----------
        codes
            `[B, history_length + L]` integers 0..255: the history, then the L samples to predict; L is a multiple of
            `coarse_unit`. The last code is never an input.
        conditioning
            `[B, ceil(L / conditioning_length), C]`, the vectors that cover the L samples; L starts at one's start.
        state
            Of the tiers before the first of the L samples.

        Returns
        -------
        Logits `[B, L, 256]` and the state after the last sample. Logit t depends on codes before t only.
        """
        config = self.config
        rows, length = codes.shape[0], codes.shape[1] - config.history_length
        amplitudes = scaled_amplitudes(codes)
        history = config.history_length

        coarse_in = amplitudes[:, history - config.coarse_unit : history - config.coarse_unit + length]
        coarse_in = coarse_in.reshape(rows, -1, config.coarse_unit)
        steps_per_vector = config.conditioning_length // config.coarse_unit
        repeated = conditioning.repeat_interleave(steps_per_vector, dim=1)[:, : coarse_in.shape[1]]
        coarse_out, coarse_state = self.coarse_gru(
            torch.cat([coarse_in, repeated.to(coarse_in.dtype)], dim=2),
            state.coarse.unsqueeze(0).contiguous(),
        )

        mid_in = amplitudes[:, history - config.mid_unit : history - config.mid_unit + length]
        mid_in = self.mid_input(mid_in.reshape(rows, -1, config.mid_unit))
        mid_in = mid_in + self.coarse_up(coarse_out).reshape(mid_in.shape)
        mid_out, mid_state = self.mid_gru(mid_in, state.mid.unsqueeze(0).contiguous())

        logits = self._fine(codes, mid_out, length)
        return logits, TierState(coarse_state[0], mid_state[0])

    def _fine(self, codes: Tensor, mid_out: Tensor, length: int) -> Tensor:
        """The MLP at every sample.

        Up to the first ReLU everything is linear, so embedding, input layer, up-sampling and first hidden layer are
        multiplied out before they meet the samples: the same function and gradients at a third of the cost.
        """
        config = self.config
        first = self.fine_hidden1.weight  # [H, H]
        input_weight = self.fine_input.weight.reshape(config.mlp_size, config.window, config.embedding_size)
        tables = torch.einsum("ve,hke->kvh", self.embedding.weight, input_weight) @ first.T  # [window, 256, H]
        start = config.history_length - config.window
        windows = codes[:, start : start + length + config.window - 1].unfold(1, config.window, 1)
        offsets = torch.arange(config.window, device=codes.device) * LEVELS
        summed = nn.functional.embedding_bag(
            (windows + offsets).reshape(-1, config.window), tables.reshape(-1, config.mlp_size), mode="sum"
        ).reshape(*windows.shape[:2], config.mlp_size)

        up_weight = self.mid_up.weight.reshape(config.mid_unit, config.mlp_size, -1)
        up_weight = torch.einsum("hg,ugd->uhd", first, up_weight).reshape(-1, config.hidden_size)
        up_bias = self.mid_up.bias.reshape(config.mid_unit, config.mlp_size) @ first.T + self.fine_hidden1.bias
        from_mid = nn.functional.linear(mid_out, up_weight, up_bias.reshape(-1)).reshape(summed.shape)
        hidden = torch.relu(summed + from_mid)
        hidden = torch.relu(self.fine_hidden2(hidden))
        output: Tensor = self.fine_output(hidden)
        return output

    def _linears(self) -> list[nn.Linear]:
        return [module for module in self.modules() if isinstance(module, nn.Linear)]

    def _initialise(self) -> None:
        """He-uniform for linear layers, orthogonal recurrent matrices, zero biases (reference code, `lib/ops.py`)."""
        for linear in self._linears():
            nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)
        for gru in (self.coarse_gru, self.mid_gru):
            for name, parameter in gru.named_parameters():
                if "weight_hh" in name:
                    for gate in parameter.data.chunk(3):
                        nn.init.orthogonal_(gate)
                elif "weight_ih" in name:
                    bound = (3.0 / parameter.shape[1]) ** 0.5
                    nn.init.uniform_(parameter, -bound, bound)
                else:
                    nn.init.zeros_(parameter)


def scaled_amplitudes(codes: Tensor) -> Tensor:
    """Codes 0..255 as real numbers in [-2, 2), the scale that the recurrent tiers see (reference code)."""
    return (codes.float() - SILENCE_CODE) * (2.0 / SILENCE_CODE)
