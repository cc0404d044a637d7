"""Notes on the timeline, on tracks and around clips: which clip each is for."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.plugin.cuts import clip, fake_probe, gap, marker, options, span, time, timeline, track
from v2s_plugin.planning.jobs import Plan, plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("cut")
    for name in "abc":
        (made / f"{name}.mp4").touch()
    return made


def shot(name: str, *notes: Any, seconds: int = 4, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(0, seconds * 24, 24), notes=notes, **given)


def planned(folder: Path, cut: Any, **given: Any) -> Plan:
    return plan(cut, folder, options(**given), probe=fake_probe)


def sounded(found: Plan) -> list[tuple[str, str, float, float]]:
    return [(job.label, job.sound_class, float(job.timeline_start), float(job.timeline_end)) for job in found.jobs]


def noted(*notes: Any, on_track: int | None = None, start: Any = None) -> Any:
    """a from 0 to 4 s on V1, b and then c from 2 to 10 s above it on V2; with markers on the timeline or a track."""
    cut = timeline(track(shot("a")), track(gap(48), shot("b"), shot("c"), name="V2"), start=start)
    owner = cut.tracks if on_track is None else cut.tracks[on_track]
    owner.markers.extend(notes)
    return cut


def others(found: Plan) -> list[str]:
    """Labels of clips skipped because nothing is said of them."""
    return [skip.label for skip in found.skips if skip.reason == "nothing says what it should sound like"]


def test_a_stretch_on_the_timeline_sounds_the_topmost_picture_under_it(folder: Path) -> None:
    found = planned(folder, noted(marker("v2s:sound=dog", 24, 72)))
    assert sounded(found) == [("a", "dog", 1, 2), ("b", "dog", 2, 4)]
    assert others(found) == ["c"]


def test_a_stretch_on_a_track_sounds_the_clips_of_that_track(folder: Path) -> None:
    found = planned(folder, noted(marker("v2s:sound=dog", 24, 72), on_track=0))
    assert sounded(found) == [("a", "dog", 1, 4)]


def test_a_marker_of_one_frame_sounds_the_whole_clip_under_it(folder: Path) -> None:
    assert sounded(planned(folder, noted(marker("v2s:sound=dog", 72, 1)))) == [("b", "dog", 2, 6)]
    assert sounded(planned(folder, noted(marker("v2s:sound=dog", 72, 1), on_track=0))) == [("a", "dog", 0, 4)]


def test_a_cue_is_for_the_topmost_picture_at_its_moment(folder: Path) -> None:
    cut = noted(marker("v2s:cue", 24, 1), marker("v2s:cue", 72, 30))
    found = planned(folder, cut, sound="dog")
    assert [(job.label, job.cues) for job in found.jobs] == [("a", (16_000,)), ("b", (16_000,)), ("c", ())]


def test_a_cue_on_a_track_is_for_its_clip_though_another_covers_it(folder: Path) -> None:
    cut = noted(marker("v2s:cue", 72, 1), on_track=0)
    found = plan(cut, folder, options(sound="dog", covered="add"), probe=fake_probe)
    assert [(job.label, job.cues) for job in found.jobs] == [("a", (48_000,)), ("b", ()), ("c", ())]


def test_they_add_to_what_is_noted_on_the_clip(folder: Path) -> None:
    cut = timeline(track(shot("a", "v2s:sound=dog", marker("v2s:cue", 24))))
    cut.tracks.markers.extend([marker("v2s:sound=drum", 48, 24), marker("v2s:cue", 60)])
    found = planned(folder, cut)
    assert sounded(found) == [("a", "dog", 0, 4), ("a", "drum", 2, 3)]
    assert [job.cues for job in found.jobs] == [(16_000, 40_000), (8_000,)]


def test_disabled_and_missing_pictures_are_looked_through(folder: Path) -> None:
    title = clip("title", reference=otio.schema.GeneratorReference("text"), source=span(0, 96, 24))
    cut = timeline(track(shot("a")), track(shot("b", enabled=False), name="V2"), track(title, name="V3"))
    cut.tracks.markers.append(marker("v2s:sound=dog", 24, 1))
    assert sounded(planned(folder, cut)) == [("a", "dog", 0, 4)]


def test_timeline_markers_that_count_timecode_are_understood(folder: Path) -> None:
    late = marker("v2s:sound=dog", 86400 + 24, 72)
    found = planned(folder, noted(late, start=time(86400, 24)))
    assert sounded(found) == [("a", "dog", 1, 2), ("b", "dog", 2, 4)]


def test_a_tracks_source_range_moves_its_markers_with_its_clips(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b"), source=span(48, 144, 24)))
    cut.tracks[0].markers.append(marker("v2s:sound=dog", 96, 24))
    assert sounded(planned(folder, cut)) == [("b", "dog", 2, 3)]


def test_a_note_inside_a_nest_that_shows_the_clip_later_counts_on_the_timeline(folder: Path) -> None:
    nest = otio.schema.Stack(source_range=span(24, 48, 24))
    nest.append(track(shot("a")))
    cut = timeline(track(gap(24), nest))
    cut.tracks.markers.append(marker("v2s:sound=dog", 36, 12))
    (job,) = planned(folder, cut).jobs
    assert (job.timeline_start, job.timeline_end) == (Fraction(3, 2), 2)
    assert job.source_start == Fraction(3, 2)


def test_metadata_of_the_track_names_the_class_of_its_clips(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b", "v2s:sound=drum")), track(gap(240), shot("c"), name="V2"))
    cut.tracks[0].metadata["v2s"] = {"sound": "dog"}
    found = planned(folder, cut)
    assert [(job.label, job.sound_class) for job in found.jobs] == [("a", "dog"), ("b", "drum")]
    assert others(found) == ["c"]


def test_the_nearest_metadata_around_a_clip_decides(folder: Path) -> None:
    nest = otio.schema.Stack("scene", metadata={"v2s": {"sound": ["dog", "drum"]}})
    nest.append(track(shot("a")))
    cut = timeline(track(nest, shot("b")))
    cut.metadata["v2s"] = {"sound": "drum"}
    assert [(job.label, job.sound_class) for job in planned(folder, cut).jobs] == [
        ("a", "dog"),
        ("a", "drum"),
        ("b", "drum"),
    ]


@pytest.mark.parametrize(
    ("note", "on_track", "reason"),
    [
        ("v2s:cue", None, "no picture stands under it"),
        ("v2s:sound=dog", 1, "no picture stands under it"),
        ("v2s:sond=dog", None, "the marker 'v2s:sond=dog' on the timeline is not understood"),
        ("v2s:cue=1", 0, "the marker 'v2s:cue=1' on the track V1 is not understood"),
    ],
)
def test_notes_that_are_for_no_clip_are_told(folder: Path, note: str, on_track: int | None, reason: str) -> None:
    found = planned(folder, noted(marker(note, 2400, 24), on_track=on_track), sound="dog")
    assert len(found.jobs) == 3
    assert [(skip.label, skip.reason) for skip in found.skips] == [(note, reason)]
    assert all(skip.advice for skip in found.skips)


def test_notes_where_none_is_read_are_told(folder: Path) -> None:
    empty = gap(24)
    empty.markers.append(marker("v2s:sound=dog"))
    nest = otio.schema.Stack("scene")
    nest.append(track(shot("a")))
    nest[0].markers.append(marker("v2s:cue", comment="v2s:sound=drum"))
    heard = track(clip("voice", "c.mp4", source=span(0, 24, 24), notes=["v2s:cue"]), name="A1", kind="Audio")
    cut = timeline(track(empty, nest), track(shot("b"), name="V2"), heard)
    cut.tracks[1].metadata["v2s"] = {"sound": 3}
    found = planned(folder, cut, sound="dog")
    assert [(skip.label, skip.where) for skip in found.skips] == [
        ("v2s:cue", "A1 at 0.000 s"),
        ("metadata v2s.sound", "the track V2"),
        ("v2s:sound=dog", "the gap"),
        ("v2s:cue", "the nested sequence V1"),
        ("v2s:sound=drum", "the nested sequence V1"),
    ]


def test_our_own_tracks_say_nothing(folder: Path) -> None:
    """Their metadata names a class too."""
    mine = track(gap(24), name="V2S dog", kind="Audio")
    mine.metadata["v2s"] = {"generated": True, "sound": "dog"}
    found = planned(folder, timeline(track(shot("a")), mine), sound="drum")
    assert sounded(found) == [("a", "drum", 0, 4)]
    assert found.skips == ()


def test_resolves_own_note_field_is_read(folder: Path) -> None:
    made = marker("Marker 1", 12, 1)
    made.metadata["Resolve_OTIO"] = {"Note": "v2s:sound=dog", "Keywords": []}
    assert sounded(planned(folder, timeline(track(shot("a", made))))) == [("a", "dog", 0, 4)]
