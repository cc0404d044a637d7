"""The timing encoder as ONNX: from a trained `TimingNetwork` to `encoder.onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from v2s_engine.errors import MissingExtraError
from v2s_engine.vision.encoder import CONTEXT_KEY, FEATURES, LOUDNESS, ONSET
from v2s_engine.vision.features import CHANNELS, NETWORK_SIZE
from v2s_export.onnx_file import write_onnx

if TYPE_CHECKING:
    from v2s_engine.vision.timing_network import TimingNetwork


def export_encoder(network: TimingNetwork, path: Path) -> Path:
    """Write `network` as `encoder.onnx`: fp32, any number of pictures, batch norms folded; returns the path.

    Input `features` `[T, 8, 64, 64]`; outputs `loudness` `[T, 4]` in dBFS and `onset` `[T, 4]`. The network is left as
    it was. Raises `MissingExtraError` without the packages of extra `train`.
    """
    try:
        import torch  # noqa: PLC0415 - extra `train`
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

    example = {FEATURES: torch.zeros(2 * CONTEXT + 1, CHANNELS, NETWORK_SIZE, NETWORK_SIZE)}
    return write_onnx(OneClip(), example, [LOUDNESS, ONSET], path, metadata={CONTEXT_KEY: str(CONTEXT)})
