"""Colour off a sound and on again: nothing is lost, nothing gets louder, and pieces do not show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE
from v2s_engine.timbre.filters import BLOCK, ORDER, TimbreFilter, envelope_filters, whiten
from v2s_engine.timbre.measure import measure_timbre
from v2s_engine.timbre.timbre import BANDS, LEAST_LAG, MOST_LAG, Timbre, timbre_vectors

Ints = NDArray[np.int64]


def any_timbre(steps: int, seed: int) -> Timbre:
    draw = np.random.default_rng(seed)
    voiced = draw.random(steps) < 0.5
    return Timbre(
        draw.integers(100, 256, (steps + 1, BANDS)).astype(np.uint8),
        np.where(voiced, draw.integers(LEAST_LAG, MOST_LAG + 1, steps), 0).astype(np.uint16),
        np.where(voiced, draw.integers(0, 256, steps), 0).astype(np.uint8),
    )


def voice(frequency: float, duration: float = 1.0) -> NDArray[np.float32]:
    """A buzz with a formant at 1 kHz."""
    time = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    harmonics = np.arange(1, int(7_000 / frequency))
    weights = 1 / (1 + ((harmonics * frequency - 1_000) / 300) ** 2)
    sound = np.sin(2 * np.pi * np.outer(time, harmonics * frequency)) @ weights
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_what_is_whitened_comes_back(steps: int, seed: int, missing: int) -> None:
    """Whatever the timbre says, also where the last step is not full."""
    sound = np.random.default_rng(seed).uniform(-1, 1, steps * ENVELOPE_LENGTH - missing).astype(np.float32)
    timbre = any_timbre(steps, seed)
    np.testing.assert_allclose(TimbreFilter().add(whiten(sound, timbre), timbre), sound, atol=2e-4)


@settings(deadline=None)
@given(st.data())
def test_pieces_do_not_show(data: st.DataObject) -> None:
    steps = data.draw(st.integers(2, 40))
    timbre = any_timbre(steps, steps)
    excitation = data.draw(
        hnp.arrays(np.float32, steps * ENVELOPE_LENGTH - 7, elements=st.floats(-1, 1, width=32), fill=st.just(0.1))
    )
    cut = data.draw(st.integers(1, steps - 1))
    in_pieces = TimbreFilter()
    first = in_pieces.add(excitation[: cut * ENVELOPE_LENGTH], timbre[:cut])
    second = in_pieces.add(excitation[cut * ENVELOPE_LENGTH :], timbre[cut:])
    np.testing.assert_array_equal(np.concatenate([first, second]), TimbreFilter().add(excitation, timbre))


@pytest.mark.parametrize("lag", [LEAST_LAG, 200, MOST_LAG])
def test_pieces_do_not_show_while_a_pitch_dies_away(lag: int) -> None:
    """Where what rings on is too quiet to be kept, too."""
    steps = 200
    timbre = Timbre(
        np.full((steps + 1, BANDS), 200, np.uint8), np.full(steps, lag, np.uint16), np.full(steps, 200, np.uint8)
    )
    excitation = np.zeros(steps * ENVELOPE_LENGTH, np.float32)
    excitation[:ENVELOPE_LENGTH] = 0.1 * np.random.default_rng(lag).standard_normal(ENVELOPE_LENGTH)
    filters, piece = TimbreFilter(), 4
    pieces = [
        filters.add(excitation[first * ENVELOPE_LENGTH : (first + piece) * ENVELOPE_LENGTH], timbre[first:][:piece])
        for first in range(0, steps, piece)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), TimbreFilter().add(excitation, timbre))


EXTREME_LEVELS = {
    "lowest": lambda step, band: 0 * (step + band),
    "highest": lambda step, band: 255 + 0 * (step + band),
    "every other band": lambda step, band: 255 * (band % 2) + 0 * step,
    "every other band in turns": lambda step, band: 255 * ((step + band) % 2),
    "one band": lambda step, band: 255 * (band == 0) + 0 * step,
    "lowest and highest band in turns": lambda step, band: 255 * (band == (BANDS - 1) * (step % 2)),
    "one band after the other": lambda step, band: 255 * (band == step % BANDS),
    "halves in turns": lambda step, band: 255 * ((band < BANDS // 2) == (step % 2 == 0)),
}


@pytest.mark.parametrize("lag", [0, LEAST_LAG, MOST_LAG])
@pytest.mark.parametrize("levels", EXTREME_LEVELS.values(), ids=EXTREME_LEVELS.keys())
def test_no_timbre_makes_a_sound_explode(levels: Callable[[Ints, Ints], Ints], lag: int) -> None:
    """The strongest pitch, envelopes that no sound has: noise stays within 15 dB, and ends when it is over."""
    steps = 100
    timbre = Timbre(
        levels(np.arange(steps + 1)[:, None], np.arange(BANDS)).astype(np.uint8),
        np.full(steps, lag, np.uint16),
        np.full(steps, 255, np.uint8),
    )
    noise = 0.1 * np.random.default_rng(1).standard_normal(steps * ENVELOPE_LENGTH).astype(np.float32)
    filters = TimbreFilter()
    made = filters.add(noise, timbre)
    assert np.isfinite(made).all()
    assert abs(20 * np.log10(made.std() / noise.std())) < 15
    np.testing.assert_allclose(TimbreFilter().add(whiten(noise, timbre), timbre), noise, atol=1e-4)
    unpitched = Timbre(timbre.levels, np.zeros(steps, np.uint16), np.zeros(steps, np.uint8))  # as at rest
    rest = filters.add(np.zeros_like(noise), unpitched)
    assert np.abs(rest[SAMPLE_RATE // 2 :]).max() < 2e-4
    assert not rest[-ENVELOPE_LENGTH:].any()


def test_the_filters_are_the_slow_obvious_ones() -> None:
    """Sample by sample: the period before, then a lattice whose stages keep their share of the energy."""
    timbre = any_timbre(6, 1)
    excitation = np.random.default_rng(2).standard_normal(6 * ENVELOPE_LENGTH - 50).astype(np.float32)
    filters, gains = envelope_filters(timbre), timbre.pitch_gains()
    pitched, sound = np.zeros(len(excitation)), np.zeros(len(excitation))
    stages, sizes = np.zeros(ORDER), np.ones(ORDER)
    for at, value in enumerate(excitation):
        step, block = at // ENVELOPE_LENGTH, at // BLOCK
        before = pitched[at - timbre.lags[step]] if timbre.lags[step] and at >= timbre.lags[step] else 0.0
        pitched[at] = np.sqrt(1 - gains[step] ** 2) * value + gains[step] * before
        if at % BLOCK == 0:
            reflections = reflections_of(filters.past[block])
            new_sizes = np.sqrt(np.cumprod(np.append(1.0, 1 - reflections[:-1] ** 2)))
            stages, sizes = stages * new_sizes / sizes, new_sizes
        forward, earlier = filters.gain[block] * pitched[at], stages.copy()
        for stage in range(ORDER, 0, -1):
            forward -= reflections[stage - 1] * earlier[stage - 1]
            if stage < ORDER:
                stages[stage] = earlier[stage - 1] + reflections[stage - 1] * forward
        stages[0] = sound[at] = forward
    np.testing.assert_allclose(TimbreFilter().add(excitation, timbre), sound, atol=1e-4)


def reflections_of(past: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levinson and Durbin's recursion backwards."""
    weights, reflections = -past, np.zeros(len(past))
    for order in range(len(past), 0, -1):
        last = reflections[order - 1] = weights[-1]
        weights = (weights[:-1] - last * weights[:-1][::-1]) / (1 - last**2)
    return reflections


