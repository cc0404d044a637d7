"""Arrays of NumPy and tensors of PyTorch are handled alike, and not mixed."""

import numpy as np
import pytest
import torch

from v2s_engine.arrays import all_finite, beside, is_float32, joined, on_host

NUMBERS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("axis", [0, 1])
def test_tensors_are_joined_as_arrays_are(axis: int) -> None:
    wanted = joined([NUMBERS, NUMBERS + 9], axis)
    got = joined([torch.from_numpy(NUMBERS), torch.from_numpy(NUMBERS + 9)], axis)
    assert isinstance(wanted, np.ndarray)
    assert isinstance(got, torch.Tensor)
    np.testing.assert_array_equal(wanted, np.concatenate([NUMBERS, NUMBERS + 9], axis))
    np.testing.assert_array_equal(got.numpy(), wanted)


def test_what_lies_in_two_places_is_not_joined() -> None:
    with pytest.raises(TypeError):
        joined([NUMBERS, torch.from_numpy(NUMBERS)])


def test_an_array_is_put_where_another_lies_and_fetched_again() -> None:
    assert beside(NUMBERS, NUMBERS) is NUMBERS
    there = beside(NUMBERS, torch.zeros(1))
    assert isinstance(there, torch.Tensor)
    np.testing.assert_array_equal(on_host(there), NUMBERS)
    assert on_host(NUMBERS) is NUMBERS


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_none_is_found(number: float) -> None:
    broken = NUMBERS.copy()
    broken[1, 1] = number
    for array in (NUMBERS, torch.from_numpy(NUMBERS)):
        assert all_finite(array)
    for array in (broken, torch.from_numpy(broken)):
        assert not all_finite(array)


def test_doubles_are_told_from_floats() -> None:
    for array in (NUMBERS, torch.from_numpy(NUMBERS)):
        assert is_float32(array)
    for array in (NUMBERS.astype(np.float64), torch.from_numpy(NUMBERS).double()):
        assert not is_float32(array)  # type: ignore[arg-type]
