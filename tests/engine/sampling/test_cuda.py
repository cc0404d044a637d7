"""The CUDA sampler around its kernels: what it says where it cannot run, buckets, graphs, codes on their way back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.engine.sampling.networks import ROWS, model
from v2s_engine.errors import DeviceError, MissingExtraError, UsageError
from v2s_engine.sampling import cuda_device
from v2s_engine.sampling.cuda import CudaSampler
from v2s_engine.sampling.cuda_baseline import TorchFrame
from v2s_engine.sampling.cuda_bucket import Bucket
from v2s_engine.sampling.cuda_device import Gpu, Interpreter, check_cuda
from v2s_engine.sampling.cuda_frame import Launch
from v2s_engine.sampling.reference import ReferenceSampler
from v2s_engine.sampling.sampler import Row, SamplerState, generate_codes, group_rows

PROJECT = Path(__file__).parents[3]


def fake_cuda(monkeypatch: pytest.MonkeyPatch, *, usable: bool, capability: tuple[int, int] = (9, 0)) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "NVIDIA Old")


def test_pytorch_without_cuda_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(DeviceError, match=r"built without CUDA.*pytorch\.org.*--device cpu"):
        CudaSampler(model("plain").weights, 1)


def test_a_missing_driver_or_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cuda(monkeypatch, usable=False)
    with pytest.raises(DeviceError, match=r"no NVIDIA GPU can be used.*driver.*nvidia-smi.*--device cpu"):
        CudaSampler(model("plain").weights, 1)


def test_a_gpu_that_is_too_old_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cuda(monkeypatch, usable=True, capability=(7, 5))
    with pytest.raises(DeviceError, match=r"NVIDIA Old has compute capability 7\.5.*wants 8\.0"):
        check_cuda()


@pytest.mark.parametrize(
    ("package", "kind", "message"),
    [("torch", MissingExtraError, r"pip install 'v2s\[cuda\]'"), ("triton", DeviceError, "need Triton")],
)
def test_a_missing_package_is_said(
    monkeypatch: pytest.MonkeyPatch, package: str, kind: type[Exception], message: str
) -> None:
    monkeypatch.setattr(cuda_device, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(kind, match=message):
        check_cuda()


def test_too_little_memory_and_a_capture_that_fails_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = fake_gpu(monkeypatch, [])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 << 20, 9 << 20))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "NVIDIA Small")
    with pytest.raises(DeviceError, match=r"NVIDIA Small has too little memory.*3 of 9 MiB"), gpu.running():
        raise torch.cuda.OutOfMemoryError("out of memory")

    def refuse() -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(DeviceError, match=r"could not be captured \(operation not permitted.*update it"):
        gpu.capture(refuse)


@pytest.mark.parametrize("bucket", [0, 3, -4])
def test_a_bucket_that_is_none_is_refused(bucket: int) -> None:
    with pytest.raises(UsageError, match="must be a power of two"):
        CudaSampler(model("plain").weights, bucket, machine=Interpreter())


def test_weights_too_large_for_fp16_are_refused() -> None:
    weights = model("plain").weights
    large = type(weights)(weights.config, **{**weights.tensors(), "fine_hidden": weights.fine_hidden * 1e7})
    with pytest.raises(UsageError, match="which fp16 cannot hold"):
        CudaSampler(large, 1, machine=Interpreter())
    CudaSampler(large, 1, arithmetic="fp32", machine=Interpreter())


def test_rows_are_grouped_by_phase_and_by_what_a_bucket_holds() -> None:
    groups = group_rows(np.array([0, 5, 0, 0, 5, 0]), 3)
    assert [group.tolist() for group in groups] == [[0, 2, 3], [5], [1, 4]]


class Recorder(Interpreter):
    """Runs nothing, and keeps what would have been captured, replayed and fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        self.events.append("capture")
        run()
        return lambda: self.events.append("replay")

    def fetch(self, codes: Any, out: np.ndarray) -> None:
        self.events.append(f"fetch {out.shape[1]}")
        super().fetch(codes, out)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> tuple[CudaSampler, Recorder]:
    monkeypatch.setattr(Launch, "run", lambda launch: None)
    recorder = Recorder()
    return CudaSampler(model("plain").weights, 4, machine=recorder), recorder


