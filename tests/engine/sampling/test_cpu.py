"""What the CPU sampler promises beyond the suite for all: threads, compiled once, the same bits on other processors."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import types

from tests.engine.sampling.networks import ROWS, SIZES, model, sampler
from v2s_engine.errors import UsageError
from v2s_engine.sampling.cpu import CpuSampler, share_rows
from v2s_engine.sampling.cpu_kernels import run_group
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.weights import Precision

PROJECT = Path(__file__).parents[3]

# Prints what logits and codes of each precision hash to; how often machine code was made, and came from the cache.
PROGRAM = """
import hashlib, sys
import numpy as np
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.cpu import CpuSampler
from v2s_engine.sampling.cpu_kernels import run_group
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.weights import FoldedWeights, tensor_shapes
config = ModelConfig(("dog",), hidden_size=72, mlp_size=40)
numbers = np.random.default_rng(1)
tensors = {name: (numbers.normal(size=shape) / 4).astype(np.float32) for name, shape in tensor_shapes(config).items()}
for precision in sys.argv[1:]:
    run = CpuSampler(FoldedWeights(config, **tensors).rounded(precision), threads=1)
    made = b""
    for count in (1, 5):
        rows = [Row(seed, 1) for seed in range(count)]
        vectors = np.ones((count, 1, config.conditioning_size), dtype=np.float32)
        codes, _ = run.generate(run.start(rows), vectors, 60)
        logits, _ = run.logits(run.start(rows), codes, vectors)
        made += codes.tobytes() + logits.tobytes()
    print(precision, hashlib.sha256(made).hexdigest())
assert "torch" not in sys.modules
print(sum(run_group.stats.cache_misses.values()), sum(run_group.stats.cache_hits.values()))
"""

# Prints the machine code that another processor would get, without running it.
FOREIGN = """
import sys
import numpy as np
from numba import typeof
from numba.core import types
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.cpu import CpuSampler, take_rows
from v2s_engine.sampling.cpu_kernels import run_group
from v2s_engine.sampling.cpu_packing import make_scratch
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.weights import FoldedWeights, tensor_shapes
config = ModelConfig(("dog",), hidden_size=8, mlp_size=8)
tensors = {name: np.ones(shape, np.float32) for name, shape in tensor_shapes(config).items()}
run = CpuSampler(FoldedWeights(config, **tensors).rounded("int4"), threads=1)
vectors, codes = np.ones((1, 1, config.conditioning_size), np.float32), np.zeros((1, 4), np.uint8)
batch = run._make_batch(run.start([Row(1, 1)]), vectors, codes, logits=False)
arguments = run._packed, take_rows(batch, np.arange(1), 0), make_scratch(config, 1)
run_group.compile((*map(typeof, arguments), types.intp, types.none))
if len(sys.argv) < 2:
    print(run_group.inspect_asm(run_group.signatures[0]))
else:
    from llvmlite import binding
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(sys.argv[1]).create_target_machine(cpu=sys.argv[2], opt=2)
    lines = run_group.inspect_llvm(run_group.signatures[0]).splitlines()
    module = binding.parse_assembly("\\n".join(line for line in lines if not line.startswith("target ")))
    module.triple, module.data_layout = sys.argv[1], str(machine.target_data)
    print(machine.emit_assembly(module))
