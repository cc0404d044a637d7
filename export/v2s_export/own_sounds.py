"""From a folder of recordings to a bundle that works on any picture: what `v2s train --sounds DIR --name NAME` runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from v2s_engine.bundle import DEFAULT_BUNDLE, PALETTE, TRAINABLE, Bundle, load_bundle
from v2s_engine.corpus.own_recordings import OwnRecordings
from v2s_engine.errors import BundleNotFoundError, OutputError, UsageError
from v2s_engine.evaluate.own_sounds import OwnFigures, measure_own_sounds, own_report
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.progress import Progress
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.timbre.palette import read_palette
from v2s_engine.train.checkpoint import Checkpoint, read_checkpoint
from v2s_engine.train.own_session import OwnSessionOptions, OwnTraining, Tell, run_own_session
from v2s_engine.train.parameters import numpy_parameters
from v2s_export.bundle_writer import BundleContent, write_bundle
from v2s_export.exported_encoder import Parameters
from v2s_export.passages import EncoderFiles
from v2s_export.precision import PrecisionChoice, PrecisionOptions, choose_precision

BUNDLE, REPORT, FIGURES = "bundle", "report.md", "report.json"
"""What lies in the output folder at the end, beside the training."""

MOST_NAME = 40
"""Characters of a name."""

_TEMPERATURE = 1.0
_NAME = re.compile(r"[^\W_](?:[\w -]*\w)?")


@dataclass(frozen=True)
class OwnSounds:
    """A bundle of an editor's own sound, and how good it is."""

    bundle: Bundle
    training: OwnTraining
    figures: OwnFigures
    report: str
    """As Markdown."""


def check_name(name: str) -> str:
    """A name for a sound, as it may stand in markers, options and names of files; raises `UsageError`."""
    if not _NAME.fullmatch(name) or len(name) > MOST_NAME:
        raise UsageError(
            f"--name {name!r} cannot name a sound; wanted at most {MOST_NAME} letters, digits, spaces, - and _, with a "
            "letter or digit first, such as --name footsteps"
        )
    return name


def make_own_sounds(options: OwnSessionOptions, progress: Progress, tell: Tell) -> OwnSounds:
    """Train on a folder of recordings, make the bundle `OUTPUT/bundle`, measure it, and write the report beside it.

    A training that stands there already, whole or not, is gone on with where `resume` is asked for; its bundle and its
    report are written again. `tell` is told, a line at a time, how it goes. Raises the errors of `run_own_session`.
    """
    check_name(options.name)
    output = options.output
    if (output / BUNDLE).exists() and not options.resume:
        raise OutputError(
            f"{output / BUNDLE} exists already: this training has been finished; add --resume to go on where steps are "
            "left and write its bundle and report again, or use another --output"
        )
    eyes = _bundle_with_eyes(options.origin)
    training = run_own_session(options, progress, tell)
    if training.session.started_from:
        tell(str(training.session.started_from))
    found = training.recordings
    progress.step("measure", 0, 3, "storing the weights")
    kept = _keep(training.best, eyes)
    progress.step("measure", 1, 3, "making sounds to measure")
    palette = read_palette(kept.palette, (options.name,)) if kept.palette else None
    figures = measure_own_sounds(
        open_sampler(kept.choice.weights, "cpu"), palette, found, temperature=_TEMPERATURE, seed=options.seed
    )
    progress.step("measure", 2, 3, "writing the bundle")
    bundle = write_bundle(_content(kept, found, figures), output / BUNDLE, force=True)
    trained = _trained(training, kept.checkpoint)
    report = own_report(options.name, figures, found, trained)
    _write_report(output, report, figures, found, trained)
    progress.step("measure", 3, 3)
    return OwnSounds(bundle, training, figures, report)


@dataclass(frozen=True, eq=False)
class _Kept:
    """What of a training goes into its bundle."""

    checkpoint: Checkpoint
    parameters: Parameters
    choice: PrecisionChoice
    eyes: Bundle
    """Whose network looks at the pictures."""
    palette: Path | None


def _keep(path: Path, eyes: Bundle) -> _Kept:
    checkpoint = read_checkpoint(path)
    sampler = SampleRNN(checkpoint.config)
    sampler.load_state_dict(checkpoint.averaged)
    parameters = numpy_parameters(sampler)
    folded = fold_weights(parameters, checkpoint.config)
    choice = choose_precision(folded, PrecisionOptions(), EncoderFiles(eyes.encoder_path), _TEMPERATURE)
    palette = path.with_name(PALETTE) if checkpoint.config.source_filter else None
    return _Kept(checkpoint, parameters, choice, eyes, palette)


def _bundle_with_eyes(origin: str | None) -> Bundle:
    """The bundle whose network looks at pictures: the one that is started from, else the starter."""
    if origin is not None and not Path(origin).is_file():
        bundle = load_bundle(origin)
        if bundle.config.conditioning == "envelope":
            return bundle
    try:
        return load_bundle(DEFAULT_BUNDLE)
    except BundleNotFoundError as error:
        raise BundleNotFoundError(f"{error} (its network looks at the pictures for sounds of one's own)") from error


def _content(kept: _Kept, found: OwnRecordings, figures: OwnFigures) -> BundleContent:
    prefix, checkpoint = "encoder.", kept.checkpoint
    tensors = load_file(kept.eyes.path / TRAINABLE)
    encoder = {
        name.removeprefix(prefix): value.astype(np.float32)
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    started = {"started_from": checkpoint.started_from} if checkpoint.started_from else {}
    (name,) = checkpoint.config.sound_classes
    verdict = figures.verdict
    return BundleContent(
        name=name,
        config=checkpoint.config,
        sampler_parameters=kept.parameters,
        encoder_parameters=encoder,
        encoder_onnx=kept.eyes.encoder_path,
        palette=kept.palette,
        summary=f"Made of {len(found.material)} recordings of {name}. Held against others that it never heard: "
        f"{verdict}. The network that looks at pictures is that of {kept.eyes.name}.",
        licence="not stated",
        temperature=_TEMPERATURE,
        folded=kept.choice.weights,
        precision=kept.choice.weights.precision,
        rounding=kept.choice.to_json(),
        training={"steps": checkpoint.step, "samples": checkpoint.samples, **started},
        material=checkpoint.material,
        encoder_training=kept.eyes.description.get("encoder_training", {}),
        quality={name: value for name, value in figures.to_json().items() if value is not None},
    )


def _trained(training: OwnTraining, checkpoint: Checkpoint) -> dict[str, Any]:
    """How it was trained: of the checkpoint that is kept, and of the training as a whole."""
    return {
        "steps": training.session.step,
        "planned_steps": training.plan.steps,
        "samples": training.session.samples,
        "kept_step": checkpoint.step,
        "started_from": checkpoint.started_from,
        "samples_per_second": training.plan.samples_per_second,
        "held_out_start": training.plan.held_out_start,
        "held_out": checkpoint.best[0],
    }


def _write_report(
    output: Path, report: str, figures: OwnFigures, found: OwnRecordings, trained: dict[str, Any]
) -> None:
    told = {
        **figures.to_json(),
        "training": trained,
        "recordings": {
            "files": len(found.material),
            "held_from": found.held_from,
            "recorded_length": found.recorded_length,
            "sounding_length": found.sounding_length,
            "training_length": found.training_length,
            "held_length": found.held_length,
            "gain_db": found.gain_db,
            "left_out": [list(each) for each in found.left_out],
        },
    }
    try:
        (output / REPORT).write_text(report, encoding="utf-8")
        text = json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (output / FIGURES).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the report into {output}: {error}; free some space, then --resume") from error
