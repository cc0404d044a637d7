"""The tools that recipes are made of do what their names say, in Hz, dB and seconds."""

from __future__ import annotations

import numpy as np
import pytest

from v2s_engine.corpus.synthesis.filters import bandpass, equalised, formants, highpass, lowpass, moving_bandpass
from v2s_engine.corpus.synthesis.modes import Modes
from v2s_engine.corpus.synthesis.noise import coloured, grains, wander
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.room import convolved, far_away, open_response, room_response
from v2s_engine.corpus.synthesis.shapes import at_rms, decay, lengths, quick_length
from v2s_engine.corpus.synthesis.voice import Throat, glottal_pulses

SECOND = 16_000
TICK = np.eye(1, SECOND)[0]
MIDDLE = np.eye(1, SECOND, SECOND // 2)[0]


def gain(response: Signal, frequency: int) -> float:
    """dB of an impulse response of one second at a whole number of Hz."""
    return float(20 * np.log10(np.abs(np.fft.rfft(response)[frequency])))


def strongest(signal: Signal) -> float:
    """Hz of the highest line in the spectrum of a second."""
    return float(np.abs(np.fft.rfft(signal)).argmax())


def test_filters_pass_and_take_what_they_say() -> None:
    low, high, band = lowpass(TICK, 1000), highpass(TICK, 1000), bandpass(TICK, 1000, 4)
    assert gain(low, 100) == pytest.approx(0, abs=0.1)
    assert gain(low, 1000) == pytest.approx(-3, abs=0.1)
    assert gain(low, 4000) < -24
    assert gain(high, 4000) == pytest.approx(0, abs=0.1)
    assert gain(high, 250) == pytest.approx(-24, abs=1)
    assert gain(band, 1000) == pytest.approx(0, abs=0.1)
    assert gain(band, 875) > -6 > gain(band, 700)
    assert gain(moving_bandpass(TICK, np.full(SECOND, 1000.0), 4), 1000) == pytest.approx(0, abs=0.1)
    assert gain(equalised(MIDDLE, [500, 2000], [6, -6]), 1000) == pytest.approx(0, abs=0.2)


def test_formants_stand_where_they_are_put() -> None:
    centres = np.repeat([[700.0], [2500.0]], SECOND, axis=1)
    heard = formants(TICK, centres, np.array([80.0, 120.0]))
    assert gain(heard, 1) == pytest.approx(0, abs=0.1)
    for centre in (700, 2500):
        assert gain(heard, centre) > gain(heard, centre - 300) + 6
        assert gain(heard, centre) > gain(heard, centre + 300) + 6


def test_noise_falls_by_its_slope() -> None:
    noise = coloured(np.random.default_rng(0), 16 * SECOND, 6)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [10 * np.log10(power[16 * low : 32 * low].mean()) for low in (250, 500, 1000, 2000)]
    assert np.diff(octaves) == pytest.approx([-6, -6, -6], abs=0.5)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(1, abs=0.05)


def test_random_curves_and_grains_keep_to_their_rates() -> None:
    draw = np.random.default_rng(0)
    curve = wander(draw, 100 * SECOND, 5)
    assert np.std(curve) == pytest.approx(1, abs=0.15)
    turns = np.sum(np.diff(np.sign(curve)) != 0) / 100
    assert 1 < turns < 5
    assert np.count_nonzero(grains(draw, 100 * SECOND, 40)) / 100 == pytest.approx(40, rel=0.1)


def test_a_mode_rings_at_its_pitch_and_falls_by_60_db_in_its_time() -> None:
    modes = Modes(np.array([440.0]), np.array([0.5]), np.array([1.0]))
    ticks = np.zeros(SECOND)
    ticks[0] = 1
    steady = np.ones(SECOND)
    for ringing in (modes.struck(np.random.default_rng(0), SECOND), modes.driven(ticks)):
        assert strongest(ringing) == pytest.approx(440, abs=1)
        early, late = ringing[:400].std(), ringing[lengths(0.25) : lengths(0.25) + 400].std()
        assert 20 * np.log10(late / early) == pytest.approx(-30, abs=0.5)
    assert strongest(modes.struck(np.random.default_rng(0), SECOND, 2 * steady)) == pytest.approx(880, abs=1)
    silent = Modes(np.array([7950.0]), np.array([0.5]), np.array([1.0])).struck(np.random.default_rng(0), SECOND)
    assert not silent.any()


def test_a_throat_sounds_at_the_pitch_asked_for_and_roughness_blurs_it() -> None:
    throat = Throat(centres=(900.0,), widths=(200.0,), jitter=0.0, shimmer=0.0)
    pitch = np.full(SECOND, 250.0)
    clear, flow = glottal_pulses(np.random.default_rng(0), pitch, np.zeros(SECOND), throat)
    rough, _ = glottal_pulses(np.random.default_rng(0), pitch, np.ones(SECOND), throat)
    lines = np.abs(np.fft.rfft(clear))
    assert lines[250::250].sum() > 0.8 * lines[20:].sum()
    blurred = np.abs(np.fft.rfft(rough))
    assert blurred[250::250].sum() < 0.3 * blurred[20:].sum()
    assert flow.min() >= 0


def test_rooms_keep_the_direct_sound_and_add_a_tail_that_dies() -> None:
    for seed in range(6):
        for response in (room_response(np.random.default_rng(seed)), open_response(np.random.default_rng(seed))):
            assert response[0] == 1
            assert np.abs(response[1:]).max() > 0
        assert np.abs(room_response(np.random.default_rng(seed))[-20:]).max() < 0.01
    heard = convolved(TICK, np.array([1.0, 0.0, 0.5]))
    assert heard[:4] == pytest.approx([1, 0, 0.5, 0], abs=1e-12)
    assert len(heard) == SECOND


def test_distance_takes_what_is_high() -> None:
    near, far = far_away(MIDDLE, 10), far_away(MIDDLE, 800)
    assert gain(near, 4000) > -1
    assert gain(far, 4000) < gain(far, 500) - 20


def test_levels_and_decays_are_in_db() -> None:
    assert np.sqrt(np.mean(at_rms(TICK, -20) ** 2)) == pytest.approx(0.1)
    assert decay(SECOND, 0.5)[SECOND // 2] == pytest.approx(0.001)


@pytest.mark.parametrize("length", [1, 2, 15, 17, 12_347, 160_001])
def test_a_quick_length_is_little_longer(length: int) -> None:
    assert length <= quick_length(length) <= length * 9 / 8 + 1
