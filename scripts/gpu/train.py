"""Train on a machine with a GPU, in slices of a few minutes: the starter on recordings, or a preset on clips.

    python scripts/gpu/train.py --sounds FOLDER --manifest CSV --synthetic 600 --out "$OUT" [--from RUN]
    python scripts/gpu/train.py --data INDEX --preset paper-sequence --weights FILE --out "$OUT" [--from RUN]

Run from the repository's root of a machine with the packages of `v2s[train]`. Each call goes on from the folder that
the call before left (--from), trains for the given minutes (less than 9 in all), and leaves checkpoint, log, palette
and previews in --out. With --synthetic so many seconds per class are made there first, always the same; they are not
left in --out. Not yet run on a GPU.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from v2s_engine.corpus.synthesis.collection import CollectionOptions, make_collection
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.train.clip_session import ClipSessionOptions, run_clip_session
from v2s_engine.train.clip_stream import ClipStreamOptions
from v2s_engine.train.preview import PreviewOptions
from v2s_engine.train.session import SessionOptions, run_session
from v2s_engine.train.stream import StreamOptions
from v2s_engine.train.trainer import TrainOptions, check_device
from v2s_engine.train.training_presets import preset_training


def main() -> None:
    arguments = _parser().parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.run:
        shutil.copytree(arguments.run, arguments.out, dirs_exist_ok=True)
    if arguments.data:
        for result in run_clip_session(_clip_options(arguments), Progress(_say)):
            print(result)
    else:
        with tempfile.TemporaryDirectory() as folder:
            print(run_session(_sound_options(arguments, Path(folder)), Progress(_say)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    material = parser.add_mutually_exclusive_group(required=True)
    material.add_argument("--sounds", type=Path)
    material.add_argument("--data", type=Path)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--synthetic", type=int, default=0, help="seconds of procedural sound per class")
    parser.add_argument("--preset", help="default: starter on sounds, paper-frame on clips")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--motion-weights", default="")
    parser.add_argument("--cache", type=Path, help="default: OUT/cache")
    parser.add_argument("--truncation", choices=("chunk", "coarse-tier"), default="chunk")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--classes", nargs="*", default=[])
    parser.add_argument("--minutes", type=float, default=7.0, help="of training; looking at clips comes before it")
    parser.add_argument("--steps", type=int, default=12_000, help="optimiser steps in all, over all slices")
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--from", dest="run", type=Path, help="folder that the slice before left")
    parser.add_argument("--start-from", help="checkpoint or bundle whose weights the first slice begins with")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    return parser


def _training(arguments: argparse.Namespace, preset: str) -> TrainOptions:
    optimiser = replace(preset_training(preset).optimiser, truncation=arguments.truncation)
    device = check_device(arguments.device)
    return TrainOptions(arguments.out, arguments.steps, optimiser, checkpoint_every=1000, keep=2, device=device)


def _sound_options(arguments: argparse.Namespace, folder: Path) -> SessionOptions:
    preset = arguments.preset or "starter"
    if arguments.synthetic:
        classes = tuple(arguments.classes)
        make_collection(CollectionOptions(folder, classes, duration=arguments.synthetic), Progress(_say))
    return SessionOptions(
        sounds=arguments.sounds,
        training=_training(arguments, preset),
        stream=StreamOptions(rows=arguments.rows),
        classes=tuple(arguments.classes),
        manifest=arguments.manifest,
        synthetic=folder if arguments.synthetic else None,
        preset=preset,
        origin=arguments.start_from,
        resume=arguments.run is not None,
        max_hours=arguments.minutes / 60,
    )


def _clip_options(arguments: argparse.Namespace) -> ClipSessionOptions:
    preset = arguments.preset or "paper-frame"
    return ClipSessionOptions(
        data=arguments.data,
        training=_training(arguments, preset),
        stream=ClipStreamOptions(rows=arguments.rows),
        preset=preset,
        classes=tuple(arguments.classes),
        picture_weights=arguments.weights,
        motion_weights=arguments.motion_weights,
        cache=arguments.cache,
        workers=8,
        origin=arguments.start_from,
        resume=arguments.run is not None,
        max_hours=arguments.minutes / 60,
        previews=PreviewOptions((1.0,), 8_000),  # on the CPU: half a second at the paper's size
    )


def _say(event: ProgressEvent) -> None:
    if event.done % 100 == 0:
        print(f"{event.stage} {event.done:.0f} of {event.total:.0f}: {event.item}", flush=True)


if __name__ == "__main__":
    main()
