"""Named model sizes."""

from __future__ import annotations

from collections.abc import Sequence

from v2s_engine.errors import UsageError
from v2s_engine.options import ConditioningName, ModelConfig, VisualConfig

PRESETS = ("starter", "paper-frame", "paper-sequence", "paper-flow")


def preset_config(name: str, sound_classes: Sequence[str]) -> ModelConfig:
    """The model of a preset for some sound classes; raises `UsageError` that lists the presets.

    `starter`: what ships. A source-filter model: hidden 256, µ-law, envelope conditioning, units (4, 16) rather than
    the paper's (2, 8): each GRU step then covers twice the time at half the cost (docs/models/starter.md has the
    measured training speed of both), and the MLP's wider window sees the samples in between.

    `paper-frame`, `paper-sequence`, `paper-flow`: the three models of "Visual to Sound". Hidden 1,024, units (2, 8),
    linear 8 bit, weight norm, fc6 of VGG19. Where the paper is silent, SampleRNN's best three-tier command decides:
    the MLP sees two past samples, embeddings of 256. The temporal network gives 4,096 numbers: our choice. The paper
    has one model per sound class; give a single class for that.
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
            source_filter=True,
        )
    if name == "paper-frame":
        return _paper_config(sound_classes, "frame", VisualConfig(), sample_expansion=4096)
    if name == "paper-sequence":
        return _paper_config(sound_classes, "sequence", VisualConfig())
    if name == "paper-flow":
        return _paper_config(sound_classes, "flow", VisualConfig(motion_features=4096))
    raise UsageError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")


def _paper_config(
    sound_classes: Sequence[str], conditioning: ConditioningName, visual: VisualConfig, sample_expansion: int = 0
) -> ModelConfig:
    return ModelConfig(
        tuple(sound_classes),
        hidden_size=1024,
        mlp_size=1024,
        coarse_unit=8,
        mid_unit=2,
        window=2,
        embedding_size=256,
        quantisation="linear",
        conditioning=conditioning,
        visual=visual,
        sample_expansion=sample_expansion,
        weight_norm=True,
    )
