"""What a bundle looks at pictures with: networks as ONNX, held against PyTorch, and what is to be said of them."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from v2s_engine.errors import UsageError
from v2s_engine.model.conditioning import looped
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig, VisualConfig
from v2s_engine.train.timing import REPORT as TIMING_REPORT
from v2s_engine.vision.features import PICTURE_SIZE, Looks, observe
from v2s_engine.vision.flow import open_flow
from v2s_engine.vision.motion_network import open_motion_network
from v2s_engine.vision.network_weights import COUNTER, weights_digest
from v2s_engine.vision.picture_encoder import CHUNK, PictureEncoder
from v2s_engine.vision.picture_network import open_picture_network
from v2s_engine.vision.session import available_providers
from v2s_engine.vision.timing_network import read_network
from v2s_engine.vision.visual_encoder import VisualEncoder
from v2s_export.onnx_encoder import export_encoder
from v2s_export.onnx_file import OnnxPrecision
from v2s_export.parity import STATE_TOLERANCE, Difference, Parity, difference, feature_difference, measure_parity
from v2s_export.parity_pictures import Pictures, framed_pictures, squeezed_pictures
from v2s_export.visual_onnx import export_picture_state, export_visual_encoder

TIMING_PICTURES, FRAMED_PICTURES = 62, 16
"""How many pictures are compared: a scene of four seconds; one second, as VGG19 takes half a second for each."""

Parameters = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class ExportedEncoder:
    """An encoder that computes what its networks compute; its files lie in a temporary folder."""

    onnx: Path
    parameters: Parameters
    """What `train.safetensors` holds of it."""
    parity: Parity
    state_onnx: Path | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    """How the timing network was trained."""
    visual: Mapping[str, Any] = field(default_factory=dict)
    """Where the visual encoder's weights came from."""


@dataclass(frozen=True)
class VisualWeights:
    """Weights of the visual encoder, and what they are exported as."""

    pictures: str
    """`default`, a path, or `random[:SEED]`."""
    motion: str | None = None
    """A path or `random[:SEED]`; wanted by `flow`, and by no other."""
    precision: OnnxPrecision = "fp32"


def export_timing(weights: Path, folder: Path, parity_clip: Path | None = None) -> ExportedEncoder:
    """The encoder of `envelope`, from the weights that `v2s train-timing` left; its report.json lies beside them.

    Raises `BundleDamagedError` where a file is not what it should be, or ONNX Runtime computes something else.
    """
    network = read_network(weights)
    onnx = export_encoder(network, folder / "encoder.onnx")
    pictures, source = squeezed_pictures(parity_clip, PICTURE_SIZE, TIMING_PICTURES)
    seen = Looks.join(observe(pictures, chunk=TIMING_PICTURES)).network_input()
    return ExportedEncoder(
        onnx=onnx,
        parameters=_parameters(network),
        parity=measure_parity(network, onnx, seen, source).require(),
        training=json_object(weights.with_name(TIMING_REPORT)),
    )


def export_visual(
    config: ModelConfig, weights: VisualWeights, sampler: SampleRNN, folder: Path, parity_clip: Path | None = None
) -> ExportedEncoder:
    """The encoder of `frame`, `sequence` or `flow`; `sampler` holds the GRU over the pictures where there is one.

    PyTorch's networks are gone before ONNX Runtime opens them again, so that both never stand in memory together: that
    keeps the whole below 2 GiB for VGG19, and below 2.5 GiB for VGG19 with a motion network of its size.

    Raises the errors of `open_picture_network` and `open_motion_network`, and `BundleDamagedError` where ONNX Runtime
    computes something else.
    """
    visual = config.visual
    if visual is None:
        raise UsageError("the conditioning 'envelope' has no visual encoder: export it with --timing")
    pictures, source = framed_pictures(parity_clip, visual.picture_size, FRAMED_PICTURES)
    onnx = folder / "encoder.onnx"
    wanted, facts = _write_visual(visual, weights, onnx, pictures)
    gc.collect()  # the exporter's graphs go round in circles, and hold the weights
    state_onnx = None
    if sampler.pictures is not None:
        state_onnx = export_picture_state(sampler.pictures, config, folder / "conditioning.onnx")
    encoder = PictureEncoder(onnx, state_onnx, config)
    differences = _feature_differences(encoder.features_of(pictures), wanted, visual, weights.precision)
    if sampler.pictures is not None:
        differences.append(_state_difference(encoder, sampler, wanted, config))
    parity = Parity(tuple(differences), len(pictures), source, tuple(encoder.providers), available_providers())
    del encoder
    return ExportedEncoder(onnx, _trainable(visual, weights), parity.require(), state_onnx, visual=facts)


