import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.models import TINY, tiny_bundle, tiny_sampler
from v2s_engine.bundle import Bundle, bundle_files, load_bundle
from v2s_engine.errors import OutputError
from v2s_engine.options import ConditioningName
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.weights import load_folded
from v2s_engine.train.parameters import numpy_parameters
from v2s_export.bundle_writer import BundleContent, write_bundle


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny").path


def test_what_is_written_is_what_is_loaded(bundle_folder: Path) -> None:
    bundle = load_bundle(str(bundle_folder))
    assert bundle.config == TINY
    assert sorted(path.name for path in bundle_folder.iterdir()) == sorted(
        [*bundle_files(TINY), "bundle.json", "MODEL_CARD.md"]
    )
    assert load_folded(bundle.sampler_path, bundle.config).config == TINY


def test_both_networks_can_be_trained_on_from_the_bundle(bundle_folder: Path) -> None:
    names = set(load_file(bundle_folder / "train.safetensors"))
    assert "sampler.coarse_gru.weight_hh_l0" in names
    assert any(name.startswith("encoder.looking") for name in names)


@pytest.mark.parametrize("conditioning", ["frame", "sequence", "flow"])
def test_folded_and_unfolded_weights_are_the_network(
    paper_bundle: Callable[[ConditioningName], Bundle], conditioning: ConditioningName
) -> None:
    """The reference sampler on what is shipped gives the logits of the network that was trained."""
    bundle = paper_bundle(conditioning)
    config, network = bundle.config, tiny_sampler(bundle.config)
    stored = load_file(bundle.path / "train.safetensors")
    assert not any("parametrizations" in name for name in stored)
    assert {name[8:] for name in stored if name.startswith("sampler.")} == set(numpy_parameters(network))
    assert any(name.startswith("encoder.pictures.") for name in stored)
    assert any(name.startswith("encoder.motion.") for name in stored) == (conditioning == "flow")

    length = 2 * config.conditioning_length
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (1, length)).astype(np.uint8)
    conditioning_vectors = rng.random((1, 2, config.conditioning_size), dtype=np.float32)
    coarse = rng.random((1, config.hidden_size), dtype=np.float32) if config.starts_from_pictures else None
    sampler = open_sampler(load_folded(bundle.sampler_path, config), "reference")
    state = sampler.start([Row(0, 1)])
    if coarse is not None:
        state = state.with_coarse(coarse)
    got, _ = sampler.logits(state, codes, conditioning_vectors)
    history = np.full((1, config.history_length), 128, np.uint8)
    with torch.no_grad():
        start = network.initial_state(1, None if coarse is None else torch.from_numpy(coarse))
        all_codes = torch.from_numpy(np.concatenate([history, codes], axis=1)).long()
        wanted, _ = network(all_codes, torch.from_numpy(conditioning_vectors), start)
    np.testing.assert_allclose(got, wanted.numpy(), atol=2e-4)


def content_of(folder: Path) -> BundleContent:
    stored = load_file(folder / "train.safetensors")
    sampler = {name[8:]: value.astype(np.float32) for name, value in stored.items() if name.startswith("sampler.")}
    return BundleContent("tiny", TINY, sampler, {}, folder / "encoder.onnx", "random weights", "CC0-1.0")


def test_an_existing_bundle_is_not_replaced_without_force(bundle_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(bundle_folder, folder)
    before = (folder / "bundle.json").read_bytes()
    content = replace(content_of(bundle_folder), name="other")
    with pytest.raises(OutputError, match="exists already"):
        write_bundle(content, folder)
    assert (folder / "bundle.json").read_bytes() == before
    assert write_bundle(content, folder, force=True).name == "other"


def test_a_failure_leaves_nothing_half_written(bundle_folder: Path, tmp_path: Path) -> None:
    content = replace(content_of(bundle_folder), encoder_onnx=tmp_path / "none.onnx")
    with pytest.raises(OutputError, match="cannot write the bundle"):
        write_bundle(content, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_same_content_gives_the_same_bytes(bundle_folder: Path, tmp_path: Path) -> None:
    content = content_of(bundle_folder)
    one, other = write_bundle(content, tmp_path / "a"), write_bundle(content, tmp_path / "b")
    assert one.digest == other.digest


def test_credits_go_into_the_description(bundle_folder: Path, tmp_path: Path) -> None:
    material = [{"file": "dog/a.wav", "licence": "CC0", "attribution": "Ann"}]
    bundle = write_bundle(replace(content_of(bundle_folder), material=material), tmp_path / "a")
    assert json.loads((bundle.path / "bundle.json").read_text())["material"] == material
