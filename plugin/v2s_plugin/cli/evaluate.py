"""`v2s evaluate`: measurements of a bundle."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_plugin.cli.options import BundleOption, DeviceOption, JsonOption

if TYPE_CHECKING:
    from v2s_engine.evaluate.follow import FollowResult

SoundsOption = Annotated[
    Path, typer.Option("--sounds", metavar="DIR", help="Recordings that were not trained on: DIR/<class>/…")
]
ManifestOption = Annotated[
    Path | None, typer.Option("--manifest", metavar="CSV", help="Use only what it holds for testing (split = test).")
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same sounds.")]


def evaluate_command(
    sounds: SoundsOption,
    *,
    bundle: BundleOption = DEFAULT_BUNDLE,
    manifest: ManifestOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Measure how well a bundle follows envelopes.

    Envelopes come from recordings whose loudness varies by 10 dB or more; Spearman's rank correlation over steps of
    16 ms above -55 dBFS, measured on the sampler's own output, beside noise shaped by the same envelope.
    """
    from v2s_engine.bundle import load_bundle
    from v2s_engine.corpus.recordings import read_held, read_library
    from v2s_engine.evaluate.follow import measure_following
    from v2s_engine.sampling.choose import open_sampler
    from v2s_engine.sampling.weights import load_folded
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.engine import check_device

    model = load_bundle(bundle)
    sampler = open_sampler(load_folded(model.sampler_path, model.config), check_device(device))
    if manifest:
        held = read_held(sounds, model.sound_classes, manifest)
    else:
        present = tuple(name for name in model.sound_classes if (sounds / name).is_dir())
        held = read_library(sounds, classes=present).recordings
    results = measure_following(sampler, held, temperature=model.temperature, seed=seed)
    summary = _summary(results)
    if as_json:
        answer_json({"bundle": model.name, "digest": model.digest, "following": summary})
        return EXIT_DONE
    for result in results:
        shape = f"{result.steps:5} steps {result.range_db:5.1f} dB"
        print(f"{result.name:<56} {shape}   {result.model:6.3f} {result.noise:6.3f}")
    print(f"{'rank correlation':<56} {'':11} {'':8}    model  noise")
    for name, figures in summary.items():
        print(f"{name:<56} {figures['recordings']:5} recordings    {figures['model']:6.3f} {figures['noise']:6.3f}")
    return EXIT_DONE


def _summary(results: list[FollowResult]) -> dict[str, dict[str, Any]]:
    """Means per class, and over all recordings."""
    groups = {name: [each for each in results if each.sound_class == name] for name in _classes(results)}
    return {
        name: {
            "recordings": len(group),
            "model": round(fmean(each.model for each in group), 4),
            "noise": round(fmean(each.noise for each in group), 4),
        }
        for name, group in {**groups, "all": results}.items()
    }


def _classes(results: list[FollowResult]) -> list[str]:
    return sorted({each.sound_class for each in results})
