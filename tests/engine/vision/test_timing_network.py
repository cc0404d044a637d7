"""The network itself: what it promises of ranges, of its size, and of how far it looks."""

from pathlib import Path

import pytest
import torch

from v2s_engine.errors import BundleDamagedError
from v2s_engine.vision.features import CHANNELS, NETWORK_SIZE
from v2s_engine.vision.timing_network import CONTEXT, TimingNetwork, read_network, write_network

torch.set_num_threads(1)


@pytest.fixture
def network() -> TimingNetwork:
    torch.manual_seed(0)
    return TimingNetwork().eval()


def features(rows: int, pictures: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(rows, pictures, CHANNELS, NETWORK_SIZE, NETWORK_SIZE)


def test_it_is_small(network: TimingNetwork) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) < 300_000


@pytest.mark.parametrize("pictures", [1, 2, 40])
def test_shapes_and_ranges(network: TimingNetwork, pictures: int) -> None:
    with torch.no_grad():
        loudness, onset = network(100 * features(2, pictures))

    assert loudness.shape == onset.shape == (2, pictures, 4)
    assert loudness.min() >= -80
    assert loudness.max() <= 0
    assert onset.min() >= 0
    assert onset.max() <= 1


def test_it_looks_exactly_as_far_as_it_says(network: TimingNetwork) -> None:
    changed = features(1, 50)
    with torch.no_grad():
        before = network(changed)[0]
        changed[0, 20] += 3.0
        apart = (network(changed)[0] - before).abs().amax(dim=(0, 2))

    reached = torch.nonzero(apart > 0).flatten()
    assert reached.min() == 20 - CONTEXT
    assert reached.max() == 20 + CONTEXT


def test_clips_of_a_batch_do_not_meet(network: TimingNetwork) -> None:
    both = features(2, 8)
    with torch.no_grad():
        together = network(both)[0]
        alone = torch.cat([network(both[:1])[0], network(both[1:])[0]])

    assert torch.allclose(together, alone, atol=1e-4)


def test_weights_are_written_and_read_back(network: TimingNetwork, tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    write_network(network.state_dict(), path)
    again = read_network(path)

    with torch.no_grad():
        assert torch.equal(again(features(1, 5))[0], network(features(1, 5))[0])
    assert [file.name for file in tmp_path.iterdir()] == ["encoder.safetensors"]


@pytest.mark.parametrize("content", [None, b"", b"no tensors at all"])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "encoder.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleDamagedError, match="timing network"):
        read_network(path)


def test_weights_of_another_network_are_refused(network: TimingNetwork, tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    state = dict(network.state_dict())
    del state["output.bias"]
    write_network(state, path)
    with pytest.raises(BundleDamagedError, match=r"output\.bias"):
        read_network(path)
