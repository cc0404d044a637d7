"""Transitions of the pictures are heard: the sounds have handles, and a transition of ours fades over them."""

from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.plugin.cuts import ClickSource, clip, gap, load, options, save, score, span, time, timeline, track
from v2s_engine.audio import read_sound
from v2s_plugin.ours import is_ours, our_clips
from v2s_plugin.tracks.writeback import without_sound_tracks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def shot(name: str, frames: int = 48, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(24, frames, 24), **given)


def dissolve(before: float, after: float) -> Any:
    return otio.schema.Transition("x", otio.schema.TransitionTypes.SMPTE_Dissolve, time(before, 24), time(after, 24))


def shape(track: Any) -> list[tuple[str, float, float]]:
    """What stands on a track: gaps by length, clips by source start and length, transitions by their two offsets."""
    found = []
    for item in track:
        if isinstance(item, otio.schema.Transition):
            found.append(("fade", item.in_offset.value, item.out_offset.value))
        elif isinstance(item, otio.schema.Gap):
            found.append(("gap", 0.0, item.source_range.duration.value))
        else:
            found.append((item.name, item.source_range.start_time.value, item.source_range.duration.value))
    return found


def test_a_dissolve_between_two_shots_is_one_between_their_sounds(folder: Path) -> None:
    result = score(timeline(track(gap(10), shot("a"), dissolve(6, 8), shot("b"))), folder, ClickSource())
    assert shape(result.timeline.tracks[1]) == [
        ("gap", 0, 10),
        ("a (dog)", 0, 48),
        ("fade", 6, 8),
        ("b (dog)", 6, 48),
    ]
    lengths = {"a": 48 + 8, "b": 48 + 6}
    for sound in result.scored:
        assert len(read_sound(sound.takes[0].path, 48_000)) == lengths[sound.job.label] * 2000
    for ours in our_clips(result.timeline):
        available = ours.media_reference.available_range
        assert (available.start_time.value, available.duration.value) == (0, lengths[ours.name[0]] * 2000)


def test_a_shot_that_fades_with_what_is_not_sounded_fades_alone(folder: Path) -> None:
    cut = timeline(
        track(shot("a"), dissolve(6, 8), clip("gone", "z.mp4", source=span(24, 48, 24)), dissolve(5, 7), shot("b"))
    )
    result = score(cut, folder, ClickSource())
    assert shape(result.timeline.tracks[1]) == [
        ("a (dog)", 0, 48),
        ("fade", 6, 8),
        ("gap", 0, 48),
        ("fade", 5, 7),
        ("b (dog)", 5, 48),
    ]  # fmt: skip


def test_sounds_of_two_classes_each_fade_on_their_own_track(folder: Path) -> None:
    cut = timeline(track(shot("a"), dissolve(6, 8), shot("b", notes=["v2s:sound=drum"])))
    result = score(cut, folder, ClickSource())
    assert shape(result.timeline.tracks[1]) == [("a (dog)", 0, 48), ("fade", 6, 8)]
    assert shape(result.timeline.tracks[2]) == [("gap", 0, 48), ("fade", 6, 8), ("b (drum)", 6, 48)]


def test_an_end_that_an_editor_trimmed_has_no_fade(folder: Path) -> None:
    cut = timeline(track(shot("a"), dissolve(6, 8), shot("b")))
    score(cut, folder, ClickSource())
    edited = load(folder / "cut_scored.otio")
    edited.tracks[1][2].source_range = span(16, 38, 24)
    edited.tracks[1].insert(2, gap(10))
    save(edited, folder / "cut_scored.otio")
    result = score(None, folder, ClickSource(), force=True)
    assert shape(result.timeline.tracks[1]) == [
        ("a (dog)", 0, 48),
        ("fade", 6, 8),
        ("gap", 0, 10),
        ("b (dog)", 16, 38),
    ]


def test_a_second_run_and_remove_take_the_fades_along(folder: Path) -> None:
    cut = timeline(track(shot("a"), dissolve(6, 8), shot("b")))
    score(cut, folder, ClickSource())
    first = (folder / "cut_scored.otio").read_text()
    result = score(None, folder, ClickSource(), force=True, plan=options(sound="dog"))
    assert (result.made, (folder / "cut_scored.otio").read_text()) == (0, first)
    scored = load(folder / "cut_scored.otio")
    assert without_sound_tracks(scored).to_json_string() == cut.to_json_string()
    scored.tracks[1].append(clip("mine", "m.wav", source=span(0, 24, 24)))
    cleaned = without_sound_tracks(scored)
    assert not any(is_ours(item) for item in cleaned.tracks[1])
    assert [each.name for each in cleaned.tracks[1].find_clips()] == ["mine"]
