"""`v2s reexport`: a bundle in another precision."""

from __future__ import annotations

from typing import Annotated

import typer

from v2s_plugin.cli.export import (
    CheckManifestOption,
    CheckSoundsOption,
    MaxKLOption,
    OutputOption,
    PrecisionOption,
    QualityOption,
)
from v2s_plugin.cli.options import ForceOption, JsonOption

BundleArgument = Annotated[str, typer.Argument(metavar="BUNDLE", help="The bundle's name or folder.")]


def reexport_command(
    bundle: BundleArgument,
    output: OutputOption,
    *,
    precision: PrecisionOption = "auto",
    max_kl: MaxKLOption = 1e-3,
    check_sounds: CheckSoundsOption = None,
    check_manifest: CheckManifestOption = None,
    quality: QualityOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Write a bundle again in another precision.

    The sampler's weights come from those that the bundle ships for fine-tuning; everything else stays as it was. In
    another precision the same seed makes another sound.
    """
    from v2s_plugin.cli.export import tell_bundle
    from v2s_plugin.cli.extras import needs_extra

    with needs_extra("exporting", "train"):
        from v2s_export.precision import PrecisionOptions
        from v2s_export.reexport import ReexportOptions, reexport_bundle

    rounding = PrecisionOptions(precision, max_kl, check_sounds, check_manifest)
    return tell_bundle(reexport_bundle(ReexportOptions(bundle, output, rounding, quality, force)), as_json=as_json)
