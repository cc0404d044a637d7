"""`v2s evaluate --judge`: what a bundle's sounds are like, class by class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import UsageError


@dataclass(frozen=True)
class JudgeCall:
    """What was asked for on the command line."""

    sounds: Path
    manifest: Path
    judge: Path
    output: Path
    takes: int
    seed: int


def judge_bundle(call: JudgeCall, bundle: str, *, device: str, as_json: bool) -> int:
    """Measure a bundle's sounds, write tables and sheets, and say where they are; the exit code."""
    if call.takes < 2:
        raise UsageError(f"--takes-per-class must be 2 or more; got {call.takes}")
    from v2s_plugin.cli.extras import needs_extra
    from v2s_plugin.cli.talk import say, watched_progress

    with needs_extra("judging sounds", "train"):
        from v2s_engine.evaluate.report import make_folder
        from v2s_engine.evaluate.sounds.session import SoundsOptions, measure_sounds
        from v2s_engine.evaluate.sounds.sounds_report import write_sounds_report
        from v2s_engine.evaluate.sounds.takes import TakeOptions
    from v2s_engine.bundle import load_bundle
    from v2s_engine.sampling.choose import open_sampler
    from v2s_engine.sampling.envelope_sound import sound_envelopes
    from v2s_engine.sampling.timbred import open_palette
    from v2s_engine.sampling.weights import load_folded
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.engine import check_device

    model = load_bundle(bundle)
    place = check_device(device)
    make_folder(call.output)
    options = SoundsOptions(
        sounds=call.sounds,
        manifest=call.manifest,
        judge=call.judge,
        takes=TakeOptions(takes=call.takes, temperature=model.temperature, seed=call.seed),
    )
    palette = open_palette(model)
    sampler = open_sampler(load_folded(model.sampler_path, model.config), place, sounds=call.takes)
    with watched_progress() as progress:
        measured = measure_sounds(
            model, lambda requests: sound_envelopes(sampler, requests, palette), options, progress
        )
    report = write_sounds_report(measured, call.output)
    if as_json:
        answer_json(
            measured.result.to_json()
            | {"tables": str(report.tables), "sheets": [str(sheet) for sheet in report.sheets]}
        )
    else:
        print(report.tables.read_text(encoding="utf-8"), end="")
        say(f"written: {report.tables}, {report.figures.name}, {len(report.sheets)} sheets")
    return EXIT_DONE
