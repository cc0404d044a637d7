"""The visual encoder as shipped sees what the one that models are trained with sees."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession, OrtValue

from tests.media import Clip, make_clip
from tests.models import tiny_config, tiny_sampler
from v2s_engine.bundle import Bundle
from v2s_engine.errors import BundleDamagedError, CancelledError, MediaNotFoundError, UsageError
from v2s_engine.grid import FRAME_RATE
from v2s_engine.model.conditioning import looped, picture_windows
from v2s_engine.options import ConditioningName
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vision import picture_encoder
from v2s_engine.vision.flow import FlowMeter
from v2s_engine.vision.picture_encoder import PictureEncoder
from v2s_engine.vision.visual_encoder import VisualEncoder, open_visual_encoder

torch.set_num_threads(1)

PAPER: list[ConditioningName] = ["frame", "sequence", "flow"]
Bundles = Callable[[ConditioningName], Bundle]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=80, flashes=(20, 50), sound=False)


def times(count: int, start: Fraction = Fraction(0)) -> list[Fraction]:
    return [start + step / FRAME_RATE for step in range(count)]


def opened(bundle: Bundle, chunk: int = 4, *, on_device: bool = False) -> PictureEncoder:
    return PictureEncoder(bundle.encoder_path, bundle.state_path, bundle.config, chunk=chunk, on_device=on_device)


def trained_with(bundle: Bundle) -> VisualEncoder:
    """What the tiny bundles were exported from."""
    visual = bundle.config.visual
    assert visual is not None
    return open_visual_encoder(visual, "random:0", "random:0" if visual.motion_features else "")


@pytest.mark.parametrize("conditioning", PAPER)
@pytest.mark.parametrize("count", [1, 2, 21])
def test_features_are_those_of_training(
    paper_bundle: Bundles, clip: Clip, conditioning: ConditioningName, count: int
) -> None:
    bundle = paper_bundle(conditioning)
    wanted = trained_with(bundle).features(clip.path, times(count))
    got = opened(bundle).features(clip.path, times(count))
    assert got.dtype == np.float32
    assert got.shape == (count, bundle.config.feature_size)
    assert np.abs(got - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("conditioning", ["frame", "flow"])
def test_how_a_clip_is_cut_into_chunks_does_not_show(
    paper_bundle: Bundles, clip: Clip, conditioning: ConditioningName
) -> None:
    bundle = paper_bundle(conditioning)
    whole = opened(bundle, chunk=100).features(clip.path, times(21))
    for chunk in (1, 2, 5, 21):
        parts = opened(bundle, chunk=chunk).features(clip.path, times(21))
        assert np.abs(parts - whole).max() < 1e-5 * np.abs(whole).max()


@pytest.mark.parametrize("count", [1, 7, 8, 9, 21])
@pytest.mark.parametrize("chunk", [3, 8, 50])
def test_windows_are_the_features_cut(paper_bundle: Bundles, clip: Clip, count: int, chunk: int) -> None:
    encoder = opened(paper_bundle("sequence"), chunk=chunk)
    whole = encoder.features(clip.path, times(count))
    windows = list(encoder.windows(clip.path, times(count)))
    assert [len(window) for window in windows] == [8] * (count // 8) + ([count % 8] if count % 8 else [])
    np.testing.assert_allclose(np.concatenate(windows), whole, rtol=0, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("conditioning", PAPER)
def test_left_on_the_device_they_are_the_same_bits(
    paper_bundle: Bundles, clip: Clip, conditioning: ConditioningName
) -> None:
    bundle = paper_bundle(conditioning)
    fetched, left = opened(bundle), opened(bundle, on_device=True)
    for wanted, got in zip(fetched.parts(clip.path, times(21)), left.parts(clip.path, times(21)), strict=True):
        assert isinstance(got, torch.Tensor)
        np.testing.assert_array_equal(got.numpy(), wanted)
    np.testing.assert_array_equal(left.features(clip.path, times(21)), fetched.features(clip.path, times(21)))
    if not bundle.config.starts_from_pictures:
        return
    pairs = zip(fetched.windows(clip.path, times(21)), left.windows(clip.path, times(21)), strict=True)
    for wanted, got in pairs:
        assert isinstance(got, torch.Tensor)
        assert len(got) == len(wanted)
        state = left.state(looped(got, 8))
        assert isinstance(state, np.ndarray)
        np.testing.assert_array_equal(state, fetched.state(looped(wanted, 8)))


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_an_error(
    paper_bundle: Bundles, monkeypatch: pytest.MonkeyPatch, number: float, on_device: bool
) -> None:
    """And not noise: `sequence` and `flow` make a state of them that looks like any other."""
    real = picture_encoder.run_bound

    def broken(
        session: InferenceSession, inputs: dict[str, np.ndarray], output: str, out: torch.Tensor | None = None
    ) -> OrtValue:
        value = real(session, inputs, output, out)
        features = value.numpy() if out is None else out.numpy()
        features[-1, 3] = number
        return OrtValue.ortvalue_from_numpy(features)

    monkeypatch.setattr(picture_encoder, "run_bound", broken)
    encoder = opened(paper_bundle("sequence"), on_device=on_device)
    with pytest.raises(BundleDamagedError, match=r"encoder\.onnx gives features that are not finite.*export"):
        next(encoder.parts_of([np.zeros((32, 32, 3), np.uint8)] * 3))


@pytest.mark.parametrize("conditioning", ["sequence", "flow"])
def test_states_are_those_of_the_network(paper_bundle: Bundles, clip: Clip, conditioning: ConditioningName) -> None:
    bundle = paper_bundle(conditioning)
    encoder, network = opened(bundle), tiny_sampler(bundle.config)
    features = encoder.features(clip.path, times(21))
    windows = picture_windows(features, bundle.config)
    with torch.no_grad():
        wanted = network.picture_start(torch.from_numpy(windows)).numpy()
    got = np.stack([encoder.state(window) for window in windows])
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 0.01  # windows are told apart
    short = encoder.state(looped(features[16:], 8))
    np.testing.assert_array_equal(short, got[2])


def test_it_looks_at_the_moments_asked_for(paper_bundle: Bundles, clip: Clip) -> None:
    encoder = opened(paper_bundle("flow"))
    forward = encoder.features(clip.path, times(12))
    later, backward = encoder.features(clip.path, times(12, Fraction(1))), encoder.features(clip.path, times(12)[::-1])
    assert not np.allclose(forward, later)
    looks = 12  # picture features come first, motion behind them
    np.testing.assert_allclose(backward[::-1, :looks], forward[:, :looks], atol=1e-5)
    assert not np.allclose(backward[::-1, looks:], forward[:, looks:], atol=1e-3)


def test_clips_do_not_touch(paper_bundle: Bundles, clip: Clip, tmp_path: Path) -> None:
    """The same clip gives the same bits, whatever the encoder looked at before."""
    other = make_clip(tmp_path / "other.mp4", frames=40, flashes=(7,), sound=False)
    encoder = opened(paper_bundle("flow"))
    first = encoder.features(clip.path, times(12, Fraction(1)))
    between = encoder.features(other.path, times(9))
    again = encoder.features(clip.path, times(12, Fraction(1)))
    np.testing.assert_array_equal(again, first)
    assert not np.array_equal(between, first[:9])


def test_a_model_that_learned_from_another_flow_is_refused(
    paper_bundle: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where RAFT has other weights here than where the bundle was made."""
    bundle = paper_bundle("flow")
    opened(bundle)
    monkeypatch.setattr(FlowMeter, "digest", "dis medium")
    with pytest.raises(BundleDamagedError, match=r"exported with optical flow by 'dis fast', .* by 'dis medium'"):
        opened(bundle)


