"""What is read of Final Cut Pro documents: places at every rate, media, retimes, sounds, and clips made of clips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.plugin.cuts import fake_probe, options
from tests.plugin.fcpxml_rules import document, save_document
from v2s_plugin.planning.jobs import Plan, plan
from v2s_plugin.timeline import read_timeline
from v2s_plugin.timing.placement import PlacedClip, place_clips
from v2s_plugin.timing.rates import exact_seconds, exact_span


def planned(path: Path, existing: Any = "add") -> Plan:
    return plan(read_timeline(path), path.parent, options(sound="dog", existing=existing), probe=fake_probe)


def shown(path: Path, name: str) -> PlacedClip:
    (found,) = (each for each in place_clips(read_timeline(path)) if each.clip.name == name and each.kind == "Video")
    return found


# ---- places and media


@pytest.mark.parametrize(
    "frame", [Fraction(1001, 24000), Fraction(1, 25), Fraction(1001, 30000), Fraction(1001, 60000)]
)
@pytest.mark.parametrize("first", [0, 86_400])
def test_clips_stand_on_their_frames_at_every_rate(tmp_path: Path, frame: Fraction, first: int) -> None:
    """After a hundred thousand frames, too; `first` is the number of the sequence's first frame."""
    start = first * frame
    frames = [(1, 100_000, 7), (100_001, 33, 120), (100_034, 1, 0)]
    story = f'<gap name="Gap" offset="{start}s" start="3600s" duration="{frame}s"/>'
    story += "".join(
        f'<asset-clip ref="r3" name="{at}" offset="{start + at * frame}s" start="{begin * frame}s" '
        f'duration="{length * frame}s"/>'
        for at, length, begin in frames
    )
    path = save_document(tmp_path, document(story, frame=f"{frame}s", start=f"{start}s"))
    cut = read_timeline(path)
    assert exact_seconds(cut.global_start_time) == start
    for at, length, begin in frames:
        clip = shown(path, str(at))
        assert (clip.span.start, clip.span.end) == (at * frame, (at + length) * frame)
        assert exact_seconds(clip.clip.source_range.start_time) == begin * frame


def test_media_count_from_their_own_timecode(tmp_path: Path) -> None:
    """a.mov starts at an hour; a clip that says no start begins there."""
    story = (
        '<asset-clip ref="r2" name="later" offset="0s" start="3605s" duration="2s"/>'
        '<asset-clip ref="r2" name="first" offset="2s" duration="2s"/>'
    )
    path = save_document(tmp_path, document(story, frame="1/25s", start="0s"))
    assert [(job.label, job.source_start) for job in planned(path).jobs] == [("later", 5), ("first", 0)]


def test_originals_are_read_and_not_their_proxies(tmp_path: Path) -> None:
    story = '<asset-clip ref="r3" name="b" offset="0s" duration="2s"/>'
    text = document(story, frame="1/25s", start="0s")
    proxy = '<media-rep kind="proxy-media" src="file:///proxy.mov"/>'
    path = save_document(tmp_path, text.replace("<media-rep kind", f"{proxy}<media-rep kind"))
    assert shown(path, "b").clip.media_reference.target_url == f"file://{tmp_path}/b.mov"


def test_dissolves_show_clips_beyond_their_cuts(tmp_path: Path) -> None:
    story = """
    <asset-clip ref="r3" name="A" offset="0s" start="10s" duration="2s"/>
    <transition name="Cross Dissolve" offset="1.5s" duration="1s"/>
    <asset-clip ref="r3" name="B" offset="2s" start="30s" duration="2s"/>
    """
    path = save_document(tmp_path, document(story.replace("1.5s", "3/2s"), frame="1/24s", start="0s"))
    half = Fraction(1, 2)
    assert (shown(path, "A").handles.before, shown(path, "A").handles.after) == (0, half)
    assert (shown(path, "B").handles.before, shown(path, "B").handles.after) == (half, 0)


