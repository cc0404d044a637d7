"""How things move, as numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from v2s_engine.errors import BundleDamagedError, UsageError
from v2s_engine.options import VisualConfig
from v2s_engine.vision.motion_network import MotionNetwork, open_motion_network
from v2s_engine.vision.network_weights import write_weights

SMALL = VisualConfig("small", picture_size=64, picture_features=48, motion_features=24, flow_stack=6)


def flow(count: int = 2, config: VisualConfig = SMALL, seed: int = 0) -> torch.Tensor:
    """Some parts of the picture move by a few hundredths of it."""
    size = config.picture_size
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.normal(0, 0.03, (count, 2 * config.flow_stack, 4, 4)).astype(np.float32))
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")


def told(network: MotionNetwork, given: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        features: torch.Tensor = network(given)
    return features


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        VisualConfig("small", 48, 8, motion_features=10, flow_stack=1),
        VisualConfig("vgg19", 64, motion_features=32, flow_stack=2),
        VisualConfig("vgg19", 80, motion_features=16),
    ],
)
def test_each_stack_gets_its_features_by_itself(config: VisualConfig) -> None:
    network, given = open_motion_network(config, "random:1"), flow(3, config)
    features = told(network, given)

    assert features.shape == (3, config.motion_features)
    assert features.min() == 0
    assert features.max() > 0
    assert features.isfinite().all()
    torch.testing.assert_close(torch.cat([told(network, each[None]) for each in given]), features, atol=1e-5, rtol=1e-4)


def test_what_the_whole_picture_does_is_the_camera_and_is_taken_out() -> None:
    network, given = open_motion_network(SMALL, "random:1"), flow()
    panned = given + torch.tensor([0.02, -0.01]).repeat(SMALL.flow_stack)[:, None, None]

    torch.testing.assert_close(told(network, panned), told(network, given), atol=1e-4, rtol=1e-3)
    assert (told(network, flow(seed=1)) - told(network, given)).abs().max() > 1e-3


def test_the_order_of_the_fields_counts() -> None:
    network, given = open_motion_network(SMALL, "random:1"), flow()
    assert (told(network, given.flip(1)) - told(network, given)).abs().max() > 1e-3


def test_flow_gone_wrong_is_cut_off() -> None:
    network = open_motion_network(SMALL, "random:1")
    given = flow()
    given[:, :, :8, :8] = 50
    worse = given.clone()
    worse[:, :, :8, :8] = 5000
    assert told(network, worse).max() < 1e3
    assert told(network, worse).isfinite().all()


def test_the_large_one_is_the_temporal_stream() -> None:
    with torch.device("meta"):
        network = MotionNetwork(VisualConfig(motion_features=4096))
    kernels = [tuple(layer.weight.shape) for layer in network.features if isinstance(layer, torch.nn.Conv2d)]
    assert kernels == [(96, 20, 7, 7), (256, 96, 5, 5), (512, 256, 3, 3), (512, 512, 3, 3), (512, 512, 3, 3)]
    assert tuple(network.classifier[0].weight.shape) == (4096, 512 * 7 * 7)
    assert network(torch.zeros(3, 20, 224, 224, device="meta")).shape == (3, 4096)


def test_weights_come_back_from_a_file_and_others_are_refused(tmp_path: Path) -> None:
    network, path = open_motion_network(SMALL, "random:5"), tmp_path / "motion.safetensors"
    write_weights(network, path)
    assert torch.equal(told(open_motion_network(SMALL, str(path)), flow()), told(network, flow()))
    longer = VisualConfig("small", 64, 48, motion_features=24, flow_stack=7)
    with pytest.raises(BundleDamagedError, match=r"features.0.weight \(24, 12, 3, 3\) where \(24, 14, 3, 3\)"):
        open_motion_network(longer, str(path))


def test_nobody_publishes_weights_and_no_features_are_no_network() -> None:
    with pytest.raises(UsageError, match="train-visual"):
        open_motion_network(SMALL, "default")
    with pytest.raises(UsageError, match="at least 1"):
        open_motion_network(VisualConfig("small", 64, 48), "random")
