import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2s_engine.envelope import SILENCE_DBFS, Envelope, measure_envelope, onset_strength
from v2s_engine.errors import UsageError


def test_silence_is_the_floor_and_has_no_onset() -> None:
    envelope = measure_envelope(np.zeros(1000, np.float32))
    assert len(envelope) == 4
    assert set(envelope.loudness) == {SILENCE_DBFS}
    assert not envelope.onset.any()


def test_a_full_scale_square_wave_is_0_dbfs() -> None:
    square = np.where(np.arange(2560) // 8 % 2, 1, -1).astype(np.float32)
    np.testing.assert_allclose(measure_envelope(square).loudness, 0, atol=1e-4)


def test_half_the_amplitude_is_6_db_less() -> None:
    sound = np.random.default_rng(0).standard_normal(25_600).astype(np.float32) * 0.1
    difference = measure_envelope(sound).loudness - measure_envelope(sound / 2).loudness
    np.testing.assert_allclose(difference, 6.02, atol=0.01)


def test_the_onset_stands_at_the_step_of_the_click() -> None:
    sound = np.zeros(16_000, np.float32)
    sound[5_000:5_400] = 0.5
    onset = measure_envelope(sound).onset
    assert int(np.argmax(onset)) == 5_000 // 256
    assert onset.max() == 1.0


def test_a_steady_sound_has_no_onset_after_its_start() -> None:
    sound = (0.1 * np.sin(np.arange(16_000) * 0.3)).astype(np.float32)
    assert measure_envelope(sound).onset[4:].max() < 0.05


def test_a_rising_noise_floor_is_no_onset() -> None:
    loudness = np.full(50, -80, np.float32)
    loudness[20:] = -61
    assert onset_strength(loudness).max() == 0


@given(st.lists(st.floats(-200, 50), min_size=1, max_size=80))
def test_any_loudness_curve_gives_an_envelope_in_range(values: list[float]) -> None:
    envelope = Envelope.from_loudness(np.array(values, np.float32))
    assert envelope.loudness.min() >= SILENCE_DBFS
    assert envelope.loudness.max() <= 0
    assert envelope.onset.min() >= 0
    assert envelope.onset.max() <= 1


class TestCues:
    def test_a_cue_in_silence_becomes_an_onset_in_its_own_step(self) -> None:
        envelope = Envelope.silence(100).with_cues([10_000])
        step = 10_000 // 256
        assert envelope.onset[step] == 1.0
        assert int(np.argmax(envelope.loudness)) == step
        assert envelope.loudness[step - 1] < envelope.loudness[step] - 20

    def test_a_cue_in_a_loud_stretch_can_still_be_heard_to_start(self) -> None:
        loud = Envelope.from_loudness(np.full(100, -15, np.float32)).with_cues([12_800])
        assert loud.loudness[49] <= loud.loudness[50] - 20
        assert loud.onset[50] == 1.0

    def test_what_is_far_from_the_cue_stays(self) -> None:
        before = Envelope.from_loudness(np.full(100, -30, np.float32))
        after = before.with_cues([12_800])
        np.testing.assert_array_equal(after.loudness[:34], before.loudness[:34])
        np.testing.assert_array_equal(after.loudness[80:], before.loudness[80:])

    def test_two_close_cues_are_both_there(self) -> None:
        envelope = Envelope.silence(100).with_cues([2_560, 5_120])
        assert envelope.onset[10] == envelope.onset[20] == 1.0

    @pytest.mark.parametrize("cue", [-1, 25_600, 10**9])
    def test_a_cue_outside_is_refused(self, cue: int) -> None:
        with pytest.raises(UsageError, match="inside its clip"):
            Envelope.silence(100).with_cues([cue])

    def test_the_envelope_given_is_not_changed(self) -> None:
        envelope = Envelope.silence(10)
        envelope.with_cues([0])
        assert set(envelope.loudness) == {SILENCE_DBFS}


def test_an_envelope_with_nan_is_refused() -> None:
    with pytest.raises(UsageError, match="finite"):
        Envelope(np.array([np.nan], np.float32), np.zeros(1, np.float32))


def test_loudness_and_onset_of_different_length_are_refused() -> None:
    with pytest.raises(UsageError, match="one length"):
        Envelope(np.zeros(3, np.float32), np.zeros(2, np.float32))
