"""The sampler that the others are judged by: eager PyTorch, one row and one sample at a time, written to be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from v2s_engine.options import LEVELS, SILENCE_CODE, ModelConfig
from v2s_engine.sampling.draw import draw_code
from v2s_engine.sampling.philox import uniforms
from v2s_engine.sampling.quantised import multiply_quantised, quantise_rectified, quantise_state
from v2s_engine.sampling.sampler import Codes, Floats, Row, SamplerState, check_call, check_codes, start_state
from v2s_engine.sampling.weights import FoldedWeights


class ReferenceSampler:
    """See `Sampler`."""

    name = "reference"
    most_rows = 8

    def __init__(self, weights: FoldedWeights) -> None:
        self.config: ModelConfig = weights.config
        self._weights = weights
        self._products = _Products(weights)

    def start(self, rows: Sequence[Row]) -> SamplerState:
        """See `Sampler.start`."""
        return start_state(self._weights, rows)

    def generate(self, state: SamplerState, conditioning: Floats, length: int) -> tuple[Codes, SamplerState]:
        """See `Sampler.generate`."""
        check_call(self.config, state, conditioning, length)
        codes = np.empty((len(state), length), dtype=np.uint8)
        after = []
        for index, row in enumerate(state.rows):
            walk = _Walk(self._products, self.config, state.select([index]), conditioning[index])
            drawn = uniforms(row.seed, row.take, int(state.position[index]), length)
            for sample in range(length):
                codes[index, sample] = draw_code(walk.logits().numpy(), drawn[sample], row.temperature)
                walk.append(int(codes[index, sample]))
            after.append(walk.state())
        return codes, SamplerState.join(after) if after else state

    def logits(self, state: SamplerState, codes: Codes, conditioning: Floats) -> tuple[Floats, SamplerState]:
        """See `Sampler.logits`."""
        check_codes(state, codes)
        check_call(self.config, state, conditioning, codes.shape[1])
        logits = np.empty((*codes.shape, LEVELS), dtype=np.float32)
        after = []
        for index in range(len(state)):
            walk = _Walk(self._products, self.config, state.select([index]), conditioning[index])
            for sample, code in enumerate(codes[index]):
                logits[index, sample] = walk.logits().numpy()
                walk.append(int(code))
            after.append(walk.state())
        return logits, SamplerState.join(after) if after else state


class _Products:
    """Folded weights, and products with them in the arithmetic of their precision."""

    def __init__(self, weights: FoldedWeights) -> None:
        self._quantised = weights.quantised
        self._tensors = {name: torch.from_numpy(array) for name, array in weights.tensors().items()}

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def add(self, start: Tensor, vector: Tensor, name: str, step: int | None = None) -> Tensor:
        """`start + vector @ matrix`, or `.. @ matrix[:, step]`."""
        if name not in self._quantised:
            matrix = self[name]
            return start + vector @ (matrix if step is None else matrix[:, step])
        quantised = self._quantised[name] if step is None else self._quantised[name].at(step)
        activate = quantise_rectified if name.startswith("fine_") else quantise_state
        return torch.from_numpy(multiply_quantised(activate(vector.numpy()), quantised, start.numpy()))


class _Walk:
    """One row on its way through the samples: ask for `logits`, tell it the code with `append`, and so on."""

    def __init__(self, products: _Products, config: ModelConfig, state: SamplerState, conditioning: Floats) -> None:
        self._w, self._config = products, config
        self._before = state
        self._position = int(state.position[0])
        self._first_vector = self._position // config.conditioning_length
        self._conditioning = torch.from_numpy(np.array(conditioning))
        self._coarse, self._mid = torch.from_numpy(state.coarse[0]), torch.from_numpy(state.mid[0])
        self._history = [int(code) for code in state.history[0]]

    def logits(self) -> Tensor:
        """Logits `[256]` of the sample at the current position."""
        w, config, position = self._w, self._config, self._position
        if position % config.coarse_unit == 0:
            vector = self._conditioning[position // config.conditioning_length - self._first_vector]
            inputs = w["conditioning_bias"] + vector @ w["conditioning"]
            inputs = inputs + self._amplitudes(config.coarse_unit) @ w["coarse_samples"]
            recurrent = w.add(candidate_only(w["coarse_candidate_bias"]), self._coarse, "coarse_recurrent")
            self._coarse = gru_step(inputs, recurrent, self._coarse)
        if position % config.mid_unit == 0:
            step = position % config.coarse_unit // config.mid_unit
            inputs = w.add(w["coarse_up_bias"][step], self._coarse, "coarse_up", step)
            inputs = inputs + self._amplitudes(config.mid_unit) @ w["mid_samples"]
            recurrent = w.add(candidate_only(w["mid_candidate_bias"]), self._mid, "mid_recurrent")
            self._mid = gru_step(inputs, recurrent, self._mid)
        sample = position % config.mid_unit
        hidden = w.add(w["mid_up_bias"][sample], self._mid, "mid_up", sample)
        for place, code in enumerate(self._history[-config.window :]):
            hidden = hidden + w["tables"][place, code]
        hidden = w.add(w["fine_hidden_bias"], torch.relu(hidden), "fine_hidden")
        return w.add(w["fine_output_bias"], torch.relu(hidden), "fine_output")

    def append(self, code: int) -> None:
        """Go on to the next sample; the current one is `code`."""
        self._history = [*self._history[1:], code]
        self._position += 1

    def state(self) -> SamplerState:
        """Where the row stands now, as a state of one row."""
        return SamplerState(
            rows=self._before.rows,
            position=np.array([self._position], dtype=np.int64),
            coarse=self._coarse.numpy()[None],
            mid=self._mid.numpy()[None],
            history=np.array([self._history], dtype=np.uint8),
        )

    def _amplitudes(self, count: int) -> Tensor:
        """The last `count` codes as real numbers in [-2, 2), oldest first."""
        return (torch.tensor(self._history[-count:]).float() - SILENCE_CODE) * (2.0 / SILENCE_CODE)


def gru_step(inputs: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
    """PyTorch's GRU for one row.

    `inputs [3d]` hold all biases but the candidate's recurrent one, `recurrent [3d]` is the product with `hidden [d]`
    and holds that.
    """
    reset_in, update_in, candidate_in = inputs.chunk(3)
    reset_from, update_from, candidate_from = recurrent.chunk(3)
    reset, update = torch.sigmoid(reset_in + reset_from), torch.sigmoid(update_in + update_from)
    candidate = torch.tanh(candidate_in + reset * candidate_from)
    return candidate + update * (hidden - candidate)


def candidate_only(bias: Tensor) -> Tensor:
    """A bias `[3d]` of three gates that is 0 but for the candidate's `[d]`."""
    return torch.cat([torch.zeros(2 * len(bias)), bias])
