"""Water, trains, printers, helicopters, chainsaws: what trainings and listeners rely on in these made sounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from v2s_engine.corpus.synthesis.chainsaw import Saw, Work
from v2s_engine.corpus.synthesis.helicopter import Rotorcraft, helicopter
from v2s_engine.corpus.synthesis.horns import Horn
from v2s_engine.corpus.synthesis.housing import Housing
from v2s_engine.corpus.synthesis.machines import rings, tone, turn_positions
from v2s_engine.corpus.synthesis.passage import Passage
from v2s_engine.corpus.synthesis.railway import Line
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.water import bubbles
from v2s_engine.grid import SAMPLE_RATE

every_seed = pytest.mark.parametrize("seed", range(4))


def draw(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def strongest(sound: Signal, low: float, high: float) -> float:
    """The frequency between `low` and `high` Hz with the most energy."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    frequencies = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    inside = (frequencies >= low) & (frequencies <= high)
    return float(frequencies[inside][np.argmax(power[inside])])


def envelope(sound: Signal, step: int = 32) -> Signal:
    """Loudness in steps of 2 ms, around 0."""
    power = np.square(sound[: len(sound) // step * step]).reshape(-1, step).mean(axis=1)
    return np.sqrt(power) - np.sqrt(power).mean()


def repeats_after(curve: Signal, wanted: float) -> float:
    """Correlation of a `curve` with itself `wanted` steps (fractions too) later."""
    at = np.arange(len(curve) - int(wanted) - 2)
    return float(np.corrcoef(curve[at], np.interp(at + wanted, np.arange(len(curve)), curve))[0, 1])


class TestTools:
    def test_turns_are_where_the_phase_says(self) -> None:
        np.testing.assert_allclose(turn_positions(np.linspace(0.5, 3.5, 301)), [50, 150, 250])

    def test_a_ring_has_its_pitch_and_dies_away_at_its_pace(self) -> None:
        sound = rings(16_000, np.array([100.5]), np.array([440.0]), np.array([10.0]), np.array([1.0]))
        assert not sound[:101].any()
        assert strongest(sound, 100, 2000) == pytest.approx(440, abs=2)
        early, late = np.abs(sound[101:1000]).max(), np.abs(sound[8101:9000]).max()
        assert early / late == pytest.approx(np.exp(10 * 0.5), rel=0.05)

    def test_a_tone_does_not_fold_down(self) -> None:
        sound = tone(np.full(16_000, 3000.0), [1.0, 1.0, 1.0, 1.0])
        assert np.abs(np.fft.rfft(sound))[:2900].max() < 1e-3 * np.abs(np.fft.rfft(sound)).max()

    def test_what_comes_is_higher_than_what_goes_by_dopplers_ratio(self) -> None:
        passage = Passage.straight(96_000, speed=40.0, nearest=1.0, middle=0.5)
        heard = passage.heard(tone(np.full(passage.source_length, 1000.0), [1.0]))
        coming, going = strongest(heard[:16_000], 500, 2000), strongest(heard[-16_000:], 500, 2000)
        assert coming / going == pytest.approx((1 + 40 / 343) / (1 - 40 / 343), rel=0.01)
        assert int(np.argmax(np.abs(heard))) == pytest.approx(48_000, abs=800)


class TestWater:
    @pytest.mark.parametrize("radius", [1e-3, 2e-3, 4e-3])
    def test_bubbles_ring_at_minnaerts_frequency(self, radius: float) -> None:
        sound = bubbles(draw(0), 160_000, 200.0, radius, 1.001 * radius, steepness=0.0)
        power = np.abs(np.fft.rfft(sound)) ** 2
        octaves = np.log2(np.maximum(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE), 20) / (3.0 / radius))
        assert float(np.sum(power * octaves) / np.sum(power)) == pytest.approx(0, abs=0.5)


class TestTrains:
    @every_seed
    def test_joints_follow_each_other_by_length_of_rail_and_speed(self, seed: int) -> None:
        line = replace(Line.drawn(draw(seed), inside=True), clatter=10.0, rail=18.0)
        curve = envelope(line.clattering(draw(seed), np.full(128_000, 20.0), beside=False))
        period = 18.0 / 20.0 * SAMPLE_RATE / 32
        assert max(repeats_after(curve, period + shift) for shift in (-2, -1, 0, 1, 2)) > 0.3

    def test_rails_without_joints_do_not_clatter(self) -> None:
        line = replace(Line.drawn(draw(0), inside=True), clatter=0.0)
        assert not line.clattering(draw(0), np.full(32_000, 20.0), beside=True).any()

    def test_a_faster_train_is_louder(self) -> None:
        line = Line.drawn(draw(0), inside=False)
        slow, fast = (line.rolling(draw(1), np.full(32_000, speed)) for speed in (10.0, 20.0))
        assert 20 * np.log10(fast.std() / slow.std()) == pytest.approx(9, abs=1)

    @every_seed
    def test_a_horn_sounds_its_notes(self, seed: int) -> None:
        horn = replace(Horn.drawn(draw(seed)), pitches=(300.0,), breath=0.0)
        found = strongest(horn.blast(draw(seed), 32_000)[8_000:24_000], 100, 4000) / 300
        assert found == pytest.approx(round(found), abs=0.05)


class TestPrinters:
    @every_seed
    def test_a_motors_tone_is_its_step_rate_and_it_is_silent_when_it_stands(self, seed: int) -> None:
        housing = replace(Housing.drawn(draw(seed)), overtones=(1.0,))
        speed = np.repeat([1.0, 0.5, 0.0], 16_000)
        sound = housing.motor(draw(seed), speed, 800.0, rub=0.0)
        assert strongest(sound[2_000:14_000], 200, 3000) == pytest.approx(800, rel=0.02)
        assert strongest(sound[18_000:30_000], 200, 3000) == pytest.approx(400, rel=0.02)
        assert np.abs(sound[36_000:44_000]).max() < 0.01 * np.abs(sound[:32_000]).max()

    def test_nothing_that_strikes_is_silence(self) -> None:
        assert not Housing.drawn(draw(0)).clunks(draw(0), 16_000, np.zeros(0), np.zeros(0)).any()


class TestHelicopters:
    @every_seed
    def test_loudness_beats_as_often_as_blades_pass(self, seed: int) -> None:
        craft = replace(Rotorcraft.drawn(draw(seed)), tail_share=0.05)
        assert 10 <= craft.passes <= 30
        curve = envelope(craft.sound(draw(seed), np.ones(160_000)))
        beat = strongest(np.repeat(curve, 32), 8, 35)
        assert beat == pytest.approx(craft.passes, rel=0.05)

    def test_a_rotor_that_turns_slower_beats_slower(self) -> None:
        craft = replace(Rotorcraft.drawn(draw(0)), passes=24.0)
        curve = envelope(craft.sound(draw(0), np.full(160_000, 0.5)))
        assert strongest(np.repeat(curve, 32), 8, 20) == pytest.approx(12, rel=0.05)

    def test_most_excerpts_beat_where_helicopters_do(self) -> None:
        curves = [envelope(helicopter(draw(seed), 48_000).astype(np.float64)) for seed in range(10)]
        clear = [
            max(repeats_after(curve, period) for period in np.arange(500 / 35, 500 / 8)) > 0.25 for curve in curves
        ]
        assert sum(clear) >= 6


class TestChainsaws:
    @staticmethod
    def work(rate: float, throttle: float, load: float, length: int = 64_000) -> Work:
        return Work(*(np.full(length, value) for value in (rate, throttle, load)))

    @every_seed
    def test_it_fires_once_a_turn(self, seed: int) -> None:
        saw = replace(Saw.drawn(draw(seed)), rattle=0.0, bite=0.0)
        sound = saw.sound(draw(seed), self.work(150.0, 1.0, 1.0))
        found = strongest(sound, 40, 1000) / 150
        assert found == pytest.approx(round(found), abs=0.06)

    @every_seed
    def test_the_chain_stands_at_idle(self, seed: int) -> None:
        saw = Saw.drawn(draw(seed))
        assert 30 <= saw.idle < saw.full <= 210
        still = replace(saw, rattle=0.0, bite=0.0)
        idle = self.work(saw.idle, 0.0, 0.0)
        np.testing.assert_array_equal(saw.sound(draw(seed), idle), still.sound(draw(seed), idle))
        fast = self.work(saw.full, 1.0, 0.5)
        assert (saw.sound(draw(seed), fast) != still.sound(draw(seed), fast)).any()

    def test_full_throttle_is_louder_than_idle_and_an_engine_that_stands_is_silent(self) -> None:
        saw = Saw.drawn(draw(3))
        idle, full = (saw.sound(draw(3), self.work(*state)) for state in ((saw.idle, 0.0, 0.0), (saw.full, 1.0, 0.5)))
        assert full.std() > 2 * idle.std()
        assert not saw.sound(draw(3), self.work(0.0, 0.0, 0.0)).any()
