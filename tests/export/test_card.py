"""The model card says what bundle.json says, and the starter's is the one that the code makes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.models import TINY, tiny_config
from v2s_engine.bundle import load_bundle
from v2s_engine.options import ConditioningName, ModelConfig
from v2s_export.card import model_card

PAPER: list[ConditioningName] = ["frame", "sequence", "flow"]


def description(config: ModelConfig = TINY, **more: Any) -> dict[str, Any]:
    return {"name": "mine", "config": config.to_json(), "temperature": 1.0, "licence": "CC0-1.0"} | more


def test_the_starter_has_its_card() -> None:
    """After a change of `card.py`: write it again with `model_card`."""
    bundle = load_bundle("starter")
    assert (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8") == model_card(bundle.description)


def test_everybody_who_is_to_be_credited_is() -> None:
    bundle = load_bundle("starter")
    card = model_card(bundle.description)
    for each in (*bundle.description["material"], *bundle.description["encoder_training"]["material"]):
        assert each["attribution"] in card
        assert each["licence"] in card
    assert bundle.description["summary"] in card
    assert bundle.description["licence"] in card


def test_classes_sizes_and_hashes_are_told() -> None:
    card = model_card(description(files={"encoder.onnx": "ab" * 32}, training={"steps": 20, "samples": 57_600_000}))
    for words in ("dog, drum", "three tiers of 16, 4 and 1 samples", "20 steps on 1.0 hours", "ab" * 32, "CC0-1.0"):
        assert words in card


def test_what_was_measured_is_a_table_and_silence_is_admitted() -> None:
    measured = {"following": {"dog": {"recordings": 3, "model": 0.91239}}, "measured": "by ear"}
    card = model_card(description(quality=measured))
    assert "| | recordings | model |\n|---|---|---|\n| dog | 3 | 0.912 |" in card
    assert "Measured: by ear." in card
    assert "Nothing was measured" not in card
    assert "Nothing was measured of this bundle" in model_card(description())


def test_material_without_licence_is_not_passed_over() -> None:
    material = [
        {"sound_class": "dog", "duration": 2.5, "licence": "CC0", "attribution": "Ann"},
        {"sound_class": "dog", "duration": 3.0, "licence": "CC0", "attribution": "Ann"},
        {"sound_class": "drum", "duration": 1.0},
    ]
    card = model_card(description(material=material))
    assert "| dog | 2 | 6 |" in card
    assert "- CC0: Ann (2)" in card
    assert "- licence not stated: author not stated" in card


@pytest.mark.parametrize("conditioning", PAPER)
def test_limits_of_the_papers_conditionings_are_told(conditioning: ConditioningName) -> None:
    config = replace(tiny_config(conditioning), quantisation="linear", pre_emphasis=0.0)
    card = model_card(description(config, visual={"picture_weights_sha256": "cd" * 32}))
    assert "`v2s:cue` cannot be obeyed" in card
    assert "Only the square in the middle" in card
    assert "-42 dBFS" in card
    assert ("stretches of 0.5 s" in card) == (conditioning != "frame")
    assert "SHA-256: " + "cd" * 32 in card


def test_what_rounding_costs_is_told_and_what_was_not_taken() -> None:
    rounding = {
        "measured_on": "3 recordings",
        "samples": 50_000,
        "temperature": 1.0,
        "max_nats_per_sample": 0.001,
        "nats_per_sample": {"int8": {"mean": 0.0043, "worst": 0.1}, "bf16": {"mean": 2.1e-5, "worst": 0.001}},
    }
    lines = model_card(description(precision="bf16", rounding=rounding)).splitlines()
    (int8,) = [line for line in lines if line.startswith("- Rounded to int8")]
    (bf16,) = [line for line in lines if line.startswith("- Rounded to bf16")]
    assert "moves by 0.0043 nats" in int8
    assert int8.endswith(
        "mean over 50,000 samples: 3 recordings; the worst sample 0.1, allowed in the mean 0.001); not taken"
    )
    assert "moves by 2.1e-05 nats" in bf16
    assert bf16.endswith("allowed in the mean 0.001)")
    assert "Rounded" not in model_card(description())


def test_a_bundle_that_obeys_cues_says_so() -> None:
    assert "A marker `v2s:cue` says it better" in model_card(description())


def test_the_card_needs_nothing_but_the_file() -> None:
    bundle = load_bundle("starter")
    again = json.loads((bundle.path / "bundle.json").read_text(encoding="utf-8"))
    assert model_card(again) == model_card(bundle.description)


def test_what_was_made_by_rule_stands_beside_what_was_recorded() -> None:
    material = [
        {"file": "dog/a.wav", "sound_class": "dog", "duration": 30.0, "licence": "CC0", "attribution": "Ann"},
        {"file": "dog/b.wav", "sound_class": "dog", "duration": 10.0, "licence": "none needed", "synthetic": True},
        {"file": "drum/a.wav", "sound_class": "drum", "duration": 5.0, "licence": "CC0", "attribution": "Ann"},
    ]
    card = model_card(description(replace(TINY, pre_emphasis=0.0, source_filter=True), material=material))
    assert "| dog | 2 | 40 | 10 | 75% |" in card
    assert "| drum | 1 | 5 |" in card
    assert "invents none" in card
