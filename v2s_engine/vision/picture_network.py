"""What a single picture looks like, as numbers: V(f) of "Visual to Sound" section 4.

    pictures [N, S, S, 3] uint8 RGB ──normalise, convolve──> [N, V] float32, no number below 0

`vgg19` is the paper's: VGG19 of Simonyan & Zisserman up to its first fully connected layer, fc6. The paper does not say
whether fc6 is taken before or after its ReLU, nor how pictures are cut and scaled; our choice: after, since that is
what the next layer of VGG19 sees, on a centre crop (`framing.py`) with the mean and deviation of ImageNet.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import VGG19_Weights

from v2s_engine.options import VisualConfig
from v2s_engine.vision.network_weights import load_weights

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue in [0, 1]: what torchvision's weights were trained with."""

VGG19_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0)
"""Channels of the 3x3 convolutions of VGG19 ("E" in its paper); 0 is a 2x2 maximum."""

VGG19_GRID = 7
"""Width and height of the last maps that fc6 was trained on (pictures of 224)."""

SMALL_WIDTHS = (24, 32, 48, 64)
"""Channels of the small network after each halving of the picture."""

_LATER_LAYERS = ("classifier.3.", "classifier.6.")  # fc7 and fc8: in VGG19's file, not in this network


class PictureNetwork(nn.Module):
    """VGG19 up to fc6 and its ReLU (123 M parameters), or a small network of the same form.

    The small one has four convolutions of stride 2 with batch norms, then a linear layer over all that is left (4x4 for
    pictures of 64). The names of VGG19's weights are torchvision's.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: VisualConfig) -> None:
        super().__init__()
        size = config.picture_size
        if config.picture_network == "vgg19":
            self.features = _vgg19_features()
            grid, maps = VGG19_GRID, VGG19_WIDTHS[-2]
            # Other sizes than 224 are pooled to the grid that fc6 knows, as torchvision does.
            self.avgpool = nn.Identity() if size // 32 == grid else nn.AdaptiveAvgPool2d(grid)
        else:
            self.features = halving_layers(3, SMALL_WIDTHS)
            grid, maps = size // 16, SMALL_WIDTHS[-1]
            self.avgpool = nn.Identity()
        self.classifier = nn.Sequential(nn.Linear(maps * grid**2, config.picture_features), nn.ReLU())
        self.picture_size, self.feature_size = size, config.picture_features
        for name, values in (("mean", IMAGENET_MEAN), ("deviation", IMAGENET_DEVIATION)):
            # Constants: not in the weights, and on the CPU even where the weights are still to come.
            constant = torch.tensor(values, device="cpu").reshape(1, 3, 1, 1)
            self.register_buffer(name, constant, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features `[N, V]`, all at least 0, of pictures `[N, S, S, 3]` uint8 RGB; each by itself."""
        scaled = pictures.permute(0, 3, 1, 2).to(self.mean.dtype) / 255
        maps = self.avgpool(self.features((scaled - self.mean) / self.deviation))
        features: Tensor = self.classifier(maps.flatten(1))
        return features


def open_picture_network(config: VisualConfig, weights: str) -> PictureNetwork:
    """The network that `config` names, ready for use on the CPU, without gradients.

    `weights` is `default` (torchvision's for VGG19, trained on ImageNet), `random[:SEED]`, or the path of a file: the
    whole state dict of torchvision's `vgg19` or its part up to fc6; for `small`, what `v2s train-visual` wrote. Raises
    the errors of `load_weights`.
    """
    with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
        network = PictureNetwork(config)
    if config.picture_network == "vgg19":
        load_weights(network, weights, VGG19_Weights.IMAGENET1K_V1, unused=_LATER_LAYERS)
    else:
        load_weights(network, weights)
    return network


def halving_layers(channels: int, widths: tuple[int, ...]) -> nn.Sequential:
    """A 3x3 convolution of stride 2, a batch norm and a ReLU for each width."""
    layers: list[nn.Module] = []
    for before, width in zip((channels, *widths), widths, strict=False):
        layers += [
            nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def _vgg19_features() -> nn.Sequential:
    """Built here since torchvision's `vgg19()` comes with fc7 and fc8, 0.1 GB that nobody asks."""
    layers: list[nn.Module] = []
    before = 3
    for width in VGG19_WIDTHS:
        if width:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
            before = width
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)