def test_what_is_connected_counts_in_the_time_of_what_holds_it(tmp_path: Path) -> None:
    """Also of connected clips, of gaps, of storylines in a lane, and of a clip that is retimed."""
    story = """
    <asset-clip ref="r2" name="A" offset="0s" start="3610s" duration="4s">
      <timeMap><timept time="3600s" value="3600s"/><timept time="3700s" value="3650s"/></timeMap>
      <asset-clip ref="r3" name="B" lane="1" offset="3611s" start="20s" duration="2s">
        <asset-clip ref="r3" name="C" lane="-1" offset="43/2s" duration="1s"/>
      </asset-clip>
    </asset-clip>
    <gap name="Gap" offset="4s" start="3600s" duration="4s">
      <spine lane="2" offset="3601s">
        <asset-clip ref="r3" name="D" offset="0s" duration="1s"/>
        <gap name="Gap" offset="1s" duration="1/2s"/>
        <asset-clip ref="r3" name="E" offset="3/2s" duration="1s"/>
      </spine>
    </gap>
    """
    path = save_document(tmp_path, document(story, frame="1/24s", start="0s"))
    starts = {name: float(shown(path, name).span.start) for name in "ABCDE"}
    assert starts == {"A": 0, "B": 1, "C": 2.5, "D": 5, "E": 6.5}
    cut = read_timeline(path)
    names = [each.name for each in cut.tracks if each.kind == "Video"]
    assert names == ["Storyline", "Lane 1.-1", "Lane 1", "Lane 2"]


def test_clips_of_one_lane_that_overlap_all_stay(tmp_path: Path) -> None:
    story = """
    <gap name="Gap" offset="0s" start="0s" duration="9s">
      <asset-clip ref="r3" name="A" lane="1" offset="1s" duration="4s"/>
      <asset-clip ref="r3" name="B" lane="1" offset="2s" duration="4s"/>
      <asset-clip ref="r3" name="C" lane="1" offset="5s" duration="2s"/>
    </gap>
    """
    path = save_document(tmp_path, document(story, frame="1/24s", start="0s"))
    cut = read_timeline(path)
    assert [[each.name for each in one.find_clips()] for one in cut.tracks] == [["A", "C"], ["B"]]


def test_what_lies_before_the_first_frame_is_cut_off(tmp_path: Path) -> None:
    """The sound of a first clip may begin before it."""
    clip = (
        '<asset-clip ref="r2" name="A" offset="0s" start="3610s" duration="2s" audioStart="3609s" audioDuration="4s"/>'
    )
    path = save_document(tmp_path, document(clip, frame="1/24s", start="0s"))
    (heard,) = (each for each in place_clips(read_timeline(path)) if each.kind == "Audio")
    assert (heard.span.start, heard.span.end) == (0, 3)
    assert exact_seconds(heard.clip.source_range.start_time) == 3610


def test_markers_and_switches_come_along(tmp_path: Path) -> None:
    story = """
    <asset-clip ref="r2" name="A" offset="0s" start="3610s" duration="4s" enabled="0">
      <marker start="3611s" duration="1/24s" value="v2s:dog" note="loud"/>
    </asset-clip>
    """
    clip = shown(save_document(tmp_path, document(story, frame="1/24s", start="0s")), "A").clip
    assert not clip.enabled
    (marker,) = clip.markers
    assert (marker.name, marker.comment) == ("v2s:dog", "loud")
    span = exact_span(marker.marked_range)
    assert span is not None
    assert span.start == 3611


@pytest.mark.parametrize(
    ("inner", "covers"),
    [
        ("", True),
        ('<adjust-transform scale="1.2 1.2" position="3 0"/>', True),
        ('<adjust-transform scale="0.3 0.3"/>', False),
        ('<adjust-transform scale="0.3 0.3" enabled="0"/>', True),
        ('<adjust-transform position="40 0"/>', False),
        ('<adjust-transform><param name="scale"><keyframe time="0s" value="1 1"/></param></adjust-transform>', False),
        ('<adjust-crop mode="crop"><crop-rect left="9"/></adjust-crop>', True),
        ('<adjust-crop mode="trim"><trim-rect left="9"/></adjust-crop>', False),
        ('<adjust-blend amount="0.5"/>', False),
        ('<adjust-blend amount="1.0"/>', True),
        ('<adjust-blend amount="1" mode="10"/>', False),
    ],
)
def test_a_small_or_see_through_picture_hides_nothing(tmp_path: Path, inner: str, *, covers: bool) -> None:
    """A picture in the picture is the usual reason to connect one."""
    story = f"""
    <asset-clip ref="r3" name="A" offset="0s" duration="2s">
      <asset-clip ref="r2" name="B" lane="1" offset="0s" start="3600s" duration="2s">{inner}</asset-clip>
    </asset-clip>
    """
    path = save_document(tmp_path, document(story, frame="1/24s", start="0s"))
    assert [job.label for job in planned(path).jobs] == (["B"] if covers else ["A", "B"])


