import numpy as np
import pytest

from v2s_engine.errors import UsageError
from v2s_engine.evaluate.sounds.log_mel import BANDS, band_middles, log_mel
from v2s_engine.evaluate.sounds.paintings import PAINTINGS, paint_sound


@pytest.mark.parametrize("name", PAINTINGS)
def test_a_painted_sound_is_whole_varied_and_the_same_again(name: str) -> None:
    first, again, other = (paint_sound(name, np.random.default_rng(seed), 24_000) for seed in (1, 1, 2))
    assert first.shape == (24_000,)
    assert np.isfinite(first).all()
    assert np.abs(first).max() == pytest.approx(0.5)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_only_the_ten_classes_are_painted() -> None:
    assert len(PAINTINGS) == 10
    with pytest.raises(UsageError, match=r"'piano'.*baby_crying"):
        paint_sound("piano", np.random.default_rng(0), 1600)


@pytest.mark.parametrize("hertz", [200, 1000, 5000])
def test_a_sine_stands_in_its_band(hertz: int) -> None:
    mel = log_mel(np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000).astype(np.float32))
    assert mel.shape == (100, BANDS)
    band = int(mel[50].argmax())
    assert abs(band - np.abs(band_middles() - hertz).argmin()) <= 1
    assert -6 < mel[50, band] < 0


def test_the_shortest_sound_has_a_spectrum() -> None:
    assert log_mel(np.ones(10, np.float32)).shape == (1, BANDS)
