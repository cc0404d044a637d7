"""Tiny bundles with random weights, for tests of everything around a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from v2s_engine.bundle import Bundle
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ConditioningName, ModelConfig, VisualConfig
from v2s_engine.timbre.palette import Exemplars, Palette, write_palette
from v2s_engine.train.parameters import numpy_parameters
from v2s_engine.vision.timing_network import TimingNetwork
from v2s_export.bundle_writer import BundleContent, write_bundle
from v2s_export.exported_encoder import VisualWeights, export_visual
from v2s_export.onnx_encoder import export_encoder

TINY = ModelConfig(
    ("dog", "drum"),
    hidden_size=16,
    mlp_size=16,
    embedding_size=8,
    coarse_unit=16,
    mid_unit=4,
    pre_emphasis=0.85,
)

TINY_LOOKS = VisualConfig("small", picture_size=32, picture_features=12)


def tiny_config(conditioning: ConditioningName) -> ModelConfig:
    """The tiny model with one of the paper's conditionings; windows of 8 pictures, half a second."""
    motion = {"motion_features": 6, "flow_stack": 3} if conditioning == "flow" else {}
    return replace(TINY, conditioning=conditioning, visual=replace(TINY_LOOKS, **motion), encoder_window=8)


def tiny_sampler(config: ModelConfig, seed: int = 0) -> SampleRNN:
    """A random network whose logits are far apart, so that what it is told can be heard."""
    torch.manual_seed(seed)
    return SampleRNN(config).eval()


TINY_SOURCE_FILTER = replace(TINY, pre_emphasis=0.0, source_filter=True)


def tiny_palette() -> Palette:
    """Timbres of a falling tone and of noise that comes and goes, for dog and drum."""
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    gate = 0.3 * (np.sin(2 * np.pi * 2 * time) > 0)
    tone = gate * np.sign(np.sin(2 * np.pi * (400 * time - 40 * time**2)))
    noise = gate * np.random.default_rng(0).uniform(-1, 1, len(time))
    sounds = {"dog": tone, "drum": noise}
    return Palette({name: Exemplars.measure([each.astype(np.float32)]) for name, each in sounds.items()})


def tiny_bundle(folder: Path, seed: int = 0, *, source_filter: bool = False) -> Bundle:
    """A bundle of the real format in `folder`; its sounds are noise."""
    torch.manual_seed(seed)
    config, palette = TINY, None
    if source_filter:
        config, palette = TINY_SOURCE_FILTER, folder.parent / f"{folder.name}.palette"
        write_palette(palette, tiny_palette())
    network = TimingNetwork().eval()
    encoder = export_encoder(network, folder.parent / f"{folder.name}.onnx")
    return write_bundle(
        BundleContent(
            name="tiny",
            config=config,
            palette=palette,
            sampler_parameters=numpy_parameters(SampleRNN(config)),
            encoder_parameters={name: value.float().numpy() for name, value in network.state_dict().items()},
            encoder_onnx=encoder,
            summary="random weights",
            licence="CC0-1.0",
        ),
        folder,
    )


def tiny_paper_bundle(folder: Path, conditioning: ConditioningName, seed: int = 0) -> Bundle:
    """The same with one of the paper's conditionings; its weights are stored in fp32."""
    config = tiny_config(conditioning)
    sampler = tiny_sampler(config, seed)
    weights = VisualWeights(f"random:{seed}", f"random:{seed}" if conditioning == "flow" else None)
    files = folder.parent / f"{folder.name}.parts"
    encoder = export_visual(config, weights, sampler, files)
    return write_bundle(
        BundleContent(
            name=f"tiny-{conditioning}",
            config=config,
            sampler_parameters=numpy_parameters(sampler),
            encoder_parameters=encoder.parameters,
            encoder_onnx=encoder.onnx,
            state_onnx=encoder.state_onnx,
            visual=encoder.visual,
            summary="random weights",
            licence="CC0-1.0",
            precision="fp32",
        ),
        folder,
    )
