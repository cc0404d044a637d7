"""Matrices in fewer bits: what levels stand for, and products with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from v2s_engine.errors import UsageError
from v2s_engine.sampling.quantised import (
    from_bfloat16,
    multiply_quantised,
    pack_nibbles,
    quantise,
    quantise_in_groups,
    quantise_rectified,
    quantise_state,
    to_bfloat16,
    unpack_nibbles,
)

FLOATS = st.floats(-(2.0**99), 2.0**99, width=32)


@given(numbers=arrays(np.float32, 16, elements=FLOATS))
def test_bfloat16_is_pytorchs(numbers: np.ndarray) -> None:
    wanted = torch.from_numpy(numbers).bfloat16()
    np.testing.assert_array_equal(to_bfloat16(numbers), wanted.view(torch.uint16).numpy())
    np.testing.assert_array_equal(from_bfloat16(to_bfloat16(numbers)), wanted.float().numpy())


def test_two_equally_near_bfloat16_numbers_give_the_even_one() -> None:
    halfway = np.array([1 + 2**-8, 1 + 3 * 2**-8], dtype=np.float32)
    np.testing.assert_array_equal(from_bfloat16(to_bfloat16(halfway)), [1, 1 + 2**-6])


@given(matrix=arrays(np.float32, (5, 2, 3), elements=FLOATS.filter(lambda number: not 0 < abs(number) < 2.0**-99)))
def test_levels_are_the_nearest_and_the_largest_weight_is_127(matrix: np.ndarray) -> None:
    quantised = quantise(matrix)
    largest = np.abs(matrix).max(axis=0)
    np.testing.assert_array_equal(np.abs(quantised.levels).max(axis=0)[largest > 0], 127)
    assert not quantised.levels[:, largest == 0].any()
    assert (np.abs(quantised.values() - matrix) <= 0.5 / 127 * 1.0001 * largest).all()


@given(seed=st.integers(0, 99), power=st.integers(-90, 90), empty=st.integers(0, 70))
def test_levels_of_4_bits_are_near_in_every_group(seed: int, power: int, empty: int) -> None:
    matrix = (np.random.default_rng(seed).normal(size=(70, 2)) * 2.0**power).astype(np.float32)
    matrix[:empty, 1] = 0
    quantised = quantise_in_groups(matrix)
    assert quantised.multipliers is not None
    assert (quantised.levels.shape, quantised.multipliers.shape) == ((70, 2), (3, 2))
    assert (np.abs(quantised.levels + 0.5) <= 7.5).all()
    for first in range(0, 70, 32):
        group = matrix[first : first + 32].astype(np.float64)
        error = quantised.values()[first : first + 32] - group
        # Half a step of a group's largest weight by 7 for each of 32; and half a multiplier, 1/255 of all largest ones.
        step = np.abs(group).max(axis=0) / 7 + np.abs(matrix).max(axis=0) / 255
        assert (np.square(error).sum(axis=0) <= 32 * np.square(step / 2) * 1.0001).all()


def test_multipliers_follow_the_groups() -> None:
    """One scale for all would leave no level for the quiet group."""
    matrix = np.random.default_rng(1).normal(size=(64, 3)).astype(np.float32)
    matrix[32:] /= 50
    quantised = quantise_in_groups(matrix)
    error = np.abs(quantised.values() - matrix)
    assert error[32:].max() < 0.3 * np.abs(matrix[32:]).max()
    np.testing.assert_allclose(quantised.steps() * quantised.levels, quantised.values(), rtol=1e-6)
    assert quantised.limits() == (-8, 7)


def test_more_inputs_than_sums_have_room_for_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 8192 inputs; got 8193"):
        quantise_in_groups(np.zeros((8193, 1), dtype=np.float32))


@given(levels=arrays(np.int8, (7, 2), elements=st.integers(-8, 7)))
def test_two_levels_of_4_bits_lie_in_a_byte(levels: np.ndarray) -> None:
    packed = pack_nibbles(levels)
    assert (packed.shape, packed.dtype) == ((4, 2), np.uint8)
    np.testing.assert_array_equal(unpack_nibbles(packed, len(levels)), levels)
    np.testing.assert_array_equal(packed[0] & 15, levels[0] & 15)


@given(state=arrays(np.float32, 9, elements=st.floats(-1, 1, width=32)))
def test_levels_of_a_state_are_the_nearest(state: np.ndarray) -> None:
    activations = quantise_state(state)
    stands_for = (activations.levels.astype(np.float64) - activations.zero) * activations.step
    assert (np.abs(stands_for - state) <= 0.5 / 127 * 1.0001).all()


def test_a_state_beyond_one_counts_as_one() -> None:
    assert quantise_state(np.array([-9, -1, 0, 1, 1e20], dtype=np.float32)).levels.tolist() == [1, 1, 128, 255, 255]


@given(vector=arrays(np.float32, 9, elements=st.floats(0, 2.0**99, width=32)))
def test_levels_of_what_a_relu_gave_are_the_nearest(vector: np.ndarray) -> None:
    activations = quantise_rectified(vector)
    stands_for = activations.levels.astype(np.float64) * activations.step
    assert (np.abs(stands_for - vector) <= 0.5 / 255 * 1.0001 * max(vector.max(), 1e-30)).all()
    assert activations.zero == 0


def test_nothing_rectified_is_level_zero() -> None:
    assert not quantise_rectified(np.zeros(4, dtype=np.float32)).levels.any()


@pytest.mark.parametrize("activate", [quantise_state, quantise_rectified])
@pytest.mark.parametrize("rounded", [quantise, quantise_in_groups])
def test_a_product_is_that_of_what_the_levels_stand_for(activate, rounded) -> None:  # type: ignore[no-untyped-def]
    numbers = np.random.default_rng(3)
    matrix = rounded(numbers.normal(size=(40, 3, 7)).astype(np.float32))
    start = numbers.normal(size=(3, 7)).astype(np.float32)
    activations = activate(numbers.uniform(0, 1, 40).astype(np.float32))
    vector = (activations.levels.astype(np.float64) - activations.zero) * activations.step
    wanted = start + np.einsum("i,iso->so", vector, matrix.values().astype(np.float64))
    np.testing.assert_allclose(multiply_quantised(activations, matrix, start), wanted, rtol=0, atol=1e-5)
