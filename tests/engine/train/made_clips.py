"""Tiny models and clips held in memory, for tests of training on clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from v2s_engine.corpus.clip_material import PreparedClip
from v2s_engine.corpus.clips import Clip, Split
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.options import ConditioningName, ModelConfig, VisualConfig

FEATURES = 6
WINDOW = 4  # pictures


def tiny(conditioning: ConditioningName, **changes: Any) -> ModelConfig:
    """Hidden 8; windows of 4 pictures (4,096 samples)."""
    motion = 2 if conditioning == "flow" else 0
    visual = VisualConfig("small", 32, FEATURES - motion, motion_features=motion)
    fields: dict[str, Any] = {
        "hidden_size": 8,
        "mlp_size": 8,
        "embedding_size": 4,
        "window": 2,
        "quantisation": "linear",
        "conditioning": conditioning,
        "visual": None if conditioning == "envelope" else visual,
        "encoder_window": WINDOW,
    }
    return ModelConfig(("dog", "drum"), **(fields | changes))


def made_clip(name: str, pictures: float, category: str = "dog", split: Split = "train") -> PreparedClip:
    """Lasts so many picture steps. Feature 0 counts the pictures; the sound is noise, unlike any other clip's."""
    length = round(pictures * FRAME_LENGTH)
    rng = np.random.default_rng([ord(letter) for letter in name])
    samples = rng.uniform(-0.9, 0.9, length).astype(np.float32)
    features = rng.uniform(0, 1, (steps_covering(length, FRAME_LENGTH), FEATURES)).astype(np.float32)
    features[:, 0] = np.arange(len(features))
    index = {"dog": 0, "drum": 1}[category]
    return PreparedClip.held(Clip(Path(name), category, split, name), index, samples, features)


def made_clips() -> list[PreparedClip]:
    """Short ones, one as long as a window, and long ones."""
    return [
        made_clip("short", 2.3),
        made_clip("whole", 4, "drum"),
        made_clip("long", 9.4),
        made_clip("longer", 11.7, "drum"),
    ]
