"""The timbre of a new sound: from recordings whose loudness fits, the same for the same take, known as parts come."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope, measure_envelope
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.timbre.choosing import AHEAD, TimbreChooser, choose_timbre
from v2s_engine.timbre.palette import Exemplars
from v2s_engine.timbre.timbre import Timbre

RISES = [0.2, 1.1, 2.4]


def burst(at: list[float], duration: float, *, low: float, high: float, seed: int) -> NDArray[np.float32]:
    """Noise between two frequencies, in bursts of 0.3 s that die away."""
    length = round(duration * SAMPLE_RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    noise = np.fft.irfft(spectrum * ((frequency > low) & (frequency < high)), length)
    time = np.arange(length) / SAMPLE_RATE
    gate = sum(np.where((time >= each) & (time < each + 0.3), np.exp(-8 * (time - each)), 0) for each in at)
    return np.asarray(0.5 * noise / np.abs(noise).max() * gate, np.float32)


@pytest.fixture(scope="module")
def exemplars() -> Exemplars:
    return Exemplars.measure(
        [burst(RISES, 3.5, low=200, high=900, seed=1), burst([0.5, 1.5], 2.5, low=3_000, high=6_000, seed=2)]
    )


def envelope_of(at: list[float], duration: float = 4.0) -> Envelope:
    return measure_envelope(burst(at, duration, low=50, high=7_000, seed=9))


def low_share(timbre: Timbre, step: int) -> bool:
    """Whether a step's energy lies in the low bands."""
    levels = timbre.levels[step].astype(int)
    return bool(levels[:16].max() > levels[24:].max())


def test_one_sound_keeps_to_one_recording(exemplars: Exemplars) -> None:
    """The same dog barks three times, not two dogs in turns."""
    asked = envelope_of([0.5, 1.5, 2.5])
    loud = np.flatnonzero(asked.loudness > -30)
    for take in range(8):
        chosen = choose_timbre(exemplars, asked, 1, take)
        assert len({low_share(chosen, step) for step in loud}) == 1


def test_takes_choose_among_what_fits(exemplars: Exemplars) -> None:
    asked = envelope_of([0.5, 1.5, 2.5])
    loud = int(np.flatnonzero(asked.loudness > -30)[1])
    assert {low_share(choose_timbre(exemplars, asked, 1, take), loud) for take in range(16)} == {True, False}


def test_a_take_is_the_same_again(exemplars: Exemplars) -> None:
    asked = envelope_of([0.1, 0.9])
    one, other = (choose_timbre(exemplars, asked, 3, 2) for _ in range(2))
    np.testing.assert_array_equal(one.levels, other.levels)
    np.testing.assert_array_equal(one.lags, other.lags)


def test_where_a_sound_starts_a_recording_starts(exemplars: Exemplars) -> None:
    """The stretch that is played from a rise on is one that rises there, so that attacks meet attacks."""
    asked = envelope_of([1.0])
    rise = int(np.argmax(asked.loudness > -40))
    starts = [round(each * SAMPLE_RATE / 256) for each in RISES] + [219 + round(each * 62.5) for each in (0.5, 1.5)]
    for take in range(6):
        chosen = choose_timbre(exemplars, asked, 5, take)
        levels = exemplars.timbre.levels
        same = [at for at in range(len(exemplars.timbre)) if (levels[at] == chosen.levels[rise]).all()]
        assert any(abs(at - start) <= 2 for at in same for start in starts)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_parts_give_the_same_as_the_whole(exemplars: Exemplars, sizes: list[int], seed: int, take: int) -> None:
    steps = sum(sizes)
    draw = np.random.default_rng(seed)
    asked = Envelope.from_loudness(np.repeat(draw.uniform(-80, 0, steps // 7 + 1), 7)[:steps].astype(np.float32))
    chooser, parts, first = TimbreChooser(exemplars, seed, take), [], 0
    for size in sizes:
        part = chooser.add(Envelope(asked.loudness[first : first + size], asked.onset[first : first + size]))
        first += size
        parts += [part] if part is not None else []
        assert sum(len(each) for each in parts) == max(0, first - AHEAD - 1)
    parts += [rest] if (rest := chooser.finish()) is not None else []
    joined, whole = Timbre.join(parts), choose_timbre(exemplars, asked, seed, take)
    for name in ("levels", "lags", "strengths"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    for one, other in itertools.pairwise(parts):
        np.testing.assert_array_equal(one.levels[-1], other.levels[0])


def test_at_rest_there_is_no_pitch(exemplars: Exemplars) -> None:
    chosen = choose_timbre(exemplars, Envelope.silence(100), 0, 1)
    assert len(chosen) == 100
    assert not chosen.lags.any()


def wave(steps: int) -> Envelope:
    return Envelope.from_loudness((-35 + 25 * np.sin(np.arange(steps) / 9)).astype(np.float32))


def test_a_long_sound_takes_no_more_memory_than_a_short_one(exemplars: Exemplars) -> None:
    chooser, part = TimbreChooser(exemplars, 1, 1), wave(40)
    for _ in range(5):
        chooser.add(part)
    tracemalloc.start()
    try:
        for _ in range(100):
            chooser.add(part)
        assert tracemalloc.get_traced_memory()[0] < 10_000  # 4,000 steps asked for as whole numbers are 16 kB and more
    finally:
        tracemalloc.stop()


def test_a_long_choice_can_be_stopped(exemplars: Exemplars) -> None:
    """At least once for every 32 steps it is asked whether to go on."""
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose_timbre(exemplars, wave(30 * 32), 1, 1, check)


def test_a_recording_of_one_step_can_be_chosen() -> None:
    exemplars = Exemplars.measure([burst([0.0], 0.016, low=200, high=7_000, seed=1)])
    assert len(choose_timbre(exemplars, wave(100), 2**64 - 1, 2**32 - 1)) == 100
