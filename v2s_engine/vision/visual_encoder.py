"""What a clip looks like to the paper's conditionings: one feature vector per picture.

clip ──framed──> pictures ──PictureNetwork──────────────────────> [N, V_p] ─┐
                     └──Flow──> fields ──FlowStacks, MotionNetwork──> [N, F] ─┴─> features [N, V]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from v2s_engine.errors import DeviceError, UsageError
from v2s_engine.options import VisualConfig
from v2s_engine.progress import Progress
from v2s_engine.vision.chunks import chunked
from v2s_engine.vision.flow import Flow, open_flow
from v2s_engine.vision.flow_stack import Field, FlowStacks
from v2s_engine.vision.framing import read_framed
from v2s_engine.vision.motion_network import MotionNetwork, open_motion_network
from v2s_engine.vision.network_weights import DEFAULT, weights_digest
from v2s_engine.vision.picture_network import PictureNetwork, open_picture_network

CHUNK = 8
"""Pictures that go through a network at once."""

WAY_OF_LOOKING = 1
"""Rises when pictures are framed, or flow is stacked, in another way: features kept from before are then not used."""

Features = NDArray[np.float32]
"""`[N, V]`, one vector per picture: the picture network's numbers, then the motion network's."""


class VisualEncoder:
    """The networks of one `VisualConfig`, ready to look at clips.

    Several threads may use one at once (inside `one_thread` of `flow.py`, whose setting is the process's).
    Neither `chunk` nor a clip's neighbours show in the result beyond the rounding of sums (below 1e-5 of the largest
    feature); memory does not grow with the clip but for the features. Raises `UsageError` where the parts contradict
    each other and `DeviceError` where `device` (as PyTorch names it) is not there.
    """

    def __init__(
        self,
        config: VisualConfig,
        pictures: PictureNetwork,
        motion: MotionNetwork | None = None,
        flow: Flow | None = None,
        *,
        device: str = "cpu",
        chunk: int = CHUNK,
    ) -> None:
        if (motion is None) != (config.motion_features == 0) or (motion is None) != (flow is None):
            raise UsageError(
                "a visual encoder takes a motion network and a flow where VisualConfig.motion_features is above 0, and "
                f"only there; got {config.motion_features} of them, motion network {type(motion).__name__}, flow "
                f"{type(flow).__name__}"
            )
        if chunk < 1:
            raise UsageError(f"a visual encoder takes at least 1 picture at once; got chunk {chunk}")
        self.config = config
        self._device = _checked_device(device)
        self._pictures = pictures.eval().to(self._device)
        self._motion = motion.eval().to(self._device) if motion else None
        self._flow = flow
        self._chunk = chunk

    @property
    def feature_size(self) -> int:
        """Numbers per picture, V."""
        return self.config.feature_size

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what decides the features but the clip: the `VisualConfig`, weights and flow, in hexadecimal."""
        parts = {
            "way": WAY_OF_LOOKING,
            "config": asdict(self.config),
            "pictures": weights_digest(self._pictures),
            "motion": weights_digest(self._motion) if self._motion else None,
            "flow": self._flow.digest if self._flow else None,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def features(self, path: Path, times: Sequence[Fraction], progress: Progress | None = None) -> Features:
        """Features of the pictures on screen at `times`, in seconds from the file's first picture, 64 ms apart.

        Raises the errors of `read_pictures`, and `CancelledError`.
        """
        pictures = read_framed(path, times, self.config.picture_size)
        return self.features_of(pictures, len(times), progress, path.name)

    def features_of(
        self, pictures: Iterable[NDArray[np.uint8]], count: int, progress: Progress | None = None, item: str = ""
    ) -> Features:
        """Features of `count` pictures `[S, S, 3]` RGB that come 64 ms apart. Raises `UsageError` for another size."""
        progress = progress or Progress()
        seen = [np.zeros((0, self.config.picture_features), np.float32)]
        moved = [np.zeros((0, self.config.motion_features), np.float32)]
        flow, stacks = self._flow and self._flow.restarted(), FlowStacks(self.config.flow_stack)
        done = 0
        for chunk in chunked(pictures, self._chunk):
            seen.append(self._seen(chunk))
            if flow:
                told = (stacks.add(flow.step(picture)) for picture in chunk)
                moved += self._moved(stack for stack in told if stack is not None)
            done += len(chunk)
            progress.step("encode", done, count, item)
        if flow:
            moved += self._moved(stacks.rest())
            return np.concatenate([np.concatenate(seen), np.concatenate(moved)], axis=1)
        return np.concatenate(seen)

    def _seen(self, pictures: list[NDArray[np.uint8]]) -> Features:
        size = self.config.picture_size
        if wrong := {picture.shape for picture in pictures} - {(size, size, 3)}:
            raise UsageError(f"this visual encoder looks at pictures of shape {(size, size, 3)}; got {wrong.pop()}")
        return self._run(self._pictures, np.stack(pictures))

    def _moved(self, stacks: Iterable[Field]) -> list[Features]:
        if self._motion is None:
            return []
        return [self._run(self._motion, np.stack(chunk)) for chunk in chunked(stacks, self._chunk)]

    @torch.inference_mode()
    def _run(self, network: nn.Module, given: NDArray[np.generic]) -> Features:
        return np.asarray(network(torch.from_numpy(given).to(self._device)).float().cpu().numpy(), np.float32)


def open_visual_encoder(
    config: VisualConfig,
    picture_weights: str = DEFAULT,
    motion_weights: str = "",
    *,
    flow_weights: str = DEFAULT,
    device: str = "cpu",
) -> VisualEncoder:
    """The encoder that `config` names, with weights as `open_picture_network`, `open_motion_network` and `open_flow`.

    Raises their errors, and `UsageError` where motion weights are given and not wanted, or wanted and not given.
    """
    if bool(motion_weights) != (config.motion_features > 0):
        raise UsageError(
            "weights of a motion network belong to a VisualConfig with motion features, and to no other; got "
            f"{config.motion_features} motion features with weights {motion_weights!r}: give a file that "
            "`v2s train-visual` wrote"
        )
    pictures = open_picture_network(config, picture_weights)
    if not config.motion_features:
        return VisualEncoder(config, pictures, device=device)
    flow = open_flow(config.flow_method, flow_weights, device)
    return VisualEncoder(config, pictures, open_motion_network(config, motion_weights), flow, device=device)


def _checked_device(device: str) -> str:
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(f"{device} was asked for and PyTorch finds no CUDA GPU here; check the driver, or use cpu")
    return device
