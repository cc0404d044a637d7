"""The CPU sampler: samples per second at all sizes and precisions, beside the reference and this machine's limits.

    python benchmarks/cpu_sampler.py [--quick] [--only 256/256] [--precision int8] [--markdown FILE]

Random weights, free running from the start. The cases of one size take turns, so that a busy neighbour slows all of
them alike: trust ratios more than figures. "x real time" is samples per second, summed over the clips, by 16,000.

"GB/s" is what is read of the large matrices, once for all clips that go in lockstep. "of the limit" is the time that
reading and multiplying must take on this core (ceilings.py, measured in the same run) by the time taken; what is not a
matrix product (tables, gates, the draw) counts as lost. It may exceed 100 % where the weights are larger than a cache:
those of the finest tier are read more often than the rest, and stay. "x reference" compares one clip with the eager
PyTorch sampler over the same folded weights in fp32.

With two threads, one clip of a large model is made by both, where the second core is free for it: another program on it
shows in the figure.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import numpy as np

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from ceilings import Ceilings, describe_ceilings, measure_ceilings
from first_call import measure_first_call
from hardware import describe_hardware
from sampler_sizes import LIVE, SIZES, STARTER, Size, random_weights
from tables import markdown_table, text_table

from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.sampling.cpu import GROUP_ROWS, CpuSampler
from v2s_engine.sampling.sampler import Row, Sampler
from v2s_engine.sampling.weights import Precision

PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "bf16", "int8", "int4")
BATCHES: Final = ((1, 1), (4, 1), (8, 1), (16, 1), (1, 2), (4, 2), (8, 2), (16, 2))
"""Clips and threads."""

SHORTEST, LONGEST = 256, 16_384

HEAD: Final = (
    "hidden/MLP (units)",
    "weights",
    "MB",
    "MMAC",
    "1 clip: samples/s (min .. max)",
    "x real time",
    "GB/s",
    "of the limit",
    "x reference",
    "4 clips",
    "8 clips",
    "of the limit",
    "16 clips",
    "2 threads: 1",
    "4",
    "8",
    "16",
)

TO_REACH: Final[tuple[tuple[Size, Precision, int, int, float], ...]] = (
    (LIVE, "bf16", 1, 1, 5.0),
    (LIVE, "int8", 1, 1, 10.0),
    (LIVE, "int8", 8, 1, 20.0),
    (LIVE, "int8", 16, 2, 40.0),
    (Size(512, 256, 4, 16, 4), "int8", 1, 1, 6.5),
    (Size(1024, 1024, 2, 8, 4), "int8", 1, 1, 0.5),
    (Size(1024, 1024, 2, 8, 4), "int8", 16, 2, 2.0),
    (Size(1024, 1024, 2, 8, 4), "int8", 1, 2, 1.0),
    (Size(1024, 1024, 2, 8, 4), "int4", 1, 1, 1.0),
    (Size(1024, 1024, 2, 8, 4), "int4", 1, 2, 1.0),
)
"""Size, weights, clips, threads and how many times real time, on an AVX-512 VNNI machine."""


@dataclass(frozen=True)
class Options:
    """What is measured, and for how long."""

    sizes: tuple[Size, ...]
    precisions: tuple[Precision, ...]
    seconds: float
    """What one measurement is to take."""
    repeats: int
    first_calls: bool


@dataclass(frozen=True)
class Measured:
    """Samples per second of one precision of one size."""

    size: Size
    precision: Precision
    rates: dict[tuple[int, int], list[float]]
    """By clips and threads, sorted."""
    reference: float
    """Of the reference sampler, one clip."""

    def rate(self, clips: int, threads: int) -> float:
        """The median, summed over the clips."""
        return statistics.median(self.rates[clips, threads])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two sizes, short runs: a look, not a figure to quote")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="sizes whose name holds this, as '1024/' or '(4,16)'"
    )
    parser.add_argument("--precision", choices=get_args(Precision), help="this one only")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    given = parser.parse_args()
    options = Options(
        sizes=tuple(each for each in ((LIVE, STARTER) if given.quick else SIZES) if given.only in str(each)),
        precisions=(given.precision,) if given.precision else PRECISIONS,
        seconds=0.05 if given.quick else 0.1,
        repeats=3 if given.quick else 5,
        first_calls=not given.only,
    )
    if not options.sizes:
        parser.error(f"no size holds {given.only!r}; there are: {', '.join(map(str, SIZES))}")
    hardware = describe_hardware("numba", "llvmlite", "numpy", "torch")
    print(hardware, flush=True)
    before = measure_ceilings()
    found = [each for size in options.sizes for each in measure_size(size, options)]
    ceilings = before.or_better(measure_ceilings())
    rows = [row_of(each, ceilings) for each in found]
    lines = [*reached(found), *calls(options)]
    print(describe_ceilings(ceilings))
    print(f"\n{text_table(HEAD, rows)}\n", *lines, sep="\n")
    if given.markdown:
        parts = [
            hardware,
            describe_ceilings(ceilings),
            markdown_table(HEAD, rows),
            "\n".join(f"- {each}" for each in lines),
        ]
        given.markdown.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def measure_size(size: Size, options: Options) -> Iterator[Measured]:
    """All precisions, clips and threads of one size, and the reference, taking turns."""
    print(f"{size} …", file=sys.stderr, flush=True)
    weights = random_weights(size.config)
    reference = open_reference(size)
    cases: dict[tuple[Precision, int, int], tuple[Sampler, int]] = {}
    for precision in options.precisions:
        rounded = weights.rounded(precision)
        samplers = {threads: CpuSampler(rounded, threads=threads) for threads in (1, 2)}
        for clips, threads in BATCHES:
            sampler = samplers[threads]
            cases[precision, clips, threads] = sampler, fitting_length(sampler, clips, options.seconds)
    rates: dict[tuple[Precision, int, int], list[float]] = {case: [] for case in cases}
    slow = []
    for _ in range(options.repeats):
        for case, (sampler, length) in cases.items():
            rates[case].append(rate_of(sampler, case[1], length))
        slow.append(rate_of(reference, 1, SHORTEST))
    for precision in options.precisions:
        of_precision = {case[1:]: sorted(found) for case, found in rates.items() if case[0] == precision}
        yield Measured(size, precision, of_precision, statistics.median(slow))


def open_reference(size: Size) -> Sampler:
    import torch  # noqa: PLC0415 - with its own threads set before it is used

    from v2s_engine.sampling.reference import ReferenceSampler  # noqa: PLC0415

    torch.set_num_threads(1)
    return ReferenceSampler(random_weights(size.config))


def fitting_length(sampler: Sampler, clips: int, seconds: float) -> int:
    """Samples that take about so long, in whole conditioning vectors; warms up."""
    rate_of(sampler, clips, SHORTEST)
    rate = rate_of(sampler, clips, SHORTEST) / clips
    return int(np.clip(round(rate * seconds / SHORTEST) * SHORTEST, SHORTEST, LONGEST))


def rate_of(sampler: Sampler, clips: int, length: int) -> float:
    """Samples per second, summed over the clips, of one call from the start."""
    vectors = -(-length // sampler.config.conditioning_length)
    conditioning = np.zeros((clips, vectors, sampler.config.conditioning_size), np.float32)
    state = sampler.start([Row(seed, 1) for seed in range(clips)])
    began = time.perf_counter()
    sampler.generate(state, conditioning, length)
    return clips * length / (time.perf_counter() - began)


def row_of(found: Measured, ceilings: Ceilings) -> list[str]:
    size, each = found.size, found.rates[1, 1]
    one = found.rate(1, 1)
    return [
        str(size),
        found.precision,
        f"{size.size(found.precision) / 1e6:.1f}",
        f"{size.products / 1e6:.2f}",
        f"{one:,.0f} ({each[0]:,.0f} .. {each[-1]:,.0f})",
        f"{one / SAMPLE_RATE:.2f}",
        f"{size.read(found.precision) * one / 1e9:.0f}",
        f"{share_of_limit(found, 1, ceilings):.0%}",
        f"{one / found.reference:.0f}",
        times(found, 4, 1),
        times(found, 8, 1),
        f"{share_of_limit(found, 8, ceilings):.0%}",
        times(found, 16, 1),
        times(found, 1, 2),
        times(found, 4, 2),
        times(found, 8, 2),
        times(found, 16, 2),
    ]


def times(found: Measured, clips: int, threads: int) -> str:
    return f"{found.rate(clips, threads) / SAMPLE_RATE:.2f}"


def share_of_limit(found: Measured, clips: int, ceilings: Ceilings) -> float:
    """The least time for a sample of all clips of a group, on one thread, by the time taken."""
    size, together = found.size, min(clips, GROUP_ROWS)
    read, weights = size.read(found.precision), size.size(found.precision)
    least = ceilings.seconds_at_least(read, weights, together * size.products, found.precision)
    return least * found.rate(clips, 1) / together


def reached(found: Sequence[Measured]) -> Iterator[str]:
    """The design's figures that were measured."""
    for size, precision, clips, threads, wanted in TO_REACH:
        for each in found:
            if (each.size, each.precision) == (size, precision):
                got = each.rate(clips, threads) / SAMPLE_RATE
                cores = f"{threads} thread{'s' if threads > 1 else ''}"
                yield f"{size} {precision}, {clips} clips, {cores}: {got:.2f} x real time, to reach {wanted:g}"


def calls(options: Options) -> Iterator[str]:
    """What the first call of a process costs."""
    for precision in options.precisions if options.first_calls else ():
        first = measure_first_call(precision)
        yield (
            f"first call of a new process, {LIVE} {precision}: {first.warm:.2f} s with compiled kernels on disk (to "
            f"reach 0.3), {first.cold:.1f} s without (to reach 5); importing {first.importing:.2f} s"
        )


if __name__ == "__main__":
    main()
