import numpy as np
import pytest

from v2s_engine.errors import UsageError
from v2s_engine.evaluate.sounds.distance import frechet_distance, mel_distance, mel_statistics
from v2s_engine.evaluate.sounds.naturalness import longest_loop, mean_difference, measure_traits
from v2s_engine.evaluate.sounds.takes import Samples

TIME = np.arange(32_000) / 16_000


def noise(seed: int, length: int = 32_000) -> Samples:
    return 0.1 * np.random.default_rng(seed).standard_normal(length).astype(np.float32)


def hum() -> Samples:
    return (0.1 * np.sin(2 * np.pi * 200 * TIME)).astype(np.float32)


def babble(seed: int, length: int) -> Samples:
    """Tones of 50 ms, each at another pitch: nothing comes again."""
    pitch = np.repeat(np.random.default_rng(seed).uniform(150, 6000, length // 800 + 1), 800)[:length]
    return (0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 16_000)).astype(np.float32)


def test_likes_are_near_and_others_far() -> None:
    some = [noise(0), noise(1)]
    same, near, far = (mel_distance(some, other) for other in (some, [noise(2)], [hum()]))
    assert same == 0
    assert 0 < near < 1
    assert far > 10 * near


def test_level_does_not_matter_to_statistics() -> None:
    np.testing.assert_allclose(mel_statistics(noise(0)), mel_statistics(noise(0) / 10), atol=0.05)


def test_frechet_distance_of_gaussians_is_known() -> None:
    first = np.random.default_rng(0).standard_normal((4000, 5))
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(first, first + 2) == pytest.approx(5 * 4, rel=1e-6)
    # |C1| = 1, |C2| = 9: 1 + 9 - 2 · 3 in each direction
    assert frechet_distance(first, 3 * first) == pytest.approx(5 * 4, rel=0.05)


def test_distances_want_something_on_both_sides() -> None:
    with pytest.raises(UsageError, match="both sides"):
        mel_distance([], [noise(0)])
    with pytest.raises(UsageError, match="two windows"):
        frechet_distance(np.zeros((1, 3)), np.zeros((4, 3)))


def test_a_loop_is_found_at_its_length() -> None:
    once = babble(0, 16_000)
    assert longest_loop(np.concatenate([once, once])) == pytest.approx(1, abs=0.06)
    assert longest_loop(babble(1, 32_000)) < 0.2
    assert longest_loop(noise(0)) < 0.1
    assert longest_loop(np.zeros(32_000, np.float32)) == 0


def test_traits_say_what_was_put_in() -> None:
    traits = measure_traits(hum() + np.float32(0.05))
    assert traits.dc == pytest.approx(0.05, abs=1e-4)
    assert measure_traits(hum()).bandwidth_hz == pytest.approx(200, abs=1)
    assert measure_traits(noise(0)).bandwidth_hz == pytest.approx(7600, abs=100)
    assert measure_traits(np.clip(50 * hum(), -1, 1)).clipped > 0.5
    assert measure_traits(hum()).clipped == 0
    gated = np.where(TIME % 0.5 < 0.25, noise(0), noise(0) / 100).astype(np.float32)
    assert measure_traits(gated).floor_db == pytest.approx(-40, abs=2)
    with pytest.raises(UsageError, match="empty"):
        measure_traits(np.zeros(0, np.float32))


def test_takes_that_are_all_the_same_do_not_differ() -> None:
    assert mean_difference([noise(0), noise(0)]) == 0
    assert (mean_difference([noise(0), hum()]) or 0) > 5
    assert mean_difference([noise(0)]) is None
