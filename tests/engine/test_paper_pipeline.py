"""The engine's whole way with the paper's conditionings: pictures reach the sampler, window after window."""

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.media import make_clip
from tests.models import tiny_sampler
from v2s_engine.arrays import FloatArray, on_host
from v2s_engine.audio import decode_codes
from v2s_engine.bundle import Bundle
from v2s_engine.errors import DeviceError, UsageError
from v2s_engine.grid import FRAME_LENGTH, FRAME_RATE
from v2s_engine.model.conditioning import class_conditioning, frame_conditioning, picture_windows
from v2s_engine.model.samplernn import TierState
from v2s_engine.options import SILENCE_CODE, ConditioningName, ModelConfig
from v2s_engine.pipeline import SoundPipeline, SoundRequest, SoundTake, _open_eyes
from v2s_engine.sampling.choose import Choice
from v2s_engine.sampling.cpu import CpuSampler
from v2s_engine.sampling.devices import device_status
from v2s_engine.sampling.draw import draw_code
from v2s_engine.sampling.philox import uniforms
from v2s_engine.sampling.sampler import Codes, SamplerState
from v2s_engine.sampling.weights import FoldedWeights, load_folded
from v2s_engine.vision.session import CPU, CUDA
from v2s_engine.vision.visual_encoder import open_visual_encoder

torch.set_num_threads(1)

PAPER: list[ConditioningName] = ["frame", "sequence", "flow"]
Bundles = Callable[[ConditioningName], Bundle]
WINDOW = 8 * FRAME_LENGTH
LENGTH = 2 * WINDOW + 700
"""Two windows of the tiny bundles and a bit of a third."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", frames=50, flashes=(20,), sound=False).path


def request(media: Path, *, length: int = LENGTH, start: int = 0, **changes: object) -> SoundRequest:
    count = -(-length // FRAME_LENGTH)
    times = tuple((start + index) / FRAME_RATE for index in range(count))
    options: dict[str, object] = {"sound_class": "drum", "seed": 7, "label": media.stem} | changes
    return SoundRequest(media, times, length, **options)  # type: ignore[arg-type]


def takes(bundle: Bundle, requests: list[SoundRequest]) -> list[SoundTake]:
    made = list(SoundPipeline(bundle, "cpu").generate(requests))
    assert all(isinstance(each, SoundTake) for each in made)
    return sorted((each for each in made if isinstance(each, SoundTake)), key=lambda each: each.take)


def drawn_from_network(bundle: Bundle, asked: SoundRequest, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What take 1 would draw at each sample from the trained network, given the codes before it.

    The obvious way: windows of features as in training, a start from each, the middle tier and the past carried on.
    """
    config, network = bundle.config, tiny_sampler(bundle.config)
    visual = config.visual
    assert visual is not None
    eyes = open_visual_encoder(visual, "random:0", "random:0" if visual.motion_features else "")
    features = eyes.features(asked.media, asked.picture_times)
    index = config.class_index(asked.sound_class)
    if config.starts_from_pictures:
        vectors = class_conditioning(len(features), index, config)
        starts = network.picture_start(torch.from_numpy(picture_windows(features, config)))
        state = network.initial_state(1, starts[:1])
    else:
        vectors, starts = frame_conditioning(features, index, config), None
        state = network.initial_state(1)
    history, padding = config.history_length, -len(codes) % FRAME_LENGTH
    past = np.full(history, SILENCE_CODE)
    line = torch.from_numpy(np.concatenate([past, codes, np.zeros(padding, np.int64)]))[None]
    logits = []
    for number, begin in enumerate(range(0, len(codes), WINDOW)):
        if starts is not None:
            state = TierState(starts[number : number + 1], state.mid)
        told = torch.from_numpy(vectors[8 * number : 8 * number + 8])[None]
        of_window, state = network(line[:, begin : begin + history + WINDOW], told, state)
        logits.append(of_window[0].numpy())
    drawn = uniforms(asked.seed, 1, 0, len(codes))
    pairs = zip(np.concatenate(logits), drawn, strict=False)
    return np.array([draw_code(row, number, bundle.temperature) for row, number in pairs], np.uint8)


