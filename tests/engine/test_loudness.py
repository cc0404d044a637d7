"""Loudness by the standard, the true peak, and levels of a stretch of a file."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import make_clip, make_still, write_clip
from v2s_engine.audio import write_wav
from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError
from v2s_engine.loudness import LEVELS_PER_SECOND, SILENCE_DBFS, integrated_loudness, read_levels, true_peak

RATE = 48_000


def tone(seconds: float, level_db: float, hertz: float = 997, rate: int = RATE) -> NDArray[np.float32]:
    """A sine of a peak level in dBFS."""
    moments = np.arange(round(seconds * rate)) / rate
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * moments)).astype(np.float32)


class TestLoudness:
    """A mono sine of 997 Hz at 0 dBFS has -3.01 LUFS (ITU-R BS.1770-5, annex 1)."""

    @pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
    @pytest.mark.parametrize("level", [-6.0, -23.0, -50.0])
    def test_a_tone_has_the_loudness_that_the_standard_gives_it(self, level: float, rate: int) -> None:
        assert integrated_loudness([tone(5, level, rate=rate)], rate) == pytest.approx(level - 3.01, abs=0.05)

    def test_pieces_are_one_programme(self) -> None:
        whole = np.concatenate([tone(2, -20), tone(2, -26)])
        pieces = np.split(whole, [1, 777, 48_000, 100_001])
        assert integrated_loudness(pieces, RATE) == integrated_loudness([whole], RATE)

    def test_silence_between_sounds_does_not_count(self) -> None:
        gap = np.zeros(60 * RATE, np.float32)
        apart = integrated_loudness([tone(20, -20), gap, tone(20, -20)], RATE)
        assert apart == pytest.approx(-23.01, abs=0.1)

    def test_a_sound_shorter_than_the_standards_gate_is_measured_in_one_gate(self) -> None:
        short = integrated_loudness([tone(0.1, -20)], RATE)
        assert short == pytest.approx(-23.01 + 10 * math.log10(0.1 / 0.4), abs=0.2)

    @pytest.mark.parametrize("pieces", [[], [np.zeros(100_000, np.float32)], [tone(1, -90)]])
    def test_what_is_silent_has_none(self, pieces: list[NDArray[np.float32]]) -> None:
        assert integrated_loudness(pieces, RATE) is None


class TestTruePeak:
    @pytest.mark.parametrize("level", [-1.0, -20.0, -60.0])
    def test_of_a_slow_tone_it_is_the_peak(self, level: float) -> None:
        assert true_peak(tone(1, level), RATE) == pytest.approx(level, abs=0.02)

    def test_it_sees_what_lies_between_the_samples(self) -> None:
        moments = np.arange(RATE)
        missed = (0.5 * np.sin(np.pi / 2 * moments + np.pi / 4)).astype(np.float32)  # samples at 0.354 only
        ends = np.hanning(RATE).astype(np.float32)
        assert 20 * math.log10(float(np.abs(missed * ends).max())) == pytest.approx(-9.03, abs=0.05)
        assert true_peak(missed * ends, RATE) == pytest.approx(-6.02, abs=0.1)

    def test_silence_has_none(self) -> None:
        assert true_peak(np.zeros(500, np.float32), RATE) == -math.inf


class TestLevels:
    @pytest.mark.parametrize("rate", [44_100, 48_000])
    @pytest.mark.parametrize("start", [Fraction(0), Fraction(1), Fraction(123, 1000), Fraction(7, 2)])
    def test_a_burst_is_found_where_it_is(self, tmp_path: Path, rate: int, start: Fraction) -> None:
        sound = np.zeros(5 * rate, np.float32)
        sound[4 * rate : 4 * rate + rate // 2] = tone(0.5, -20, rate=rate)
        path = tmp_path / "a.wav"
        write_wav(path, sound, rate)
        levels = read_levels(path, start, 5 - start)
        assert len(levels) == math.ceil((5 - start) * LEVELS_PER_SECOND)
        loud = np.flatnonzero(levels > -40)
        assert (loud[0], loud[-1]) == (
            math.floor((4 - start) * LEVELS_PER_SECOND),
            math.ceil((Fraction(9, 2) - start) * LEVELS_PER_SECOND) - 1,
        )
        assert np.median(levels[loud]) == pytest.approx(-23.01, abs=0.5)
        assert (levels[: loud[0]] == SILENCE_DBFS).all()

    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
    def test_a_films_sound_counts_from_its_first_picture(self, tmp_path: Path, suffix: str) -> None:
        film = make_clip(tmp_path / f"a{suffix}", frames=100, flashes=(30, 80))
        for start in (Fraction(0), Fraction(5, 2)):
            levels = read_levels(film.path, start, film.duration - start)
            loud = np.flatnonzero(levels > -30) / LEVELS_PER_SECOND + float(start)
            for flash in (time for time in film.flash_times if time >= start):
                assert np.abs(loud - float(flash)).min() <= 0.01

    def test_of_two_channels_the_louder_counts(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        write_wav(path, np.stack([np.zeros(RATE, np.float32), tone(1, -20)]), RATE)
        assert np.median(read_levels(path, Fraction(0), Fraction(1))) == pytest.approx(-23.01, abs=0.5)

    def test_outside_the_file_is_silence(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        write_wav(path, tone(1, -20), RATE)
        levels = read_levels(path, Fraction(-1), Fraction(3))
        assert (levels[:200] == SILENCE_DBFS).all()
        assert (levels[200:400] > -30).all()
        assert (levels[400:] == SILENCE_DBFS).all()

    def test_a_stretch_past_the_end_of_the_file_is_an_error(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        write_wav(path, tone(1, -20), RATE)
        with pytest.raises(MediaUnreadableError, match=r"no sound between 3600\.000 s and 3601\.000 s"):
            read_levels(path, Fraction(3600), Fraction(1))

    def test_what_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(MediaNotFoundError, match="no sound file"):
            read_levels(tmp_path / "none.wav", Fraction(0), Fraction(1))
        silent = tmp_path / "silent.mp4"
        write_clip(silent, [np.zeros((32, 32, 3), np.uint8)] * 5, [Fraction(n, 25) for n in range(5)])
        for path in (silent, make_still(tmp_path / "a.png")):
            with pytest.raises(MediaUnreadableError, match="holds no sound"):
                read_levels(path, Fraction(0), Fraction(1))
