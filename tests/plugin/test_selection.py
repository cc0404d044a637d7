"""`--only`: which clips are sounded, and that what is left out stays known."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugin.cuts import clip, fake_probe, gap, marker, options, span, time, timeline, track
from v2s_engine.errors import UsageError
from v2s_plugin.planning.jobs import Plan, plan
from v2s_plugin.planning.selection import Selection
from v2s_plugin.planning.time_range import TimeRangeText


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("cut")
    for name in "abcd":
        (made / f"{name}.mp4").touch()
    return made


def shot(name: str, *notes: Any, start: int = 0, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, 48, 24), notes=notes, **given)


def two_tracks(start: Any = None) -> Any:
    """a and b on V1, c and d later on the track above; 2 s each."""
    green = shot("b")
    green.color = otio.core.Color.GREEN
    below = track(shot("a", marker("Bark!", 12, 1)), green, name="Video 1")
    above = track(gap(96), shot("c", "v2s:sound=drum"), shot("d"), name="Video 2")
    return timeline(below, above, start=start)


def chosen(folder: Path, *only: str, cut: Any = None, **given: Any) -> Plan:
    wanted = options(**{"sound": "dog"} | given, selection=Selection.parse(only))
    return plan(cut or two_tracks(), folder, wanted, probe=fake_probe)


def labels(found: Plan) -> str:
    assert found.skips == ()
    return "".join(job.label for job in found.jobs)


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ([], "abcd"),
        (["track=Video 1"], "ab"),
        (["track=video*"], "abcd"),
        (["track=V1"], "ab"),
        (["TRACK = v2"], "cd"),
        (["clip=a"], "a"),
        (["clip=[ad]"], "ad"),
        (["clip=a", "clip=c"], "ac"),
        (["marker=bark!"], "a"),
        (["marker=B*"], "a"),
        (["marker=v2s:sound=*"], "c"),
        (["color=green"], "b"),
        (["color=RED"], "ac"),
        (["sound=drum"], "c"),
        (["sound=dog", "track=V2"], "d"),
        (["range=1s-2.5s"], "ab"),
        (["range=2s-4s"], "b"),
        (["range=-2s"], "a"),
        (["range=5.9s-"], "cd"),
        (["range=-1s", "range=7s-"], "ad"),
    ],
)
def test_selectors(folder: Path, only: list[str], left: str) -> None:
    assert labels(chosen(folder, *only)) == left


def test_timecodes_count_from_the_start_timecode_in_its_rate(folder: Path) -> None:
    cut = two_tracks(start=time(86400, 24))
    assert labels(chosen(folder, "range=01:00:04:00-01:00:06:00", cut=cut)) == "c"
    assert labels(chosen(folder, "range=01:00:05:23-", cut=cut)) == "cd"
    assert labels(chosen(folder, "range=4s-6s", cut=cut)) == "c"
    assert labels(chosen(folder, "range=00:00:04:00-00:00:06:00")) == "c"


@pytest.mark.parametrize(
    ("timecode", "rate", "seconds"),
    [
        ("01:00:00:00", Fraction(24000, 1001), Fraction(36036, 10)),
        ("01:00:00;00", Fraction(30000, 1001), Fraction(107892 * 1001, 30000)),
        ("00:01:00;02", Fraction(30000, 1001), Fraction(1800 * 1001, 30000)),
        ("00:10:00;00", Fraction(60000, 1001), Fraction(35964 * 1001, 60000)),
        ("00:00:01:09", Fraction(10), Fraction(19, 10)),
        ("00:00:01:119", Fraction(120), Fraction(239, 120)),
    ],
)
def test_timecode_is_exact_at_every_rate(timecode: str, rate: Fraction, seconds: Fraction) -> None:
    cut = timeline(start=time(0, float(rate)))
    assert TimeRangeText.parse(f"{timecode}-").on(cut, []).start == seconds


@given(st.integers(0, 2_000_000), st.sampled_from([(24_000, False), (24_024, False), (30_000, True), (60_000, True)]))
def test_timecode_is_what_opentimelineio_writes(frame: int, rate: tuple[int, bool]) -> None:
    exact, drops = Fraction(rate[0], 1001), rate[1]
    shown = time(frame, otio.opentime.RationalTime.nearest_smpte_timecode_rate(float(exact)))
    written = otio.opentime.to_timecode(shown, shown.rate, drops)
    cut = timeline(start=time(0, shown.rate))
    assert TimeRangeText.parse(f"{written}-").on(cut, []).start == frame / exact


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10-20", "'10' in the range '10-20' is no time"),
        ("-", "is not understood"),
        ("5s", "is not understood; write HH:MM:SS:FF-HH:MM:SS:FF or 12.5s-20s"),
        ("1:2:3-5s", "'1:2:3' in the range"),
        ("5s-4s", "ends before it starts"),
        ("00:00:00:24-", "there is no timecode 00:00:00:24 at 24 frames a second"),
        ("00:00:01;00-", "there is no timecode 00:00:01;00 at 24 .*29.97 and 59.94 alone have drop frame"),
    ],
)
def test_a_range_that_is_none_is_told(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TimeRangeText.parse(text).on(timeline(start=time(0, 24)), [])


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("V1", "write KEY=VALUE with a key of track, clip, marker, color, range, sound"),
        ("colour=RED", "write KEY=VALUE with a key of"),
        ("clip=", "has no value; write clip=VALUE"),
        ("range=1-2", "is no time"),
    ],
)
def test_a_selector_that_is_none_is_told(only: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Selection.parse([only])


@pytest.mark.parametrize(
    ("only", "message"),
    [
        (["track=V3"], "--only track=V3 fits no clip; there are: Video 1, Video 2"),
        (["clip=a", "clip=x*"], r"--only clip=x\* fits no clip; there are: a, b, c, d"),
        (["marker=nobody"], "there are: Bark!, v2s:sound=drum"),
        (["color=blue"], "there are: RED, Green"),
        (["range=100s-"], "pictures end 8.000 s after its start, which is timecode 00:00:00:00"),
        (["sound=cat"], "the bundle has no sound class 'cat'; it has: dog, drum"),
        (["clip=a", "track=V2"], "no clip fits all of --only clip=a --only track=V2"),
    ],
)
def test_a_selector_that_fits_nothing_is_told_with_what_there_is(folder: Path, only: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chosen(folder, *only, cut=two_tracks(start=time(0, 24)))


def test_a_marker_on_the_timeline_or_the_track_selects_what_is_under_it(folder: Path) -> None:
    cut = two_tracks()
    cut.tracks.markers.append(marker("scene 2", 36, 48))
    cut.tracks[1].markers.append(marker("upstairs", 0, 120, comment="with rain"))
    cut.tracks[1].markers[0].color = "PINK"
    assert labels(chosen(folder, "marker=scene 2", cut=cut)) == "ab"
    assert labels(chosen(folder, "marker=with rain", cut=cut)) == "c"
    assert labels(chosen(folder, "color=Pink", cut=cut)) == "c"


def test_a_split_clips_marker_selects_only_the_half_that_shows_it(folder: Path) -> None:
    halves = [shot("a", marker("hit", 60, 1), start=start) for start in (0, 48)]
    found = chosen(folder, "marker=hit", cut=timeline(track(*halves)))
    assert [job.timeline_start for job in found.jobs] == [2]


def test_premieres_label_colours_count(folder: Path) -> None:
    cut = timeline(track(shot("a", metadata={"fcp_xml": {"labels": {"label2": "Iris"}}}), shot("b")))
    assert labels(chosen(folder, "color=iris", cut=cut)) == "a"


def test_what_is_left_out_is_named_and_neither_job_nor_skip(folder: Path) -> None:
    cut = timeline(track(shot("a"), clip("gone", "gone.mp4", source=span(0, 24, 24)), shot("b")))
    found = chosen(folder, "clip=a", cut=cut)
    assert labels(found) == "a"
    assert found.unselected == ("gone (V1 at 2.000 s)", "b (V1 at 3.000 s)")


def test_what_an_earlier_run_may_have_made_for_what_is_left_out_is_known(folder: Path) -> None:
    """Whatever --sound it was given: its keys and subjects are among those of the clips left out."""
    before = {label: chosen(folder, sound=label).jobs for label in ("dog", "drum")}
    found = chosen(folder, "clip=a")
    kept = {job.key for job in found.unselected_jobs}
    for jobs in before.values():
        assert {job.key for job in jobs if job.label != "a"} <= kept
    assert not kept & {job.key for job in found.jobs}


def test_of_the_sounds_of_a_clip_only_those_asked_for_are_made(folder: Path) -> None:
    cut = timeline(track(shot("a", "v2s:sound=dog", "v2s:sound=drum")))
    found = chosen(folder, "sound=drum", cut=cut)
    assert [job.sound_class for job in found.jobs] == ["drum"]
    assert [job.sound_class for job in found.unselected_jobs] == ["dog"]


def test_a_selected_clip_that_cannot_be_sounded_is_told(folder: Path) -> None:
    cut = timeline(track(shot("a"), clip("gone", "gone.mp4", source=span(0, 24, 24))))
    assert [skip.label for skip in chosen(folder, "clip=gone", cut=cut).skips] == ["gone"]
