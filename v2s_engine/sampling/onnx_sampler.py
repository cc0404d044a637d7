"""The sampler for machines on which Numba does not run: ONNX Runtime, without a compiler and without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.sampling.onnx_model import sampler_model
from v2s_engine.sampling.philox import uniforms
from v2s_engine.sampling.sampler import Codes, Floats, Row, SamplerState, check_call, check_codes, start_state
from v2s_engine.sampling.weights import FoldedWeights
from v2s_engine.vision.session import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxSampler:
    """See `Sampler`. Computes in float32, whatever the precision of the weights; one row after the other on one core.

    Its models are built at the first call of each kind, with the package `onnx` (extra `onnx`).
    """

    name = "onnx"
    most_rows = 8

    def __init__(self, weights: FoldedWeights) -> None:
        self.config: ModelConfig = weights.config
        self._weights = weights

    def start(self, rows: Sequence[Row]) -> SamplerState:
        """See `Sampler.start`."""
        return start_state(self._weights, rows)

    def generate(self, state: SamplerState, conditioning: Floats, length: int) -> tuple[Codes, SamplerState]:
        """See `Sampler.generate`."""
        check_call(self.config, state, conditioning, length)
        codes = np.empty((len(state), length), dtype=np.uint8)
        after = [state.select([])]
        for index, row in enumerate(state.rows if length else ()):
            inputs = {
                "uniforms": uniforms(row.seed, row.take, int(state.position[index]), length)[:, None],
                "temperature": np.array([row.temperature], dtype=np.float32),
            }
            made, then = self._run(self._codes, state.select([index]), conditioning[index], length, inputs)
            codes[index] = made[:, 0]
            after.append(then)
        return codes, SamplerState.join(after) if length else state

    def logits(self, state: SamplerState, codes: Codes, conditioning: Floats) -> tuple[Floats, SamplerState]:
        """See `Sampler.logits`."""
        check_codes(state, codes)
        length = codes.shape[1]
        check_call(self.config, state, conditioning, length)
        logits = np.empty((*codes.shape, LEVELS), dtype=np.float32)
        after = [state.select([])]
        for index in range(len(state) if length else 0):
            inputs = {"given": codes[index, :, None].astype(np.int64)}
            logits[index], then = self._run(self._logits, state.select([index]), conditioning[index], length, inputs)
            after.append(then)
        return logits, SamplerState.join(after) if length else state

    @cached_property
    def _codes(self) -> InferenceSession:
        return open_session(sampler_model(self._weights, "codes"))

    @cached_property
    def _logits(self) -> InferenceSession:
        return open_session(sampler_model(self._weights, "logits"))

    def _run(
        self,
        session: InferenceSession,
        state: SamplerState,
        vectors: Floats,
        length: int,
        inputs: dict[str, NDArray[Any]],
    ) -> tuple[NDArray[Any], SamplerState]:
        """What the model makes of one row, `[length, ..]`, and the row's state after it."""
        given = {
            "phase": np.array(state.position[0] % self.config.conditioning_length, dtype=np.int64),
            "length": np.array(length, dtype=np.int64),
            "told": vectors,
            "coarse": state.coarse,
            "mid": state.mid,
            "history": state.history[0].astype(np.int64),
        }
        coarse, mid, history, made = session.run(None, given | inputs)
        return made, SamplerState(
            rows=state.rows,
            position=state.position + length,
            coarse=coarse,
            mid=mid,
            history=history.astype(np.uint8)[None],
        )
