"""Which sampler one gets and why, and that asking costs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.sampling.networks import model
from v2s_engine.errors import DeviceError, MissingExtraError, UsageError
from v2s_engine.sampling import choose
from v2s_engine.sampling.choose import CUDA_ROWS, Choice, Device, choose_sampler, open_sampler
from v2s_engine.sampling.cpu import GROUP_ROWS, CpuSampler, usable_cores
from v2s_engine.sampling.devices import DeviceStatus, device_status, devices
from v2s_engine.sampling.sampler import Sampler
from v2s_engine.sampling.weights import FoldedWeights

PROJECT = Path(__file__).parents[3]


class FakeCuda(CpuSampler):
    """Another device than the CPU, whatever this machine has."""

    name = "cuda"

    def __init__(self, weights: FoldedWeights, bucket: int) -> None:
        super().__init__(weights)
        self.most_rows = bucket


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, float]], list[tuple[str, int]]]:
    """Makes `cuda` available and gives devices these speeds; returns what is measured: device and rows."""
    real = choose._open

    def opened(weights: FoldedWeights, device: str, bucket: int) -> Sampler:
        return FakeCuda(weights, bucket) if device == "cuda" else real(weights, device, bucket)

    def install(speeds: dict[str, float]) -> list[tuple[str, int]]:
        measured: list[tuple[str, int]] = []

        def speed(sampler: Sampler, rows: int) -> float:
            measured.append((sampler.name, rows))
            return speeds[sampler.name]

        monkeypatch.setattr(choose, "_open", opened)
        monkeypatch.setattr(choose, "measured_speed", speed)
        return measured

    return install


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without an NVIDIA driver; anything measured on it is a fault."""
    lacks = {"cuda": ("no driver", "no package")}
    without = lambda name: DeviceStatus(name, lacks.get(name) or device_status(name).missing)  # noqa: E731
    monkeypatch.setattr(choose, "device_status", without)
    monkeypatch.setattr(choose, "measured_speed", lambda *_: pytest.fail("there is nothing to measure"))


@pytest.mark.parametrize("device", ["cpu", "onnx", "reference"])
def test_a_device_opens_its_sampler(device: str) -> None:
    weights = model("plain").weights
    opened, choice = choose_sampler(weights, device)  # type: ignore[arg-type]
    assert opened.name == choice.device == device
    assert choice == Choice(device, "it was asked for")
    assert opened.config == weights.config


@pytest.mark.usefixtures("no_gpu")
def test_auto_takes_the_only_one_that_can_be_had_without_measuring() -> None:
    opened, choice = choose_sampler(model("plain").weights, "auto", sounds=8)
    assert opened.name == choice.device == "cpu"
    assert choice.reason == "it is the only one that can be had here; cuda cannot be had: no driver"
    assert (choice.speeds, choice.warnings) == ((), ())