# ---- retimes


def retimed(folder: Path, inner: str, *, frame: str = "1/24s", start: str = "10s", duration: str = "4s") -> Path:
    clip = f'<asset-clip ref="r3" name="A" offset="0s" start="{start}" duration="{duration}">{inner}</asset-clip>'
    return save_document(folder, document(clip, frame=frame, start="0s"))


def time_map(*points: tuple[str, str], more: str = 'interp="smooth2"') -> str:
    inner = "".join(f'<timept time="{time}" value="{value}" {more}/>' for time, value in points)
    return f"<timeMap>{inner}</timeMap>"


SPEEDS = {
    "half": (time_map(("0s", "0s"), ("200s", "100s")), lambda t: 5 + t / 2),
    "two and a half": (time_map(("0s", "0s"), ("40s", "100s")), lambda t: 25 + t * 5 / 2),
    "its own": (time_map(("0s", "0s"), ("100s", "100s")), lambda t: 10 + t),
    "from elsewhere": (time_map(("10s", "40s"), ("20s", "45s")), lambda t: 40 + t / 2),
    "beyond the points": (time_map(("0s", "0s"), ("1s", "2s")), lambda t: 20 + 2 * t),
    "backwards": (time_map(("0s", "100s"), ("100s", "0s")), lambda t: 90 - t),
    "backwards, fast": (time_map(("0s", "100s"), ("50s", "0s")), lambda t: 80 - 2 * t),
    "one line of several": (
        time_map(("0s", "0s"), ("9s", "3s"), ("99s", "93s"), more='interp="linear"'),
        lambda t: 4 + t,
    ),
    "25 in a project at 24": ('<conform-rate srcFrameRate="25"/>', lambda t: 10 + t * 24 / 25),
    "23.98 in a project at 24": ('<conform-rate srcFrameRate="23.98"/>', lambda t: 10 + t * 1001 / 1000),
    "50 in a project at 24": ('<conform-rate srcFrameRate="50"/>', lambda t: 10 + t * 48 / 50),
    "60, which is only sampled": ('<conform-rate scaleEnabled="0" srcFrameRate="60"/>', lambda t: 10 + t),
    "24 itself": ('<conform-rate srcFrameRate="24"/>', lambda t: 10 + t),
}


@pytest.mark.parametrize(("inner", "second"), SPEEDS.values(), ids=SPEEDS)
def test_pictures_of_a_retimed_clip_are_those_that_it_shows(tmp_path: Path, inner: str, second: Any) -> None:
    (job,) = planned(retimed(tmp_path, inner)).jobs
    assert (job.timeline_start, job.timeline_end) == (0, 4)
    for quarter in range(1, 16):
        moment = Fraction(quarter, 4)
        assert abs(job.warp.at(moment) - second(moment)) < Fraction(1, 10**5)


def test_a_held_picture_is_a_freeze_frame(tmp_path: Path) -> None:
    clip = shown(retimed(tmp_path, time_map(("0s", "33s"), ("100s", "33s"))), "A").clip
    assert [type(each) for each in clip.effects] == [otio.schema.FreezeFrame]
    assert exact_seconds(clip.source_range.start_time) == 33


def test_a_speed_in_straight_pieces_shows_the_right_picture_on_every_frame(tmp_path: Path) -> None:
    """Forwards, held, then backwards at twice the speed, as Apple's reference draws it."""
    points = (("0s", "0s"), ("12s", "12s"), ("13s", "12s"), ("19s", "0s"))
    (job,) = planned(retimed(tmp_path, time_map(*points, more='interp="linear"'))).jobs

    def wanted(time: Fraction) -> Fraction:
        at = 10 + time
        return at if at <= 12 else Fraction(12) if at <= 13 else 12 - 2 * (at - 13)

    for number in range(96):
        start = Fraction(number, 24)
        falling = start >= 3
        got = job.warp.picture_at(start + Fraction(1, 1000)) * 24 // 1
        assert got == wanted(start) * 24 - falling, number


