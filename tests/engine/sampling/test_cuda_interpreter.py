"""The CUDA sampler against the reference, without a GPU: see `cuda_interpreted.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("marked", ["not slow", pytest.param("slow", marks=pytest.mark.slow)])
def test_the_kernels_make_the_references_sound_in_tritons_interpreter(marked: str) -> None:
    file = Path(__file__).with_name("cuda_interpreted.py")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", marked, str(file)],
        cwd=PROJECT,
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-5000:]
    assert " passed" in finished.stdout


@pytest.mark.slow
def test_the_gpu_script_runs_dry(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "scripts/gpu/sampler.py", "--dry-run", "--out", str(tmp_path)],
        cwd=PROJECT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    written = json.loads((tmp_path / "sampler.json").read_text())
    assert [line["passed"] for line in written["checks"]] == [True] * 11
    assert [line["rows"] for line in written["speeds"]] == [1]
    assert "figures mean nothing" in (tmp_path / "sampler.md").read_text()


def test_the_gpu_script_without_a_gpu_says_so(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    finished = subprocess.run(
        [sys.executable, "scripts/gpu/sampler.py", "--out", str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "no NVIDIA GPU can be used" in finished.stderr
    assert "Traceback" not in finished.stderr
