"""`v2s reexport`: the same bundle in another precision."""

import json
from pathlib import Path

import pytest

from tests.models import tiny_bundle
from v2s_engine.bundle import Bundle, load_bundle
from v2s_engine.sampling.weights import load_folded
from v2s_export.card import model_card
from v2s_plugin.cli import main


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


def reexport(bundle: Bundle, to: Path, *options: str) -> Bundle:
    assert main(["reexport", str(bundle.path), "-o", str(to), *options]) == 0
    return load_bundle(str(to))


def test_only_the_samplers_weights_change(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = reexport(bundle, tmp_path / "new", "--precision", "int8", "--json")
    said = capsys.readouterr()
    assert json.loads(said.out)["precision"] == "int8"
    assert "Rounded to int8, what a sample is drawn from moves by" in said.err
    before, after = dict(bundle.description), dict(new.description)
    rounding = after.pop("rounding")
    assert list(rounding["nats_per_sample"]) == ["int8"]
    assert (before.pop("precision"), after.pop("precision")) == ("fp16", "int8")
    files, new_files = before.pop("files"), after.pop("files")
    assert before == after
    assert {name for name in files if files[name] != new_files[name]} == {"sampler.safetensors"}
    assert new.sampler_path.stat().st_size < bundle.sampler_path.stat().st_size
    assert load_folded(new.sampler_path, new.config).precision == "int8"


def test_the_card_says_what_rounding_costs(bundle: Bundle, tmp_path: Path) -> None:
    new = reexport(bundle, tmp_path / "new")
    card = (new.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card == model_card(new.description)
    mean = new.description["rounding"]["nats_per_sample"]["int8"]["mean"]
    assert f"- Rounded to int8, what a sample is drawn from moves by {mean:.2g} nats" in card
    assert "mean over 131,072 samples: 8 sounds of 1.0 s that the model made itself" in card


def test_there_and_back_again_and_in_place(bundle: Bundle, tmp_path: Path) -> None:
    """int8 loses nothing for good: a bundle keeps the weights that it was made from."""
    full = reexport(bundle, tmp_path / "full", "--precision", "fp32")
    assert "rounding" not in full.description
    small = reexport(full, tmp_path / "new", "--precision", "int8")
    assert main(["reexport", str(small.path), "-o", str(small.path), "--precision", "fp32"]) == 1
    back = reexport(small, small.path, "--precision", "fp32", "--force")
    assert back.digest == full.digest


def test_figures_are_replaced_where_given(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "quality.json").write_text(json.dumps({"measured": "by ear"}))
    new = reexport(bundle, tmp_path / "new", "--quality", str(tmp_path / "quality.json"))
    assert new.description["quality"] == {"measured": "by ear"}


def test_too_coarse_is_refused_and_nothing_written(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tight = ["--precision", "int8", "--max-kl", "1e-12"]
    assert main(["reexport", str(bundle.path), "-o", str(tmp_path / "new"), *tight]) == 2
    assert "at most 1e-12 is allowed" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