@pytest.mark.parametrize(
    "inner",
    [
        time_map(("0s", "0s"), ("12s", "12s"), ("14s", "20s")),
        time_map(("0s", "0s"), ("12s", "12s"), ("14s", "20s"), more='interp="smooth2" inTime="1s" outTime="1s"'),
        time_map(("0s", "0s")),
        time_map(("5s", "0s"), ("5s", "12s")),
        '<conform-rate srcFrameRate="30"/>',
        '<conform-rate srcFrameRate="25"/>' + time_map(("0s", "0s"), ("200s", "100s")),
    ],
)
def test_a_speed_that_is_not_clear_is_skipped_with_its_reason(tmp_path: Path, inner: str) -> None:
    """Curves, maps that are none, rates that Apple's chart does not have, and both at once."""
    found = planned(retimed(tmp_path, inner))
    assert not found.jobs
    (skip,) = found.skips
    assert "its speed changes within the clip" in skip.reason
    assert "render the clip to a video file" in skip.advice


def test_offsets_count_in_conformed_time(tmp_path: Path) -> None:
    """25 pictures of the media take a second at 24 and a 24th: what is connected after 25 of them stands after 25."""
    inner = '<conform-rate srcFrameRate="25"/><asset-clip ref="r3" lane="1" name="B" offset="11s" duration="1s"/>'
    assert shown(retimed(tmp_path, inner), "B").span.start == Fraction(25, 24)


# ---- sounds of clips


@pytest.mark.parametrize(
    ("clip", "sounded"),
    [
        ('<asset-clip ref="r2" name="A" offset="0s" duration="2s">{}</asset-clip>', False),
        ('<asset-clip ref="r2" name="A" offset="0s" duration="2s" srcEnable="video">{}</asset-clip>', True),
        ('<asset-clip ref="r3" name="A" offset="0s" duration="2s">{}</asset-clip>', True),
        ('<video ref="r2" name="A" offset="0s" start="3600s" duration="2s">{}</video>', True),
        (
            '<clip name="A" offset="0s" duration="2s" start="3600s"><video ref="r2" offset="3600s" duration="9s">'
            '<audio ref="r2" lane="-1" offset="3600s" duration="9s"/></video></clip>',
            False,
        ),
    ],
)
def test_a_clip_that_brings_its_own_sound_is_skipped(tmp_path: Path, clip: str, *, sounded: bool) -> None:
    path = save_document(tmp_path, document(clip.replace("{}", ""), frame="1/24s", start="0s"))
    assert len(planned(path, existing="skip").jobs) == sounded
    assert len(planned(path).jobs) == 1


@pytest.mark.parametrize(
    ("inner", "silent"),
    [
        ('<adjust-volume amount="-96dB"/>', True),
        ('<adjust-volume amount="-12dB"/>', False),
        ('<audio-channel-source srcCh="1, 2" enabled="0"/>', True),
        ('<audio-channel-source srcCh="1" enabled="0"/><audio-channel-source srcCh="2"/>', False),
    ],
)
def test_a_clip_whose_sound_is_turned_off_is_sounded(tmp_path: Path, inner: str, *, silent: bool) -> None:
    clip = f'<asset-clip ref="r2" name="A" offset="0s" duration="2s">{inner}</asset-clip>'
    path = save_document(tmp_path, document(clip, frame="1/24s", start="0s"))
    assert len(planned(path, existing="skip").jobs) == silent


def test_sound_that_reaches_beyond_its_picture_stands_where_it_is_heard(tmp_path: Path) -> None:
    clip = (
        '<asset-clip ref="r2" name="A" offset="1s" start="3610s" duration="2s" audioStart="3609s" audioDuration="4s"/>'
    )
    story = f'<gap name="Gap" offset="0s" duration="1s"/>{clip}'
    path = save_document(tmp_path, document(story, frame="1/24s", start="0s"))
    (heard,) = (each for each in place_clips(read_timeline(path)) if each.kind == "Audio")
    assert (heard.span.start, heard.span.end) == (0, 4)
    assert exact_seconds(heard.clip.source_range.start_time) == 3609


# ---- clips of clips


def test_an_audition_is_its_active_clip(tmp_path: Path) -> None:
    story = """
    <audition offset="0s">
      <asset-clip ref="r3" name="active" start="5s" duration="2s"/>
      <asset-clip ref="r2" name="other" duration="3s"/>
    </audition>
    <asset-clip ref="r3" name="next" offset="2s" duration="1s"/>
    """
    found = planned(save_document(tmp_path, document(story, frame="1/24s", start="0s")))
    assert [(job.label, job.timeline_start, job.timeline_end) for job in found.jobs] == [
        ("active", 0, 2),
        ("next", 2, 3),
    ]


