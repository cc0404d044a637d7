"""The paper's three methods on the staged set: trained here, and compared in the paper's tables.

    python benchmarks/paper_small.py --output runs/paper-small [--share 1.0]

About 12 minutes on two quiet cores; a stopped run goes on where it was. What is made, in order:

    stage      six categories of rendered clips of two seconds with known sounds (v2s_engine.corpus.stage)
    looking    the small picture network and the temporal network, taught to name what is seen (ImageNet's stand-in)
    base       SampleRNN with a random picture network: knows the sounds
    frame      }
    sequence   } each from the base's weights (sequence and flow without its coarsest tier), for the same number of
    flow       } samples, told nothing but the pictures
    tables     cross entropy, two shuffles, retrieval, timing of generated sounds: evaluation.*; curves.png

`--share` shortens everything, to see that it runs. The tables are of a small experiment: they say what these networks
learn here, not what the paper's would on VEGAS.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]
os.environ["OMP_NUM_THREADS"] = "1"  # two processes share two cores

from hardware import describe_hardware
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from v2s_engine.corpus.clips import read_clips
from v2s_engine.corpus.stage import INDEX, StageOptions, write_stage
from v2s_engine.evaluate.measuring import MeasureOptions
from v2s_engine.evaluate.report import write_report
from v2s_engine.evaluate.results import EvaluationResult
from v2s_engine.evaluate.session import EvaluationOptions, evaluate_methods
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.options import VisualConfig
from v2s_engine.progress import Progress
from v2s_engine.train.clip_session import ClipSessionOptions, run_clip_session
from v2s_engine.train.clip_stream import ClipStreamOptions
from v2s_engine.train.journal import LOSSES
from v2s_engine.train.keeping import LAST
from v2s_engine.train.memory import keep_freed_memory
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.preview import PreviewOptions
from v2s_engine.train.steps import Truncation
from v2s_engine.train.trainer import TrainOptions
from v2s_engine.train.training_presets import OptimiserOptions
from v2s_engine.train.visual import Stream, VisualTrainOptions, train_visual

T = TypeVar("T")

METHODS = ("frame", "sequence", "flow")

FEATURES = 64
"""Numbers per picture of each small network."""

WINDOW = 31
"""Pictures of a clip of two seconds, to the picture: what stands for the paper's 156."""

CHUNK = 512

SIZES = ModelChanges(
    hidden_size=128,
    mlp_size=128,
    embedding_size=32,
    coarse_unit=16,
    mid_unit=4,
    window=4,
    encoder_window=WINDOW,
    picture_network="small",
    picture_features=FEATURES,
)


@dataclass(frozen=True)
class Plan:
    """One training."""

    name: str
    method: str
    truncation: Truncation
    rows: int
    samples: int
    learning_rate: float
    origin: str | None = None
    picture_size: int = 64
    """Where it is another one than the origin's, what the origin knows of pictures is not taken over."""

    @property
    def step_length(self) -> int:
        """Samples of one optimiser step."""
        return self.rows * (CHUNK if self.truncation == "chunk" else WINDOW * FRAME_LENGTH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--share", type=float, default=1.0, help="of all the work: 0.02 only shows that it runs")
    arguments = parser.parse_args()
    output, share = arguments.output, arguments.share
    print(describe_hardware("torch", "numpy"), flush=True)
    began = time.monotonic()
    counts = [max(2, round(count * share)) for count in (60, 2, 16)]
    with timed("stage"):
        write_stage(output / "stage", StageOptions(*counts, length=WINDOW * FRAME_LENGTH))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        with timed("looking and base"):
            base = Plan("base", "frame", "chunk", 8, round(4e6 * share), 2e-3, picture_size=32)
            both = [pool.submit(train_base, output, base), pool.submit(train_looking, output, share)]
            wait_for(both)
        with timed("frame, sequence, flow, tables"):
            origin, samples = str(output / "base" / LAST), round(6e6 * share)
            plans = (  # the longest first
                Plan("sequence", "sequence", "coarse-tier", 4, samples, 2e-3, origin),
                Plan("flow", "flow", "coarse-tier", 4, samples, 2e-3, origin),
                Plan("frame", "frame", "chunk", 8, samples, 2e-3, origin),
            )
            trainings = {pool.submit(train_method, output, plan): plan.name for plan in plans}
            measured: dict[str, Future[EvaluationResult]] = {}
            for training in as_completed(trainings):
                training.result()
                name = trainings[training]
                measured[name] = pool.submit(measure, output, name, share)
            results = wait_for([measured[name] for name in METHODS])
    report = write_report(joined(results), output)
    draw_curves(output, output / "curves.png")
    print(report.tables.read_text(encoding="utf-8"))
    print(f"in all {time.monotonic() - began:.0f} s")


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)


