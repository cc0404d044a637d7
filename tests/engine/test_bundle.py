import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from v2s_engine.bundle import PALETTE, Bundle, bundle_files, known_bundles, load_bundle
from v2s_engine.digest import file_digest
from v2s_engine.errors import BundleDamagedError, BundleNotFoundError
from v2s_engine.options import ConditioningName, ModelConfig
from v2s_engine.timbre.palette import read_palette

FILES = bundle_files(ModelConfig(("dog",)))


def make(folder: Path, **changes: Any) -> Path:
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    description = {
        "format": 1,
        "name": "test",
        "config": ModelConfig(("dog",)).to_json(),
        "temperature": 0.95,
        "files": {name: file_digest(folder / name) for name in FILES},
    }
    (folder / "bundle.json").write_text(json.dumps(description | changes))
    return folder


def test_a_bundle_is_what_its_description_says(tmp_path: Path) -> None:
    bundle = load_bundle(str(make(tmp_path / "b")))
    assert bundle.name == "test"
    assert bundle.sound_classes == ("dog",)
    assert bundle.temperature == 0.95
    assert bundle.encoder_path.name == "encoder.onnx"


def test_the_digest_changes_with_any_file(tmp_path: Path) -> None:
    one = load_bundle(str(make(tmp_path / "a")))
    (tmp_path / "b").mkdir()
    other = make(tmp_path / "b" / "b", temperature=0.9)
    assert load_bundle(str(other)).digest != one.digest


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused_and_named(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path / "b")
    (folder / name).write_bytes(b"tampered")
    with pytest.raises(BundleDamagedError, match=rf"{name} was changed: its SHA-256 is"):
        load_bundle(str(folder))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "b")
    (folder / "encoder.onnx").unlink()
    with pytest.raises(BundleDamagedError, match=r"lacks encoder\.onnx"):
        load_bundle(str(folder))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BundleNotFoundError, match="no bundle 'nonesuch': neither a known name"):
        load_bundle("nonesuch")
    with pytest.raises(FileNotFoundError):
        load_bundle("nonesuch")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 99}, "format 99; this version reads format 1"),
        ({"files": {}}, "must give the hashes"),
        ({"config": {"sound_classes": []}}, "not complete"),
        ({"config": {"sound_classes": ["dog"], "surprise": 1}}, "surprise"),
        ({"temperature": "warm"}, "not complete: could not convert"),
    ],
)
def test_descriptions_that_make_no_sense(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BundleDamagedError, match=words):
        load_bundle(str(make(tmp_path / "b", **changes)))


def test_text_that_is_no_description(tmp_path: Path) -> None:
    folder = make(tmp_path / "b")
    (folder / "bundle.json").write_text("hello")
    with pytest.raises(BundleDamagedError, match="no bundle description"):
        load_bundle(str(folder))


def test_every_known_bundle_loads() -> None:
    assert "starter" in known_bundles()
    for name in known_bundles():
        assert load_bundle(name).name == name


def test_the_starter_is_small_and_says_what_it_is_made_of() -> None:
    bundle = load_bundle("starter")
    assert sum(path.stat().st_size for path in bundle.path.iterdir()) <= 16_000_000
    assert set(bundle.sound_classes) == {
        *("baby_crying", "chainsaw", "dog", "drum", "fireworks", "helicopter", "printer", "rail_transport"),
        *("snoring", "water_flowing"),
    }
    material = bundle.description["material"]
    assert {each["sound_class"] for each in material} == set(bundle.sound_classes)
    assert all(each["licence"] and each["attribution"] and each["sha256"] for each in material)
    assert bundle.description["summary"]
    assert bundle.description["licence"]


def test_the_starter_is_what_it_was() -> None:
    """Timelines remember the digest: another one would have every sound made again."""
    bundle = load_bundle("starter")
    assert bundle.digest == "38805f7336812afe03886293608945e5ce426bafb5dc487009d0e49cf88a5398"
    assert bundle.config.conditioning == "envelope"
    assert bundle.obeys_cues
    assert bundle.state_path is None
    assert set(read_palette(bundle.path / PALETTE, bundle.sound_classes).classes) == set(bundle.sound_classes)


@pytest.mark.parametrize(("conditioning", "count"), [("frame", 3), ("sequence", 4), ("flow", 4)])
def test_the_files_depend_on_the_conditioning(
    paper_bundle: Callable[[ConditioningName], Bundle], conditioning: ConditioningName, count: int
) -> None:
    bundle = paper_bundle(conditioning)
    assert set(bundle.description["files"]) == set(bundle_files(bundle.config))
    assert len(bundle_files(bundle.config)) == count
    assert (bundle.state_path is None) == (conditioning == "frame")
    assert not bundle.obeys_cues


def test_a_network_that_the_conditioning_wants_must_be_there(
    paper_bundle: Callable[[ConditioningName], Bundle], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(paper_bundle("sequence").path, folder)
    (folder / "conditioning.onnx").unlink()
    with pytest.raises(BundleDamagedError, match=r"lacks conditioning\.onnx"):
        load_bundle(str(folder))
    description = json.loads((folder / "bundle.json").read_text())
    del description["files"]["conditioning.onnx"]
    (folder / "bundle.json").write_text(json.dumps(description))
    with pytest.raises(BundleDamagedError, match=r"must give the hashes of encoder\.onnx, conditioning\.onnx"):
        load_bundle(str(folder))


def test_the_card_may_be_edited(tmp_path: Path) -> None:
    folder = make(tmp_path / "b")
    before = load_bundle(str(folder)).digest
    (folder / "MODEL_CARD.md").write_text("my notes")
    assert load_bundle(str(folder)).digest == before