"""

COMPUTED: tuple[Precision, ...] = ("fp32", "bf16", "int8", "int4")  # fp16 is computed with as fp32 is
MIXED: Precision = "int4"  # products with float32, int8 and 4 bits in one compilation

on_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of the x86 family")


def run_python(program: str, *arguments: str, cache: Path, **environment: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=PROJECT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(PROJECT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def run_program(*precisions: Precision, cache: Path, **environment: str) -> tuple[dict[str, str], int, int]:
    *digests, counts = run_python(PROGRAM, *precisions, cache=cache, **environment).splitlines()
    compiled, cached = counts.split()
    return dict(line.split() for line in digests), int(compiled), int(cached)


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
        groups = share_rows(phases, threads)
        assert sorted(np.concatenate(groups).tolist()) == list(range(12))
        assert all(len(set(phases[group])) == 1 and len(group) <= 8 for group in groups)
    assert [len(group) for group in share_rows(np.zeros(16, dtype=np.int64), 2)] == [8, 8]
    assert [len(group) for group in share_rows(np.zeros(4, dtype=np.int64), 2)] == [2, 2]


def test_threads_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="threads must be at least 1; got 0"):
        CpuSampler(model("plain").weights, threads=0)


def test_all_models_and_calls_of_a_precision_share_one_compilation() -> None:
    for precision in COMPUTED:
        for size in SIZES:
            case, run = model(size), sampler("cpu", size, precision)
            conditioning = case.vectors(2, 1)
            conditioning.setflags(write=False)
            codes, _ = run.generate(run.start(ROWS[:2]), conditioning, 5)
            codes.setflags(write=False)
            run.logits(run.start(ROWS[:2]), codes, conditioning)
    single = [each for each in run_group.signatures if each[-1] == types.none]  # without a pair of threads
    assert len(single) == len(COMPUTED)


def test_scratch_memory_is_kept_for_the_next_call() -> None:
    case = model("plain")
    run = CpuSampler(case.weights, threads=2)
    for _ in range(5):
        run.generate(run.start([Row(seed, 1) for seed in range(12)]), case.vectors(12, 1), 3)
    assert sum(len(free) for free in run._scratch.values()) <= 2


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for machine code, empty at first."""
    return tmp_path_factory.mktemp("machine-code")


@pytest.fixture(scope="module")
def here(cache: Path) -> tuple[dict[str, str], int, int]:
    """What this processor computes with weights that are `MIXED`, compiled for it."""
    return run_program(MIXED, cache=cache)


@pytest.fixture(scope="module")
def all_here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same for every precision."""
    return run_program(*COMPUTED, cache=tmp_path_factory.mktemp("more-machine-code"))[0]


def test_a_second_process_takes_the_machine_code_from_the_cache(
    cache: Path, here: tuple[dict[str, str], int, int]
) -> None:
    digests, compiled, cached = here
    assert (compiled, cached) == (1, 0)
    assert run_program(MIXED, cache=cache) == (digests, 0, 1)


@on_x86
def test_another_processor_computes_the_same_bits(tmp_path: Path, here: tuple[dict[str, str], int, int]) -> None:
    environment = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
    there, *_ = run_program(MIXED, cache=tmp_path, **environment)
    assert there == here[0]


@on_x86
@pytest.mark.slow
@pytest.mark.parametrize(
    ("processor", "features"),
    [
        ("haswell", "+avx2,+fma"),
        ("nehalem", ""),  # neither AVX nor fused multiply-add, which is then done in software
        ("znver2", "+avx2,+fma"),
        ("skylake-avx512", "+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx2,+fma"),
    ],
)
def test_other_processors_compute_the_same_bits_at_every_precision(
    tmp_path: Path, all_here: dict[str, str], processor: str, features: str
) -> None:
    there, *_ = run_program(*COMPUTED, cache=tmp_path, NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES=features)
    assert there == all_here


@on_x86
@pytest.mark.slow
@pytest.mark.parametrize(
    ("processor", "features", "instruction"),
    [
        ("icelake-server", "+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512vnni,+avx2,+fma", "vpdpbusd"),
        ("alderlake", "+avx2,+fma,+avxvnni", "vpdpbusd"),
        ("haswell", "+avx2,+fma", "vpmaddwd"),
        ("nehalem", "", "pmaddwd"),
    ],
)
def test_products_of_levels_use_the_processors_instruction(
    tmp_path: Path, processor: str, features: str, instruction: str
) -> None:
    code = run_python(FOREIGN, cache=tmp_path, NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES=features)
    assert f"\t{instruction}\t" in code.replace("{vex}", "")


@on_x86
@pytest.mark.slow
def test_the_same_source_compiles_for_arm(tmp_path: Path) -> None:
    """Compiled only: nothing here can run it."""
    environment = {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": ""}  # nothing that x86 alone has
    code = run_python(FOREIGN, "aarch64-unknown-linux-gnu", "neoverse-n1", cache=tmp_path, **environment)
    assert "fmla" in code
    assert "smull" in code
