from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from v2s_engine.audio import decode_codes, encode_codes
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.sound_quality import count_clipped, measure_quality, take_diversity
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.options import ModelConfig


def tone(duration: float, level_db: float, hertz: float = 1_000.0) -> NDArray[np.float32]:
    times = np.arange(int(duration * SAMPLE_RATE)) / SAMPLE_RATE
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def noise(seed: int, length: int = 16_000) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)


def test_loudness_of_the_calibration_tone() -> None:
    """EBU Tech 3341: a 1 kHz tone of -23 dBFS on two channels is -23 LUFS; one channel alone is 3 dB less."""
    quality = measure_quality(tone(3.0, -20.0))
    assert quality.loudness_lufs == pytest.approx(-23.0, abs=0.1)
    assert quality.true_peak_dbtp == pytest.approx(-20.0, abs=0.2)
    assert (quality.silence, quality.clipped) == (0.0, 0)


def test_silence_around_hardly_lowers_the_loudness_and_is_measured() -> None:
    sound = np.concatenate([np.zeros(4_096, np.float32), tone(1.024, -20.0), np.zeros(8_192, np.float32)])
    quality = measure_quality(sound)
    # ungated it would be -26.7; blocks that reach over the tone's ends lower it a little, as BS.1770 has it
    assert quality.loudness_lufs == pytest.approx(-23.5, abs=1.0)
    assert (quality.lead_ms, quality.tail_ms) == (256.0, 512.0)
    assert quality.silence == pytest.approx(48 / 112)


def test_a_peak_in_the_very_last_sample_is_seen() -> None:
    sound = np.zeros(17_001, np.float32)
    sound[-1] = 0.5
    peak = measure_quality(sound).true_peak_dbtp
    assert peak is not None
    assert peak >= -6.1


def test_what_is_past_full_scale_and_the_offset_are_counted() -> None:
    sound = np.full(1_600, 0.25, np.float32)
    sound[[5, 6, 700]] = [1.0, -1.0, 1.5]  # one sample at full scale is how a normalised sound looks
    quality = measure_quality(sound)
    assert quality.clipped == 1
    assert quality.dc_offset == pytest.approx((0.25 * 1_597 + 1.5) / 1_600, abs=1e-6)


def sixteen_bits(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return (np.clip(np.round(sound * 32_768), -32_768, 32_767) / 32_768).astype(np.float32)


def eight_bits(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    config = ModelConfig(("any",), quantisation="linear", pre_emphasis=0.0)
    return decode_codes(encode_codes(np.clip(sound, -1, 1), config), config)


@pytest.mark.parametrize("stored", [sixteen_bits, eight_bits])
def test_flat_tops_are_clipping_whatever_the_highest_code_is(
    stored: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> None:
    """Neither 32,767 / 32,768 nor 0.992 is full scale."""
    loud = tone(0.5, 6.0, 400.0)
    clipped, past = count_clipped(stored(loud)), int((np.abs(loud) >= 1).sum())
    assert abs(clipped - past) <= 0.1 * past
    low_only = np.minimum(stored(loud), 0)
    assert abs(count_clipped(low_only) - past / 2) <= 0.1 * past
    assert count_clipped(stored(tone(0.5, -0.5, 400.0))) == 0


def test_a_normalised_sound_is_not_clipped() -> None:
    sound = tone(0.5, 0.0, 437.0)
    assert count_clipped(sixteen_bits(sound / np.abs(sound).max())) == 0
    assert count_clipped(np.zeros(0, np.float32)) == 0


def test_silence_has_no_loudness_and_no_peak() -> None:
    quality = measure_quality(np.zeros(16_000, np.float32))
    assert (quality.loudness_lufs, quality.true_peak_dbtp) == (None, None)
    assert (quality.silence, quality.dc_offset) == (1.0, 0.0)
    assert quality.lead_ms == quality.tail_ms == 63 * 16


@pytest.mark.parametrize("length", [0, 1, 10, 255, 1_600, 6_399])
def test_very_short_sounds_have_no_loudness(length: int) -> None:
    quality = measure_quality(noise(0, length))
    assert quality.loudness_lufs is None
    assert (quality.silence is None) == (length == 0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9_000), st.floats(0, 4), st.integers(0, 99))
def test_no_figure_is_ever_nan(length: int, level: float, seed: int) -> None:
    quality = measure_quality(np.float32(level) * noise(seed, length))
    assert all(value is None or np.isfinite(value) for value in vars(quality).values())


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="NaN"):
        measure_quality(np.array([0.0, np.nan], np.float32))


def test_diversity_is_zero_where_seeds_are_ignored() -> None:
    same, other = noise(0), noise(1)
    assert take_diversity([same, same.copy(), same.copy()]) == 0.0
    apart = take_diversity([same, other])
    assert apart is not None
    assert apart > 3
    assert take_diversity([np.zeros(800, np.float32)] * 2) == 0.0


def test_diversity_of_one_take_or_none_is_none() -> None:
    assert take_diversity([]) is None
    assert take_diversity([noise(0)]) is None
    assert take_diversity([noise(0), np.zeros(0, np.float32)]) is None