def test_no_times_give_no_features(paper_bundle: Bundles, clip: Clip) -> None:
    encoder = opened(paper_bundle("sequence"))
    assert encoder.features(clip.path, []).shape == (0, 12)
    assert list(encoder.windows(clip.path, [])) == []


def test_progress_and_cancelling(paper_bundle: Bundles, clip: Clip) -> None:
    events: list[ProgressEvent] = []
    opened(paper_bundle("flow")).features(clip.path, times(21), Progress(events.append))
    done = [event.done for event in events]
    assert done == sorted(done)
    assert (events[-1].stage, done[-1], events[-1].total, events[-1].item) == ("encode", 21, 21, "clip.mp4")
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        opened(paper_bundle("frame")).features(clip.path, times(9), Progress(cancel=stop))


def test_errors_of_the_media_pass_through(paper_bundle: Bundles, tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match=r"gone\.mp4"):
        opened(paper_bundle("frame")).features(tmp_path / "gone.mp4", times(3))


def test_a_model_of_other_options_is_refused(paper_bundle: Bundles) -> None:
    frame, sequence = paper_bundle("frame"), paper_bundle("sequence")
    visual = frame.config.visual
    assert visual is not None
    larger = replace(frame.config, visual=replace(visual, picture_size=64))
    with pytest.raises(BundleDamagedError, match=r"another visual encoder than bundle\.json says"):
        PictureEncoder(frame.encoder_path, None, larger)
    wider = replace(sequence.config, hidden_size=32)
    with pytest.raises(BundleDamagedError, match="does not belong to this model"):
        PictureEncoder(sequence.encoder_path, sequence.state_path, wider)
    with pytest.raises(BundleDamagedError, match="another visual encoder"):
        PictureEncoder(paper_bundle("flow").encoder_path, None, frame.config)


def test_a_damaged_model_is_refused(paper_bundle: Bundles, tmp_path: Path) -> None:
    bundle = paper_bundle("frame")
    broken = shutil.copyfile(bundle.encoder_path, tmp_path / "encoder.onnx")
    broken.write_bytes(broken.read_bytes()[:-100])
    with pytest.raises(BundleDamagedError, match="not a model that ONNX Runtime reads"):
        PictureEncoder(broken, None, bundle.config)


def test_frame_has_no_states_and_envelope_no_pictures(paper_bundle: Bundles) -> None:
    bundle = paper_bundle("frame")
    with pytest.raises(UsageError, match="frame has no state"):
        opened(bundle).state(np.zeros((8, 12), np.float32))
    with pytest.raises(UsageError, match=r"wants conditioning\.onnx"):
        PictureEncoder(bundle.encoder_path, None, tiny_config("sequence"))
