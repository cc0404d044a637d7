"""A bundle written again with its sampler's weights in another precision: what `v2s reexport` runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from v2s_engine.bundle import TRAINABLE, Bundle, load_bundle
from v2s_engine.sampling.fold import fold_weights
from v2s_export.bundle_writer import BundleContent, write_bundle
from v2s_export.exported_encoder import Parameters, json_object
from v2s_export.passages import EncoderFiles
from v2s_export.precision import PrecisionOptions, choose_precision
from v2s_export.quality import bundle_quality


@dataclass(frozen=True)
class ReexportOptions:
    """Which bundle to write again, and how."""

    bundle: str
    """Its name or folder."""
    output: Path
    """Folder of the new bundle; with `force` it may be the old one's."""
    precision: PrecisionOptions
    quality: Path | None = None
    """JSON with what was measured of the new one, in place of the old figures."""
    force: bool = False


def reexport_bundle(options: ReexportOptions) -> Bundle:
    """Fold `train.safetensors` again and store the result in another precision; all else stays as it was.

    The full weights, which the precision is held against, are those of `train.safetensors`: fp16 before folding.
    Raises `UsageError` as `choose_precision`, the errors of `load_bundle`, `BundleDamagedError` where the weights are
    not those of the model, `OutputError` as `write_bundle`.
    """
    bundle = load_bundle(options.bundle)
    told, parameters = bundle.description, load_file(bundle.path / TRAINABLE)
    sampler = _of("sampler.", parameters)
    folded = fold_weights(sampler, bundle.config)
    looks = EncoderFiles(bundle.encoder_path, bundle.state_path)
    choice = choose_precision(folded, options.precision, looks, bundle.temperature)
    content = BundleContent(
        name=bundle.name,
        config=bundle.config,
        sampler_parameters=sampler,
        encoder_parameters=_of("encoder.", parameters),
        encoder_onnx=bundle.encoder_path,
        state_onnx=bundle.state_path,
        palette=bundle.palette_path,
        visual=told.get("visual", {}),
        summary=told.get("summary", ""),
        licence=told.get("licence", ""),
        temperature=bundle.temperature,
        folded=choice.weights,
        precision=choice.weights.precision,
        rounding=choice.to_json(),
        training=told.get("training", {}),
        material=told.get("material", []),
        encoder_training=told.get("encoder_training", {}),
        quality=bundle_quality(json_object(options.quality)) if options.quality else told.get("quality", {}),
    )
    return write_bundle(content, options.output, force=options.force)


def _of(prefix: str, parameters: Parameters) -> Parameters:
    return {
        name.removeprefix(prefix): value.astype(np.float32)
        for name, value in parameters.items()
        if name.startswith(prefix)
    }
