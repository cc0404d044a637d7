"""How long a new process takes to its first sound, with and without compiled kernels on disk."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]

_RUNS = 3

_SCRIPT = """
import sys, time
began = time.perf_counter()
from v2s_engine.sampling.cpu import CpuSampler
loaded = time.perf_counter()
import numpy as np
from sampler_sizes import LIVE, random_weights
from v2s_engine.sampling.sampler import Row
sampler = CpuSampler(random_weights(LIVE.config).rounded(sys.argv[1]), threads=1)
conditioning = np.zeros((1, 1, LIVE.config.conditioning_size), np.float32)
ready = time.perf_counter()
sampler.generate(sampler.start([Row(0, 1)]), conditioning, 1)
print(loaded - began, time.perf_counter() - ready)
"""


@dataclass(frozen=True)
class FirstCall:
    """Seconds, in a new process."""

    importing: float
    warm: float
    """The first call where the kernels lie in the cache on disk."""
    cold: float
    """The same where they have to be compiled."""


def measure_first_call(precision: str) -> FirstCall:
    """For one clip of the live size; medians, but for the cold call, which is one."""
    with tempfile.TemporaryDirectory() as folder:
        _, cold = _run(precision, folder)
        warm = [_run(precision, folder) for _ in range(_RUNS)]
    importing, calling = (statistics.median(column) for column in zip(*warm, strict=True))
    return FirstCall(importing, calling, cold)


def _run(precision: str, cache: str) -> tuple[float, float]:
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "benchmarks")])
    finished = subprocess.run(
        [sys.executable, "-c", _SCRIPT, precision],
        env=os.environ | {"PYTHONPATH": path, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    importing, calling = finished.stdout.split()
    return float(importing), float(calling)