def test_a_compound_clip_counts_in_its_own_time(tmp_path: Path) -> None:
    """Its sequence starts at an hour, and the clip four seconds later; run at half speed."""
    media = """
    <media id="c1" name="compound"><sequence format="r1" tcStart="3600s" duration="10s"><spine>
      <asset-clip ref="r3" name="A" offset="3600s" start="1s" duration="5s"/>
      <asset-clip ref="r3" name="B" offset="3605s" start="50s" duration="5s"/>
    </spine></sequence></media>
    """
    plain = '<ref-clip ref="c1" name="compound" offset="0s" start="3604s" duration="2s"/>'
    path = save_document(tmp_path, document(plain, frame="1/24s", start="0s", resources=media))
    found = {job.label: job for job in planned(path).jobs}
    assert (found["A"].timeline_start, found["A"].source_start) == (0, 5)
    assert (found["B"].timeline_start, found["B"].source_start) == (1, 50)
    slow = plain.replace("3604s", "7208s").replace("/>", f">{time_map(('0s', '0s'), ('200s', '100s'))}</ref-clip>")
    path = save_document(tmp_path, document(slow, frame="1/24s", start="0s", resources=media))
    (job,) = planned(path).jobs
    assert (job.label, job.source_start, job.source_duration) == ("A", 5, 1)


def test_a_multicam_clip_shows_its_angle(tmp_path: Path) -> None:
    media = """
    <media id="c1" name="cameras"><multicam format="r1" tcStart="0s">
      <mc-angle name="one" angleID="X"><asset-clip ref="r2" name="A" offset="0s" duration="20s"/></mc-angle>
      <mc-angle name="two" angleID="Y">
        <gap name="Gap" offset="0s" duration="3s"/><asset-clip ref="r3" name="B" offset="3s" duration="20s"/>
      </mc-angle>
    </multicam></media>
    """
    story = """
    <mc-clip ref="c1" name="cameras" offset="0s" start="4s" duration="2s">
      <mc-source angleID="Y" srcEnable="video"/><mc-source angleID="X" srcEnable="audio"/>
    </mc-clip>
    """
    path = save_document(tmp_path, document(story, frame="1/24s", start="0s", resources=media))
    (job,) = planned(path).jobs
    assert (job.label, job.source_start, job.timeline_start, job.timeline_end) == ("B", 1, 0, 2)
    assert [each.clip.name for each in place_clips(read_timeline(path)) if each.kind == "Audio"] == ["A"]


def test_a_synchronized_clip_holds_its_storyline_and_what_is_beside_it(tmp_path: Path) -> None:
    story = """
    <sync-clip name="S" offset="0s" start="3602s" duration="3s">
      <spine><asset-clip ref="r3" name="A" offset="3600s" start="10s" duration="9s">
        <asset-clip ref="r2" name="rec" lane="-1" offset="11s" start="3600s" duration="5s" srcEnable="audio"/>
      </asset-clip></spine>
    </sync-clip>
    """
    path = save_document(tmp_path, document(story, frame="1/24s", start="0s"))
    (job,) = planned(path).jobs
    assert (job.label, job.source_start, job.timeline_start, job.timeline_end) == ("A", 12, 0, 3)
    (heard,) = (each for each in place_clips(read_timeline(path)) if each.kind == "Audio")
    assert (heard.clip.name, heard.head) == ("rec", 1)


def test_titles_and_what_is_missing_are_skipped_with_reasons(tmp_path: Path) -> None:
    story = """
    <title ref="e1" name="T" offset="0s" duration="1s"/>
    <ref-clip ref="nowhere" name="R" offset="1s" duration="1s"/>
    <video ref="e1" name="G" offset="2s" duration="1s"/>
    <asset-clip ref="nowhere" name="A" offset="3s" duration="1s"/>
    """
    found = planned(save_document(tmp_path, document(story, frame="1/24s", start="0s")))
    assert not found.jobs
    assert sorted(skip.label for skip in found.skips) == ["A", "G", "R", "T"]
    assert all(skip.reason and skip.advice for skip in found.skips)
