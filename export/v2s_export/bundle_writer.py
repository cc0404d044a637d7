"""Writes a bundle: the files, their hashes, and what the model is and was made from."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from v2s_engine.bundle import (
    CARD,
    DESCRIPTION,
    ENCODER,
    FORMAT,
    PALETTE,
    SAMPLER,
    STATE,
    TRAINABLE,
    Bundle,
    bundle_files,
    load_bundle,
)
from v2s_engine.digest import file_digest
from v2s_engine.errors import OutputError
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.weights import FoldedWeights, Precision
from v2s_export.card import model_card


@dataclass(frozen=True)
class BundleContent:
    """Everything that goes into a bundle."""

    name: str
    config: ModelConfig
    sampler_parameters: Mapping[str, NDArray[np.float32]]
    """The SampleRNN, unfolded, weight norm removed; names as in `v2s_engine.model.samplernn.SampleRNN`."""
    encoder_parameters: Mapping[str, NDArray[np.float32]]
    """The encoder's networks as far as `train.safetensors` holds them: the timing network (names as in
    `v2s_engine.vision.timing_network`), or `pictures.*` and `motion.*` of the visual encoder but for VGG19."""
    encoder_onnx: Path
    """The exported encoder, copied into the bundle."""
    summary: str
    """What the model is, and what it is not, in a few sentences."""
    licence: str
    """Licence of the weights."""
    state_onnx: Path | None = None
    """The exported network from features to states; wanted by `sequence` and `flow`, and by no other."""
    palette: Path | None = None
    """The timbres that those of sounds are put together from; wanted by source-filter models, and by no other."""
    visual: Mapping[str, Any] = field(default_factory=dict)
    """Where the visual encoder's weights came from, their digests, and its precision."""
    temperature: float = 1.0
    folded: FoldedWeights | None = None
    """`sampler_parameters` folded, where that has been done before: it takes a while for large models."""
    precision: Precision = "fp16"
    """How the folded weights are stored, and so what every machine computes with."""
    rounding: Mapping[str, Any] = field(default_factory=dict)
    """What that precision costs, and which others cost too much: `PrecisionChoice.to_json`."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """How it was trained: steps, samples, hardware."""
    material: list[dict[str, Any]] = field(default_factory=list)
    """The recordings it was trained on, with licences and credits."""
    encoder_training: Mapping[str, Any] = field(default_factory=dict)
    """How the timing network was trained, on which clips, and what was measured: the report of `v2s train-timing`."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    """What was measured of it."""


def write_bundle(content: BundleContent, folder: Path, *, force: bool = False) -> Bundle:
    """Write a bundle to `folder` and load it again, so that what is returned has been verified.

    Written beside its place and then moved there. Raises `OutputError` where the folder exists and `force` is not
    given, or cannot be written.
    """
    if folder.exists() and not force:
        raise OutputError(f"{folder} exists already; choose another folder or use --force")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".bundle-") as temporary:
            staged = Path(temporary) / folder.name
            staged.mkdir()
            _write_files(content, staged)
            if folder.exists():
                shutil.rmtree(folder)
            staged.replace(folder)
    except OSError as error:
        raise OutputError(f"cannot write the bundle {folder}: {error}") from error
    return load_bundle(str(folder))


def _write_files(content: BundleContent, folder: Path) -> None:
    folded = content.folded or fold_weights(content.sampler_parameters, content.config)
    folded.save(folder / SAMPLER, content.precision)
    trainable = {f"sampler.{name}": value for name, value in content.sampler_parameters.items()}
    trainable |= {f"encoder.{name}": value for name, value in content.encoder_parameters.items()}
    # Half precision: fine-tuning starts from here, and a rounding of 1/2048 is far below one step of it.
    halved = {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in trainable.items()}
    save_file(halved, folder / TRAINABLE)
    shutil.copyfile(content.encoder_onnx, folder / ENCODER)
    if content.state_onnx is not None:
        shutil.copyfile(content.state_onnx, folder / STATE)
    if content.palette is not None:
        shutil.copyfile(content.palette, folder / PALETTE)
    description = {
        "format": FORMAT,
        "name": content.name,
        "summary": content.summary,
        "licence": content.licence,
        "config": content.config.to_json(),
        "temperature": content.temperature,
        "precision": content.precision,
        "files": {name: file_digest(folder / name) for name in bundle_files(content.config)},
        "training": dict(content.training),
        "encoder_training": dict(content.encoder_training),
        "quality": dict(content.quality),
        "material": content.material,
    }
    if content.rounding:
        description["rounding"] = dict(content.rounding)
    if content.visual:
        description["visual"] = dict(content.visual)
    text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    (folder / CARD).write_text(model_card(description), encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes files that only their owner can read
