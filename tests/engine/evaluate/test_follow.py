import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2s_engine.envelope import Envelope, measure_envelope, rank_correlation
from v2s_engine.evaluate.follow import shaped_noise, usable_envelope

varied = Envelope.from_loudness(np.concatenate([np.linspace(-50, -20, 40), np.full(10, -80)]).astype(np.float32))


def test_shaped_noise_follows() -> None:
    heard = measure_envelope(shaped_noise(varied, 0)).loudness
    assert rank_correlation(varied.loudness[:40], heard[:40]) > 0.98
    np.testing.assert_allclose(heard[5:35], varied.loudness[5:35], atol=2)


def test_a_flat_recording_tells_nothing() -> None:
    flat = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    assert usable_envelope(flat) is None
    assert usable_envelope(np.zeros(16_000, np.float32)) is None
    assert usable_envelope(shaped_noise(varied, 0)) is not None


def test_rank_correlation_knows_its_ends() -> None:
    series = np.array([1.0, 5, 2, 9, 3])
    assert rank_correlation(series, np.exp(series)) == pytest.approx(1)
    assert rank_correlation(series, -series) == pytest.approx(-1)
    assert rank_correlation(series, np.ones(5)) == 0


def test_ties_share_their_mean_rank() -> None:
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 · 5)
    assert rank_correlation(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(4.5 / np.sqrt(22.5))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=50), st.integers(0, 1000))
def test_rank_correlation_is_symmetric_and_bounded(values: list[float], seed: int) -> None:
    first = np.array(values)
    second = np.random.default_rng(seed).permutation(first)
    value = rank_correlation(first, second)
    assert -1.000001 <= value <= 1.000001
    assert value == pytest.approx(rank_correlation(second, first))
