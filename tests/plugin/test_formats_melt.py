"""A real renderer, MLT's `melt`, plays the MLT projects that V2S writes: what they hold stands where it should."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media import make_clip, read_number
from tests.plugin.cuts import CLICK_AT, ClickSource, clip, gap, options, score, span, timeline, track
from tests.plugin.mlt_documents import blank, entry, playlist, producer, save_document, tractor, transition
from tests.plugin.mlt_documents import track as mlt_track
from tests.plugin.test_melt import check_onsets, clicks, melt, onsets
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.video import read_pictures
from v2s_plugin.media.footage import Footage, footage_of
from v2s_plugin.media.library import MediaLibrary
from v2s_plugin.scoring import ScoreOptions, score_file
from v2s_plugin.timeline import read_timeline
from v2s_plugin.timing.placement import place_clips

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


RATE = Fraction(25)
WHOLE = ("an=1", "vcodec=ffv1")


def melted(project: Path, count: int) -> list[int | None]:
    """The number that is seen in each frame which melt plays; None where none can be read."""
    film = melt(project, project.with_suffix(".mkv"), wants=WHOLE)
    shown = read_pictures(film, [number / RATE for number in range(count)], width=160, height=120)
    return [read_number(picture) for picture in shown]


def planned(project: Path) -> dict[int, int]:
    """The number that V2S plans with, by the frame of the project."""
    cut = read_timeline(project)
    library = MediaLibrary(project.parent)
    found = {}
    for placed in place_clips(cut):
        footage = footage_of(placed, library)
        if placed.kind == "Video" and isinstance(footage, Footage):
            first = int(placed.span.start * RATE)
            for number in range(int(placed.span.duration * RATE)):
                found[first + number] = int(footage.media_time(number / RATE) * RATE)
    return found


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for name in ("a.mov", "b.mov"):
        make_clip(tmp_path / name, rate=RATE, frames=100)
    return tmp_path


def test_a_project_is_planned_with_the_pictures_that_melt_plays(films: Path) -> None:
    """In-points on producers and entries, timecodes, blanks, speeds, backwards, remapped, nested."""
    keys = "00:00:00.000=0;00:00:01.000=2;00:00:02.000=1"
    remap = (
        f'<link id="l"><property name="mlt_service">timeremap</property><property name="map">{keys}</property></link>'
    )
    project = save_document(
        films / "cut.mlt",
        producer("black", "black", mlt_service="color", length=400),
        producer("in", "a.mov", first=10, last=59),
        producer("b", "b.mov"),
        producer("fast", "2:a.mov", mlt_service="timewarp"),
        producer("back", "-1:a.mov", mlt_service="timewarp", first=0, last=99),
        producer("quick", "-2:a.mov", mlt_service="timewarp", first=0, last=39),
        producer("map", str(films / "a.mov"), remap, tag="chain", last=99, length=100, mlt_service="avformat"),
        playlist("inner", blank(4), entry("b", 10, 40)),
        tractor("nest", mlt_track("inner")),
        playlist("background", entry("black", 0, 300)),
        playlist(
            "v1",
            entry("in", 0, 9),
            entry("b", "00:00:00:20", "00:00:01.160"),
            blank(3),
            entry("fast", 5, 24),
            entry("back", 5, 24),
            entry("quick", 5, 24),
            entry("map", 5, 30),
            entry("nest", 2, 20),
        ),
        tractor("t", mlt_track("background"), mlt_track("v1")),
        root=str(films),
    )
    wanted = planned(project)
    assert len(wanted) == 10 + 10 + 20 + 20 + 20 + 26 + 17
    seen = melted(project, max(wanted) + 1)
    # MLT counts a remap's seconds in floating point, so one of its frames may be the neighbour.
    wrong = [(frame, number, seen[frame]) for frame, number in wanted.items() if seen[frame] != number]
    assert all(abs(number - (got or 0)) == 1 and 83 <= frame < 109 for frame, number, got in wrong)
    assert len(wrong) <= 1


def test_a_project_that_melt_wrote_is_planned_with_the_pictures_that_melt_plays(films: Path) -> None:
    """With its dissolve, of which all but the mixed frames can be read."""
    mix = ["a.mov", "in=10", "out=59", "b.mov", "in=20", "out=79", "-mix", "20", "-mixer", "luma"]
    paths = [str(films / each) if each.endswith(".mov") else each for each in mix]
    profile = films / "profile"
    size = {
        "description": "small",
        "colorspace": 601,
        "width": 160,
        "height": 120,
        "progressive": 1,
        "frame_rate_num": 25,
        "frame_rate_den": 1,
    }
    size |= {"sample_aspect_num": 1, "sample_aspect_den": 1, "display_aspect_num": 4, "display_aspect_den": 3}
    profile.write_text("".join(f"{name}={value}\n" for name, value in size.items()))
    project = films / "cut.mlt"
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(films)}
    command = ["melt", "-profile", str(profile), *paths, "-consumer", f"xml:{project}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60, env=bare)
    wanted = planned(project)
    assert sorted(wanted) == list(range(90))
    seen = melted(project, 90)
    plain = [frame for frame in wanted if not 30 <= frame < 50]
    assert [seen[frame] for frame in plain] == [wanted[frame] for frame in plain]
    assert [wanted[frame] for frame in (39, 40)] == [49, 30]


def test_a_scored_project_keeps_its_dissolve_and_plays_its_sounds_where_they_should(films: Path) -> None:
    for name in ("a.mov", "b.mov"):
        make_clip(films / name, rate=RATE, frames=100, sound=False)
    mix = (mlt_track("a", None, 40, 49), mlt_track("b", None, 0, 9), transition("luma", last=9))
    project = save_document(
        films / "cut.mlt",
        producer("a", "a.mov", mlt_service="avformat", length=100),
        producer("b", "b.mov", mlt_service="avformat", length=100),
        tractor("mix", *mix, first=0, last=9, shotcut__transition="lumaMix"),
        playlist(
            "v1", blank(5), entry("a", 0, 39), entry("mix", 0, 9), entry("b", 10, 59), blank(10), entry("a", 0, 39)
        ),
        tractor("t", mlt_track("v1"), shotcut=1),
    )
    before = melted(project, 150)
    wanted = ScoreOptions(plan=options(sound="dog"))
    scored = score_file(project, wanted, lambda **_: ClickSource())
    assert scored.output is not None
    assert melted(scored.output, 150) == before
    assert sorted(each.job.timeline_start * RATE for each in scored.scored) == [5, 50, 115]
    check_onsets(scored.output, onsets(5, 115, rate=RATE), RATE)  # the second one clicks before its cut
    again = score_file(scored.output, ScoreOptions(plan=options(sound="dog"), in_place=True), lambda **_: ClickSource())
    assert (again.made, again.reused) == (0, 3)
    check_onsets(scored.output, onsets(5, 115, rate=RATE), RATE)