@pytest.mark.parametrize("conditioning", PAPER)
def test_a_long_clip_is_what_the_trained_network_gives_window_by_window(
    paper_bundle: Bundles, clip: Path, conditioning: ConditioningName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the seams and beyond them: the middle tier and the past go on, the coarsest tier starts again."""
    codes: list[NDArray[np.uint8]] = []

    def decoded(
        made: NDArray[np.uint8], config: ModelConfig, timbre: None, check: Callable[[], None]
    ) -> NDArray[np.float32]:
        codes.append(made)
        return decode_codes(made, config)

    monkeypatch.setattr("v2s_engine.pipeline.decode_sound", decoded)
    bundle, asked = paper_bundle(conditioning), request(clip)
    (take,) = takes(bundle, [asked])
    assert take.envelope is None
    assert len(codes[0]) == LENGTH
    with torch.inference_mode():
        wanted = drawn_from_network(bundle, asked, codes[0])
    # Sums are rounded in another order; a number that falls just between two codes may choose the other one.
    assert (codes[0] != wanted).sum() <= 3
    assert len(np.unique(codes[0])) > 50


@pytest.mark.parametrize("conditioning", ["sequence", "flow"])
def test_a_seam_is_no_louder_than_any_other_place(
    paper_bundle: Bundles, clip: Path, conditioning: ConditioningName
) -> None:
    made = takes(paper_bundle(conditioning), [request(clip, takes=tuple(range(1, 9)))])
    steps = np.abs(np.diff(np.stack([take.samples for take in made]), axis=1))
    at_seams = steps[:, [WINDOW - 1, 2 * WINDOW - 1]]
    assert at_seams.max() <= np.quantile(steps, 0.9999)
    assert np.median(at_seams) <= 2 * np.median(steps)


@pytest.mark.parametrize("conditioning", PAPER)
def test_takes_differ_and_the_same_request_repeats(
    paper_bundle: Bundles, clip: Path, conditioning: ConditioningName
) -> None:
    asked = request(clip, takes=(1, 2))
    one, two = takes(paper_bundle(conditioning), [asked])
    crowd = [request(clip, seed=seed, length=3_000 + 501 * seed) for seed in range(20, 26)]
    again = takes(paper_bundle(conditioning), [*crowd, asked])
    assert len(one.samples) == LENGTH
    assert (one.samples != two.samples).any()
    same = next(each for each in again if each.request is asked and each.take == 1)
    np.testing.assert_array_equal(same.samples, one.samples)


@pytest.mark.parametrize("conditioning", PAPER)
def test_other_pictures_sound_otherwise(paper_bundle: Bundles, clip: Path, conditioning: ConditioningName) -> None:
    """Same seed, same length, same class: only what is seen differs."""
    (here,) = takes(paper_bundle(conditioning), [request(clip, length=5000)])
    (there,) = takes(paper_bundle(conditioning), [request(clip, length=5000, start=20)])
    assert (here.samples != there.samples).any()


@pytest.mark.parametrize("conditioning", PAPER)
def test_cues_are_refused_before_any_work(
    paper_bundle: Bundles, tmp_path: Path, conditioning: ConditioningName
) -> None:
    asked = request(tmp_path / "none.mp4", cues=(100,))
    with pytest.raises(UsageError, match=rf"cues cannot be obeyed.*'{conditioning}'.*'envelope'"):
        next(SoundPipeline(paper_bundle(conditioning), "cpu").generate([asked]))


def test_a_picture_time_too_few_is_refused(clip: Path) -> None:
    with pytest.raises(UsageError, match="wants 17 picture times"):
        SoundRequest(clip, (Fraction(0),), LENGTH, "dog", 0)


@pytest.mark.skipif(device_status("cuda").usable, reason="there is a GPU, on which the encoder would run")
def test_eyes_on_a_gpu_that_is_not_there_are_an_error_or_said(paper_bundle: Bundles) -> None:
    """Asked for by name it is an error; where `auto` chose the GPU for the sounds alone, it is told."""
    with pytest.raises(DeviceError, match="CUDAExecutionProvider"):
        _open_eyes(paper_bundle("frame"), "cuda", may_differ=False)
    _, (warning,) = _open_eyes(paper_bundle("frame"), "cuda", may_differ=True)
    assert warning.startswith("pictures are looked at on the CPU: ")
    assert "CUDAExecutionProvider" in warning
    assert _open_eyes(paper_bundle("frame"), "cpu", may_differ=False)[1] == ()


def test_looks_at_pictures_where_the_sounds_are_made(paper_bundle: Bundles, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[tuple[str, ...], bool]] = []

    def note(bundle: Bundle, providers: tuple[str, ...] = CPU, *, on_device: bool = False) -> None:
        asked.append((providers, on_device))

    monkeypatch.setattr("v2s_engine.pipeline.open_conditioner", note)
    for device in ("cpu", "onnx", "reference", "cuda"):
        _open_eyes(paper_bundle("flow"), device, may_differ=False)
    assert asked == [(CPU, False), (CPU, False), (CPU, False), (CUDA, True)]


class SamplerOnADevice(CpuSampler):
    """Stands where `CudaSampler` would: takes tensors, of a device that is host memory here."""

    name = "cuda"
    device = torch.device("cpu")

    def __init__(self, weights: FoldedWeights) -> None:
        super().__init__(weights)
        self.told: set[type] = set()

    def generate(self, state: SamplerState, conditioning: FloatArray, length: int) -> tuple[Codes, SamplerState]:
        self.told.add(type(conditioning))
        return super().generate(state, on_host(conditioning), length)


@pytest.mark.parametrize("conditioning", PAPER)
def test_pictures_that_stay_on_the_samplers_device_sound_the_same(
    paper_bundle: Bundles, clip: Path, conditioning: ConditioningName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything but the GPU itself: several takes and rows, windows, and frame by frame."""
    bundle = paper_bundle(conditioning)
    crowd = [request(clip, takes=(1, 2)), request(clip, seed=3, length=3_000), request(clip, seed=4, start=9)]
    wanted = {(each.request.seed, each.take): each.samples for each in takes(bundle, crowd)}
    run = SamplerOnADevice(load_folded(bundle.sampler_path, bundle.config))
    monkeypatch.setattr("v2s_engine.pipeline.CUDA", CPU)
    monkeypatch.setattr("v2s_engine.pipeline.choose_sampler", lambda *_, **__: (run, Choice("cuda/4", "it is a test")))
    pipeline = SoundPipeline(bundle, "cuda")
    made = list(pipeline.generate(crowd))
    assert len(made) == len(wanted) == 4
    for each in made:
        assert isinstance(each, SoundTake)
        np.testing.assert_array_equal(each.samples, wanted[each.request.seed, each.take])
    streamed = np.concatenate([piece.samples for piece in pipeline.stream(crowd[0], take=2)])
    np.testing.assert_array_equal(streamed, wanted[crowd[0].seed, 2])
    # `sequence` and `flow` are told of pictures by their states; the vectors hold nothing but the sound class.
    assert run.told == {torch.Tensor if conditioning == "frame" else np.ndarray}


@pytest.mark.parametrize("conditioning", PAPER)
def test_without_a_gpu_pytorch_is_not_loaded(paper_bundle: Bundles, clip: Path, conditioning: ConditioningName) -> None:
    folder = paper_bundle(conditioning).encoder_path.parent
    program = f"""
import sys
from fractions import Fraction
from pathlib import Path
from v2s_engine.bundle import load_bundle
from v2s_engine.pipeline import SoundPipeline, SoundRequest
request = SoundRequest(Path({str(clip)!r}), (Fraction(0), Fraction(1, 2)), 2048, "drum", 7)
(take,) = SoundPipeline(load_bundle({str(folder)!r}), "cpu").generate([request])
assert len(take.samples) == 2048
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
