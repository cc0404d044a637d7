"""The paper's visual encoders as ONNX: `encoder.onnx`, and `conditioning.onnx` where the model starts from pictures."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from v2s_engine.model.picture_state import PictureState
from v2s_engine.options import ModelConfig, VisualConfig
from v2s_engine.vision.flow import Flow
from v2s_engine.vision.motion_network import MotionNetwork
from v2s_engine.vision.picture_encoder import FEATURES, FLOW, PICTURES, STATE, visual_metadata
from v2s_engine.vision.picture_network import PictureNetwork
from v2s_export.onnx_file import OnnxPrecision, write_onnx

_EXAMPLE = 2  # pictures that the exporter traces with; one would be taken for a constant


def export_visual_encoder(
    config: VisualConfig,
    pictures: PictureNetwork,
    motion: MotionNetwork | None,
    path: Path,
    precision: OnnxPrecision = "fp32",
    *,
    flow: Flow | None = None,
) -> Path:
    """Write `encoder.onnx`: pictures, and stacks of flow where there is a motion network, to features `[N, V]`.

    Inputs `pictures` `[N, S, S, 3]` uint8 and `flow` `[N, 2 L, S, S]` float32, output float32, whatever the precision
    inside. `flow` is what measures it: the file names it, so that it is never given another. Raises
    `MissingExtraError` without the packages of extra `train`.
    """
    size = config.picture_size
    example = {PICTURES: torch.zeros(_EXAMPLE, size, size, 3, dtype=torch.uint8)}
    network: nn.Module = pictures
    if motion is not None:
        example[FLOW] = torch.zeros(_EXAMPLE, 2 * config.flow_stack, size, size)
        network = _TwoStreams(pictures, motion)
    told = visual_metadata(config, flow)
    return write_onnx(network, example, [FEATURES], path, metadata=told, half=precision == "fp16")


def export_picture_state(state: PictureState, config: ModelConfig, path: Path) -> Path:
    """Write `conditioning.onnx`: features `[T, V]` of one window to the state `[1, d]` of the coarsest tier.

    Always fp32: it runs once a window, and a recurrent sum loses more than it wins in fp16.
    """
    plain = PictureState(config)  # without weight norm
    with torch.no_grad():
        for name, parameter in plain.gru.named_parameters():
            parameter.copy_(getattr(state.gru, name))
    example = {FEATURES: torch.zeros(_EXAMPLE, config.feature_size)}
    return write_onnx(_OneWindow(plain), example, [STATE], path)


class _TwoStreams(nn.Module):
    """What the picture shows and how it moves, side by side ("Visual to Sound", section 4, x = cat[V(f), F(o)])."""

    def __init__(self, pictures: PictureNetwork, motion: MotionNetwork) -> None:
        super().__init__()
        self.pictures, self.motion = pictures, motion

    def forward(self, pictures: Tensor, flow: Tensor) -> Tensor:
        return torch.cat([self.pictures(pictures), self.motion(flow)], dim=1)


class _OneWindow(nn.Module):
    """The GRU over a single window, from a state of zero."""

    def __init__(self, state: PictureState) -> None:
        super().__init__()
        self.state = state

    def forward(self, features: Tensor) -> Tensor:
        last: Tensor = self.state(features.unsqueeze(0))
        return last
