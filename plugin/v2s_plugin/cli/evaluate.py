"""`v2s evaluate`: measurements of a bundle on recordings, or of checkpoints on clips."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_engine.errors import UsageError
from v2s_plugin.cli.judging import JudgeCall, judge_bundle
from v2s_plugin.cli.options import BundleOption, DeviceOption, JsonOption

if TYPE_CHECKING:
    from v2s_engine.evaluate.follow import FollowResult
    from v2s_engine.evaluate.report import Report
    from v2s_engine.evaluate.results import EvaluationResult

SoundsOption = Annotated[
    Path | None, typer.Option("--sounds", metavar="DIR", help="Recordings that were not trained on: DIR/<class>/…")
]
ManifestOption = Annotated[
    Path | None, typer.Option("--manifest", metavar="CSV", help="Use only what it holds for testing (split = test).")
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same figures.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="INDEX", help="Clips: a CSV, or a folder <category>/<clip>.")
]
CheckpointOption = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", metavar="CKPT", help="A checkpoint of `v2s train --data`; again for more."),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where JSON, tables and plots go.")
]
WeightsOption = Annotated[
    str, typer.Option("--weights", metavar="default|FILE", help="The picture network's, as in the training.")
]
MotionOption = Annotated[
    str, typer.Option("--motion-weights", metavar="FILE", help="The motion network's, as in the training (flow).")
]
FlowWeightsOption = Annotated[
    str, typer.Option("--flow-weights", metavar="default|FILE", help="RAFT's, as in the training (flow).")
]
CacheOption = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Decoded sounds and features, as in the training. Else DIR/cache."),
]
ClipsOption = Annotated[
    int | None, typer.Option("--clips", metavar="N", help="Clips of each split at most, evenly over the categories.")
]
RetrievalClipsOption = Annotated[
    int, typer.Option("--retrieval-clips", metavar="N", help="Clips in the retrieval, N² scorings; 0: no retrieval.")
]
RetrievalSecondsOption = Annotated[
    float, typer.Option("--retrieval-seconds", metavar="S", help="How much of each sound is scored there.")
]
GenerateOption = Annotated[
    int,
    typer.Option(
        "--generate",
        metavar="N",
        help="Test clips that sounds are made for, on the CPU whatever --device says: at the paper's size about 1,000 "
        "samples per second in all, 40 minutes for 8 clips of 10 s with two takes. 0: none.",
    ),
]
TakesOption = Annotated[int, typer.Option("--takes", metavar="N", help="Sounds made for each of them.")]
TemperatureOption = Annotated[float, typer.Option("--temperature", metavar="T", help="Of the sounds made.")]
JudgeOption = Annotated[
    Path | None,
    typer.Option(
        "--judge",
        metavar="FILE",
        help="Judge the bundle's sounds, with the judge in FILE; it is trained first where there is none (minutes).",
    ),
]
TakesPerClassOption = Annotated[
    int, typer.Option("--takes-per-class", metavar="N", help="Sounds of 4 s that are made and judged per class.")
]
WorkersOption = Annotated[int, typer.Option("--workers", metavar="N", help="Clips that are decoded at once.")]


def evaluate_command(
    *,
    sounds: SoundsOption = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    manifest: ManifestOption = None,
    judge: JudgeOption = None,
    takes_per_class: TakesPerClassOption = 12,
    data: DataOption = None,
    checkpoints: CheckpointOption = None,
    output: OutputOption = None,
    weights: WeightsOption = "default",
    motion_weights: MotionOption = "",
    flow_weights: FlowWeightsOption = "default",
    cache: CacheOption = None,
    clips: ClipsOption = None,
    retrieval_clips: RetrievalClipsOption = 100,
    retrieval_seconds: RetrievalSecondsOption = 2.0,
    generate: GenerateOption = 8,
    takes: TakesOption = 2,
    temperature: TemperatureOption = 1.0,
    workers: WorkersOption = 1,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Measure a bundle, or what a training left.

    --sounds DIR: how well the bundle follows envelopes. They come from recordings whose loudness varies by 10 dB or
    more; Spearman's rank correlation over steps of 16 ms above -55 dBFS, measured on the sampler's own output, beside
    noise shaped by the same envelope.

    --sounds DIR --manifest CSV --judge FILE --output DIR: is it that class, does it follow, is it natural? Takes of
    every class, judged by a small network trained on the recordings held for testing, beside real recordings and noise.

    --data INDEX --checkpoint CKPT --output DIR: cross entropy on clips trained on and not, loss with the wrong pictures
    against the right ones, retrieval against chance, and sounds made from the pictures against the recorded ones.
    """
    if (sounds is None) == (data is None):
        raise UsageError(
            "evaluate wants either --sounds DIR (a bundle on recordings) or --data INDEX (models on clips)"
        )
    if judge is not None:
        if sounds is None or manifest is None or output is None:
            raise UsageError("--judge wants --sounds DIR, --manifest CSV, and --output DIR for tables and sheets")
        return judge_bundle(
            JudgeCall(sounds, manifest, judge, output, takes_per_class, seed), bundle, device=device, as_json=as_json
        )
    if sounds is not None:
        return _evaluate_bundle(sounds, bundle, manifest, seed=seed, device=device, as_json=as_json)
    if not checkpoints or output is None or data is None:
        raise UsageError("--data wants at least one --checkpoint CKPT, and --output DIR for the tables and plots")

    if not 0 < retrieval_seconds < math.inf:
        raise UsageError(f"--retrieval-seconds wants a time above 0; got {retrieval_seconds:g}")

    from v2s_plugin.cli.extras import needs_extra
    from v2s_plugin.cli.talk import watched_progress

    with needs_extra("evaluating checkpoints", "train"):
        from v2s_engine.evaluate.measuring import MeasureOptions
        from v2s_engine.evaluate.report import make_folder, write_report
        from v2s_engine.evaluate.session import EvaluationOptions, evaluate_methods
        from v2s_engine.grid import SAMPLE_RATE
        from v2s_engine.train.trainer import check_device

    options = EvaluationOptions(
        checkpoints=tuple(checkpoints),
        data=data,
        cache=cache or output / "cache",
        picture_weights=weights,
        motion_weights=motion_weights,
        flow_weights=flow_weights,
        clips=clips,
        device=check_device("cpu" if device == "auto" else device),
        workers=workers,
        measures=MeasureOptions(
            retrieval_clips=retrieval_clips,
            retrieval_length=round(retrieval_seconds * SAMPLE_RATE),
            generate=generate,
            takes=takes,
            temperature=temperature,
            seed=seed,
        ),
    )
    make_folder(output)
    with watched_progress() as progress:
        result = evaluate_methods(options, progress)
    return _answer(result, write_report(result, output), as_json=as_json)


