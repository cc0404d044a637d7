"""The CPU sampler: samples per second, against the reference sampler in the same run.

    python benchmarks/cpu_sampler.py [--quick]

Random weights (speed does not depend on them). Cases take turns, so that a busy neighbour slows all of them alike. The
design asks for 1.5 x real time of one clip on one core with hidden size 256 and units (2,8).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from hardware import describe_hardware

from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.cpu import CpuSampler
from v2s_engine.sampling.sampler import Row, Sampler
from v2s_engine.sampling.weights import FoldedWeights, tensor_shapes

LIMIT = 1.5
LIVE = ModelConfig(("dog",), hidden_size=256, mlp_size=256, coarse_unit=8, mid_unit=2, window=4)
LONG_UNITS = ModelConfig(("dog",), hidden_size=256, mlp_size=256, coarse_unit=16, mid_unit=4, window=4)

FIRST_CALL = """
import time; began = time.perf_counter()
import cpu_sampler
loaded = time.perf_counter()
run = cpu_sampler.CpuSampler(cpu_sampler.random_weights(cpu_sampler.LIVE), threads=1)
packed = time.perf_counter()
cpu_sampler.run_once(run, 1, 1)
print(loaded - began, time.perf_counter() - packed)
"""


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    sampler: Sampler
    threads: int
    rows: int
    length: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs: a look, not a figure to quote")
    quick = parser.parse_args().quick
    length, repeats = (FRAME_LENGTH, 5) if quick else (8 * FRAME_LENGTH, 9)
    print(describe_hardware("numba", "llvmlite", "numpy", "torch"))
    cases = make_cases(length)
    for case in cases:
        run_once(case.sampler, case.rows, case.length)  # warm up
    timed = take_turns([partial(run_once, case.sampler, case.rows, case.length) for case in cases], repeats)
    print_table(cases, timed)
    print_calls(cases[0].sampler, repeats)


def make_cases(length: int) -> list[Case]:
    """The CPU sampler at both sizes, alone and in batches, and the reference; the figure of the design comes first."""
    import torch  # noqa: PLC0415 (not in the new processes of `FIRST_CALL`)

    from v2s_engine.sampling.reference import ReferenceSampler  # noqa: PLC0415

    torch.set_num_threads(1)
    cases = []
    for config in (LIVE, LONG_UNITS):
        weights = random_weights(config)
        for threads, rows in ((1, 1), (1, 8), (2, 16)):
            cases.append(Case(CpuSampler(weights, threads=threads), threads, rows, length))
        cases.append(Case(ReferenceSampler(weights), 1, 1, FRAME_LENGTH))
    return cases


def random_weights(config: ModelConfig) -> FoldedWeights:
    """Numbers that keep the network's states and logits in a natural range."""
    numbers = np.random.default_rng(0)
    tensors = {
        name: (numbers.normal(size=shape) / (16 if len(shape) > 1 else 4)).astype(np.float32)
        for name, shape in tensor_shapes(config).items()
    }
    return FoldedWeights(config, **tensors)


def run_once(sampler: Sampler, rows: int, length: int) -> None:
    """Sample from the start, free running."""
    vectors = -(-length // sampler.config.conditioning_length)
    conditioning = np.zeros((rows, vectors, sampler.config.conditioning_size), dtype=np.float32)
    sampler.generate(sampler.start([Row(seed, 1) for seed in range(rows)]), conditioning, length)


def take_turns(calls: list[Callable[[], None]], repeats: int) -> list[list[float]]:
    """Seconds of each call, `repeats` times."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for index, call in enumerate(calls):
            began = time.perf_counter()
            call()
            seconds[index].append(time.perf_counter() - began)
    return seconds


def print_table(cases: list[Case], timed: list[list[float]]) -> None:
    """Samples per second, summed over the rows of a batch."""
    print(
        "\nsampler    hidden  units   rows threads  length  samples/s: min   median      max   x real time  x reference"
    )
    speeds = [
        sorted(case.rows * case.length / seconds for seconds in times) for case, times in zip(cases, timed, strict=True)
    ]
    reference = {
        case.sampler.config: statistics.median(speed)
        for case, speed in zip(cases, speeds, strict=True)
        if case.sampler.name == "reference"
    }
    for case, speed in zip(cases, speeds, strict=True):
        config, median = case.sampler.config, statistics.median(speed)
        units = f"({config.mid_unit},{config.coarse_unit})"
        print(
            f"{case.sampler.name:<10} {config.hidden_size:6}  {units:<7} {case.rows:4} {case.threads:7} {case.length:7}"
            f"  {speed[0]:14,.0f} {median:8,.0f} {speed[-1]:8,.0f} {median / SAMPLE_RATE:12.2f} "
            f"{median / reference[config]:12.1f}"
        )
    best = statistics.median(speeds[0]) / SAMPLE_RATE
    print(f"\none clip, one core, hidden 256, units (2,8): {best:.2f} x real time, to reach {LIMIT}")


def print_calls(sampler: Sampler, repeats: int) -> None:
    """What a call costs beyond its samples, and the first one of a process."""
    (nothing,) = take_turns([partial(run_once, sampler, 1, 0)], 10 * repeats)
    print(f"a call without samples: {1e3 * statistics.median(nothing):.2f} ms")
    firsts = []
    for _ in range(3):
        path = os.pathsep.join([str(PROJECT), str(PROJECT / "benchmarks")])
        finished = subprocess.run(
            [sys.executable, "-c", FIRST_CALL],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        firsts.append([float(word) for word in finished.stdout.split()])
    loading, first = (statistics.median(column) for column in zip(*firsts, strict=True))
    print(
        f"a new process with compiled kernels in its cache: {loading:.2f} s to import, {first:.2f} s for the first call"
    )


if __name__ == "__main__":
    main()
