"""A tiny bundle with random weights, for tests of everything around a model."""

from __future__ import annotations

from pathlib import Path

import torch

from v2s_engine.bundle import Bundle
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.train.parameters import numpy_parameters
from v2s_engine.vision.timing_network import TimingNetwork
from v2s_export.bundle_writer import BundleContent, write_bundle
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


def tiny_bundle(folder: Path, seed: int = 0) -> Bundle:
    """A bundle of the real format in `folder`; its sounds are noise."""
    torch.manual_seed(seed)
    network = TimingNetwork().eval()
    encoder = export_encoder(network, folder.parent / f"{folder.name}.onnx")
    return write_bundle(
        BundleContent(
            name="tiny",
            config=TINY,
            sampler_parameters=numpy_parameters(SampleRNN(TINY)),
            encoder_parameters={name: value.float().numpy() for name, value in network.state_dict().items()},
            encoder_onnx=encoder,
            summary="random weights",
            licence="CC0-1.0",
        ),
        folder,
    )
