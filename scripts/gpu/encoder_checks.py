"""The visual encoder and the CUDA sampler on one GPU: the same through host memory or not, and how long each takes.

At the paper's size, or a tiny one in a dry run; networks have random weights. Used by `sampler.py`. Not yet run on a
GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch

from v2s_engine.arrays import FloatArray, joined, on_host
from v2s_engine.errors import DeviceError
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.model.conditioning import frame_conditioning, looped
from v2s_engine.model.picture_state import PictureState
from v2s_engine.options import ModelConfig, VisualConfig
from v2s_engine.sampling.cuda import CudaSampler
from v2s_engine.sampling.sampler import Row
from v2s_engine.vision.picture_encoder import CHUNK, FEATURES, PICTURES, PictureEncoder
from v2s_engine.vision.picture_network import open_picture_network
from v2s_engine.vision.session import CPU, CUDA, open_session, run_bound
from v2s_export.visual_onnx import export_picture_state, export_visual_encoder

_ROWS = 3


@dataclass(frozen=True)
class EncoderChecks:
    """Checks that give whether they passed and what to say of it."""

    folder: Path
    """Where models are written."""
    dry: bool
    """Tiny sizes on the CPU."""
    open_sampler: Callable[[ModelConfig], CudaSampler]
    """With random weights, on the GPU."""

    def missing_provider(self) -> tuple[bool, str]:
        """Asked for, an execution provider that ONNX Runtime was built without is not replaced by another."""
        here = onnxruntime.get_available_providers()
        name = next(name for name in onnxruntime.get_all_providers() if name not in here)
        try:
            open_session(self._model, (name,))
        except DeviceError as error:
            return name in str(error), str(error)
        return False, f"a session was opened with {name}"

    def same_features(self) -> tuple[bool, str]:
        """I/O binding against a plain run, and against the CPU. On a GPU ONNX Runtime multiplies in TF32."""
        judged = PictureEncoder(self._model, None, self._config, threads=0).features_of(self._pictures)
        features = PictureEncoder(self._model, None, self._config, self._providers).features_of(self._pictures)
        farthest = float(np.abs(features - judged).max() / np.abs(judged).max())
        session, inputs = open_session(self._model, self._providers), {PICTURES: self._pictures[1 : 1 + CHUNK]}
        (plain,) = session.run([FEATURES], inputs)
        left = torch.empty(plain.shape, device=self._place)
        run_bound(session, inputs, FEATURES, left)
        same = bool((left.cpu().numpy() == plain).all() and (features[1 : 1 + CHUNK] == plain).all())
        kept = _milliseconds(lambda: run_bound(session, inputs, FEATURES, left))
        fetched = _milliseconds(lambda: run_bound(session, inputs, FEATURES).numpy())
        times = f"{CHUNK} pictures in {kept:.2f} ms left on {left.device}, {fetched:.2f} ms fetched"
        about = f"onnxruntime {onnxruntime.__version__}; farthest {farthest:.1e} of the largest; same bits: {same}"
        return same and farthest < 1e-2, f"{about}; {times}"

    def same_sounds(self) -> tuple[bool, str]:
        """`frame`, from pictures to codes and the state after them; timed over as many frames as a part has."""
        run = self.open_sampler(self._config)
        state = run.start([Row(17 + row, 1) for row in range(_ROWS)])
        length = 3 if self.dry else CHUNK * FRAME_LENGTH

        def told(encoder: PictureEncoder, pictures: np.ndarray) -> FloatArray:
            parts = [frame_conditioning(part, 0, self._config) for part in encoder.parts_of(pictures)]
            return joined([joined(parts)[None]] * _ROWS)

        def sound(encoder: PictureEncoder) -> Any:
            return run.generate(state, told(encoder, self._pictures[:CHUNK]), length)

        fetched, left = self._encoders(self._config)
        vectors, (codes, after), (wanted, judged) = told(left, self._pictures), sound(left), sound(fetched)
        same = (
            isinstance(vectors, torch.Tensor)
            and vectors.device.type == run.device.type
            and bool((on_host(vectors) == told(fetched, self._pictures)).all())
            and bool((codes == wanted).all() and (after.coarse == judged.coarse).all())
        )
        times = [_milliseconds(partial(sound, encoder), 1 if self.dry else 20) for encoder in (left, fetched)]
        said = f"{CHUNK} pictures and {length} samples of {_ROWS} rows in {times[0]:.2f} ms"
        return same, f"{said}, {times[1]:.2f} ms with features fetched"

    def same_states(self) -> tuple[bool, str]:
        """`sequence`, from pictures to the state of a window."""
        config = replace(self._config, conditioning="sequence")
        torch.manual_seed(5)
        network = export_picture_state(PictureState(config).eval(), config, self.folder / "conditioning.onnx")

        def state(encoder: PictureEncoder) -> np.ndarray:
            return encoder.state(looped(joined(list(encoder.parts_of(self._pictures))), config.encoder_window))

        fetched, left = self._encoders(config, network)
        same = bool((state(left) == state(fetched)).all())
        times = [_milliseconds(partial(state, encoder), 5) for encoder in (left, fetched)]
        said = f"{len(self._pictures)} pictures looped to {config.encoder_window} in {times[0]:.2f} ms"
        return same, f"{said}, {times[1]:.2f} ms with features fetched"

    def _encoders(self, config: ModelConfig, state: Path | None = None) -> tuple[PictureEncoder, PictureEncoder]:
        """Features fetched, and left on the device."""
        fetched = PictureEncoder(self._model, state, config, self._providers)
        return fetched, PictureEncoder(self._model, state, config, self._providers, on_device=True)

    @cached_property
    def _config(self) -> ModelConfig:
        visual = VisualConfig("small", 32, 12) if self.dry else VisualConfig()
        tiny = {"hidden_size": 32, "mlp_size": 32, "embedding_size": 8} if self.dry else {}
        return ModelConfig(("dog",), conditioning="frame", visual=visual, **tiny)

    @cached_property
    def _model(self) -> Path:
        visual = self._config.visual or VisualConfig()
        network = open_picture_network(visual, "random:1")
        return export_visual_encoder(visual, network, None, self.folder / "encoder.onnx")

    @cached_property
    def _pictures(self) -> np.ndarray:
        size = (self._config.visual or VisualConfig()).picture_size
        return np.random.default_rng(3).integers(0, 256, (1 + 2 * CHUNK, size, size, 3), dtype=np.uint8)

    @property
    def _providers(self) -> tuple[str, ...]:
        return CPU if self.dry else CUDA

    @property
    def _place(self) -> str:
        return "cpu" if self.dry else "cuda"


def _milliseconds(run: Callable[[], object], times: int = 20) -> float:
    """The median of so many calls."""

    def timed() -> float:
        begun = time.perf_counter()
        run()
        return time.perf_counter() - begun

    return 1e3 * median(timed() for _ in range(times))
