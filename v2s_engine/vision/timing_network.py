"""The small network that hears with its eyes: pictures and flow in, loudness and onsets out.

    [B, T, 8, 64, 64] ──convolutions, picture by picture──> [B, T, 128] ──convolutions over time──> [B, T, 4] twice

The loudness and the onset strength of four envelope steps (16 ms each) are told for every picture (64 ms). Only
temporal convolutions join pictures, so what is told of a picture depends on `CONTEXT` pictures before and after it,
and on nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from v2s_engine.envelope import SILENCE_DBFS
from v2s_engine.errors import BundleDamagedError
from v2s_engine.grid import ENVELOPES_PER_FRAME
from v2s_engine.vision.features import CHANNELS, NETWORK_SIZE

WIDTHS = (24, 32, 48, 64)
"""Channels after each halving of the picture: 64 to 32, 16, 8, 4 pixels."""

TEMPORAL_WIDTH = 96
DILATIONS = (1, 2, 4, 8)

CONTEXT = sum(DILATIONS)
"""Pictures before and after that the network takes into account: 15, about one second each way."""

_COUNTER = "num_batches_tracked"  # of batch norms; counts training steps, no weight


class TimingNetwork(nn.Module):
    """About 0.2 million parameters; loudness in dBFS within [-80, 0], onset strength within [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = CHANNELS
        for width in WIDTHS:
            layers += [
                nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.looking = nn.Sequential(*layers)
        self.pooled = nn.Linear(2 * before, TEMPORAL_WIDTH)
        self.blocks = nn.ModuleList([TemporalBlock(TEMPORAL_WIDTH, dilation) for dilation in DILATIONS])
        self.output = nn.Linear(TEMPORAL_WIDTH, 2 * ENVELOPES_PER_FRAME)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Loudness `[B, T, 4]` in dBFS and onset strength `[B, T, 4]` from features `[B, T, 8, 64, 64]`."""
        loudness, onset = self.raw(features)
        return SILENCE_DBFS * (1 - torch.sigmoid(loudness)), torch.sigmoid(onset)

    def raw(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The same before the sigmoids, `[B, T, 4]` each: what the training losses want."""
        rows = features.shape[0]
        seen = self.looking(features.reshape(-1, CHANNELS, NETWORK_SIZE, NETWORK_SIZE))
        pooled = torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1)
        hidden = torch.relu(self.pooled(pooled)).reshape(rows, -1, TEMPORAL_WIDTH).transpose(1, 2)
        for block in self.blocks:
            hidden = block(hidden)
        told: Tensor = self.output(hidden.transpose(1, 2))
        return told[..., :ENVELOPES_PER_FRAME], told[..., ENVELOPES_PER_FRAME:]


def read_network(path: Path) -> TimingNetwork:
    """The network whose weights stand in a safetensors file (see `write_network`), ready to predict.

    Raises `BundleDamagedError` where the file is missing, is none, or holds other weights.
    """
    try:
        weights = load_file(path)
        network = TimingNetwork()
        network.load_state_dict(weights)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise BundleDamagedError(f"{path} does not hold a timing network: {error}; train it again") from error
    return network.eval()


def write_network(state: Mapping[str, Tensor], path: Path) -> None:
    """Write the weights of a `state_dict` as float32 safetensors, under another name first."""
    kept = {name: value.float().contiguous() for name, value in state.items() if not name.endswith(_COUNTER)}
    draft = path.with_name(f"{path.name}.part")
    save_file(kept, draft)
    draft.replace(path)


class TemporalBlock(nn.Module):
    """A convolution over three pictures `dilation` apart, added to what came in."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.spread = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """`[B, width, T]` in and out."""
        added: Tensor = hidden + self.mix(torch.relu(self.spread(hidden)))
        return added