def test_filters_are_as_loud_as_what_comes_in() -> None:
    """So loudness is the network's work. 5 dB: where a pitch meets peaks as sharp as its own, gain is an estimate."""
    noise = 0.1 * np.random.default_rng(3).standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    for timbre in (Timbre.neutral(125), *(measure_timbre(voice(pitch, 2.0)) for pitch in (200, 440, 900))):
        made = TimbreFilter().add(noise, timbre)
        assert abs(20 * np.log10(made.std() / noise.std())) < 5


def test_a_neutral_timbre_changes_little() -> None:
    noise = np.random.default_rng(4).uniform(-1, 1, 5_120).astype(np.float32)
    np.testing.assert_allclose(TimbreFilter().add(noise, Timbre.neutral(20)), noise, atol=1e-4)


def test_silence_stays_silence_and_ends_exactly() -> None:
    timbre = measure_timbre(voice(300))
    filters = TimbreFilter()
    filters.add(np.ones(len(timbre) * ENVELOPE_LENGTH, np.float32), timbre)
    for _ in range(4):
        last = filters.add(np.zeros(len(timbre) * ENVELOPE_LENGTH, np.float32), timbre)
    assert not last[-ENVELOPE_LENGTH:].any()


def test_a_voice_gets_its_pitch_and_formant() -> None:
    timbre = measure_timbre(voice(400))
    inner = slice(4, -4)
    assert np.abs(timbre.lags[inner].astype(int) - SAMPLE_RATE // 400).max() <= 1
    assert timbre.pitch_gains()[inner].min() > 0.8
    noise = 0.1 * np.random.default_rng(5).standard_normal(len(timbre) * ENVELOPE_LENGTH).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(TimbreFilter().add(noise, timbre)[4_000:12_000]))
    assert abs(np.fft.rfftfreq(8_000, 1 / SAMPLE_RATE)[spectrum.argmax()] - 1_000) < 220


