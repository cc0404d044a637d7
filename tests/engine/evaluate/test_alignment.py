from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.media import make_clip, make_still, write_clip
from v2s_engine.errors import MediaError
from v2s_engine.evaluate.alignment import Movement, av_align, compare_curves, compare_sounds, measure_movement


def at(*positions: int) -> NDArray[np.int64]:
    return np.array(positions, np.int64)


def test_av_align_is_matched_over_all() -> None:
    assert av_align(at(1_000, 20_000), at(1_500, 40_000)) == pytest.approx(1 / 3)
    assert av_align(at(1_000), at(1_000)) == 1.0
    assert av_align(at(1_000), at()) == 0.0
    assert av_align(at(), at()) is None


def test_av_align_lets_a_peak_be_matched_once() -> None:
    """The original counts both onsets for the one peak, and so passes 1 for a rattle."""
    assert av_align(at(1_000), at(500, 1_000, 1_500)) == pytest.approx(1 / 3)


def test_the_window_is_a_time_and_not_a_frame_rate() -> None:
    late = at(2_024)
    assert av_align(at(1_000), late) == 1.0
    assert av_align(at(1_000), at(2_025)) == 0.0
    for rate, found in ((12, 1.0), (25, 0.0), (50, 0.0)):  # the original's window, for comparison
        assert av_align(at(1_000), late, 16_000 // rate) == found


def test_movement_is_found_where_something_moves(tmp_path: Path) -> None:
    """A bright square stands, jumps at 0.8 s, and stands."""
    pictures = []
    for number in range(50):
        picture = np.full((96, 96, 3), 40, np.uint8)
        place = 20 if number < 20 else 28
        picture[30:60, place : place + 30] = 200
        pictures.append(picture)
    path = tmp_path / "jump.mp4"
    write_clip(path, iter(pictures), [Fraction(number, 25) for number in range(50)])
    movement = measure_movement(path, 32_000)
    assert len(movement.curve) == 32
    assert movement.frame_length == 640
    assert len(movement.peaks()) == 1
    assert abs(int(movement.peaks()[0]) - 12_800) <= 1_024
    later = measure_movement(path, 16_000, Fraction(1, 2))
    assert abs(int(later.peaks()[0]) - 4_800) <= 1_024


def test_steady_motion_has_no_peaks_however_it_trembles() -> None:
    pan = np.full(100, 0.01)
    pan[0] = 0.0  # nothing before the first picture
    assert Movement(pan, 640).peaks().tolist() == []
    trembling = pan * np.random.default_rng(0).uniform(0.95, 1.0, 100)
    assert Movement(trembling, 640).peaks().tolist() == []
    pan[[40, 60]] = 0.03
    assert Movement(pan, 640).peaks().tolist() == [40 * 1_024, 60 * 1_024]


def test_nothing_moves_in_a_still_picture(tmp_path: Path) -> None:
    assert measure_movement(make_still(tmp_path / "still.png"), 16_000).peaks().tolist() == []
    assert Movement(np.zeros(0), 640).peaks().tolist() == []
    with pytest.raises(MediaError):
        measure_movement(tmp_path / "none.mp4", 16_000)


def test_a_made_clip_has_movement_of_its_length(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=10)
    assert np.isfinite(measure_movement(clip.path, 5_000).curve).all()


def beats(shift: int, level: float = 0.0) -> NDArray[np.float32]:
    curve = np.full(200, -60.0, np.float32)
    for step in (20, 53, 61, 110, 150):
        curve[step + shift : step + shift + 12] = np.linspace(-10, -50, 12)
    return curve + np.float32(level)


@pytest.mark.parametrize("shift", [0, 5, -5, 30])
def test_the_lag_is_what_the_second_is_late_by(shift: int) -> None:
    match = compare_curves(beats(0), beats(shift) if shift >= 0 else beats(0)[-shift:])
    assert match.lag_ms == 16 * shift
    assert match.best == pytest.approx(1.0, abs=1e-5)
    assert match.correlation is not None
    assert (match.correlation > 0.99) == (shift == 0)


def test_a_level_does_not_show_in_a_correlation() -> None:
    match = compare_curves(beats(0), beats(0, 5.0))
    assert match.correlation == pytest.approx(1.0, abs=1e-5)


def test_flat_silent_and_short_sounds_are_none() -> None:
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1
    for other in (np.zeros(16_000, np.float32), np.zeros(0, np.float32), noise[:300]):
        match = compare_sounds(noise, other)
        assert (match.correlation, match.best, match.lag_ms) == (None, None, None)


@given(st.integers(0, 2**32 - 1), st.integers(8, 120))
def test_the_best_lag_is_at_least_as_good_as_none(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    match = compare_curves(*(rng.uniform(-60, 0, length).astype(np.float32) for _ in range(2)))
    assert match.correlation is not None
    assert match.best is not None
    assert match.lag_ms is not None
    assert -1 <= match.correlation <= match.best + 1e-6 <= 1 + 2e-6
    assert abs(match.lag_ms) <= 512
