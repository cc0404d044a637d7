"""Random numbers are those of Philox4x32-10, and a function of seed, take and sample index only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2s_engine.errors import UsageError
from v2s_engine.sampling.philox import philox4x32, uniform_rows, uniforms

SEEDS = st.integers(0, 2**64 - 1)
TAKES = st.integers(0, 2**32 - 1)
STARTS = st.integers(0, 2**40)

# Random123, tests/kat_vectors, "philox4x32 10": counter, key, output.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def slow_philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """The paper's definition in plain Python integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, ...], answer: tuple[int, ...]) -> None:
    c0, c1, c2, c3, k0, k1 = (np.array([word], dtype=np.uint64) for word in (*counter, *key))
    assert [int(word[0]) for word in philox4x32((c0, c1, c2, c3), (k0, k1))] == list(answer)
    assert slow_philox(counter, key) == answer


@given(SEEDS, TAKES, STARTS)
def test_each_number_is_keyed_by_seed_take_and_sample(seed: int, take: int, start: int) -> None:
    drawn = uniforms(seed, take, start, 3)
    for index, number in enumerate(drawn, start):
        counter = (index % 2**32, index >> 32, take, 0)
        first, *_ = slow_philox(counter, (seed % 2**32, seed >> 32))
        assert number == (first >> 8) / 2**24
    assert drawn.dtype == np.float32


@given(SEEDS, TAKES, STARTS, st.integers(0, 50), st.integers(0, 50))
def test_pieces_are_the_whole(seed: int, take: int, start: int, first: int, second: int) -> None:
    whole = uniforms(seed, take, start, first + second)
    pieces = [uniforms(seed, take, start, first), uniforms(seed, take, start + first, second)]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))


@given(st.lists(st.tuples(SEEDS, TAKES, STARTS), max_size=5))
def test_a_row_does_not_depend_on_its_neighbours(keys: list[tuple[int, int, int]]) -> None:
    together = uniform_rows([key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys], 5)
    assert together.shape == (len(keys), 5)
    for row, key in zip(together, keys, strict=True):
        np.testing.assert_array_equal(row, uniforms(*key, 5))


def test_numbers_fill_the_unit_interval_evenly() -> None:
    drawn = uniforms(2026, 1, 0, 100_000)
    counts, _ = np.histogram(drawn, bins=64, range=(0, 1))
    expected = len(drawn) / 64
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 0 <= drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    assert 20 < chi_square < 130  # 63 degrees of freedom: outside once in a million, and the numbers are fixed


@pytest.mark.parametrize(
    ("seed", "take", "start", "length"),
    [(-1, 0, 0, 1), (2**64, 0, 0, 1), (0, -1, 0, 1), (0, 2**32, 0, 1), (0, 0, -1, 1), (0, 0, 0, -1), (0, 0, 2**63, 1)],
)
def test_out_of_range(seed: int, take: int, start: int, length: int) -> None:
    with pytest.raises(UsageError, match="random numbers want"):
        uniforms(seed, take, start, length)
