"""From what the trainings left to a bundle: what `v2s export` runs."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from v2s_engine.bundle import Bundle
from v2s_engine.errors import UsageError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.sampling.weights import Precision
from v2s_engine.train.checkpoint import read_checkpoint
from v2s_engine.train.parameters import numpy_parameters
from v2s_engine.train.timing import REPORT as TIMING_REPORT
from v2s_engine.train.timing_data import scene_clip
from v2s_engine.vision.timing_network import read_network
from v2s_export.bundle_writer import BundleContent, write_bundle
from v2s_export.onnx_encoder import export_encoder
from v2s_export.parity import Parity, require_parity

_PARITY_SCENE = 2_000_000  # a rendered scene that no training uses


@dataclass(frozen=True)
class ExportOptions:
    """What to export and what to say of it."""

    name: str
    sampler: Path
    """Checkpoint of `v2s train`; its averaged weights are taken."""
    timing: Path
    """Weights of `v2s train-timing`, encoder.safetensors; its report.json lies beside it."""
    output: Path
    """Folder of the new bundle."""
    summary: str
    licence: str
    temperature: float
    precision: str
    quality: Path | None = None
    """JSON with what was measured, copied into bundle.json."""
    force: bool = False


def export_checkpoints(options: ExportOptions) -> tuple[Bundle, Parity]:
    """Write a bundle and check its encoder against PyTorch on the pictures of a rendered scene.

    Raises `BundleDamagedError` for files that are not what they should be, `OutputError` where the folder exists.
    """
    precision = next((known for known in get_args(Precision) if known == options.precision), None)
    if precision is None:
        raise UsageError(f"--precision must be one of {', '.join(get_args(Precision))}; got {options.precision!r}")
    checkpoint = read_checkpoint(options.sampler)
    sampler = SampleRNN(checkpoint.config)
    sampler.load_state_dict(checkpoint.averaged)
    network = read_network(options.timing)
    with tempfile.TemporaryDirectory() as folder:
        encoder = export_encoder(network, Path(folder) / "encoder.onnx")
        seen = scene_clip(_PARITY_SCENE, Path(folder)).looks.network_input()
        parity = require_parity(network, encoder, seen)
        content = BundleContent(
            name=options.name,
            config=checkpoint.config,
            sampler_parameters=numpy_parameters(sampler),
            encoder_parameters={
                name: tensor.detach().float().numpy().astype(np.float32)
                for name, tensor in network.state_dict().items()
            },
            encoder_onnx=encoder,
            summary=options.summary,
            licence=options.licence,
            temperature=options.temperature,
            precision=precision,
            training={"steps": checkpoint.step, "samples": checkpoint.samples},
            material=checkpoint.material,
            encoder_training=_json_object(options.timing.with_name(TIMING_REPORT)),
            quality=_json_object(options.quality) if options.quality else {},
        )
        return write_bundle(content, options.output, force=options.force), parity


def _json_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is wanted for bundle.json and cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} is wanted for bundle.json as one JSON object; it holds {type(content).__name__}")
    return content
