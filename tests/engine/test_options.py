import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2s_engine.errors import UsageError
from v2s_engine.options import ModelConfig


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sound_classes": ()}, "at least one class"),
        ({"sound_classes": ("dog", "dog")}, "each once"),
        ({"hidden_size": 0}, "hidden_size must be at least 1"),
        ({"coarse_unit": 6, "mid_unit": 4}, "divide"),
        ({"coarse_unit": 48, "mid_unit": 4}, "divide 256"),
        ({"quantisation": "a-law"}, "got 'a-law'"),
        ({"conditioning": "smell"}, "got 'smell'"),
        ({"pre_emphasis": 1.0}, r"\[0, 1\)"),
    ],
)
def test_contradictions_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        dataclasses.replace(ModelConfig(("dog",)), **change)


@given(
    classes=st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True),
    hidden=st.integers(1, 2048),
    units=st.sampled_from([(8, 2), (16, 4), (64, 16), (256, 1)]),
    pre_emphasis=st.floats(0, 0.99),
)
def test_options_survive_json(classes: list[str], hidden: int, units: tuple[int, int], pre_emphasis: float) -> None:
    config = ModelConfig(
        tuple(classes), hidden_size=hidden, coarse_unit=units[0], mid_unit=units[1], pre_emphasis=pre_emphasis
    )
    assert ModelConfig.from_json(config.to_json()) == config


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(UsageError, match="unknown model option colour"):
        ModelConfig.from_json({"sound_classes": ["dog"], "colour": "red"})


def test_missing_options_are_named() -> None:
    with pytest.raises(UsageError, match="sound_classes"):
        ModelConfig.from_json({})


def test_an_unknown_class_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no sound class 'cat'; it has: dog, drum"):
        ModelConfig(("dog", "drum")).class_index("cat")
