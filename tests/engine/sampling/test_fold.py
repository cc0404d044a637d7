"""Folded weights: the same network, in fewer products; and the file they ship in."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch.nn.utils.parametrize import remove_parametrizations

from tests.engine.sampling.networks import SIZES, model
from v2s_engine.errors import BundleDamagedError, UsageError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.fold import fold_weights, parameter_shapes
from v2s_engine.sampling.quantised import FOUR_BITS, QUANTISED
from v2s_engine.sampling.weights import FoldedWeights, Precision, load_folded, tensor_shapes

METADATA = {"v2s-folded-weights-1": "fp32"}


def parameters_of(network: SampleRNN) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def assert_same_bits(got: FoldedWeights, wanted: FoldedWeights) -> None:
    assert (got.config, got.precision) == (wanted.config, wanted.precision)
    assert set(got.quantised) == set(wanted.quantised)
    for name, matrix in wanted.quantised.items():
        np.testing.assert_array_equal(got.quantised[name].levels, matrix.levels, err_msg=name, strict=True)
        np.testing.assert_array_equal(got.quantised[name].scales, matrix.scales, err_msg=name, strict=True)
    for name, array in wanted.tensors().items():
        np.testing.assert_array_equal(got.tensors()[name], array, err_msg=name, strict=True)


@pytest.mark.parametrize("size", SIZES)
def test_fold_takes_exactly_the_networks_parameters(size: str) -> None:
    network = model(size).network
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == parameter_shapes(
        network.config
    )


def test_fold_gives_the_same_bits_whatever_the_memory_layout() -> None:
    expected = model("plain")
    transposed = {name: np.asfortranarray(array) for name, array in parameters_of(expected.network).items()}
    assert_same_bits(fold_weights(transposed, expected.config), expected.weights)


def test_weight_norm_folds_away() -> None:
    config = ModelConfig(("dog",), hidden_size=16, mlp_size=16, embedding_size=8, weight_norm=True)
    network = SampleRNN(config).requires_grad_(False)
    for module in network.modules():
        for name in list(getattr(module, "parametrizations", ())):
            module.parametrizations[name].original0.mul_(1.5)
            remove_parametrizations(module, name)
    folded = fold_weights(parameters_of(network), config)
    np.testing.assert_allclose(folded.fine_hidden, network.fine_hidden2.weight.numpy().T)
    np.testing.assert_allclose(folded.coarse_recurrent, network.coarse_gru.weight_hh_l0.numpy().T)


def test_a_missing_parameter_is_named() -> None:
    parameters = parameters_of(model("plain").network)
    del parameters["mid_up.bias"]
    with pytest.raises(BundleDamagedError, match=r"missing \['mid_up.bias'\]"):
        fold_weights(parameters, SIZES["plain"])


def test_a_parameter_of_the_wrong_shape_is_named_with_both_shapes() -> None:
    parameters = parameters_of(model("plain").network)
    with pytest.raises(BundleDamagedError, match=r"'coarse_gru.weight_ih_l0'.*\[96, 17\].*\[96, 18\]"):
        fold_weights(parameters, ModelConfig(("dog", "cat"), hidden_size=32, mlp_size=32, embedding_size=16))


def test_a_folded_tensor_of_the_wrong_shape_is_named_with_both_shapes() -> None:
    tensors = dict(model("plain").weights.tensors())
    tensors["tables"] = tensors["tables"][:, :255]
    with pytest.raises(BundleDamagedError, match=r"'tables' is float32 \[4, 255, 32\], wanted float32 \[4, 256, 32\]"):
        FoldedWeights(SIZES["plain"], **tensors)


@pytest.mark.parametrize("precision", get_args(Precision))
def test_a_file_loads_as_what_was_rounded(tmp_path: Path, precision: Precision) -> None:
    weights = model("wide-mlp").weights
    path = tmp_path / "sampler.safetensors"
    weights.save(path, precision)
    loaded = load_folded(path, weights.config)
    assert_same_bits(loaded, weights.rounded(precision))
    assert all(array.dtype == np.float32 for array in loaded.tensors().values())
    assert loaded.precision == precision
    loaded.save(tmp_path / "again", precision)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_fp32_keeps_every_bit_and_fp16_halves_the_file(tmp_path: Path) -> None:
    weights = model("plain").weights
    assert_same_bits(weights.rounded("fp32"), weights)
    assert any((weights.rounded("fp16").tensors()[name] != array).any() for name, array in weights.tensors().items())
    weights.save(tmp_path / "full", "fp32")
    weights.save(tmp_path / "half", "fp16")
    assert (tmp_path / "half").stat().st_size < 0.55 * (tmp_path / "full").stat().st_size


def test_bf16_int8_and_int4_are_for_the_large_matrices_and_the_rest_is_fp16(tmp_path: Path) -> None:
    weights = model("odd").weights
    half = weights.rounded("fp16").tensors()
    for precision, limit in (("bf16", 2**-8), ("int8", 0.5 / 127), ("int4", 0.2)):
        rounded = weights.rounded(precision)
        for name, array in rounded.tensors().items():
            if name in QUANTISED:
                exact = weights.tensors()[name]
                largest = np.abs(exact) if precision == "bf16" else np.abs(exact).max(axis=0)
                assert (np.abs(array - exact) <= limit * largest * 1.0001).all()
                assert (array != half[name]).any()
            else:
                np.testing.assert_array_equal(array, half[name])
    weights.save(tmp_path / "bf16", "bf16")
    weights.save(tmp_path / "int8", "int8")
    assert load_file(tmp_path / "bf16")["mid_up"].dtype == np.uint16
    assert load_file(tmp_path / "int8")["mid_up"].dtype == np.int8
    weights.save(tmp_path / "int4", "int4")
    stored = load_file(tmp_path / "int4")
    assert {name for name in QUANTISED if stored[name].dtype == np.uint8} == set(FOUR_BITS)
    assert stored["mid_recurrent"].shape == (17, 99)  # two of the 33 inputs in a byte


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_weights_without_their_levels_are_refused(precision: Precision) -> None:
    with pytest.raises(BundleDamagedError, match=rf"precision {precision} hold matrices of levels \[\]; wanted all"):
        dataclasses.replace(model("plain").weights, precision=precision)


@pytest.mark.parametrize(
    ("precision", "name", "shapes"),
    [
        ("int8", "mid_up.scales", r"\[1, 32\], wanted \[2, 32\]"),
        ("int4", "coarse_up.multipliers", r"\[0, 4, 96\], wanted \[1, 4, 96\]"),
        ("int4", "coarse_recurrent", r"\[15, 96\], wanted \[16, 96\]"),
    ],
)
def test_levels_and_scales_of_another_shape_are_refused(
    tmp_path: Path, precision: Precision, name: str, shapes: str
) -> None:
    path = tmp_path / "sampler.safetensors"
    model("plain").weights.save(path, precision)
    tensors = load_file(path)
    tensors[name] = tensors[name][:-1]
    save_file(tensors, path, {"v2s-folded-weights-1": precision})
    with pytest.raises(BundleDamagedError, match=f"'{name}' is {shapes}"):
        load_folded(path, SIZES["plain"])


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_weights_that_are_no_numbers_are_refused(number: float, tmp_path: Path) -> None:
    tensors = {name: array.copy() for name, array in model("plain").weights.tensors().items()}
    tensors["fine_output"][0, 0] = number
    for precision in get_args(Precision):
        with pytest.raises(UsageError, match=f"'fine_output' holds {number}, which {precision} cannot"):
            FoldedWeights(SIZES["plain"], **tensors).save(tmp_path / "file", precision)


def test_a_weight_too_large_for_fp16_is_refused(tmp_path: Path) -> None:
    tensors = {name: array.copy() for name, array in model("plain").weights.tensors().items()}
    tensors["fine_output"][0, 0] = 1e5
    with pytest.raises(UsageError, match="'fine_output' holds 100000, which fp16 cannot"):
        FoldedWeights(SIZES["plain"], **tensors).save(tmp_path / "half", "fp16")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    config, path = SIZES["plain"], tmp_path / "sampler.safetensors"
    with pytest.raises(BundleDamagedError, match="cannot be read"):
        load_folded(path, config)
    model("plain").weights.save(path, "fp32")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleDamagedError, match="cannot be read"):
        load_folded(path, config)
    path.write_bytes(whole)
    tensors = load_file(path)

    save_file(tensors, path)
    with pytest.raises(BundleDamagedError, match="header says"):
        load_folded(path, config)
    save_file(tensors, path, {"v2s-folded-weights-1": "fp16"})
    with pytest.raises(BundleDamagedError, match="is float32 or not finite, wanted finite float16"):
        load_folded(path, config)
    save_file(tensors | {"tables": np.full_like(tensors["tables"], np.nan)}, path, METADATA)
    with pytest.raises(BundleDamagedError, match="'tables' is float32 or not finite"):
        load_folded(path, config)
    save_file(tensors | {"other": tensors["tables"]}, path, METADATA)
    with pytest.raises(BundleDamagedError, match="unknown tensors: other"):
        load_folded(path, config)
    del tensors["tables"]
    save_file(tensors, path, METADATA)
    with pytest.raises(BundleDamagedError, match="missing tensors: tables"):
        load_folded(path, config)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sampler.safetensors"
    model("plain").weights.save(path, "fp32")
    with pytest.raises(BundleDamagedError, match=r"tensor '\w+' is \[.*32.*\], wanted \[.*96"):
        load_folded(path, SIZES["long-units"])


def test_every_folded_tensor_has_a_field_of_its_own() -> None:
    fields = FoldedWeights.__dataclass_fields__
    assert ["config", *tensor_shapes(SIZES["plain"]), "precision", "quantised"] == list(fields)
