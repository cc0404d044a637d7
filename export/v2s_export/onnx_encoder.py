"""The timing encoder as ONNX: from a trained `TimingNetwork` to `encoder.onnx`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from v2s_engine.errors import MissingExtraError
from v2s_engine.vision.encoder import CONTEXT_KEY, FEATURES, LOUDNESS, ONSET
from v2s_engine.vision.features import CHANNELS, NETWORK_SIZE

if TYPE_CHECKING:
    from v2s_engine.vision.timing_network import TimingNetwork

OPSET = 18
"""Version of ONNX's operators: old enough for any ONNX Runtime that V2S takes."""


def export_encoder(network: TimingNetwork, path: Path) -> Path:
    """Write `network` as `encoder.onnx`: fp32, any number of pictures, batch norms folded; returns the path.

    Input `features` `[T, 8, 64, 64]`; outputs `loudness` `[T, 4]` in dBFS and `onset` `[T, 4]`. The network is left as
    it was. Raises `MissingExtraError` without the packages of extra `train`.
    """
    try:
        import onnx  # noqa: PLC0415 - extra `train`
        import torch  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("exporting an encoder", "train") from error

    from v2s_engine.vision.timing_network import CONTEXT  # noqa: PLC0415 - imports torch

    class OneClip(torch.nn.Module):
        """The network for a batch of one, which is how it is used."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            loudness, onset = self.network(features.unsqueeze(0))
            return loudness.squeeze(0), onset.squeeze(0)

    training = network.training
    example = torch.zeros(2 * CONTEXT + 1, CHANNELS, NETWORK_SIZE, NETWORK_SIZE)
    try:
        with warnings.catch_warnings():
            # PyTorch's exporter uses parts of PyTorch and of the standard library that are on their way out; nothing
            # that we call, and nothing that the written model depends on.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            program = torch.onnx.export(
                OneClip().eval(),
                (example,),
                input_names=[FEATURES],
                output_names=[LOUDNESS, ONSET],
                dynamic_shapes={"features": {0: torch.export.Dim("pictures", min=1)}},
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    finally:
        network.train(training)
    assert program is not None  # noqa: S101 - only None for the exporter that was not asked for
    model = program.model_proto
    onnx.helper.set_model_props(model, {CONTEXT_KEY: str(CONTEXT)})
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path
