"""Train the starter's SampleRNN on a machine with a GPU, in slices of a few minutes.

    python scripts/gpu/train.py --sounds FOLDER --manifest CSV --out "$OUT" --minutes 8 [--from last.ckpt]

Run from the repository's root of a machine with torch, numpy, av, numba and matplotlib. Each call resumes from the
checkpoint given with --from, trains for the given minutes, and leaves checkpoint, log and previews in --out.
Not yet run on a GPU.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.train.session import SessionOptions, run_session
from v2s_engine.train.stream import StreamOptions
from v2s_engine.train.trainer import TrainOptions, check_device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--classes", nargs="*", default=["dog", "drum"])
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--steps", type=int, default=12_000, help="optimiser steps in all, over all slices")
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--from", dest="checkpoint", type=Path, help="checkpoint of the slice before")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.checkpoint:
        shutil.copyfile(arguments.checkpoint, arguments.out / "last.ckpt")
        log = arguments.checkpoint.with_name("log.jsonl")
        if log.exists():
            shutil.copyfile(log, arguments.out / "log.jsonl")
    options = SessionOptions(
        sounds=arguments.sounds,
        training=TrainOptions(
            arguments.out,
            arguments.steps,
            StreamOptions(rows=arguments.rows),
            device=check_device(arguments.device),
            checkpoint_every=1000,
        ),
        classes=tuple(arguments.classes),
        manifest=arguments.manifest,
        resume=arguments.checkpoint is not None,
        max_hours=arguments.minutes / 60,
    )
    print(run_session(options, Progress(_say)))


def _say(event: ProgressEvent) -> None:
    if event.done % 100 == 0:
        print(f"step {event.done:.0f} of {event.total:.0f}: {event.item}", flush=True)


if __name__ == "__main__":
    main()
