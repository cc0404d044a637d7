"""Made sounds: what every recipe promises, and what makes a sound one of its class."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from v2s_engine.corpus.recordings import AUDIBLE_DBFS
from v2s_engine.corpus.synthesis import drum_kit
from v2s_engine.corpus.synthesis.drums import drum
from v2s_engine.corpus.synthesis.recipe import Samples
from v2s_engine.corpus.synthesis.recipes import RECIPES
from v2s_engine.envelope import measure_envelope

LENGTH = 64_000
DRAWS = range(8)


@cache
def excerpts(name: str, length: int = LENGTH) -> tuple[Samples, ...]:
    return tuple(RECIPES[name](np.random.default_rng(seed), length) for seed in DRAWS)


def loudest(sound: NDArray[np.floating], length: int) -> NDArray[np.float64]:
    """The stretch with the most energy."""
    energy = np.convolve(sound.astype(np.float64) ** 2, np.ones(length), "valid")
    begin = int(energy.argmax())
    return sound[begin : begin + length].astype(np.float64)


def repetition(stretch: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """The rate in Hz, between `low` and `high`, at which a stretch is most like itself, and how much (up to 1)."""
    stretch = stretch - stretch.mean()
    size = 2 * len(stretch)
    alike = np.fft.irfft(np.abs(np.fft.rfft(stretch * np.hanning(len(stretch)), size)) ** 2)[: len(stretch)]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(len(stretch)), size)) ** 2)[: len(stretch)]
    alike = (alike / alike[0]) / (window / window[0])
    lags = np.arange(int(16_000 / high), int(16_000 / low) + 1)
    peaks = [lag for lag in lags if alike[lag] >= alike[lag - 1] and alike[lag] >= alike[lag + 1]]
    best = max(alike[lag] for lag in peaks)
    lag = next(lag for lag in peaks if alike[lag] > 0.85 * best)  # the shortest: not a multiple of the period
    return 16_000 / lag, float(best)


def jumps(sound: Samples) -> int:
    """How often the loudness rises by 10 dB or more within 32 ms, to within 30 dB of the loudest."""
    loudness = measure_envelope(sound).loudness
    rises = (loudness[2:] - loudness[:-2] > 10) & (loudness[2:] > loudness.max() - 30)
    return int(np.sum(rises[1:] & ~rises[:-1]) + rises[0])


@pytest.mark.parametrize("name", RECIPES)
def test_an_excerpt_is_as_long_as_asked_finite_within_full_scale_and_audible(name: str) -> None:
    odd = RECIPES[name](np.random.default_rng(0), LENGTH + 12_347)
    assert odd.shape == (LENGTH + 12_347,)
    for sound in (*excerpts(name), odd):
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() <= 1
        assert measure_envelope(sound).loudness.max() > AUDIBLE_DBFS
    assert all(sound.shape == (LENGTH,) for sound in excerpts(name))


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_draw_gives_the_same_bits_and_another_another_sound(name: str) -> None:
    recipe = RECIPES[name]
    first, again = recipe(np.random.default_rng(5), LENGTH), recipe(np.random.default_rng(5), LENGTH)
    assert first.tobytes() == again.tobytes()
    every = excerpts(name)
    for one, other in pairwise(every):
        alike = np.corrcoef(np.abs(one), np.abs(other))[0, 1]
        assert alike < 0.9


@pytest.mark.parametrize("name", RECIPES)
def test_some_excerpts_are_faint_and_some_loud(name: str) -> None:
    peaks = [20 * np.log10(np.abs(sound).max()) for sound in excerpts(name)]
    assert max(peaks) - min(peaks) > 6
    assert max(peaks) > -16


def test_babies_cry_at_300_to_600_hz() -> None:
    pitches = [repetition(loudest(sound, 2_048), 200, 2_000) for sound in excerpts("baby_crying")]
    voiced = [pitch for pitch, clear in pitches if clear > 0.6]
    assert len(voiced) >= 5
    assert 300 < np.median(voiced) < 650


def test_babies_breathe_between_cries() -> None:
    for sound in excerpts("baby_crying", 160_000):
        loudness = measure_envelope(sound).loudness
        assert (loudness < loudness.max() - 20).any()


def test_barks_are_short_and_start_suddenly() -> None:
    assert sum(jumps(sound) >= 2 for sound in excerpts("dog")) >= 5


def test_a_palate_flutters_20_to_90_times_a_second() -> None:
    flutters = [repetition(loudest(sound, 4_800), 18, 100) for sound in excerpts("snoring", 96_000)]
    clear = [rate for rate, clearness in flutters if clearness > 0.3]
    assert len(clear) >= 5
    assert all(20 < rate < 95 for rate in clear)


def test_snores_come_and_go_with_the_breath() -> None:
    for sound in excerpts("snoring", 128_000):
        loudness = np.convolve(measure_envelope(sound).loudness, np.full(13, 1 / 13), "valid")
        assert loudness.max() - loudness.min() > 6


Maker = Callable[[np.random.Generator], drum_kit.Strike]


@pytest.mark.parametrize(
    "maker",
    [drum_kit.kick, drum_kit.tom, drum_kit.snare, drum_kit.hand_drum, drum_kit.percussion]
    + [lambda draw, kind=kind: drum_kit.cymbal(draw, kind) for kind in ("crash", "ride", "splash", "hat", "pedal")],
)
def test_a_blow_is_loudest_at_once_and_dies_away(maker: Maker) -> None:
    for seed in DRAWS:
        draw = np.random.default_rng(seed)
        strike = maker(draw)
        for force in (0.3, 1.0):
            hit = strike(draw, force)
            assert np.abs(hit).max() == pytest.approx(force)
            assert np.abs(hit).argmax() < max(800, len(hit) // 5)
            part = len(hit) // 5
            assert np.square(hit[-part:]).mean() < 0.01 * np.square(hit[:part]).mean()


def test_a_harder_blow_is_brighter() -> None:
    def middle(hit: NDArray[np.float64]) -> float:
        power = np.abs(np.fft.rfft(hit)) ** 2
        return float((power * np.arange(len(power))).sum() / power.sum())

    for seed in DRAWS:
        strike = drum_kit.tom(np.random.default_rng(seed))
        soft, hard = strike(np.random.default_rng(1), 0.2), strike(np.random.default_rng(1), 1.0)
        assert middle(hard) > middle(soft)


def test_a_kick_falls_in_pitch() -> None:
    for seed in DRAWS:
        draw = np.random.default_rng(seed)
        hit = drum_kit.kick(draw)(draw, 0.5)
        crossings = np.flatnonzero(np.diff(np.signbit(_without_click(hit))))
        assert crossings[1] - crossings[0] < crossings[-1] - crossings[-2]


def _without_click(hit: NDArray[np.float64]) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(hit)
    spectrum[np.fft.rfftfreq(len(hit), 1 / 16_000) > 250] = 0
    return np.fft.irfft(spectrum, len(hit))[: len(hit) // 2]


def test_drumming_has_blows() -> None:
    for seed in range(20):
        assert jumps(drum(np.random.default_rng(seed), LENGTH)) >= 1


def test_fireworks_bang() -> None:
    sounds = excerpts("fireworks", 96_000)
    assert sum(jumps(sound) >= 1 for sound in sounds) >= 6
