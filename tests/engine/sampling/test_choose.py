"""Which sampler one gets, and that asking costs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.sampling.networks import model
from v2s_engine.errors import DeviceError, MissingExtraError, UsageError
from v2s_engine.sampling.choose import open_sampler

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize(("device", "name"), [("auto", "cpu"), ("cpu", "cpu"), ("reference", "reference")])
def test_a_device_opens_its_sampler(device: str, name: str) -> None:
    weights = model("plain").weights
    opened = open_sampler(weights, device)  # type: ignore[arg-type]
    assert opened.name == name
    assert opened.config == weights.config


def test_cuda_is_refused_and_not_replaced() -> None:
    with pytest.raises(DeviceError, match="CUDA sampler is not part of this version yet; use --device cpu"):
        open_sampler(model("plain").weights, "cuda")


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown device 'tpu'; known: auto, cpu, cuda, reference"):
        open_sampler(model("plain").weights, "tpu")  # type: ignore[arg-type]


def test_reference_without_pytorch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "v2s_engine.sampling.reference", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'v2s\[train\]'"):
        open_sampler(model("plain").weights, "reference")


def test_importing_the_choice_loads_neither_numba_nor_pytorch() -> None:
    program = (
        "import sys; import v2s_engine.sampling.choose; "
        "assert not {'numba', 'torch'} & set(sys.modules), sorted(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, check=True)


def test_nowhere_to_keep_compiled_code_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.caching import CompileResultCacheImpl

    monkeypatch.setattr(CompileResultCacheImpl, "_locator_classes", [])  # as where no folder can be written
    for name in ("cpu", "cpu_kernels"):
        monkeypatch.delitem(sys.modules, f"v2s_engine.sampling.{name}", raising=False)
    with pytest.raises(DeviceError, match="set NUMBA_CACHE_DIR"):
        open_sampler(model("plain").weights, "cpu")