def wait_for(futures: Sequence[Future[T]]) -> list[T]:
    return [future.result() for future in futures]


def train_looking(output: Path, share: float) -> None:
    """Both streams learn to name what is seen in the stretches of the training clips."""
    clips = read_clips(output / "stage" / "states.csv").clips
    streams: tuple[Stream, ...] = ("picture", "motion")
    for stream in streams:
        folder = output / "looking" / stream
        if (folder / f"{stream}.safetensors").exists():
            continue
        options = VisualTrainOptions(
            folder,
            VisualConfig("small", 64, FEATURES, motion_features=FEATURES if stream == "motion" else 0),
            streams=(stream,),
            passes=max(1, round(4 * share)),
            looks=2,
            batch=64,
            workers=1,
        )
        print(stream, train_visual(clips, options, Progress()).streams, flush=True)


def train_base(output: Path, plan: Plan) -> None:
    """What the base learns from random features of small pictures is not taken over."""
    train(output, plan, "random:1", "")


def train_method(output: Path, plan: Plan) -> None:
    picture, motion = looking_weights(output)
    train(output, plan, picture, motion if plan.method == "flow" else "")


def looking_weights(output: Path) -> tuple[str, str]:
    folder = output / "looking"
    return str(folder / "picture" / "picture.safetensors"), str(folder / "motion" / "motion.safetensors")


def train(output: Path, plan: Plan, picture_weights: str, motion_weights: str) -> None:
    keep_freed_memory()
    steps = max(2, plan.samples // plan.step_length)
    optimiser = OptimiserOptions(
        learning_rate=plan.learning_rate, warmup_steps=steps // 20, averaging=None, truncation=plan.truncation
    )
    options = ClipSessionOptions(
        data=output / "stage" / INDEX,
        training=TrainOptions(
            output / plan.name,
            steps,
            optimiser,
            checkpoint_every=max(1, steps // 4),
            mixed_precision=False,  # at this size bfloat16 is slower on a CPU
        ),
        stream=ClipStreamOptions(rows=plan.rows, chunk_length=CHUNK),
        preset=f"paper-{plan.method}",
        changes=replace(
            SIZES,
            picture_size=plan.picture_size,
            motion_features=FEATURES if plan.method == "flow" else None,
            sample_expansion=FEATURES if plan.method == "frame" else None,
        ),
        merge="any",
        picture_weights=picture_weights,
        motion_weights=motion_weights,
        cache=output / "cache",
        resume=True,
        origin=plan.origin,
        previews=PreviewOptions(length=0),
        tensorboard=False,
    )
    run_clip_session(options, Progress())


def measure(output: Path, method: str, share: float) -> EvaluationResult:
    picture, motion = looking_weights(output)
    return evaluate_methods(
        EvaluationOptions(
            checkpoints=(output / method / LAST,),
            data=output / "stage" / INDEX,
            cache=output / "cache",
            picture_weights=picture,
            motion_weights=motion,
            clips=max(12, round(96 * share)),
            measures=MeasureOptions(
                retrieval_clips=max(6, round(36 * share)),
                retrieval_length=10_000,
                generate=max(2, round(24 * share)),
            ),
        ),
        Progress(),
    )


def joined(results: Sequence[EvaluationResult]) -> EvaluationResult:
    """One result of several that were measured side by side on the same clips."""
    left_out = dict(entry for result in results for entry in result.left_out)
    methods = tuple(method for result in results for method in result.methods)
    return replace(results[0], data="staged clips", methods=methods, left_out=tuple(left_out.items()))


def draw_curves(output: Path, path: Path) -> None:
    """Training losses over samples; the methods go on from the base."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    before = 0.0
    for name in ("base", *METHODS):
        samples, losses = read_losses(output / name / LOSSES)
        width = max(1, len(losses) // 40)
        means = [sum(losses[i : i + width]) / width for i in range(0, len(losses) - width + 1, width)]
        at = [
            before + samples[min(i + width, len(samples)) - 1] / 1e6 for i in range(0, len(losses) - width + 1, width)
        ]
        axis.plot(at, means, label=name, color="black" if name == "base" else None)
        if name == "base":
            before = samples[-1] / 1e6
    axis.set_xlabel("million samples")
    axis.set_ylabel("training loss, nats per sample")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=90)


def read_losses(path: Path) -> tuple[list[int], list[float]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [int(row["samples"]) for row in rows], [float(row["loss"]) for row in rows]


if __name__ == "__main__":
    main()
