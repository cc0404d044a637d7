"""The judge: which class does a sound belong to? An ensemble of small networks over log-mel windows of one second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from v2s_engine.errors import UsageError
from v2s_engine.evaluate.sounds.log_mel import BANDS, log_mel
from v2s_engine.evaluate.sounds.windows import NONE, WINDOW_LENGTH, Samples

FEATURES = 24
"""Width of the layer before the verdict, in which Fréchet distances are measured: small, since recordings are few."""

HOP_LENGTH = WINDOW_LENGTH // 4
"""Samples between two windows of one sound."""

AUDIBLE_DBFS = -55.0
"""A window below this is not judged."""

AUDIBLE_RANGE_DB = 25.0
"""Nor is one so much quieter than the loudest window of its sound."""

_RANGE_DB = 70.0


class JudgeNetwork(nn.Module):
    """Four convolutions over `[B, 100, 64]`, mean and maximum over time, a narrow layer, a verdict `[B, C]`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (1, 16, 32, 48, 64)
        blocks: list[nn.Module] = []
        for index, (width, wider) in enumerate(pairwise(widths)):
            kernel, stride = (5, 2) if index == 0 else (3, 2 if index < 3 else 1)
            blocks += [nn.Conv2d(width, wider, kernel, stride, kernel // 2), nn.BatchNorm2d(wider), nn.ReLU()]
        self.convolutions = nn.Sequential(*blocks)
        bands = BANDS // 8
        self.squeeze = nn.Conv1d(widths[-1] * bands, 64, 1)
        self.narrow = nn.Linear(128, FEATURES)
        self.drop = nn.Dropout(0.3)
        self.verdict = nn.Linear(FEATURES, classes)

    def features(self, windows: Tensor) -> Tensor:
        """`[B, 24]` of normalised log-mel windows `[B, T, 64]`."""
        maps = self.convolutions(windows[:, None])  # [B, 64, T/8, 8]
        over_time = torch.relu(self.squeeze(maps.permute(0, 1, 3, 2).flatten(1, 2)))
        pooled = torch.cat([over_time.mean(dim=2), over_time.amax(dim=2)], dim=1)
        return torch.tanh(self.narrow(self.drop(pooled)))

    def forward(self, windows: Tensor) -> Tensor:
        """Logits `[B, C]`."""
        verdict: Tensor = self.verdict(self.features(windows))
        return verdict


@dataclass(frozen=True, eq=False)
class Judge:
    """Networks that vote; `classes` ends with `NONE`."""

    classes: tuple[str, ...]
    networks: tuple[JudgeNetwork, ...]

    def classify(self, samples: Samples) -> dict[str, float]:
        """Probability of each class for a sound `[L]` at 16 kHz: the mean over its audible windows and all networks.

        A silent sound is `NONE` for certain.
        """
        windows = sound_windows(samples)
        if not len(windows):
            return {name: float(name == NONE) for name in self.classes}
        inputs = judge_input(windows)
        with torch.no_grad():
            votes = [torch.softmax(network(inputs), dim=1) for network in self.networks]
        mean = torch.stack(votes).mean(dim=(0, 1)).tolist()
        return dict(zip(self.classes, mean, strict=True))

    def verdict(self, samples: Samples) -> str:
        """The likeliest class, or `NONE`."""
        return likeliest(self.classify(samples))

    def features(self, samples: Samples) -> NDArray[np.float64]:
        """What the first network sees in each audible window of a sound, `[W, 24]`."""
        windows = sound_windows(samples)
        if not len(windows):
            return np.zeros((0, FEATURES))
        with torch.no_grad():
            return self.networks[0].features(judge_input(windows)).double().numpy()

    def state(self) -> dict[str, Any]:
        """Classes and weights, for a file."""
        return {"classes": self.classes, "weights": [each.state_dict() for each in self.networks]}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Judge:
        """The judge whose `state` this is."""
        networks = []
        for weights in state["weights"]:
            network = JudgeNetwork(len(state["classes"])).eval()
            network.load_state_dict(weights)
            networks.append(network)
        return cls(tuple(state["classes"]), tuple(networks))

    @classmethod
    def load(cls, path: Path) -> Judge:
        """The judge in a file that `open_judge` wrote."""
        return cls.of_state(torch.load(path, weights_only=True))


def likeliest(votes: Mapping[str, float]) -> str:
    """The class with the highest probability."""
    return max(votes, key=lambda name: votes[name])


def sound_windows(samples: Samples) -> Samples:
    """The audible windows `[W, 16000]` of a sound `[L]`, a quarter of a second apart; a short sound is filled up."""
    if samples.ndim != 1:
        raise UsageError(f"the judge wants one sound, samples [L]; got shape {list(samples.shape)}")
    if len(samples) < WINDOW_LENGTH:
        samples = np.pad(samples, (0, WINDOW_LENGTH - len(samples)))
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_LENGTH)[::HOP_LENGTH]
    power = 10 * np.log10(np.maximum(np.mean(windows.astype(np.float64) ** 2, axis=1), 1e-12))
    return np.ascontiguousarray(windows[(power > AUDIBLE_DBFS) & (power > power.max() - AUDIBLE_RANGE_DB)])


def judge_input(windows: Samples) -> Tensor:
    """Windows `[B, 16000]` as the networks want them, `[B, 100, 64]`: dB below the loudest place of each window."""
    mel = log_mel(windows)
    below = mel - mel.max(axis=(1, 2), keepdims=True)
    return torch.from_numpy(np.maximum(below, -_RANGE_DB) / (_RANGE_DB / 2) + 1)
