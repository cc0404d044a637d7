"""An exported encoder computes what its network computes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.media import make_clip
from v2s_engine.errors import BundleDamagedError
from v2s_engine.grid import FRAME_RATE
from v2s_engine.video import read_pictures
from v2s_engine.vision.encoder import Encoder
from v2s_engine.vision.features import PICTURE_SIZE, Looks, observe
from v2s_engine.vision.timing_network import CONTEXT, TimingNetwork
from v2s_export.onnx_encoder import export_encoder
from v2s_export.parity import LOUDNESS_TOLERANCE, measure_parity

torch.set_num_threads(1)


def network(seed: int = 0) -> TimingNetwork:
    """Untrained, but with batch norms that have seen something, as after training."""
    torch.manual_seed(seed)
    made = TimingNetwork()
    made.train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.randn(1, 8, 8, 64, 64))
    return made


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[TimingNetwork, Path]:
    made = network()
    return made, export_encoder(made, tmp_path_factory.mktemp("onnx") / "deep" / "encoder.onnx")


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    clip = make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", frames=80, flashes=(20, 50), sound=False)
    times = [step / FRAME_RATE for step in range(50)]
    pictures = read_pictures(clip.path, times, width=PICTURE_SIZE, height=PICTURE_SIZE)
    return Looks.join(observe(pictures, chunk=64)).network_input()


def test_onnx_and_pytorch_agree_for_any_number_of_pictures(
    exported: tuple[TimingNetwork, Path], features: NDArray[np.float32]
) -> None:
    made, path = exported
    for count in (1, 2, 2 * CONTEXT + 1, 50):
        parity = measure_parity(made, path, features[:count]).require()
        assert parity.pictures == count
        assert parity.of("loudness").absolute < LOUDNESS_TOLERANCE
        assert max(each.relative for each in parity.differences) < 0.01


def test_the_network_is_left_as_it_was(exported: tuple[TimingNetwork, Path], features: NDArray[np.float32]) -> None:
    made, path = exported
    assert made.training
    measure_parity(made, path, features[:3])
    assert made.training


def test_another_network_is_found_out(exported: tuple[TimingNetwork, Path], features: NDArray[np.float32]) -> None:
    with pytest.raises(BundleDamagedError, match=r"of a clip: loudness within .*limit 1\.0e-02"):
        measure_parity(network(seed=1), exported[1], features).require()


def test_the_file_stands_alone_and_says_how_far_it_looks(exported: tuple[TimingNetwork, Path]) -> None:
    path = exported[1]

    assert [file.name for file in path.parent.iterdir()] == ["encoder.onnx"]
    assert path.stat().st_size < 2_000_000
    assert Encoder(path).context == CONTEXT


def test_the_file_says_nothing_of_the_machine_that_wrote_it(exported: tuple[TimingNetwork, Path]) -> None:
    content = exported[1].read_bytes()
    assert b".py" not in content
    assert str(Path.cwd()).encode() not in content
