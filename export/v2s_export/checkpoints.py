"""From what the trainings left to a bundle: what `v2s export` runs."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from v2s_engine.bundle import PALETTE, Bundle
from v2s_engine.errors import UsageError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.timbre.palette import read_palette
from v2s_engine.train.checkpoint import Checkpoint, check_encoder, read_checkpoint
from v2s_engine.train.parameters import numpy_parameters
from v2s_export.bundle_writer import BundleContent, write_bundle
from v2s_export.exported_encoder import ExportedEncoder, VisualWeights, export_timing, export_visual, json_object
from v2s_export.onnx_file import OnnxPrecision
from v2s_export.parity import Parity
from v2s_export.passages import EncoderFiles
from v2s_export.precision import PrecisionOptions, choose_precision
from v2s_export.quality import bundle_quality


@dataclass(frozen=True)
class ExportOptions:
    """What to export and what to say of it."""

    name: str
    sampler: Path
    """Checkpoint of `v2s train`; its averaged weights are taken."""
    output: Path
    """Folder of the new bundle."""
    summary: str
    licence: str
    temperature: float
    precision: PrecisionOptions = field(default_factory=PrecisionOptions)
    """How the sampler's weights are stored."""
    timing: Path | None = None
    """For `envelope`: weights of `v2s train-timing`, encoder.safetensors; its report.json lies beside it."""
    palette: Path | None = None
    """For source-filter models: the timbres of recordings; None: palette.safetensors beside the checkpoint."""
    weights: str | None = None
    """For `frame`, `sequence`, `flow`: weights of the picture network: `default`, a path, or `random[:SEED]`."""
    motion_weights: str | None = None
    """For `flow`: weights of the motion network: a path, or `random[:SEED]`."""
    encoder_precision: str = "fp32"
    """What encoder.onnx computes in: one of `OnnxPrecision`."""
    parity_clip: Path | None = None
    """A clip on whose pictures ONNX Runtime is held against PyTorch; None: a rendered scene."""
    quality: Path | None = None
    """JSON with what was measured; its figures go into bundle.json (`bundle_quality`)."""
    force: bool = False


def export_checkpoints(options: ExportOptions) -> tuple[Bundle, Parity]:
    """Write a bundle; checks its encoder against PyTorch, and what rounding the sampler's weights costs.

    RAFT is always exported with torchvision's weights, as those are what it is run with. Raises `UsageError` where the
    options do not fit the checkpoint's conditioning, or name another visual encoder than it learned from, or where
    `choose_precision` finds the precision too coarse, `BundleDamagedError` for files that are not what they should be,
    `OutputError` where the folder exists, and the errors of media for the parity clip.
    """
    encoder_precision = _encoder_precision(options.encoder_precision)
    quality = bundle_quality(json_object(options.quality)) if options.quality else {}
    checkpoint = read_checkpoint(options.sampler)
    config = checkpoint.config
    _check_fit(options, config)
    palette = _palette(options, config)
    sampler = SampleRNN(config)
    sampler.load_state_dict(checkpoint.averaged)
    with tempfile.TemporaryDirectory() as folder:
        encoder = _export_encoder(options, encoder_precision, sampler, Path(folder))
        if encoder.visual:
            check_encoder(checkpoint, encoder.visual["encoder_digest"], options.sampler)
        parameters = numpy_parameters(sampler)
        folded = fold_weights(parameters, config)
        looks = EncoderFiles(encoder.onnx, encoder.state_onnx)
        choice = choose_precision(folded, options.precision, looks, options.temperature)
        content = BundleContent(
            name=options.name,
            config=config,
            sampler_parameters=parameters,
            encoder_parameters=encoder.parameters,
            encoder_onnx=encoder.onnx,
            state_onnx=encoder.state_onnx,
            palette=palette,
            visual=encoder.visual,
            summary=options.summary,
            licence=options.licence,
            temperature=options.temperature,
            folded=choice.weights,
            precision=choice.weights.precision,
            rounding=choice.to_json(),
            training=_training(checkpoint),
            material=checkpoint.material,
            encoder_training=encoder.training,
            quality=quality,
        )
        return write_bundle(content, options.output, force=options.force), encoder.parity


def _palette(options: ExportOptions, config: ModelConfig) -> Path | None:
    """The palette of a source-filter model, read once to see that it has every class."""
    if not config.source_filter:
        if options.palette is not None:
            raise UsageError(f"--palette belongs to source-filter models; {options.sampler} is none: leave it away")
        return None
    path = options.palette or options.sampler.with_name(PALETTE)
    if not path.is_file():
        raise UsageError(f"a source-filter model wants a palette, and there is none at {path}; give --palette FILE")
    read_palette(path, config.sound_classes)
    return path


def _training(checkpoint: Checkpoint) -> dict[str, Any]:
    started = {"started_from": checkpoint.started_from} if checkpoint.started_from else {}
    return {"steps": checkpoint.step, "samples": checkpoint.samples, **started}


def _export_encoder(
    options: ExportOptions, precision: OnnxPrecision, sampler: SampleRNN, folder: Path
) -> ExportedEncoder:
    if options.timing is not None:
        return export_timing(options.timing, folder, options.parity_clip)
    assert options.weights is not None  # noqa: S101 - `_check_fit` saw to it
    weights = VisualWeights(options.weights, options.motion_weights, precision)
    return export_visual(sampler.config, weights, sampler.eval(), folder, options.parity_clip)


def _check_fit(options: ExportOptions, config: ModelConfig) -> None:
    """Raise `UsageError` where other weights are given than the conditioning takes."""
    name = config.conditioning
    wanted = {"envelope": ("--timing",), "flow": ("--weights", "--motion-weights")}.get(name, ("--weights",))
    values = {
        "--timing": options.timing,
        "--weights": options.weights,
        "--motion-weights": options.motion_weights,
    }
    given = tuple(option for option, value in values.items() if value is not None)
    if given != wanted:
        raise UsageError(
            f"the conditioning of {options.sampler} is {name!r}, which takes {' and '.join(wanted)}; got "
            f"{' and '.join(given) or 'none of them'}. See `v2s export --help` for what each of them is"
        )
    if name == "envelope" and options.encoder_precision != "fp32":
        raise UsageError(
            "--encoder-precision fp16 is for the conditionings frame, sequence and flow; the timing network of "
            "'envelope' is small and always fp32"
        )


def _encoder_precision(value: str) -> OnnxPrecision:
    for known in get_args(OnnxPrecision):
        if known == value:
            found: OnnxPrecision = known
            return found
    raise UsageError(f"--encoder-precision must be one of {', '.join(get_args(OnnxPrecision))}; got {value!r}")
