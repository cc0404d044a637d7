"""The paper's visual encoders as ONNX: one file, any number of pictures, fp32 or fp16, the same numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from tests.models import TINY_LOOKS, tiny_config, tiny_sampler
from v2s_engine.errors import BundleDamagedError
from v2s_engine.options import ConditioningName, ModelConfig, VisualConfig
from v2s_engine.vision.motion_network import MotionNetwork, open_motion_network
from v2s_engine.vision.network_weights import write_weights
from v2s_engine.vision.picture_network import PictureNetwork, open_picture_network
from v2s_export import exported_encoder
from v2s_export.exported_encoder import VisualWeights, export_visual
from v2s_export.onnx_file import OnnxPrecision, write_onnx
from v2s_export.parity import Difference
from v2s_export.visual_onnx import export_picture_state, export_visual_encoder

torch.set_num_threads(1)

FLOWING = replace(TINY_LOOKS, motion_features=6, flow_stack=3)
ROUNDING: dict[OnnxPrecision, float] = {"fp32": 1e-5, "fp16": 5e-3}


def networks(config: VisualConfig) -> tuple[PictureNetwork, MotionNetwork | None]:
    """Untrained, but with batch norms that have seen something, as after training."""
    pictures = open_picture_network(config, "random:3")
    motion = open_motion_network(config, "random:4") if config.motion_features else None
    torch.manual_seed(0)
    for network in (pictures, motion):
        for part in network.modules() if network else ():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean = torch.randn_like(part.running_mean)  # type: ignore[arg-type]
                part.running_var = torch.rand_like(part.running_var) + 0.5  # type: ignore[arg-type]
    return pictures, motion


def inputs(count: int, config: VisualConfig) -> dict[str, NDArray[np.generic]]:
    rng, size = np.random.default_rng(count), config.picture_size
    made: dict[str, NDArray[np.generic]] = {"pictures": rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)}
    if config.motion_features:
        made["flow"] = rng.normal(0, 0.1, (count, 2 * config.flow_stack, size, size)).astype(np.float32)
    return made


def by_pytorch(
    pictures: PictureNetwork, motion: MotionNetwork | None, given: dict[str, NDArray[np.generic]]
) -> NDArray[np.float32]:
    with torch.inference_mode():
        parts = [pictures(torch.from_numpy(given["pictures"]))]
        if motion is not None:
            parts.append(motion(torch.from_numpy(given["flow"])))
        joined: NDArray[np.float32] = torch.cat(parts, 1).numpy()
    return joined


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("config", [TINY_LOOKS, FLOWING], ids=["pictures", "flow"])
def test_onnx_computes_what_pytorch_computes(config: VisualConfig, precision: OnnxPrecision, tmp_path: Path) -> None:
    pictures, motion = networks(config)
    path = export_visual_encoder(config, pictures, motion, tmp_path / "encoder.onnx", precision)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (1, 2, 7):
        given = inputs(count, config)
        wanted = by_pytorch(pictures, motion, given)
        (got,) = session.run(["features"], given)
        assert got.dtype == np.float32
        assert got.shape == (count, config.feature_size)
        assert np.abs(got - wanted).max() < ROUNDING[precision] * np.abs(wanted).max()


def test_half_precision_halves_the_file_and_is_really_half(tmp_path: Path) -> None:
    pictures, motion = networks(FLOWING)
    full = export_visual_encoder(FLOWING, pictures, motion, tmp_path / "full.onnx")
    half = export_visual_encoder(FLOWING, pictures, motion, tmp_path / "half.onnx", "fp16")
    assert half.stat().st_size < 0.6 * full.stat().st_size
    model = onnx.load(half)
    weights = {entry.name: entry.data_type for entry in model.graph.initializer if "weight" in entry.name}
    assert set(weights.values()) == {onnx.TensorProto.FLOAT16}
    assert {node.op_type for node in model.graph.node} >= {"Conv", "Gemm", "Cast"}
    given = inputs(3, FLOWING)
    results = [onnxruntime.InferenceSession(str(path)).run(None, given)[0] for path in (full, half)]
    assert np.abs(results[0] - results[1]).max() > 0


def test_a_network_is_left_as_it_was(tmp_path: Path) -> None:
    pictures, motion = networks(FLOWING)
    pictures.features.train()
    before = {name: value.clone() for name, value in pictures.state_dict().items()}
    export_visual_encoder(FLOWING, pictures, motion, tmp_path / "encoder.onnx", "fp16")
    assert pictures.features.training
    assert not pictures.classifier.training
    for name, value in pictures.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.dtype == before[name].dtype


def test_the_same_network_gives_the_same_bytes_in_one_file(tmp_path: Path) -> None:
    pictures, motion = networks(FLOWING)
    one = export_visual_encoder(FLOWING, pictures, motion, tmp_path / "a" / "encoder.onnx")
    other = export_visual_encoder(FLOWING, pictures, motion, tmp_path / "b" / "encoder.onnx")
    assert one.read_bytes() == other.read_bytes()
    assert [path.name for path in one.parent.iterdir()] == ["encoder.onnx"]


def test_large_tensors_survive_the_joining(tmp_path: Path) -> None:
    """More than a megabyte is copied in several pieces, and sizes take up to four digits of base 128."""
    torch.manual_seed(1)
    wide = nn.Linear(1000, 1500)
    path = write_onnx(wide, {"x": torch.zeros(2, 1000)}, ["y"], tmp_path / "wide.onnx", metadata={"who": "me"})
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    stored = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    np.testing.assert_array_equal(stored["weight"], wide.weight.detach().numpy())
    assert {entry.key: entry.value for entry in model.metadata_props}["who"] == "me"
    x = np.random.default_rng(0).normal(size=(5, 1000)).astype(np.float32)
    (got,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    np.testing.assert_allclose(got, wide(torch.from_numpy(x)).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("weight_norm", [False, True])
@pytest.mark.parametrize("count", [1, 2, 30])
def test_the_picture_state_runs_over_any_number_of_pictures(tmp_path: Path, weight_norm: bool, count: int) -> None:
    config = replace(tiny_config("sequence"), weight_norm=weight_norm)
    network = tiny_sampler(config)
    assert network.pictures is not None
    path = export_picture_state(network.pictures, config, tmp_path / "conditioning.onnx")
    features = np.random.default_rng(1).normal(size=(count, config.feature_size)).astype(np.float32)
    (got,) = onnxruntime.InferenceSession(str(path)).run(["state"], {"features": features})
    with torch.no_grad():
        wanted = network.pictures(torch.from_numpy(features)[None]).numpy()
    assert got.shape == (1, config.hidden_size)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("conditioning", ["frame", "sequence", "flow"])
def test_parity_is_measured_on_real_frames(
    shared: Path, tmp_path: Path, conditioning: ConditioningName, precision: OnnxPrecision
) -> None:
    check_parity(tiny_config(conditioning), shared / "media" / "video" / "hit_table.mp4", tmp_path, precision)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_parity_of_vgg19_is_measured_on_real_frames(shared: Path, tmp_path: Path, precision: OnnxPrecision) -> None:
    config = replace(tiny_config("frame"), visual=VisualConfig())
    check_parity(config, shared / "media" / "video" / "hit_table.mp4", tmp_path, precision)


def check_parity(config: ModelConfig, clip: Path, folder: Path, precision: OnnxPrecision) -> None:
    """Export random networks and look at what was measured."""
    weights = VisualWeights("random:0", "random:0" if config.conditioning == "flow" else None, precision)
    parity = export_visual(config, weights, tiny_sampler(config), folder, clip).parity
    print(f"{config.conditioning} {precision}, {parity.pictures} pictures of {parity.source}, {parity.providers}:")
    print(*parity.differences, sep="\n")
    assert (parity.source, parity.pictures) == (clip.name, 16)
    assert parity.providers == ("CPUExecutionProvider",)
    assert set(parity.providers) <= set(parity.available)
    named = {"frame": [], "sequence": ["state"], "flow": ["motion features", "state"]}[config.conditioning]
    assert [each.output for each in parity.differences] == ["features", *named]
    for each in parity.differences:
        assert 0 <= each.absolute <= each.limit
        if each.output != "state":
            assert each.varies
            assert 0 < each.relative < ROUNDING[precision]


@pytest.mark.parametrize("stream", ["pictures", "motion"])
def test_networks_that_see_nothing_are_refused(tmp_path: Path, stream: str) -> None:
    """All zeros agree with all zeros: that would be no check, and no model."""
    config = tiny_config("flow")
    assert config.visual is not None
    pictures, motion = networks(config.visual)
    assert motion is not None
    dead: PictureNetwork | MotionNetwork = pictures if stream == "pictures" else motion
    with torch.no_grad():
        next(dead.classifier.parameters()).zero_()
    write_weights(dead, tmp_path / "dead.safetensors")
    given = {"pictures": "random", "motion": "random"} | {stream: str(tmp_path / "dead.safetensors")}
    name = {"pictures": "the network's features", "motion": "motion features"}[stream]
    with pytest.raises(BundleDamagedError, match=f"{name} are all the same on 16 pictures of a rendered scene"):
        export_visual(config, VisualWeights(**given), tiny_sampler(config), tmp_path)


def test_an_export_that_computes_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("frame")

    def other(visual: VisualConfig, pictures: PictureNetwork, *given: Any, **more: Any) -> Path:
        with torch.no_grad():
            next(pictures.parameters()).mul_(1.01)
        return export_visual_encoder(visual, pictures, *given, **more)

    monkeypatch.setattr(exported_encoder, "export_visual_encoder", other)
    with pytest.raises(BundleDamagedError, match="does not compute what PyTorch computes on 16 pictures"):
        export_visual(config, VisualWeights("random"), tiny_sampler(config), tmp_path)


def test_a_difference_that_is_no_number_is_not_within() -> None:
    assert not Difference("features", float("nan"), float("nan"), 1.0).within
