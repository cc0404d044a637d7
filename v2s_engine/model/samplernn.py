"""Three-tier SampleRNN, teacher-forced: the network that is trained.

    coarse   |------- 16 samples + conditioning -> GRU -------|      one step per coarse_unit
                 | up-sampling: one projection per mid step
    mid      |-- 4 --|-- 4 --|-- 4 --|-- 4 --|   -> GRU              one step per mid_unit
                 | up-sampling: one projection per sample
    fine      MLP over the last `window` codes   -> 256 logits       every sample

Follows the reference code of SampleRNN (Mehri et al. 2017, `three_tier.py`) and "Visual to Sound" section 3:
real-valued samples scaled to [-2, 2] into the GRUs, embedded codes into the MLP, learned initial states, conditioning
at the coarsest tier only. Ours: PyTorch's GRU, whose reset gate acts after the recurrent product.

Where the conditioning is `sequence` or `flow`, a second GRU over the features of a whole window of pictures gives the
state that the coarsest tier starts the window from, in place of the learned one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from v2s_engine.errors import UsageError
from v2s_engine.model.gru import Gru
from v2s_engine.model.picture_state import PictureState
from v2s_engine.options import LEVELS, SILENCE_CODE, ModelConfig

_NARROW = 64
"""Conditioning vectors no wider than this are simply repeated for every step that they cover."""

_MOST_COLUMNS = 256
"""Wide vectors that go through the coarsest tier at once, over all rows."""


class TierState(NamedTuple):
    """Hidden states of the two recurrent tiers, each `[B, hidden_size]`; B = rows."""

    coarse: Tensor
    mid: Tensor


class SampleRNN(nn.Module):
    """The trainable network; `forward` is teacher-forced, generation lives in `v2s_engine.sampling`.

    Its parameters (weight norm removed) are what `v2s_engine.sampling.fold` takes and what `train.safetensors` holds;
    with d = hidden_size, H = mlp_size, E = embedding_size, C = conditioning_size, V = feature_size, and
    X = sample_expansion, or coarse_unit where that is 0:

        coarse_input.weight, bias [X, coarse_unit], [X]   embedding.weight    [256, E]
          (only with a sample_expansion)                  fine_input.weight   [H, window·E]
        coarse_gru.weight_ih_l0 [3d, X + C]               fine_hidden1.weight, bias [H, H], [H]
        coarse_gru.weight_hh_l0 [3d, d]                   fine_hidden2.weight, bias [H, H], [H]
        coarse_gru.bias_ih_l0, bias_hh_l0 [3d]            fine_output.weight, bias  [256, H], [256]
        coarse_up.weight, bias  [(coarse/mid)·d, d], […]  coarse_start, mid_start   [d]
        mid_input.weight, bias  [d, mid_unit], [d]        pictures.gru.* as coarse_gru, input V
        mid_gru.*               as coarse_gru, input d      (only `sequence` and `flow`; not sampled from)
        mid_up.weight, bias     [mid_unit·H, d], […]
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        size, mlp = config.hidden_size, config.mlp_size
        mids_per_coarse = config.coarse_unit // config.mid_unit
        expansion = config.sample_expansion
        self.coarse_input = nn.Linear(config.coarse_unit, expansion) if expansion else None
        self.coarse_gru = Gru((expansion or config.coarse_unit) + config.conditioning_size, size)
        self.coarse_up = nn.Linear(size, mids_per_coarse * size)
        self.mid_input = nn.Linear(config.mid_unit, size)
        self.mid_gru = Gru(size, size)
        self.mid_up = nn.Linear(size, config.mid_unit * mlp)
        self.embedding = nn.Embedding(LEVELS, config.embedding_size)
        self.fine_input = nn.Linear(config.window * config.embedding_size, mlp, bias=False)
        self.fine_hidden1 = nn.Linear(mlp, mlp)
        self.fine_hidden2 = nn.Linear(mlp, mlp)
        self.fine_output = nn.Linear(mlp, LEVELS)
        # Where the pictures give the state, this one stays 0 and is never used.
        self.coarse_start = nn.Parameter(torch.zeros(size), requires_grad=not config.starts_from_pictures)
        self.mid_start = nn.Parameter(torch.zeros(size))
        self.pictures = PictureState(config) if config.starts_from_pictures else None
        self._initialise()
        if config.weight_norm:
            self._normalise_weights()

    def picture_start(self, features: Tensor) -> Tensor:
        """The coarsest tier's state `[B, d]` at the start of windows with features `[B, encoder_window, V]`.

        Raises `UsageError` where the conditioning gives no such state, or for features of another shape.
        """
        config = self.config
        if self.pictures is None:
            raise UsageError(f"a model with conditioning {config.conditioning!r} has no state from pictures")
        if features.shape[1:] != (config.encoder_window, config.feature_size):
            raise UsageError(
                f"features have shape {list(features.shape)}; wanted [rows, {config.encoder_window}, "
                f"{config.feature_size}]: whole windows, short clips looped"
            )
        start: Tensor = self.pictures(features)
        return start

    @torch.no_grad()
    def picture_starts(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """`picture_start` of windows `[W, encoder_window, V]` as arrays, `[W, d]`: for use, not for training."""
        features = torch.from_numpy(windows).to(self.mid_start.device)
        return np.asarray(self.picture_start(features).float().cpu().numpy(), np.float32)

    def initial_state(self, rows: int, coarse: Tensor | None = None) -> TierState:
        """The state at the start of a clip, for `rows` rows: learned, but for `sequence` and `flow`'s coarsest tier.

        Those want `coarse` `[B, d]` from `picture_start`, and no other model takes it: `UsageError`.
        """
        if (coarse is not None) != self.config.starts_from_pictures:
            raise UsageError(
                f"a model with conditioning {self.config.conditioning!r} starts from "
                f"{'picture_start: give its result' if coarse is None else 'its learned state: give no other'}"
            )
        start = self.coarse_start.expand(rows, -1) if coarse is None else coarse
        return TierState(start, self.mid_start.expand(rows, -1))

    def restarted(
        self, state: TierState, reset: Tensor, coarse: Tensor | None = None, window_start: Tensor | None = None
    ) -> TierState:
        """`state` with the initial one in the rows where `reset` `[B]` is true (see `initial_state` for `coarse`).

        Rows where only `window_start` `[B]` is true go on with a clip whose next window of pictures begins: their
        coarsest tier starts from `coarse`, all else is carried over.
        """
        start = self.initial_state(len(reset), coarse)
        begins = reset if window_start is None else reset | window_start
        return TierState(
            torch.where(begins[:, None], start.coarse, state.coarse), torch.where(reset[:, None], start.mid, state.mid)
        )

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
        coarse_out, coarse = self.coarse_tier(codes, conditioning, state.coarse)
        logits, mid = self.lower_tiers(codes, coarse_out, state.mid)
        return logits, TierState(coarse, mid)

    def coarse_tier(self, codes: Tensor, conditioning: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """The first half of `forward`: states `[B, L / coarse_unit, d]` of the coarsest tier, and the last, `[B, d]`.

        Vectors that are wide (features of pictures) go through it a few at a time, see `_told_of_wide`.
        """
        samples = self._units(codes, self.config.coarse_unit)
        from_samples, from_vectors, bias = self._coarse_weights()
        rows, vectors, size = conditioning.shape
        wide = size > max(_NARROW, rows)
        at_once = max(1, _MOST_COLUMNS // rows) if wide else vectors
        steps = self.config.conditioning_length // self.config.coarse_unit  # that a vector covers
        out = []
        for first in range(0, vectors, at_once):
            units = samples[:, first * steps : (first + at_once) * steps]
            place = torch.arange(units.shape[1], device=units.device) // steps
            part = conditioning[:, first : first + at_once]
            told, weight = _told_of_wide(part, from_vectors, place) if wide else (part[:, place], from_vectors)
            inputs = torch.cat([units, told.to(units.dtype)], dim=2)
            matrix = torch.cat([from_samples, weight.to(from_samples.dtype)], dim=1)
            states, coarse = self.coarse_gru(inputs, coarse, matrix, bias)
            out.append(states)
        return torch.cat(out, dim=1) if len(out) > 1 else out[0], coarse

    def lower_tiers(self, codes: Tensor, coarse_out: Tensor, mid: Tensor) -> tuple[Tensor, Tensor]:
        """The second half of `forward`: logits `[B, L, 256]` and the middle tier's last state `[B, d]`."""
        inputs = self.mid_input(self._units(codes, self.config.mid_unit))
        inputs = inputs + self.coarse_up(coarse_out).reshape(inputs.shape)
        mid_out, last = self.mid_gru(inputs, mid)
        return self._fine(codes, mid_out, codes.shape[1] - self.config.history_length), last

    def _units(self, codes: Tensor, unit: int) -> Tensor:
        """What a recurrent tier sees `[B, L / unit, unit]`: before each of its steps, the last `unit` samples."""
        history = self.config.history_length
        length = codes.shape[1] - history
        return scaled_amplitudes(codes[:, history - unit : history - unit + length]).reshape(len(codes), -1, unit)

    def _coarse_weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """The coarsest GRU's input matrix for samples `[3d, coarse_unit]` and for conditioning `[3d, C]`, and its bias.

        The expansion of the samples is linear, so it is multiplied into the matrix instead of into every step's input.
        """
        weight, bias = self.coarse_gru.weight_ih_l0, self.coarse_gru.bias_ih_l0
        from_samples, from_vectors = weight.tensor_split([weight.shape[1] - self.config.conditioning_size], dim=1)
        if self.coarse_input is None:
            return from_samples, from_vectors, bias
        return from_samples @ self.coarse_input.weight, from_vectors, bias + from_samples @ self.coarse_input.bias

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

    def _normalise_weights(self) -> None:
        for module in list(self.modules()):
            if isinstance(module, nn.Linear):
                weight_norm(module)
            elif isinstance(module, Gru):
                module.normalise_weights()

    def _initialise(self) -> None:
        """He-uniform for linear layers, zero biases (reference code, `lib/ops.py`); GRUs see to themselves.

        A coarsest tier that hears of the pictures in its first state only must remember it through a whole window. The
        paper does not say how; without chrono initialisation ours learned nothing from its pictures (docs/paper.md).
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.config.starts_from_pictures:
            self.coarse_gru.remember(self.config.encoder_window_length // self.config.coarse_unit)


def _told_of_wide(vectors: Tensor, weight: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """What wide vectors `[B, n, C]` add to a GRU's input, as an input `[B, S, B·n]` and a matrix `[3d, B·n]` for it.

    What a vector adds is the same for all steps `place` `[S]` that it covers. So it is computed once, becomes a column
    of the matrix, and the step's input is 1 there: nothing as wide as a vector is ever repeated.
    """
    rows, count = vectors.shape[:2]
    added = nn.functional.linear(vectors, weight).reshape(rows * count, -1)
    column = place + count * torch.arange(rows, device=place.device)[:, None]
    return nn.functional.one_hot(column, rows * count), added.T


def scaled_amplitudes(codes: Tensor) -> Tensor:
    """Codes 0..255 as real numbers in [-2, 2), the scale that the recurrent tiers see (reference code)."""
    return (codes.float() - SILENCE_CODE) * (2.0 / SILENCE_CODE)
