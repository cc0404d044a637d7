"""`v2s export`: a bundle from checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import ForceOption, JsonOption

CheckpointOption = Annotated[
    Path, typer.Option("--checkpoint", metavar="CKPT", help="What `v2s train` left: its averaged weights are exported.")
]
TimingOption = Annotated[
    Path | None,
    typer.Option(
        "--timing", metavar="FILE", help="For envelope: the encoder.safetensors that `v2s train-timing` left."
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
PrecisionOption = Annotated[str, typer.Option("--precision", metavar="fp16|fp32", help="How weights are stored.")]
QualityOption = Annotated[
    Path | None, typer.Option("--quality", metavar="JSON", help="What `v2s evaluate --json` said, for the model card.")
]


def export_command(
    checkpoint: CheckpointOption,
    output: OutputOption,
    name: NameOption,
    *,
    timing: TimingOption = None,
    weights: WeightsOption = None,
    motion_weights: MotionWeightsOption = None,
    encoder_precision: EncoderPrecisionOption = "fp32",
    parity_clip: ParityClipOption = None,
    summary: SummaryOption = "",
    licence: LicenceOption = "not stated",
    temperature: TemperatureOption = 1.0,
    precision: PrecisionOption = "fp16",
    quality: QualityOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Turn checkpoints into a bundle.

    The encoder goes to ONNX and is checked against PyTorch; the sampler's weights are folded. What the encoder is made
    from depends on the checkpoint: --timing for envelope, --weights for frame and sequence, both --weights and
    --motion-weights for flow.
    """
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.cli.extras import needs_extra
    from v2s_plugin.cli.talk import say

    with needs_extra("exporting", "train"):
        from v2s_export.checkpoints import ExportOptions, export_checkpoints

    options = ExportOptions(
        name=name,
        sampler=checkpoint,
        timing=timing,
        weights=weights,
        motion_weights=motion_weights,
        encoder_precision=encoder_precision,
        parity_clip=parity_clip,
        output=output,
        summary=summary,
        licence=licence,
        temperature=temperature,
        precision=precision,
        quality=quality,
        force=force,
    )
    bundle, parity = export_checkpoints(options)
    say(f"encoder against PyTorch on {parity.pictures} pictures of {parity.source}:")
    for each in parity.differences:
        say(f"  {each}")
    say(f"  by {', '.join(parity.providers)}; ONNX Runtime has {', '.join(parity.available)}")
    if as_json:
        answer_json({"bundle": str(bundle.path), "digest": bundle.digest, "sound_classes": list(bundle.sound_classes)})
    else:
        print(bundle.path)
    return EXIT_DONE
