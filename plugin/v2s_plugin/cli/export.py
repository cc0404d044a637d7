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
    Path, typer.Option("--timing", metavar="WEIGHTS", help="The encoder.safetensors that `v2s train-timing` left.")
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
    timing: TimingOption,
    output: OutputOption,
    name: NameOption,
    *,
    summary: SummaryOption = "",
    licence: LicenceOption = "not stated",
    temperature: TemperatureOption = 1.0,
    precision: PrecisionOption = "fp16",
    quality: QualityOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Turn checkpoints into a bundle.

    The encoder goes to ONNX and is checked against PyTorch; the sampler's weights are folded.
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
        output=output,
        summary=summary,
        licence=licence,
        temperature=temperature,
        precision=precision,
        quality=quality,
        force=force,
    )
    bundle, parity = export_checkpoints(options)
    say(
        f"encoder against PyTorch on {parity.pictures} pictures: loudness within {parity.loudness:.1e} dB, "
        f"onsets within {parity.onset:.1e}"
    )
    if as_json:
        answer_json({"bundle": str(bundle.path), "digest": bundle.digest, "sound_classes": list(bundle.sound_classes)})
    else:
        print(bundle.path)
    return EXIT_DONE