def test_a_graph_is_captured_once_and_replayed_for_every_frame(recorded: tuple[CudaSampler, Recorder]) -> None:
    run, recorder = recorded
    vectors = model("plain").vectors(2, 20)
    _, state = run.generate(run.start(ROWS[:2]), vectors, 3 * 1024)
    assert recorder.events == ["capture", *["replay", "fetch 1024"] * 3]
    recorder.events.clear()
    _, state = run.generate(state, vectors, 1024)
    assert recorder.events == ["replay", "fetch 1024"]
    recorder.events.clear()
    # Parts that begin or end within a conditioning vector are launched one by one.
    _, state = run.generate(state, vectors, 300)
    _, state = run.generate(state, vectors, 212 + 1024)
    assert recorder.events == ["fetch 300", "fetch 212", "replay", "fetch 1024"]
    assert state.position.tolist() == [3 * 1024 + 1024 + 300 + 212 + 1024] * 2


@pytest.mark.parametrize("count", [1, 2, 4, 5, 11])
def test_any_number_of_rows_goes_through_the_one_bucket(
    recorded: tuple[CudaSampler, Recorder], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Rows leave a job one after the other, and what is left must not move to other kernels."""
    (run, _), launched, real = recorded, [], Bucket._load

    def note(bucket: Bucket, state: SamplerState, place: int) -> None:
        launched.append((len(state), bucket._buffers.rows))
        real(bucket, state, place)

    monkeypatch.setattr(Bucket, "_load", note)
    rows = [Row(seed, 0) for seed in range(count)]
    codes, after = run.generate(run.start(rows), model("plain").vectors(count, 1), 2)
    assert codes.shape == (count, 2)
    assert after.rows == tuple(rows)
    assert launched == [(min(4, count - first), 4) for first in range(0, count, 4)]


def test_each_vector_reaches_the_slot_of_its_samples(
    recorded: tuple[CudaSampler, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = recorded
    told = []

    def note(bucket: Bucket, part: tuple[int, int], logits: object = None) -> None:
        vectors = bucket._buffers.vectors[:, 0, 0]
        told.append((tuple(part), [int(vectors[place // 256]) for place in range(part[0], part[1], 64)]))

    state = SamplerState(**{**vars(run.start(ROWS[:1])), "position": np.array([256 * 9 + 128])})
    vectors = np.zeros((1, 9, 9), dtype=np.float32)
    vectors[0, :, 0] = np.arange(9) + 1
    monkeypatch.setattr(Bucket, "_launch", note)
    monkeypatch.setattr(Bucket, "_prepare", lambda bucket, part: None)
    run.generate(state, vectors, 128 + 1024 + 300)
    assert told == [
        ((896, 1024), [1, 1]),
        ((0, 1024), [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4),
        ((0, 300), [6] * 4 + [7]),
    ]


def test_vectors_that_lie_on_the_device_reach_the_same_slots(
    recorded: tuple[CudaSampler, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = recorded
    told: list[np.ndarray] = []
    monkeypatch.setattr(Bucket, "_launch", lambda bucket, part: told.append(bucket._buffers.vectors.numpy().copy()))
    monkeypatch.setattr(Bucket, "_prepare", lambda bucket, part: None)
    ahead = SamplerState(**{**vars(run.start(ROWS[:2])), "position": np.array([128, 128])})
    state = SamplerState.join([run.start(ROWS[2:4]), ahead])  # two phases: rows in two groups
    vectors = model("plain").vectors(4, 9)
    left = torch.from_numpy(vectors)
    for conditioning in (vectors, left, left.transpose(0, 1).contiguous().transpose(0, 1)):
        run.generate(state, conditioning, 1024 + 300)
    each = len(told) // 3
    assert each > 3
    for number in range(each):
        np.testing.assert_array_equal(told[each + number], told[number])
        np.testing.assert_array_equal(told[2 * each + number], told[number])


def test_vectors_on_the_device_that_do_not_belong_to_the_call_are_refused(
    recorded: tuple[CudaSampler, Recorder],
) -> None:
    run, _ = recorded
    state, vectors = run.start(ROWS[:2]), torch.from_numpy(model("plain").vectors(2, 2))
    for wrong in (vectors[:1], vectors[:, :1], vectors[:, :, :-1], vectors[0]):
        with pytest.raises(UsageError, match="conditioning has shape"):
            run.generate(state, wrong, 300)
    with pytest.raises(UsageError, match=r"finite float32; got torch\.float64"):
        run.generate(state, vectors.double(), 300)


def test_only_a_sampler_on_a_device_is_told_by_what_lies_there(recorded: tuple[CudaSampler, Recorder]) -> None:
    vectors, judge = model("plain").vectors(1, 1), ReferenceSampler(model("plain").weights)
    codes, _ = generate_codes(recorded[0], recorded[0].start(ROWS[:1]), torch.from_numpy(vectors), 2)
    assert codes.shape == (1, 2)
    codes, _ = generate_codes(judge, judge.start(ROWS[:1]), vectors, 2)
    assert codes.shape == (1, 2)
    with pytest.raises(UsageError, match=r"'reference' takes conditioning from host memory; got some on cpu"):
        generate_codes(judge, judge.start(ROWS[:1]), torch.from_numpy(vectors), 2)


def test_work_on_the_gpu_comes_after_what_its_caller_has_queued_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of vectors that were put together on another stream."""
    events: list[str] = []
    with fake_gpu(monkeypatch, events).running():
        assert events == ["ordered after the caller's stream"]


def test_codes_of_one_frame_are_fetched_while_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    gpu = fake_gpu(monkeypatch, events)
    out = np.zeros((2, 12), dtype=np.uint8)
    codes = torch.zeros((2, 4), dtype=torch.uint8)
    with gpu.running():
        for frame in range(3):
            codes.fill_(frame + 1)
            gpu.fetch(codes, out[:, 4 * frame : 4 * frame + 4])
            # The host waits for frame n - 2 at the earliest: its slot is used again.
            assert events.count("waited") == max(0, frame - 1)
    np.testing.assert_array_equal(out, np.repeat([[1, 2, 3]], 4, axis=1).repeat(2, axis=0))
    assert events.count("waited") == 3


def fake_gpu(monkeypatch: pytest.MonkeyPatch, events: list[str]) -> Gpu:
    """A `Gpu` whose streams do things at once, on the CPU."""

    class Event:
        def record(self) -> None:
            events.append("recorded")

        def wait(self) -> None:
            events.append("ordered")

        def synchronize(self) -> None:
            events.append("waited")

    @contextmanager
    def anything(*_: object, **__: object) -> Iterator[None]:
        yield

    empty = torch.empty
    monkeypatch.setattr(cuda_device, "check_cuda", lambda: None)
    for name, fake in (
        ("current_device", lambda: 0),
        ("Stream", lambda device: SimpleNamespace(synchronize=lambda: None, wait_stream=events.append)),
        ("current_stream", lambda device: "ordered after the caller's stream"),
        ("Event", Event),
        ("device", anything),
        ("stream", anything),
        ("graph", anything),
        ("graph_pool_handle", lambda: (0, 0)),
        ("CUDAGraph", lambda: SimpleNamespace(replay=lambda: None)),
    ):
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch, "empty", lambda count, dtype, **_: empty(count, dtype=dtype))
    return Gpu()


@pytest.mark.parametrize("size", ["plain", "wide-mlp", "frame"])
def test_the_baseline_of_plain_operations_makes_the_references_sound(size: str) -> None:
    case, judge = model(size), ReferenceSampler(model(size).weights)
    conditioning = case.vectors(4, 4)
    wanted, _ = judge.generate(judge.start(ROWS), conditioning, 300)
    baseline = TorchFrame(case.weights, 4, torch.device("cpu"), torch.float32)
    baseline.load(judge.start(ROWS), conditioning)
    baseline.run(300)
    np.testing.assert_array_equal(baseline.codes(300), wanted)


def test_what_says_whether_there_is_a_gpu_loads_nothing() -> None:
    program = (
        "import sys; import v2s_engine.sampling.cuda_device; "
        "assert not {'torch', 'triton'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=os.environ | {"PYTHONPATH": str(PROJECT)}, check=True
    )
