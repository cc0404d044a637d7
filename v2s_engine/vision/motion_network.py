"""How things move around a picture, as numbers: F(o) of "Visual to Sound" section 4, for the conditioning `flow`.

    flow [N, 2 L, S, S] float32 ──take out the camera, scale, convolve──> [N, F] float32, no number below 0

The temporal stream of "Two-Stream Convolutional Networks for Action Recognition in Videos" (Simonyan & Zisserman 2014,
figure 1), which is the network CNN-M-2048 on stacked flow, up to its first fully connected layer. "Visual to Sound"
names the two-stream networks and not which layer it takes; fc6 is our choice, as for the pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from v2s_engine.errors import UsageError
from v2s_engine.options import VisualConfig
from v2s_engine.vision.network_weights import load_weights
from v2s_engine.vision.picture_network import SMALL_WIDTHS, halving_layers

FLOW_GAIN = 10.0
"""A tenth of the picture per step (64 ms) is 1, as in `features.py`."""

FLOW_LIMIT = 3.0
"""Faster motion than this (in units of the network's input) is cut off; flow is not trustworthy there."""


class MotionNetwork(nn.Module):
    """The temporal stream up to fc6 and its ReLU, or a small network of the same form as the small `PictureNetwork`.

    Convolutions of the large one: 7x7x96 stride 2, pool; 5x5x256 stride 2, pool; three of 3x3x512, pool; then fc6. Our
    choices, where figure 1 is silent or of its time: pools are maxima over 3x3 of stride 2; paddings halve the picture
    exactly (7x7 maps from pictures of 224); a batch norm after each convolution takes the place of the one local
    response normalisation, since the network is trained from scratch here and batch norms vanish at export.
    """

    def __init__(self, config: VisualConfig) -> None:
        super().__init__()
        channels, size = 2 * config.flow_stack, config.picture_size
        if config.picture_network == "vgg19":
            self.features = _temporal_stream(channels)
            grid, maps = -(-size // 32), 512
        else:
            self.features = halving_layers(channels, SMALL_WIDTHS)
            grid, maps = size // 16, SMALL_WIDTHS[-1]
        self.classifier = nn.Sequential(nn.Linear(maps * grid**2, config.motion_features), nn.ReLU())
        self.picture_size, self.feature_size = size, config.motion_features

    def forward(self, flow: Tensor) -> Tensor:
        """Features `[N, F]`, all at least 0, of stacks `[N, 2 L, S, S]` (`flow_stack.py`), in parts of the picture.

        Of each field its mean is taken out, which stands for the camera's motion (two-stream, "mean flow subtraction");
        what is left is multiplied by `FLOW_GAIN` and cut off at `FLOW_LIMIT`.
        """
        moved = flow - flow.mean(dim=(2, 3), keepdim=True)
        maps = self.features((moved * FLOW_GAIN).clamp(-FLOW_LIMIT, FLOW_LIMIT))
        features: Tensor = self.classifier(maps.flatten(1))
        return features


def open_motion_network(config: VisualConfig, weights: str) -> MotionNetwork:
    """The network that `config` names, ready for use on the CPU, without gradients.

    `weights` is the path of what `v2s train-visual` wrote, or `random[:SEED]`; nobody publishes any for this network.
    Raises the errors of `load_weights`, and `UsageError` where `config` has no motion features.
    """
    if config.motion_features < 1:
        raise UsageError("a motion network wants motion_features of at least 1; got 0: use the conditioning flow")
    with torch.device("meta"):
        network = MotionNetwork(config)
    load_weights(network, weights)
    return network


def _temporal_stream(channels: int) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(channels, 96, 7, 2),
        nn.MaxPool2d(3, 2, padding=1),
        *_convolution(96, 256, 5, 2),
        nn.MaxPool2d(3, 2, padding=1),
        *_convolution(256, 512, 3, 1),
        *_convolution(512, 512, 3, 1),
        *_convolution(512, 512, 3, 1),
        nn.MaxPool2d(3, 2, padding=1),
    )


def _convolution(before: int, width: int, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(before, width, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
