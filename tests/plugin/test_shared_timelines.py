"""Real timelines from real editing programs: each is read, and every video clip is a job or a skip with a reason."""

import json
from pathlib import Path

import pytest

from tests.plugin.cuts import BUNDLE, fake_probe, info, options
from v2s_engine.errors import TimelineSchemaError, UsageError
from v2s_plugin.jobs import plan
from v2s_plugin.timeline import read_timeline
from v2s_plugin.writeback import with_sound_tracks

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
    monkeypatch.setattr("v2s_plugin.media_library.find_on_disk", lambda url, folder: stand_in)
    cut = read_timeline(shared / "timelines" / name)
    found = plan(cut, tmp_path, options(sound="dog", existing="add"), probe=lambda path: info(path, 10_000))
    assert len(found.jobs) + len(found.skips) == NATIVE[name]
    for job in found.jobs:
        assert job.timeline_end > job.timeline_start >= 0
        assert len(job.picture_times) == -(-job.length // 1024)
    before = json.loads(cut.to_json_string())
    written = json.loads(with_sound_tracks(cut, [], BUNDLE, style="plain", folder=tmp_path).to_json_string())
    assert written == before


def test_a_timeline_of_a_newer_otio_says_so(shared: Path) -> None:
    with pytest.raises(TimelineSchemaError, match=r"Marker\.3"):
        read_timeline(shared / "timelines" / NEWER)


def test_other_formats_are_refused_by_name_for_now(shared: Path) -> None:
    others = [path for path in (shared / "timelines").iterdir() if path.suffix not in (".otio", ".md")]
    assert len(others) > 20
    for path in others:
        with pytest.raises(UsageError, match=r"V2S reads and writes \.otio"):
            read_timeline(path)


def test_a_resolve_clip_counts_media_time_in_seconds(shared: Path) -> None:
    """Media at 24 from 01:00:00:00, used in a timeline at 25 (the clip as Resolve wrote it)."""
    import opentimelineio as otio

    from tests.plugin.cuts import timeline, track
    from v2s_plugin.footage import Footage, footage_of
    from v2s_plugin.media_library import MediaLibrary
    from v2s_plugin.placement import place_clips

    clip = otio.schema.Clip.from_json_file(
        str(shared / "timelines" / "resolve_clip_24fps_tc_media_in_25fps_timeline.json")
    )
    clip.media_reference.target_url = __file__
    cut = timeline(track(clip))
    (placed,) = place_clips(cut)
    footage = footage_of(placed, MediaLibrary(Path(), fake_probe))
    assert isinstance(footage, Footage)
    assert float(footage.start) == pytest.approx(1.28)
