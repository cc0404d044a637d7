"""What the CPU sampler promises beyond the suite for all: threads, compiled once, the same bits on other processors."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.engine.sampling.networks import ROWS, SIZES, model, sampler
from v2s_engine.errors import UsageError
from v2s_engine.sampling.cpu import CpuSampler, group_rows
from v2s_engine.sampling.cpu_kernels import run_group
from v2s_engine.sampling.sampler import Row

PROJECT = Path(__file__).parents[3]

# Prints a digest of logits and codes, how often machine code was made, and how often it came from the cache.
PROGRAM = """
import hashlib, sys
import numpy as np
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.cpu import CpuSampler
from v2s_engine.sampling.cpu_kernels import run_group
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.weights import FoldedWeights, tensor_shapes
config = ModelConfig(("dog",), hidden_size=24, mlp_size=40)
numbers = np.random.default_rng(1)
tensors = {name: (numbers.normal(size=shape) / 4).astype(np.float32) for name, shape in tensor_shapes(config).items()}
run = CpuSampler(FoldedWeights(config, **tensors), threads=1)
rows = [Row(seed, 1) for seed in range(5)]
vectors = np.ones((5, 1, config.conditioning_size), dtype=np.float32)
codes, _ = run.generate(run.start(rows), vectors, 60)
logits, _ = run.logits(run.start(rows), codes, vectors)
digest = hashlib.sha256(codes.tobytes() + logits.tobytes()).hexdigest()
assert "torch" not in sys.modules
print(digest, sum(run_group.stats.cache_misses.values()), sum(run_group.stats.cache_hits.values()))
"""


def run_program(cache: Path, **environment: str) -> tuple[str, int, int]:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(PROJECT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    digest, compiled, cached = finished.stdout.split()
    return digest, int(compiled), int(cached)


def test_threads_change_nothing_but_the_time() -> None:
    case = model("wide-mlp")
    rows = [Row(seed, 1) for seed in range(11)]
    conditioning = case.vectors(11, 2)
    one = CpuSampler(case.weights, threads=1)
    wanted, _ = one.generate(one.start(rows), conditioning, 300)
    for threads in (2, 3, 16):
        many = CpuSampler(case.weights, threads=threads)
        codes, _ = many.generate(many.start(rows), conditioning, 300)
        np.testing.assert_array_equal(codes, wanted)


def test_every_row_is_in_one_group_of_its_phase() -> None:
    phases = np.array([0, 5, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0])
    for threads in (1, 2, 7):
        groups = group_rows(phases, threads)
        assert sorted(np.concatenate(groups).tolist()) == list(range(12))
        assert all(len(set(phases[group])) == 1 and len(group) <= 8 for group in groups)
    assert [len(group) for group in group_rows(np.zeros(16, dtype=np.int64), 2)] == [8, 8]
    assert [len(group) for group in group_rows(np.zeros(4, dtype=np.int64), 2)] == [2, 2]


def test_threads_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="threads must be at least 1; got 0"):
        CpuSampler(model("plain").weights, threads=0)


def test_all_models_and_calls_share_one_compilation() -> None:
    for size in SIZES:
        case, run = model(size), sampler("cpu", size)
        conditioning = case.vectors(2, 1)
        conditioning.setflags(write=False)
        codes, _ = run.generate(run.start(ROWS[:2]), conditioning, 5)
        codes.setflags(write=False)
        run.logits(run.start(ROWS[:2]), codes, conditioning)
    assert len(run_group.signatures) == 1


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for machine code, empty at first."""
    return tmp_path_factory.mktemp("machine-code")


@pytest.fixture(scope="module")
def first_run(cache: Path) -> tuple[str, int, int]:
    return run_program(cache)


def test_a_second_process_takes_the_machine_code_from_the_cache(cache: Path, first_run: tuple[str, int, int]) -> None:
    digest, compiled, cached = first_run
    assert (compiled, cached) == (1, 0)
    assert run_program(cache) == (digest, 0, 1)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of the x86 family")
@pytest.mark.parametrize(
    ("processor", "features"),
    [
        ("nehalem", ""),  # neither AVX nor fused multiply-add, which is then done in software
        pytest.param("haswell", "+avx2,+fma", marks=pytest.mark.slow),
        pytest.param("skylake-avx512", "+avx512f,+avx512vl,+fma", marks=pytest.mark.slow),
    ],
)
def test_other_processors_compute_the_same_bits(
    tmp_path: Path, first_run: tuple[str, int, int], processor: str, features: str
) -> None:
    there, *_ = run_program(tmp_path, NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES=features)
    assert there == first_run[0]