def test_an_excitation_is_flatter_and_about_as_loud_as_its_sound() -> None:
    breath = np.random.default_rng(6).standard_normal(SAMPLE_RATE)
    sound = (voice(250) + 0.02 * breath).astype(np.float32)
    excitation = whiten(sound, measure_timbre(sound))

    def flatness(samples: NDArray[np.float32]) -> float:
        power = np.abs(np.fft.rfft(samples[:8_192].reshape(-1, 512) * np.hanning(512))) ** 2 + 1e-12
        return float(np.exp(np.log(power).mean()) / power.mean())

    assert flatness(excitation) > 10 * flatness(sound)
    levels = [measure_envelope(each).loudness[8:-8].mean() for each in (sound, excitation)]
    assert abs(levels[0] - levels[1]) < 6


def test_what_does_not_fit_is_an_error() -> None:
    with pytest.raises(UsageError, match="want a timbre of 2 steps; got 3"):
        whiten(np.zeros(300, np.float32), Timbre.neutral(3))
    with pytest.raises(UsageError, match="want a timbre of 2 steps; got 1"):
        TimbreFilter().add(np.zeros(257, np.float32), Timbre.neutral(1))
    with pytest.raises(UsageError, match=r"lags must be 0 or lie in 12\.\.400; got 5\.\.5"):
        Timbre(np.zeros((2, BANDS), np.uint8), np.array([5], np.uint16), np.array([9], np.uint8))
    with pytest.raises(UsageError, match="wants levels"):
        Timbre(np.zeros((1, BANDS), np.uint8), np.array([0], np.uint16), np.array([0], np.uint8))


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(0, 100))
def test_parts_of_a_timbre_make_the_whole(steps: int, seed: int) -> None:
    whole = any_timbre(steps, seed)
    cut = seed % (steps + 1)
    joined = Timbre.join([whole[:cut], whole[cut:]])
    for name in ("levels", "lags", "strengths"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_vectors_say_pitch_in_octaves_and_levels_in_20_db() -> None:
    timbre = Timbre(np.full((2, BANDS), 180, np.uint8), np.array([32], np.uint16), np.array([255], np.uint8))
    told = timbre_vectors(timbre)
    np.testing.assert_allclose(told, [[0.5, 0.95] + [0.0] * 2 * BANDS], atol=1e-6)
