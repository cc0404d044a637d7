"""Optical flow by RAFT (Teed & Deng 2020), torchvision's small variant."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchvision.models.optical_flow import RAFT, Raft_Small_Weights, raft_small

from v2s_engine.errors import UsageError
from v2s_engine.vision.network_weights import load_weights, weights_digest

LEAST_SIZE = 128
"""RAFT compares maps of an eighth of the picture on four scales, each half of the one before: no picture below this."""

SIZE_UNIT = 8
"""Width and height of what RAFT sees are multiples of this."""


class RaftMeter:
    """Flow from each picture to the next, as `FlowMeter`; pictures that RAFT cannot take are enlarged for it."""

    def __init__(self, network: RAFT, digest: str) -> None:
        self._network = network
        self.digest = digest
        self._device = next(network.parameters()).device
        self._size: tuple[int, ...] = ()
        self._before: Tensor | None = None

    @torch.inference_mode()
    def step(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Flow `[H, W, 2]` from the picture given last to this one, `[H, W, 3]`, in parts; 0 for the first.

        Raises `UsageError` if the size changes.
        """
        height, width = picture.shape[:2]
        if self._before is not None and self._size != (height, width):
            raise UsageError(f"pictures must keep their size for flow; got {(height, width)} after {self._size}")
        before, self._before, self._size = self._before, self._prepared(picture), (height, width)
        if before is None:
            return np.zeros((height, width, 2), np.float32)
        pixels = self._network(before, self._before)[-1]  # the last refinement, [1, 2, H, W] in pixels
        parts = pixels / torch.tensor([pixels.shape[3], pixels.shape[2]], device=pixels.device).reshape(1, 2, 1, 1)
        if parts.shape[2:] != (height, width):
            parts = functional.interpolate(parts, (height, width), mode="area")
        return np.ascontiguousarray(parts[0].permute(1, 2, 0).float().cpu().numpy())

    def restarted(self) -> RaftMeter:
        """The same weights before a clip's first picture; with a network of its own, since RAFT's holds state."""
        return RaftMeter(copy.deepcopy(self._network), self.digest)

    def _prepared(self, picture: NDArray[np.uint8]) -> Tensor:
        """`[1, 3, H, W]` in [-1, 1], as RAFT was trained on."""
        tensor = torch.from_numpy(picture.copy()).to(self._device).permute(2, 0, 1)[None].float() / 127.5 - 1
        wanted = tuple(max(LEAST_SIZE, -(-side // SIZE_UNIT) * SIZE_UNIT) for side in picture.shape[:2])
        if tensor.shape[2:] == wanted:
            return tensor
        return functional.interpolate(tensor, wanted, mode="bilinear", align_corners=False)


def open_raft(weights: str, device: str = "cpu") -> RaftMeter:
    """RAFT with torchvision's weights (`default`), `random[:SEED]` ones, or a file's. Raises as `load_weights`."""
    with torch.device("meta"):
        network = raft_small(weights=None)
    load_weights(network, weights, Raft_Small_Weights.DEFAULT, option="--flow-weights")
    return RaftMeter(network.to(device), f"raft small {weights_digest(network)}")
