"""The encoder as shipped: ONNX in, envelope out."""

import hashlib
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from tests.media import Clip, make_clip
from v2s_engine.errors import BundleDamagedError, BundleNotFoundError, CancelledError, DeviceError, MediaNotFoundError
from v2s_engine.grid import FRAME_RATE
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vision.encoder import Encoder
from v2s_engine.vision.features import Looks
from v2s_engine.vision.timing_network import TimingNetwork
from v2s_export.onnx_encoder import export_encoder

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def onnx_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    return export_encoder(TimingNetwork(), tmp_path_factory.mktemp("encoder") / "encoder.onnx")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_clip(path, rate=24, frames=24 * 8, flashes=(30, 77, 120), sound=False)


def times(count: int, begin: Fraction = Fraction(0)) -> list[Fraction]:
    return [begin + step / FRAME_RATE for step in range(count)]


def test_four_steps_per_picture(onnx_path: Path, clip: Clip) -> None:
    envelope = Encoder(onnx_path).envelope(clip.path, times(30))

    assert len(envelope) == 120
    assert envelope.loudness.dtype == envelope.onset.dtype == np.float32
    assert envelope.loudness.min() >= -80
    assert envelope.loudness.max() <= 0
    assert 0 <= envelope.onset.min() <= envelope.onset.max() <= 1
    assert np.ptp(envelope.loudness) > 0


def test_no_pictures_give_an_empty_envelope(onnx_path: Path, clip: Clip) -> None:
    assert len(Encoder(onnx_path).envelope(clip.path, [])) == 0


@pytest.mark.parametrize("count", [1, 15, 16, 31, 64, 65, 110])
def test_how_a_clip_is_cut_into_chunks_does_not_show(onnx_path: Path, clip: Clip, count: int) -> None:
    whole = Encoder(onnx_path, chunk=1000).envelope(clip.path, times(count))
    for chunk in (1, 3, 16, 64):
        parts = Encoder(onnx_path, chunk=chunk).envelope(clip.path, times(count))
        assert len(parts) == 4 * count
        assert np.abs(parts.loudness - whole.loudness).max() < 1e-3
        assert np.abs(parts.onset - whole.onset).max() < 1e-4


def test_the_same_call_gives_the_same_bits(onnx_path: Path, clip: Clip) -> None:
    one, other = (Encoder(onnx_path).envelope(clip.path, times(70)) for _ in range(2))

    assert np.array_equal(one.loudness, other.loudness)
    assert np.array_equal(one.onset, other.onset)


def test_it_looks_at_the_moments_asked_for(onnx_path: Path, clip: Clip) -> None:
    encoder = Encoder(onnx_path)
    forward, later = encoder.envelope(clip.path, times(40)), encoder.envelope(clip.path, times(40, Fraction(3)))
    backward = encoder.envelope(clip.path, times(40)[::-1])

    assert not np.allclose(forward.loudness, later.loudness, atol=0.01)
    assert not np.allclose(forward.loudness, backward.loudness, atol=0.01)


def test_memory_does_not_grow_with_the_clip(onnx_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0
    joined = Looks.join

    def counting(parts: list[Looks]) -> Looks:
        nonlocal most
        looks = joined(parts)
        most = max(most, len(looks))
        return looks

    monkeypatch.setattr(Looks, "join", counting)
    encoder = Encoder(onnx_path, chunk=10)
    black = np.zeros((128, 128, 3), np.uint8)
    envelope = encoder.envelope_of((black for _ in range(300)), 300)

    assert len(envelope) == 1200
    assert most <= 10 + 3 * encoder.context


def test_progress_and_cancelling(onnx_path: Path, clip: Clip) -> None:
    events: list[ProgressEvent] = []
    Encoder(onnx_path, chunk=16).envelope(clip.path, times(60), Progress(events.append))
    assert [event.stage for event in events] == ["encode"] * len(events)
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[-1] == events[-1].total == 60
    assert events[0].item == "clip.mp4"

    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        Encoder(onnx_path).envelope(clip.path, times(20), Progress(cancel=stop))


def test_the_digest_is_of_the_file(onnx_path: Path) -> None:
    assert Encoder(onnx_path).digest == hashlib.sha256(onnx_path.read_bytes()).hexdigest()


def test_errors_of_the_media_pass_through(onnx_path: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match=r"gone\.mp4"):
        Encoder(onnx_path).envelope(tmp_path / "gone.mp4", times(3))


def test_a_model_that_is_missing_or_damaged_is_refused(tmp_path: Path, onnx_path: Path) -> None:
    with pytest.raises(BundleNotFoundError, match=r"no encoder at .*gone\.onnx"):
        Encoder(tmp_path / "gone.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(onnx_path.read_bytes()[:1000])
    with pytest.raises(BundleDamagedError, match="not a model that ONNX Runtime reads"):
        Encoder(broken)


def test_another_model_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    told = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "other", [value], [told])
    path = tmp_path / "other.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), str(path))
    with pytest.raises(BundleDamagedError, match="not a timing encoder"):
        Encoder(path)


def test_a_provider_that_is_not_there_is_an_error_not_a_fallback(onnx_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"has no QNNExecutionProvider.*CPUExecutionProvider"):
        Encoder(onnx_path, ["QNNExecutionProvider"])
    assert Encoder(onnx_path).providers == ["CPUExecutionProvider"]


def test_a_provider_that_does_not_start_is_an_error(onnx_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(onnxruntime.InferenceSession):  # type: ignore[misc]
        """As ONNX Runtime does without a driver: it warns and runs on the CPU."""

        def __init__(self, path: str, options: object, providers: list[str]) -> None:
            super().__init__(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", Refusing)
    known = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: known)
    with pytest.raises(DeviceError, match="CUDAExecutionProvider was asked for and did not start"):
        Encoder(onnx_path, ["CUDAExecutionProvider"])
