"""Real timelines from real editing programs: each is read, and every video clip is a job or a skip with a reason."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.media import make_clip, make_still, read_number
from tests.plugin.cuts import BUNDLE, info, options, timeline, track
from v2s_engine.errors import TimelineSchemaError
from v2s_engine.video import read_pictures
from v2s_plugin.planning.jobs import plan
from v2s_plugin.timeline import read_timeline
from v2s_plugin.tracks.sound_clips import ClipStyle
from v2s_plugin.tracks.writeback import with_sound_tracks

NEWER = "otio_head_marker3_unreadable_by_0181.otio"

NATIVE = {
    "avid_multitrack_missing_media.otio": 5,
    "kdenlive_2608_export.otio": 3,
    "otio_doc_multiple_track.otio": 5,
    "otio_generator_reference.otio": 1,
    "otio_nested_retimes.otio": 7,
    "otio_transitions.otio": 3,
    "raven_timecode_rates.otio": 6,
    "resolve_picchu_8v11a.otio": 20,
}
"""Name and number of video clips, nested ones too."""


def test_the_list_is_complete(shared: Path) -> None:
    assert {path.name for path in (shared / "timelines").glob("*.otio")} == {*NATIVE, NEWER}


@pytest.mark.parametrize("name", NATIVE)
def test_every_clip_is_a_job_or_a_skip(shared: Path, name: str) -> None:
    found = plan(read_timeline(shared / "timelines" / name), shared / "timelines", options(sound="dog"))
    assert len(found.jobs) + len(found.skips) == NATIVE[name]
    for skip in found.skips:
        assert skip.label
        assert skip.where
        assert skip.reason
        assert skip.advice


@pytest.mark.parametrize("name", NATIVE)
def test_with_their_media_there_they_can_be_scored_and_nothing_else_changes(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The media of these timelines exist nowhere; here one small file stands for all of them."""
    stand_in = tmp_path / "a.mp4"
    stand_in.touch()
    monkeypatch.setattr("v2s_plugin.media.library.find_on_disk", lambda url, folder: stand_in)
    cut = read_timeline(shared / "timelines" / name)
    found = plan(cut, tmp_path, options(sound="dog", existing="add"), probe=lambda path: info(path, 10_000))
    assert len(found.jobs) + len(found.skips) == NATIVE[name]
    for job in found.jobs:
        assert job.timeline_end > job.timeline_start >= 0
        assert len(job.picture_times) == -(-job.length // 1024)
    before = json.loads(cut.to_json_string())
    written = json.loads(with_sound_tracks(cut, [], ClipStyle(BUNDLE, "plain", tmp_path)).timeline.to_json_string())
    assert written == before


def test_a_timeline_of_a_newer_otio_says_so(shared: Path) -> None:
    with pytest.raises(TimelineSchemaError, match=r"Marker\.3"):
        read_timeline(shared / "timelines" / NEWER)


# ---- clips of which the media can be made: right length, rate and timecode, every picture with its number


@dataclass(frozen=True)
class Shot:
    """A clip (or track) as a program wrote it, and which picture of its media is on screen when."""

    name: str
    frame_at: Callable[[Fraction], int]
    """Number of the picture, from the media's first, so many seconds after the clip's start."""
    durations: tuple[Fraction, ...]
    """Seconds on the timeline of each of its clips."""
    frames: int = 101
    """Pictures of the media that are needed."""
    rate: int = 24
    timecode: str | None = None


def before(frame: Fraction) -> int:
    """The last frame that begins before a moment, counted in frames."""
    return -(-frame.numerator // frame.denominator) - 1


NTSC_FRAME = Fraction(1001, 24000)
HIERO_LOOKUP = (2.0, 1.896, 1.768, 1.592, 1.344, 1.0, 0.544, -0.008, -0.632, -1.304, -2.0)


def hiero_warped(time: Fraction) -> int:
    """Frame k shows k + lookup[k], in frames of the clip; the medium is at 25, and the clip starts 176 frames in.

    And a fortieth: Hiero counted ten hours of timecode with a float32 of the rate, which is a millisecond off.
    """
    frame = min(int(time / NTSC_FRAME), 9)
    this, that = frame + HIERO_LOOKUP[frame], frame + 1 + HIERO_LOOKUP[frame + 1]
    shown = this + (that - this) * float(time / NTSC_FRAME - frame)
    return int(176.0258 + 25 * shown * float(NTSC_FRAME))


SHOTS = [
    Shot("resolve_clip_windows_path", lambda t: int(25 * t), (Fraction(171, 25),), 180, 25),
    Shot("resolve_clip_speed_250", lambda t: int(Fraction(125, 2) * t), (Fraction(171, 25),), 440, 25),
    Shot(
        "resolve_clip_24fps_tc_media_in_25fps_timeline",
        lambda t: int(24 * (t + Fraction(128, 100))),
        (Fraction(44, 25),),
        100,
        timecode="01:00:00:00",
    ),
    Shot("resolve_clip_image_sequence", lambda t: 34 + int(25 * t), (Fraction(39, 25),)),
    Shot("resolve_clip_image_sequence_speed_200", lambda t: 39 + int(48 * t), (Fraction(11, 24),), 99),
    Shot("flame_clip_reverse_70", lambda t: before(Fraction(687, 10) - Fraction(35, 2) * t), (Fraction(41, 25),)),
    Shot(
        "hiero_clip_reverse_200",
        lambda t: before(Fraction("30.0000008") + 24 * (22 * NTSC_FRAME - 2 * t)),
        (11 * NTSC_FRAME,),
    ),
    Shot("hiero_clip_freeze_frame", lambda t: 30, (11 * NTSC_FRAME,)),
    Shot("hiero_clip_timewarp_lookup", hiero_warped, (11 * NTSC_FRAME,), 301),
    Shot("hiero_track_clips_gap", lambda t: int(24 * t), (Fraction(88, 24), Fraction(11, 24))),
]


def make_media(reference: Any, shot: Shot, folder: Path) -> None:
    """Make the media of a reference in `folder` and let it lead there."""
    if isinstance(reference, otio.schema.ImageSequenceReference):
        reference.target_url_base, reference.name_suffix = str(folder), ".png"
        for number in range(shot.frames):
            count = f"{reference.start_frame + number:0{reference.frame_zero_padding}d}"
            make_still(folder / f"{reference.name_prefix}{count}.png", number)
    else:
        path = folder / "shot.mov"
        make_clip(path, rate=shot.rate, frames=shot.frames, timecode=shot.timecode, sound=False)
        reference.target_url = str(path)


def read_json(path: Path) -> Any:
    """A timeline around a clip or a track."""
    found = otio.core.deserialize_json_from_file(str(path))
    return timeline(found if isinstance(found, otio.schema.Track) else track(found))


def test_the_list_of_clips_is_complete(shared: Path) -> None:
    assert {path.stem for path in (shared / "timelines").glob("*.json")} == {shot.name for shot in SHOTS}


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_a_clip_without_its_media_says_so(shared: Path, shot: Shot) -> None:
    found = plan(read_json(shared / "timelines" / f"{shot.name}.json"), shared, options(sound="dog"))
    assert found.jobs == ()
    assert len(found.skips) == len(shot.durations)
    for skip in found.skips:
        assert "no such file" in skip.reason or "is a Windows path" in skip.reason
        assert skip.advice


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_with_its_media_made_a_job_shows_the_right_pictures(shared: Path, tmp_path: Path, shot: Shot) -> None:
    cut = read_json(shared / "timelines" / f"{shot.name}.json")
    for clip in cut.find_clips():
        make_media(clip.media_reference, shot, tmp_path)
        clip.metadata["v2s"] = {"sound": "dog"}  # the freeze frame is sounded too
    found = plan(cut, tmp_path, options())
    assert found.skips == ()
    assert tuple(job.duration for job in found.jobs) == shot.durations
    for job in found.jobs:
        pictures = read_pictures(job.media, job.picture_times, width=160, height=120)
        shown = [read_number(picture) for picture in pictures]
        moments = [number * Fraction(64, 1000) for number in range(len(shown))]
        inside = [moment for moment in moments if moment < job.duration]
        assert shown[: len(inside)] == [shot.frame_at(moment) for moment in inside]


def test_kdenlive_counts_from_the_first_picture_whatever_the_timecode_of_the_file(shared: Path, tmp_path: Path) -> None:
    """Media from 01:00:00:00; its ranges start at 0, and the available range says so."""
    cut = read_timeline(shared / "timelines" / "kdenlive_2608_export.otio")
    clips = [clip for each in cut.video_tracks() for clip in each.find_clips()]
    path = tmp_path / "shot.mov"
    rate = Fraction(24000, 1001)
    make_clip(path, rate=rate, frames=480, timecode="01:00:00:00", sound=False)
    for clip in clips:
        clip.media_reference.target_url = str(path)
    jobs = plan(cut, tmp_path, options(sound="dog", existing="add")).jobs
    assert len(jobs) == len(clips) == 3
    for job, clip in zip(jobs, clips, strict=True):
        first, last = (clip.source_range.start_time, clip.source_range.end_time_inclusive())
        pictures = list(read_pictures(job.media, job.picture_times[:4], width=160, height=120))
        assert [read_number(picture) for picture in pictures] == [
            round(first.value) + int(number * Fraction(64, 1000) * rate) for number in range(4)
        ]
        (end,) = read_pictures(job.media, job.picture_times[-1:], width=160, height=120)
        assert round(last.value) - 1 <= read_number(end) <= round(last.value)