def _answer(result: EvaluationResult, report: Report, *, as_json: bool) -> int:
    """Tell what was found and what was left out; the exit code."""
    from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, answer_json
    from v2s_plugin.cli.talk import say

    left_out = dict.fromkeys([*result.left_out, *(each for method in result.methods for each in method.left_out)])
    for name, reason in left_out:
        say(f"left out: {name}: {reason}")
    if as_json:
        answer_json(result.to_json() | {"tables": str(report.tables), "plots": str(report.plots)})
    else:
        print(report.tables.read_text(encoding="utf-8"), end="")
        say(f"written: {report.tables}, {report.figures.name}, {report.plots.name}")
    return EXIT_SOME_SKIPPED if left_out else EXIT_DONE


def _evaluate_bundle(sounds: Path, bundle: str, manifest: Path | None, *, seed: int, device: str, as_json: bool) -> int:
    from v2s_engine.bundle import load_bundle
    from v2s_engine.corpus.recordings import read_held, read_library
    from v2s_engine.evaluate.follow import measure_following
    from v2s_engine.sampling.choose import open_sampler
    from v2s_engine.sampling.timbred import open_palette
    from v2s_engine.sampling.weights import load_folded
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.engine import check_device

    model = load_bundle(bundle)
    place = check_device(device)
    if manifest:
        held = read_held(sounds, model.sound_classes, manifest)
    else:
        present = tuple(name for name in model.sound_classes if (sounds / name).is_dir())
        held = read_library(sounds, classes=present).recordings
    sampler = open_sampler(load_folded(model.sampler_path, model.config), place, sounds=len(held))
    results = measure_following(sampler, held, palette=open_palette(model), temperature=model.temperature, seed=seed)
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
