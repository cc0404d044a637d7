"""What a picture looks like as numbers, and where the weights for that come from."""

import pickle
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torchvision.models import vgg19

from v2s_engine.errors import BundleDamagedError, BundleNotFoundError, UsageError
from v2s_engine.options import VisualConfig
from v2s_engine.vision.network_weights import random_weights, weights_digest, write_weights
from v2s_engine.vision.picture_network import PictureNetwork, open_picture_network

SMALL = VisualConfig("small", picture_size=64, picture_features=48)
VGG = VisualConfig()


def pictures(count: int, size: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def look(network: PictureNetwork, given: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(given)).numpy())


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    write_weights(open_picture_network(SMALL, "random:5"), path)
    return path


class OpensAShell:
    """What a file with pickled code does when it is opened without care."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("size", [32, 64, 112])
def test_each_picture_gets_its_features_by_itself(size: int) -> None:
    network = open_picture_network(VisualConfig("small", size, 48), "random:1")
    given = pictures(3, size)
    features = look(network, given)

    assert features.shape == (3, 48)
    assert features.dtype == np.float32
    assert features.min() == 0
    assert 0.2 < (features > 0).mean() < 0.8
    assert np.abs(features[0] - features[1]).max() > 1e-3
    alone = np.concatenate([look(network, picture[None]) for picture in given])
    np.testing.assert_allclose(alone, features, atol=1e-5)


def test_pictures_are_normalised_as_torchvision_does() -> None:
    network = open_picture_network(SMALL, "random:1")
    seen: list[torch.Tensor] = []
    network.features.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    picture[..., 0], picture[..., 2] = 255, 51
    look(network, picture)
    expected = [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225]
    assert seen[0][0, :, 5, 7].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_same_seed_gives_the_same_bits_everywhere() -> None:
    one, again, other = (weights_digest(open_picture_network(SMALL, f"random:{seed}")) for seed in (1, 1, 2))
    assert one == again != other
    assert weights_digest(open_picture_network(SMALL, "random")) == weights_digest(
        open_picture_network(SMALL, "random:0")
    )
    # Of NumPy's generator, not of PyTorch's, which may differ between machines and versions.
    first = random_weights(PictureNetwork(SMALL), 0)["features.0.weight"].flatten()[:2].tolist()
    bound = (6 / 27) ** 0.5
    drawn = np.random.default_rng(0).random(2, dtype=np.float32)
    assert first == pytest.approx((drawn * 2 - 1) * bound, rel=1e-5)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_back_from_a_file(tmp_path: Path, suffix: str) -> None:
    network, path = open_picture_network(SMALL, "random:5"), tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        write_weights(network, path)
    again = open_picture_network(SMALL, str(path))
    assert np.array_equal(look(again, pictures(2)), look(network, pictures(2)))
    assert weights_digest(again) == weights_digest(network)
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_a_file_of_another_network_is_refused_by_name_and_shape(tmp_path: Path, small_file: Path) -> None:
    wider = VisualConfig("small", picture_size=64, picture_features=50)
    with pytest.raises(BundleDamagedError, match=r"classifier.0.weight \(48, 1024\) where \(50, 1024\) is wanted"):
        open_picture_network(wider, str(small_file))
    with pytest.raises(BundleDamagedError, match=r"lacks features\.\d+\.weight .* more\)"):
        open_picture_network(VGG, str(small_file))
    save_file({"something": torch.zeros(2)}, tmp_path / "odd.safetensors")
    with pytest.raises(BundleDamagedError, match="lacks features"):
        open_picture_network(SMALL, str(tmp_path / "odd.safetensors"))


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.pth"
    torch.save({"features.0.weight": OpensAShell(trace)}, path)
    with pytest.raises(BundleDamagedError, match="pickled code"):
        open_picture_network(SMALL, str(path))
    path.write_bytes(pickle.dumps(OpensAShell(trace)))
    with pytest.raises(BundleDamagedError, match="pickled code"):
        open_picture_network(SMALL, str(path))
    assert not trace.exists()


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pth"])
@pytest.mark.parametrize("keep", [0, 50, 1000])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, keep: int) -> None:
    path, network = tmp_path / name, open_picture_network(SMALL, "random")
    torch.save(network.state_dict(), path) if name.endswith("pth") else write_weights(network, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BundleDamagedError, match=r"cut\."):
        open_picture_network(SMALL, str(path))


def test_other_things_than_tensors_and_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(BundleDamagedError, match="no tensors by name"):
        open_picture_network(SMALL, str(tmp_path / "list.pth"))
    state = random_weights(PictureNetwork(SMALL), 0)
    state["classifier.0.bias"][3] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(BundleDamagedError, match=r"classifier.0.bias that are not finite"):
        open_picture_network(SMALL, str(tmp_path / "nan.pth"))


def test_wrong_words_say_what_is_possible(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFoundError, match=r"no weights at .*nothing\.pth"):
        open_picture_network(SMALL, str(tmp_path / "nothing.pth"))
    with pytest.raises(UsageError, match="train-visual"):
        open_picture_network(SMALL, "default")
    with pytest.raises(UsageError, match="random:7"):
        open_picture_network(SMALL, "random:x")


def test_without_a_connection_the_error_says_how_to_bring_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(BundleNotFoundError) as caught:
        open_picture_network(VGG, "default")
    for told in (
        "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        str(tmp_path / "checkpoints" / "vgg19-dcbb9e9d.pth"),
        "--weights FILE",
        "Name or service not known",
    ):
        assert told in str(caught.value)


def test_a_damaged_download_says_what_to_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg19-dcbb9e9d.pth").write_bytes(b"half a download")
    with pytest.raises(BundleDamagedError, match=r"vgg19-dcbb9e9d\.pth is not what .* delete it"):
        open_picture_network(VGG, "default")


def test_vgg19_has_the_layers_and_names_of_torchvision() -> None:
    with torch.device("meta"):
        ours, theirs = PictureNetwork(VGG).state_dict(), vgg19(weights=None).state_dict()
    later = ("classifier.3.", "classifier.6.")
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items() if not name.startswith(later)
    }
    assert sum(value.numel() for value in ours.values()) == 20_024_384 + 102_764_544  # convolutions, fc6


@pytest.mark.slow
def test_the_whole_file_of_torchvision_gives_its_fc6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved as the published file is (the old format, all layers), read from the cache as `default`, and as a file."""
    theirs = vgg19(weights=None).eval()
    path = tmp_path / "checkpoints" / "vgg19-dcbb9e9d.pth"
    path.parent.mkdir()
    torch.save(theirs.state_dict(), path, _use_new_zipfile_serialization=False)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    given = pictures(2, 224)
    scaled = (
        torch.from_numpy(given).permute(0, 3, 1, 2) / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    ) / (torch.tensor([0.229, 0.224, 0.225])[:, None, None])
    with torch.inference_mode():
        expected = theirs.classifier[:2](theirs.avgpool(theirs.features(scaled)).flatten(1)).numpy()
    for weights in ("default", str(path)):
        features = look(open_picture_network(VGG, weights), given)
        assert features.shape == (2, 4096)
        np.testing.assert_allclose(features, expected, atol=1e-5 * expected.max())


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 224])
def test_a_file_without_the_later_layers_is_enough(tmp_path: Path, size: int) -> None:
    config, path = VisualConfig(picture_size=size), tmp_path / "fc6.safetensors"
    network = open_picture_network(config, "random:3")
    write_weights(network, path)
    features = look(open_picture_network(config, str(path)), pictures(1, size))
    assert features.shape == (1, 4096)
    np.testing.assert_allclose(features, look(network, pictures(1, size)), atol=1e-5 * features.max())