@pytest.mark.parametrize(("fast", "slow"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_auto_measures_and_takes_the_fastest(
    gpu: Callable[[dict[str, float]], list[tuple[str, int]]], fast: str, slow: str
) -> None:
    measured = gpu({fast: 2_000_000.0, slow: 90_000.0})
    opened, choice = choose_sampler(model("plain").weights, sounds=5)
    assert opened.name == fast
    assert choice.device == {"cpu": "cpu", "cuda": "cuda/16"}[fast]
    assert choice.speeds == ((fast, 2_000_000.0), (slow, 90_000.0))
    assert choice.reason == f"it is the fastest here: {fast} 2,000,000 samples/s, {slow} 90,000 samples/s"
    assert sorted(measured) == [("cpu", 5), ("cuda", 5)]


def test_auto_measures_as_many_rows_as_each_device_will_run(
    gpu: Callable[[dict[str, float]], list[tuple[str, int]]],
) -> None:
    measured = gpu({"cpu": 1.0, "cuda": 2.0})
    choose_sampler(model("plain").weights, sounds=10_000)
    assert sorted(measured) == [("cpu", GROUP_ROWS * usable_cores()), ("cuda", CUDA_ROWS)]


@pytest.mark.parametrize(
    ("sounds", "recorded"),
    [(1, "cuda/1"), (2, "cuda/4"), (4, "cuda/4"), (5, "cuda/16"), (17, "cuda/64"), (64, "cuda/64"), (999, "cuda/64")],
)
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_job_on_cuda_has_one_bucket_that_is_recorded(
    gpu: Callable[[dict[str, float]], list[tuple[str, int]]], device: Device, sounds: int, recorded: str
) -> None:
    """The one that is measured is the one that is used."""
    measured = gpu({"cpu": 1.0, "cuda": 2.0})
    opened, choice = choose_sampler(model("plain").weights, device, sounds=sounds)
    assert choice.device == recorded == f"cuda/{opened.most_rows}"
    assert ("cuda", min(sounds, CUDA_ROWS)) in measured or device == "cuda"


@pytest.mark.parametrize("bucket", [1, 4, 16, 64, 256])
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_cuda_keeps_to_the_bucket_of_the_sounds_beside(
    gpu: Callable[[dict[str, float]], list[tuple[str, int]]], device: Device, bucket: int
) -> None:
    measured = gpu({})
    opened, choice = choose_sampler(model("plain").weights, device, sounds=3, earlier=f"cuda/{bucket}")
    assert (opened.name, opened.most_rows, choice.device) == ("cuda", bucket, f"cuda/{bucket}")
    assert measured == []


def test_cuda_asked_for_beside_sounds_of_another_device_goes_by_the_job(
    gpu: Callable[[dict[str, float]], list[tuple[str, int]]],
) -> None:
    gpu({})
    assert choose_sampler(model("plain").weights, "cuda", sounds=3, earlier="cpu")[1].device == "cuda/4"


@pytest.mark.parametrize("earlier", ["cpu", "cuda/4", "onnx"])
def test_auto_keeps_to_what_made_the_sounds_beside(
    gpu: Callable[[dict[str, float]], list[tuple[str, int]]], earlier: str
) -> None:
    measured = gpu({"cpu": 1.0, "cuda": 2.0})
    opened, choice = choose_sampler(model("plain").weights, sounds=5, earlier=earlier)
    assert opened.name == earlier.removesuffix("/4")
    assert choice == Choice(earlier, "it made the sounds that stand beside them")
    assert measured == []


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("earlier", ["cuda/4", "cuda", "cuda/5", "cuda/x", "cpu/4", "auto", "tape"])
def test_auto_on_another_machine_says_that_it_chose_anew(earlier: str) -> None:
    _, choice = choose_sampler(model("plain").weights, earlier=earlier)
    assert choice.device == "cpu"
    (warning,) = choice.warnings
    assert f"were made on '{earlier}', which cannot be had here (" in warning


def test_a_device_asked_for_is_taken_whatever_made_the_sounds_beside() -> None:
    assert choose_sampler(model("plain").weights, "cpu", earlier="reference")[1].device == "cpu"


def test_a_gpu_that_fails_when_opened_is_told_and_the_cpu_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = choose._open

    def opened(weights: FoldedWeights, device: str, bucket: int) -> Sampler:
        if device == "cuda":
            raise DeviceError("4 GiB of GPU memory are wanted")
        return real(weights, device, bucket)

    monkeypatch.setattr(choose, "_open", opened)
    assert choose_sampler(model("plain").weights)[1].reason.endswith("4 GiB of GPU memory are wanted")


@pytest.mark.usefixtures("no_gpu")
def test_cuda_is_refused_and_not_replaced() -> None:
    with pytest.raises(DeviceError, match="cuda cannot be had: no driver"):
        open_sampler(model("plain").weights, "cuda")


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown device 'tpu'; known: auto, cpu, onnx, cuda, reference"):
        open_sampler(model("plain").weights, "tpu")  # type: ignore[arg-type]


def test_reference_without_pytorch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "v2s_engine.sampling.reference", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'v2s\[train\]'"):
        open_sampler(model("plain").weights, "reference")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_without_numba_the_way_round_is_named_and_not_taken(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(choose, "device_status", lambda name: DeviceStatus(name, device_status(name).missing))
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(DeviceError, match=r"numba is not installed.*--device onnx"):
        open_sampler(model("plain").weights, device)  # type: ignore[arg-type]


def test_a_numba_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "v2s_engine.sampling.cpu":
                raise ImportError("Numba needs NumPy 2.3 or less")

    monkeypatch.delitem(sys.modules, "v2s_engine.sampling.cpu")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(DeviceError, match=r"NumPy 2.3 or less.*--device onnx"):
        open_sampler(model("plain").weights, "cpu")


def test_every_device_says_what_it_lacks() -> None:
    found = devices()
    assert [each.name for each in found] == ["cuda", "cpu", "onnx", "reference"]
    assert all(each.usable for each in found[1:])
    assert found[0].usable or all(why for why in found[0].missing)


def test_choosing_loads_neither_numba_nor_pytorch_nor_onnx() -> None:
    program = (
        "import sys; from v2s_engine.sampling.choose import choose_sampler; "
        "from v2s_engine.sampling.devices import devices; devices(); "
        "assert not {'numba', 'torch', 'onnx', 'onnxruntime'} & set(sys.modules), sorted(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, check=True)


@pytest.mark.skipif(device_status("cuda").usable, reason="there is a GPU, for which PyTorch is wanted")
def test_auto_without_a_gpu_does_not_load_pytorch() -> None:
    program = (
        "import sys, numpy as np; from v2s_engine.options import ModelConfig; "
        "from v2s_engine.sampling.choose import open_sampler; "
        "from v2s_engine.sampling.weights import FoldedWeights, tensor_shapes; "
        "config = ModelConfig(('dog',), hidden_size=16, mlp_size=16); "
        "arrays = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes(config).items()}; "
        "open_sampler(FoldedWeights(config, **arrays)); "
        "assert 'numba' in sys.modules and not {'torch', 'onnxruntime'} & set(sys.modules)"
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
