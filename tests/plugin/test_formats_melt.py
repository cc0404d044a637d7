"""A real renderer, MLT's `melt`, plays the MLT projects that V2S writes: what they hold stands where it should."""

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media import make_clip, read_number
from tests.plugin.cuts import CLICK_AT, ClickSource, clip, gap, score, span, timeline, track
from tests.plugin.test_melt import clicks, melt
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.video import read_pictures

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("melt") is None, reason="melt is not installed: make test-programs"),
]


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24_000, 1001), Fraction(30_000, 1001)])
def test_a_scored_mlt_project_sounds_within_a_frame_of_where_it_should(tmp_path: Path, rate: Fraction) -> None:
    make_clip(tmp_path / "a #1.mp4", rate=rate, frames=60)
    fps = float(rate)
    cut = timeline(
        track(
            clip("a", "a #1.mp4", source=span(3, 20, fps), available=span(0, 60, fps)),
            gap(12, fps),
            clip("b", "a #1.mp4", source=span(0, 25, fps), available=span(0, 60, fps)),
        ),
        track(gap(50, fps), clip("c", "a #1.mp4", source=span(30, 22, fps), available=span(0, 60, fps)), name="V2"),
    )
    result = score(cut, tmp_path, ClickSource(), probe=None, format="mlt")
    assert result.output is not None
    heard = clicks(melt(result.output, tmp_path / "heard.wav"))
    wanted = sorted(float(sound.job.timeline_start) + CLICK_AT / SAMPLE_RATE for sound in result.scored)
    assert len(wanted) >= 3
    np.testing.assert_allclose(heard, wanted, atol=float(1 / rate))


def test_its_pictures_are_those_of_the_timeline_to_the_frame(tmp_path: Path) -> None:
    """Media that start at an hour, trimmed: MLT counts from the first frame of the file."""
    make_clip(tmp_path / "a.mov", rate=Fraction(25), frames=60, timecode="01:00:00:00")
    hour = 25 * 3600
    cut = timeline(
        track(
            clip("a", "a.mov", source=span(hour + 7, 10, 25), available=span(hour, 60, 25)),
            gap(5, 25),
            clip("b", "a.mov", source=span(hour + 40, 10, 25), available=span(hour, 60, 25)),
        )
    )
    result = score(cut, tmp_path, ClickSource(), probe=None, format="mlt")
    assert result.output is not None
    film = melt(result.output, tmp_path / "film.mp4", wants=["an=1"])
    shown = list(read_pictures(film, [Fraction(number, 25) for number in range(25)], width=1920, height=1080))
    numbers = [read_number(picture[4::9, 244:1680:9]) for picture in shown]  # 160 × 120 in the middle of the screen
    assert numbers[:10] == list(range(7, 17))
    assert numbers[15:] == list(range(40, 50))
    assert not any(picture.max() > 40 for picture in shown[10:15])
