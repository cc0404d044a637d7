"""`v2s export`: a bundle from checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from v2s_plugin.cli.options import ForceOption, JsonOption

if TYPE_CHECKING:
    from v2s_engine.bundle import Bundle

CheckpointOption = Annotated[
    Path, typer.Option("--checkpoint", metavar="CKPT", help="What `v2s train` left: its averaged weights are exported.")
]
TimingOption = Annotated[
    Path | None,
    typer.Option(
        "--timing", metavar="FILE", help="For envelope: the encoder.safetensors that `v2s train-timing` left."
    ),
]
PaletteOption = Annotated[
    Path | None,
    typer.Option(
        "--palette", metavar="FILE", help="For source-filter models: else palette.safetensors beside the checkpoint."
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="default|FILE|random",
        help="For frame, sequence, flow: weights of the picture network; default: torchvision's VGG19.",
    ),
]
MotionWeightsOption = Annotated[
    str | None,
    typer.Option("--motion-weights", metavar="FILE|random", help="For flow: weights of the motion network."),
]
EncoderPrecisionOption = Annotated[
    str, typer.Option("--encoder-precision", metavar="fp32|fp16", help="What the picture network computes in.")
]
ParityClipOption = Annotated[
    Path | None,
    typer.Option("--parity-clip", metavar="CLIP", help="Real pictures to hold the export against PyTorch with."),
]
OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the new bundle.")]
NameOption = Annotated[str, typer.Option("--name", metavar="NAME", help="The bundle's name.")]
SummaryOption = Annotated[str, typer.Option("--summary", metavar="TEXT", help="What the model is, and what it is not.")]
LicenceOption = Annotated[str, typer.Option("--licence", metavar="TEXT", help="Licence of the weights.")]
TemperatureOption = Annotated[
    float, typer.Option("--temperature", metavar="X", help="Below 1, likelier samples win more often.")
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="auto|int4|int8|bf16|fp16|fp32",
        help="What the sampler's weights are stored in; auto: the fastest that keeps what is drawn (--max-kl).",
    ),
]
MaxKLOption = Annotated[
    float,
    typer.Option(
        "--max-kl",
        metavar="NATS",
        help="How far rounding may move what a sample is drawn from: Kullback-Leibler divergence from fp32, mean.",
    ),
]
CheckSoundsOption = Annotated[
    Path | None,
    typer.Option(
        "--check-sounds",
        metavar="DIR",
        help="For envelope: measure that on recordings, DIR/<class>/…; else on sounds that the model makes itself.",
    ),
]
CheckManifestOption = Annotated[
    Path | None,
    typer.Option("--check-manifest", metavar="CSV", help="Of these only what it holds for testing (split = test)."),
]
QualityOption = Annotated[
    Path | None, typer.Option("--quality", metavar="JSON", help="What `v2s evaluate --json` said, for the model card.")
]


def export_command(
    checkpoint: CheckpointOption,
    output: OutputOption,
    name: NameOption,
    *,
    timing: TimingOption = None,
    palette: PaletteOption = None,
    weights: WeightsOption = None,
    motion_weights: MotionWeightsOption = None,
    encoder_precision: EncoderPrecisionOption = "fp32",
    parity_clip: ParityClipOption = None,
    summary: SummaryOption = "",
    licence: LicenceOption = "not stated",
    temperature: TemperatureOption = 1.0,
    precision: PrecisionOption = "auto",
    max_kl: MaxKLOption = 1e-3,
    check_sounds: CheckSoundsOption = None,
    check_manifest: CheckManifestOption = None,
    quality: QualityOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Turn checkpoints into a bundle.

    The encoder goes to ONNX and is checked against PyTorch; the sampler's weights are folded and rounded. What the
    encoder is made from depends on the checkpoint: --timing for envelope, --weights for frame and sequence, both
    --weights and --motion-weights for flow.
    """
    from v2s_plugin.cli.extras import needs_extra
    from v2s_plugin.cli.talk import say

    with needs_extra("exporting", "train"):
        from v2s_export.checkpoints import ExportOptions, export_checkpoints
        from v2s_export.precision import PrecisionOptions

    options = ExportOptions(
        name=name,
        sampler=checkpoint,
        timing=timing,
        palette=palette,
        weights=weights,
        motion_weights=motion_weights,
        encoder_precision=encoder_precision,
        parity_clip=parity_clip,
        output=output,
        summary=summary,
        licence=licence,
        temperature=temperature,
        precision=PrecisionOptions(precision, max_kl, check_sounds, check_manifest),
        quality=quality,
        force=force,
    )
    bundle, parity = export_checkpoints(options)
    say(f"encoder against PyTorch on {parity.pictures} pictures of {parity.source}:")
    for each in parity.differences:
        say(f"  {each}")
    say(f"  by {', '.join(parity.providers)}; ONNX Runtime has {', '.join(parity.available)}")
    return tell_bundle(bundle, as_json=as_json)


def tell_bundle(bundle: Bundle, *, as_json: bool) -> int:
    """Say what was written; the exit code."""
    from v2s_export.card import rounding_lines
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.cli.talk import say

    precision = bundle.description["precision"]
    say(f"the sampler's weights are stored in {precision}")
    for line in rounding_lines(bundle.description):
        say(f"  {line}")
    if as_json:
        told = {"bundle": str(bundle.path), "digest": bundle.digest, "sound_classes": list(bundle.sound_classes)}
        answer_json(told | {"precision": precision})
    else:
        print(bundle.path)
    return EXIT_DONE