def _write_visual(
    config: VisualConfig, weights: VisualWeights, path: Path, pictures: Pictures
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Features that the networks give, and what to say of them; they end with this function."""
    looks = open_picture_network(config, weights.pictures)
    moves = open_motion_network(config, weights.motion) if weights.motion else None
    flow = open_flow(config.flow_method) if moves else None
    encoder = VisualEncoder(config, looks, moves, flow, chunk=CHUNK)
    wanted = encoder.features_of(pictures, len(pictures))
    export_visual_encoder(config, looks, moves, path, weights.precision, flow=flow)
    facts = {
        "encoder_precision": weights.precision,
        "encoder_digest": encoder.digest,
        "picture_weights": _origin(weights.pictures),
        "picture_weights_sha256": weights_digest(looks),
    }
    if moves is not None and flow is not None and weights.motion:
        facts |= {
            "motion_weights": _origin(weights.motion),
            "motion_weights_sha256": weights_digest(moves),
            "flow": flow.digest,
        }
    return wanted, facts


def _trainable(config: VisualConfig, weights: VisualWeights) -> Parameters:
    """What `train.safetensors` holds of the networks; opened again, so as not to be held while comparing."""
    kept: Parameters = {}
    if config.picture_network != "vgg19":
        kept |= _parameters(open_picture_network(config, weights.pictures), "pictures.")
    if weights.motion:
        kept |= _parameters(open_motion_network(config, weights.motion), "motion.")
    return kept


def _feature_differences(
    got: NDArray[np.float32], wanted: NDArray[np.float32], config: VisualConfig, precision: OnnxPrecision
) -> list[Difference]:
    """One for each network, as their features may be of quite another size."""
    looks = config.picture_features
    found = [feature_difference("features", got[:, :looks], wanted[:, :looks], precision)]
    if config.motion_features:
        found.append(feature_difference("motion features", got[:, looks:], wanted[:, looks:], precision))
    return found


@torch.inference_mode()
def _state_difference(
    encoder: PictureEncoder, sampler: SampleRNN, features: NDArray[np.float32], config: ModelConfig
) -> Difference:
    window = looped(features, config.encoder_window)
    wanted = sampler.picture_start(torch.from_numpy(window)[None])[0].numpy()
    return difference("state", encoder.state(window), wanted, STATE_TOLERANCE)


def _parameters(network: nn.Module, prefix: str = "") -> Parameters:
    return {
        f"{prefix}{name}": np.asarray(tensor.detach().float().numpy(), np.float32)
        for name, tensor in network.state_dict().items()
        if not (prefix and name.endswith(COUNTER))
    }


def _origin(weights: str) -> str:
    """What a reader elsewhere can make something of: no path of this machine."""
    if weights == "default":
        return "torchvision's, trained on ImageNet"
    if weights.partition(":")[0] == "random":
        return f"{weights}, not trained"
    return Path(weights).name


def json_object(path: Path) -> dict[str, Any]:
    """A JSON file that is wanted for bundle.json; raises `UsageError` where it is none, or holds no object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is wanted for bundle.json and cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} is wanted for bundle.json as one JSON object; it holds {type(content).__name__}")
    return content
