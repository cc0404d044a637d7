"""Named model sizes."""

from __future__ import annotations

from collections.abc import Sequence

from v2s_engine.errors import UsageError
from v2s_engine.options import ModelConfig

PRESETS = ("starter",)


def preset_config(name: str, sound_classes: Sequence[str]) -> ModelConfig:
    """The model of a preset for some sound classes; raises `UsageError` that lists the presets.

    `starter`: what ships. Hidden 256, µ-law with pre-emphasis, envelope conditioning, units (4, 16) rather than the
    paper's (2, 8): each GRU step then covers twice the time at half the cost (docs/models/starter.md has the measured
    training speed of both), and the MLP's wider window sees the samples in between.
    """
    if name == "starter":
        return ModelConfig(
            tuple(sound_classes),
            hidden_size=256,
            mlp_size=256,
            coarse_unit=16,
            mid_unit=4,
            window=8,
            embedding_size=64,
            quantisation="mu-law",
            pre_emphasis=0.85,
        )
    raise UsageError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
