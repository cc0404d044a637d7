from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.engine.evaluate.seeing import config_of, seeing_model
from v2s_engine.errors import BundleDamagedError, UsageError
from v2s_engine.evaluate.methods import Method, open_methods
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.train.checkpoint import Checkpoint, write_checkpoint


def write_model(
    path: Path, config: ModelConfig, seed: int = 0, *, merged: bool | None = None, encoder_digest: str | None = None
) -> Path:
    """A checkpoint; those of the class `any` are merged where nothing is said."""
    torch.manual_seed(seed)
    weights = SampleRNN(config).state_dict()
    trained = {name: value + 1 for name, value in weights.items()}
    nothing = torch.zeros(1, 1)
    checkpoint = Checkpoint(
        config, 1, 512, trained, weights, {}, (nothing, nothing), {"numbers": [0], "chunks": [0]}, []
    )
    write_checkpoint(
        replace(
            checkpoint,
            merged=merged or (merged is None and config.sound_classes == ("any",)),
            encoder_digest=encoder_digest,
        ),
        path,
    )
    return path


def test_the_averaged_weights_are_measured(tmp_path: Path) -> None:
    config = replace(config_of("frame"), weight_norm=True)
    model = open_methods([write_model(tmp_path / "a.ckpt", config, 3)])[0].models[0]
    torch.manual_seed(3)
    assert torch.equal(model.fine_output.weight, SampleRNN(config).fine_output.weight)
    assert not model.training


def test_models_per_category_are_one_method_and_the_same_category_twice_are_two(tmp_path: Path) -> None:
    paths = [
        write_model(tmp_path / f"{number}.ckpt", config_of(conditioning, classes))
        for number, (conditioning, classes) in enumerate(
            [("frame", ("dog",)), ("frame", ("drum",)), ("sequence", ("any",)), ("frame", ("dog",))]
        )
    ]
    methods = open_methods(paths)
    assert [(each.name, each.sound_classes) for each in methods] == [
        ("frame", ("dog", "drum")), ("sequence", ("any",)), ("frame 2", ("dog",)),
    ]  # fmt: skip


def test_the_category_is_told_but_where_all_are_merged() -> None:
    many = Method("frame", (seeing_model(classes=("dog", "drum")),))
    merged = Method("frame", (seeing_model(classes=("any",)),), merged=True)
    each = Method("frame", tuple(seeing_model(classes=(name,)) for name in ("dog", "drum")))
    one = Method("frame", (seeing_model(classes=("dog",)),))
    assert [method.tells_class for method in (many, merged, each, one)] == [True, False, True, False]
    assert [method.knows("drum") for method in (many, merged, each, one)] == [True, True, True, False]
    assert many.model_of("drum") == (many.models[0], 1)
    assert merged.model_of("drum") == (merged.models[0], 0)
    assert each.model_of("drum") == (each.models[1], 0)


def test_a_model_of_one_class_is_not_one_of_all_classes(tmp_path: Path) -> None:
    """A model of dogs on an index of drums would otherwise sound the drums as dogs."""
    dog, merged = (
        open_methods([write_model(tmp_path / f"{merged}.ckpt", config_of("frame", ("dog",)), merged=merged)])[0]
        for merged in (False, True)
    )
    with pytest.raises(UsageError, match=r"sounds dog; the clips are of: drum.*--merge"):
        dog.check_categories(("drum",))
    dog.check_categories(("dog", "drum"))
    merged.check_categories(("drum",))
    assert (merged.knows("drum"), merged.tells_class) == (True, False)


def test_merged_models_are_methods_of_their_own(tmp_path: Path) -> None:
    paths = [
        write_model(tmp_path / f"{name}.ckpt", config_of("frame", (name,)), merged=name == "any")
        for name in ("dog", "any", "drum")
    ]
    assert [each.sound_classes for each in open_methods(paths)] == [("dog", "drum"), ("any",)]


def test_another_encoder_than_in_the_training_is_refused(tmp_path: Path) -> None:
    (told,) = open_methods([write_model(tmp_path / "a.ckpt", config_of("frame"), encoder_digest="ab")])
    told.check_encoder("ab")
    with pytest.raises(UsageError, match=r"a\.ckpt.*ab.*cd"):
        told.check_encoder("cd")
    open_methods([write_model(tmp_path / "b.ckpt", config_of("frame"))])[0].check_encoder("cd")


def test_nothing_and_pickled_code_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one checkpoint"):
        open_methods([])
    torch.save({"code": Path("x")}, tmp_path / "evil.ckpt")
    with pytest.raises(BundleDamagedError):
        open_methods([tmp_path / "evil.ckpt"])
