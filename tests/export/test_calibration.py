"""Rounding that makes up for its own errors is closer to the full weights than rounding each weight by itself."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tests.export.test_precision import NO_ENCODER, folded
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.quantised import QUANTISED, quantise, quantise_in_groups
from v2s_engine.sampling.weights import load_folded
from v2s_export.calibration import calibrated, round_compensating
from v2s_export.divergence import measure_divergences
from v2s_export.passages import made_passages


def test_errors_are_made_up_for_where_inputs_go_together() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 32)) + 0.1 * rng.normal(size=(500, 32))
    matrix = rng.normal(size=(32, 20)).astype(np.float32)
    plain = quantise(matrix)
    better = round_compensating(matrix, plain, inputs.T @ inputs / 500)
    np.testing.assert_array_equal(better.scales, plain.scales)
    errors = [np.square(inputs @ (each.values() - matrix)).mean() for each in (better, plain)]
    assert errors[0] < 0.3 * errors[1]


def test_inputs_that_are_independent_are_rounded_to_the_nearest() -> None:
    matrix = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    found = round_compensating(matrix, quantise(matrix), np.diag(np.linspace(0.5, 2, 16)))
    np.testing.assert_array_equal(found.levels, quantise(matrix).levels)


def test_weights_of_4_bits_keep_their_multipliers_and_stay_within_their_levels() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 70)) + 0.1 * rng.normal(size=(500, 70))
    matrix = rng.normal(size=(70, 2, 20)).astype(np.float32)
    plain = quantise_in_groups(matrix)
    better = round_compensating(matrix, plain, inputs.T @ inputs / 500)
    np.testing.assert_array_equal(better.multipliers, plain.multipliers)
    assert (better.levels.min(), better.levels.max()) == (-8, 7)
    errors = [np.square(np.tensordot(inputs, each.values() - matrix, 1)).mean() for each in (better, plain)]
    assert errors[0] < 0.3 * errors[1]


@pytest.mark.parametrize("dead", ["inputs", "outputs"])
def test_what_is_always_zero_does_no_harm(dead: str) -> None:
    matrix = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    moments = np.eye(16)
    if dead == "inputs":
        moments[3:] = 0.0
    else:
        matrix[:, 2] = 0.0
    found = round_compensating(matrix, quantise(matrix), moments)
    assert np.isfinite(found.values()).all()
    assert np.abs(found.values() - matrix).max() <= found.scales.max()


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_a_calibrated_model_is_closer_and_ships_as_it_is(tmp_path: Path, precision: Literal["int8", "int4"]) -> None:
    weights = folded()
    sampler = open_sampler(weights, "cpu")
    heard, others = (made_passages(sampler, NO_ENCODER, 1.0, seed=seed) for seed in (1, 0))
    better = calibrated(weights, precision, heard)
    pairs = measure_divergences(weights, [better, weights.rounded(precision)], others, 1.0)
    (_, with_care), (_, plain) = pairs
    assert 0 < with_care.mean < plain.mean
    assert set(better.quantised) == set(QUANTISED)
    better.save(tmp_path / "a.safetensors", precision)
    shipped = load_folded(tmp_path / "a.safetensors", weights.config)
    for name, matrix in better.quantised.items():
        np.testing.assert_array_equal(shipped.quantised[name].levels, matrix.levels)
        np.testing.assert_array_equal(getattr(shipped, name), getattr(better, name))
