import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.models import TINY, tiny_bundle
from v2s_engine.bundle import FILES, load_bundle
from v2s_engine.errors import OutputError
from v2s_engine.sampling.weights import load_folded
from v2s_export.bundle_writer import BundleContent, write_bundle


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny").path


def test_what_is_written_is_what_is_loaded(bundle_folder: Path) -> None:
    bundle = load_bundle(str(bundle_folder))
    assert bundle.config == TINY
    assert sorted(path.name for path in bundle_folder.iterdir()) == sorted([*FILES, "bundle.json"])
    assert load_folded(bundle.sampler_path, bundle.config).config == TINY


def test_both_networks_can_be_trained_on_from_the_bundle(bundle_folder: Path) -> None:
    names = set(load_file(bundle_folder / "train.safetensors"))
    assert "sampler.coarse_gru.weight_hh_l0" in names
    assert any(name.startswith("encoder.looking") for name in names)


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
