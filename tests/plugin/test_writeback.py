"""What is written back: our tracks at the end, exact places, and nothing else changed."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.plugin.cuts import BUNDLE, clip, fake_probe, gap, marker, options, span, timeline, track
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.jobs import plan
from v2s_plugin.sounding.take_file import ScoredJob, TakeFile
from v2s_plugin.timing.placement import place_clips
from v2s_plugin.tracks.sound_clips import ClipStyle
from v2s_plugin.tracks.writeback import with_sound_tracks, without_sound_tracks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def scored(cut: Any, folder: Path, *, takes: int = 1, **given: Any) -> list[ScoredJob]:
    """Every job of a timeline with takes that are said to exist."""
    jobs = plan(cut, folder, options(**(given or {"sound": "dog"})), probe=fake_probe).jobs
    return [
        ScoredJob(
            job,
            tuple(
                TakeFile(n, folder / "cut.media" / f"{i}_{n}.wav", f"{i}{n}", job.delivered_length(48_000), 48_000)
                for n in range(1, takes + 1)
            ),
        )
        for i, job in enumerate(jobs)
    ]


def write(cut: Any, sounds: list[ScoredJob], folder: Path, style: Any = "plain", **given: Any) -> Any:
    return with_sound_tracks(cut, sounds, ClipStyle(BUNDLE, style, folder), **given).timeline


def sound_tracks(cut: Any) -> dict[str, Any]:
    return {each.name: each for each in cut.tracks if each.kind == "Audio"}


def places(cut: Any) -> dict[str, list[tuple[Fraction, Fraction]]]:
    """Where the clips of each audio track stand, as OpenTimelineIO's structure says, in exact seconds."""
    found: dict[str, list[tuple[Fraction, Fraction]]] = {}
    for each in place_clips(cut):
        if each.kind == "Audio":
            found.setdefault(each.track_name, []).append((each.span.start, each.span.end))
    return found


def shot(name: str = "a", frames: float = 24, rate: float = 24, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(0, frames, rate), **given)


@pytest.mark.parametrize("rate", [23.976, 23.98, 24.0, 25.0, 29.97, 30.0, 60.0])
def test_sounds_stand_exactly_under_their_clips_in_the_pictures_own_frames(folder: Path, rate: float) -> None:
    cut = timeline(track(gap(7, rate), shot("a", 31, rate), gap(100_003, rate), shot("b", 45, rate)))
    result = write(cut, scored(cut, folder), folder)
    (sound,) = sound_tracks(result).values()
    assert [(item.source_range.duration.value, item.source_range.duration.rate) for item in sound] == [
        (7, rate), (31, rate), (100_003, rate), (45, rate),
    ]  # fmt: skip
    for picture_clip, sound_clip in zip(result.tracks[0].find_clips(), sound.find_clips(), strict=True):
        assert sound_clip.range_in_parent() == picture_clip.range_in_parent()


def test_places_agree_where_rates_are_mixed(folder: Path) -> None:
    picture = track(shot("a", 31, 29.97), gap(11, 24), shot("b", 45, 25), gap(5, 23.976), shot("a", 12, 60))
    cut = timeline(picture)
    result = write(cut, scored(cut, folder), folder)
    pictures = [(p.span.start, p.span.end) for p in place_clips(cut)]
    for (start, end), (wanted_start, wanted_end) in zip(places(result)["V2S dog"], pictures, strict=True):
        assert abs(start - wanted_start) < Fraction(1, 10**9)
        assert abs(end - wanted_end) < Fraction(1, 10**9)


def test_a_file_is_as_long_as_its_clip_and_used_from_its_start(folder: Path) -> None:
    cut = timeline(track(*[shot("a", 1, 29.97) for _ in range(5)]))
    result = write(cut, scored(cut, folder), folder)
    lengths = []
    for each in our_clips(result):
        available = each.media_reference.available_range
        assert each.source_range.start_time.value == 0
        assert (available.start_time.value, available.duration.rate) == (0, 48_000)
        lengths.append(available.duration.value)
    assert sorted(lengths) == [1601, 1601, 1602, 1602, 1602]
    assert sum(lengths) == 8008


def test_one_track_per_class_at_the_end_of_the_stack(folder: Path) -> None:
    cut = timeline(
        track(shot("a", notes=["v2s:sound=drum"]), shot("b")),
        track(clip("music", "m.wav", source=span(0, 48, 24)), name="A1", kind="Audio"),
    )
    result = write(cut, scored(cut, folder), folder)
    assert [each.name for each in result.tracks] == ["V1", "A1", "V2S dog", "V2S drum"]
    assert places(result) == {"A1": [(0, 2)], "V2S dog": [(1, 2)], "V2S drum": [(0, 1)]}


def test_sounds_of_one_class_that_overlap_go_to_a_second_track_and_those_that_touch_do_not(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b"), shot("a")), track(gap(12), shot("b"), name="V2"))
    result = write(cut, scored(cut, folder, sound="dog", covered="add"), folder)
    assert places(result) == {
        "V2S dog": [(0, 1), (1, 2), (2, 3)],
        "V2S dog 2": [(Fraction(1, 2), Fraction(3, 2))],
    }


def test_a_marked_stretch_is_placed_to_the_frame(folder: Path) -> None:
    cut = timeline(track(gap(5), shot("a", 96, notes=[marker("v2s:sound=dog", 10, 30)])))
    result = write(cut, scored(cut, folder, seed=0), folder)
    (sound,) = sound_tracks(result).values()
    assert [(i.source_range.duration.value, i.source_range.duration.rate) for i in sound] == [(15, 24), (30, 24)]


def test_takes_are_media_references_and_the_first_is_chosen(folder: Path) -> None:
    cut = timeline(track(shot("a")))
    (ours,) = our_clips(write(cut, scored(cut, folder, takes=3), folder))
    assert set(ours.media_references()) == {"take 1", "take 2", "take 3"}
    assert ours.active_media_reference_key == "take 1"
    assert ours.media_reference.target_url == str(folder / "cut.media" / "0_1.wav")


def test_the_clip_remembers_what_made_it(folder: Path) -> None:
    cut = timeline(track(shot("shot 1", notes=["v2s:cue"])))
    (folder / "shot 1.mp4").touch()
    sounds = scored(cut, folder, takes=2, sound="dog", seed=2**64 - 1)
    result = write(cut, sounds, folder)
    (ours,) = our_clips(otio.core.deserialize_json_from_string(result.to_json_string()))
    facts = json.loads(otio.core.serialize_json_to_string(ours.metadata["v2s"]))
    job = sounds[0].job
    assert ours.name == "shot 1 (dog)"
    assert (facts["key"], facts["seed"], facts["sound"]) == (job.key, str(job.seed), "dog")
    assert (facts["bundle"], facts["bundle_digest"]) == (BUNDLE.name, BUNDLE.digest)
    file = {"file": "0_2.wav", "sha256": "02", "length": 48_000, "rate": 48_000}
    assert facts["takes"]["take 2"] == {"take": 2, **file, "gain_db": 0.0, "device": ""}
    assert result.tracks[-1].metadata["v2s"]["generated"] is True


@pytest.mark.parametrize(
    ("style", "url"),
    [("plain", "{folder}/cut.media/0_1.wav"), ("relative", "cut.media/0_1.wav"), ("file", "file://{folder}/cut.media/0_1.wav")],
)  # fmt: skip
def test_new_urls_have_the_timelines_style(folder: Path, style: Any, url: str) -> None:
    cut = timeline(track(shot("a")))
    (ours,) = our_clips(write(cut, scored(cut, folder), folder, style))
    assert ours.media_reference.target_url == url.format(folder=folder)


# ---- nothing else changes, and a second time replaces


def without_ours(cut: Any) -> Any:
    """A timeline's JSON without the tracks that say they are ours."""
    plain = json.loads(cut.to_json_string())
    children = plain["tracks"]["children"]
    plain["tracks"]["children"] = [each for each in children if "v2s" not in each.get("metadata", {})]
    return plain


def odd_timeline() -> Any:
    """What other programs leave in timelines: schemas nobody here knows, effects, several references, odd URLs."""
    foreign = '{"OTIO_SCHEMA": "StudioShot.2", "id": 7, "lift": [0.1, null]}'
    made = shot("a", 48, 23.98, notes=["v2s:sound=dog"], metadata={"v2s": {"sound": "dog"}})
    made.metadata["studio"] = otio.core.deserialize_json_from_string(foreign)
    made.effects.append(otio.schema.Effect(effect_name="Fairlight", metadata={"db": -3.5}))
    references = {
        "proxy": otio.schema.ExternalReference("b%20#;?%zz.mp4"),
        "DEFAULT_MEDIA": otio.schema.ExternalReference("file://localhost/D%3a/%C3%BC.mov"),
    }
    made.set_media_references(references, "proxy")
    cut = timeline(track(made))
    cut.metadata["x"] = {"y": [1, 2.5, None]}
    return cut


def test_everything_else_comes_back_as_otio_itself_would_write_it(folder: Path) -> None:
    (folder / "b%20#;?%zz.mp4").touch()
    text = odd_timeline().to_json_string()
    cut = otio.core.deserialize_json_from_string(text)
    sounds = scored(cut, folder)
    assert len(sounds) == 1
    result = otio.core.deserialize_json_from_string(write(cut, sounds, folder).to_json_string())
    expected = json.loads(text)
    assert without_ours(result) == expected
    for kept in ("b%20#;?%zz.mp4", "file://localhost/D%3a/%C3%BC.mov", "Fairlight", "StudioShot.2", "23.98"):
        assert kept in json.dumps(expected)
    assert json.loads(without_sound_tracks(result).to_json_string()) == expected


def test_the_input_itself_is_not_changed(folder: Path) -> None:
    cut = timeline(track(shot("a")))
    before = cut.to_json_string()
    write(cut, scored(cut, folder), folder)
    assert cut.to_json_string() == before


def test_a_second_time_replaces_and_never_doubles(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    sounds = scored(cut, folder)
    once = write(cut, sounds, folder)
    twice = write(once, sounds, folder)
    assert twice.to_json_string() == once.to_json_string()


def test_tracks_of_ours_are_known_whatever_they_are_called_and_others_are_left_alone(folder: Path) -> None:
    cut = timeline(track(shot("a")))
    once = write(cut, scored(cut, folder), folder)
    once.tracks[1].name = "Barking, final"
    once.tracks.insert(0, track(clip("mine", "m.wav", source=span(0, 24, 24)), name="V2S dog", kind="Audio"))
    twice = write(once, scored(cut, folder), folder)
    assert [each.name for each in twice.tracks] == ["V2S dog", "V1", "Barking, final"]
    assert [each.name for each in twice.tracks[0]] == ["mine"]


def test_what_the_editor_did_to_a_sound_that_stays_is_kept(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    sounds = scored(cut, folder, takes=2)
    once = write(cut, sounds, folder)
    ours = next(iter(our_clips(once)))
    ours.active_media_reference_key = "take 2"
    ours.enabled = False
    ours.effects.append(otio.schema.Effect(effect_name="Volume", metadata={"db": -6}))
    ours.markers.append(otio.schema.Marker("too loud?"))
    ours.color = otio.core.Color(1, 0, 0, 1)
    first, second = our_clips(write(once, sounds, folder))
    assert (first.active_media_reference_key, first.enabled) == ("take 2", False)
    assert [effect.effect_name for effect in first.effects] == ["Volume"]
    assert [each.name for each in first.markers] == ["too loud?"]
    assert first.color is not None
    assert (second.active_media_reference_key, second.enabled, len(second.effects)) == ("take 1", True, 0)


def test_clips_that_somebody_put_on_our_track_stay_where_they_are(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    once = write(cut, scored(cut, folder), folder)
    once.tracks[1].append(clip("mine", "m.wav", source=span(0, 24, 24)))
    cleaned = without_sound_tracks(once)
    assert [each.name for each in cleaned.tracks] == ["V1", "V2S dog"]
    assert places(cleaned) == {"V2S dog": [(2, 3)]}
    twice = write(once, scored(cut, folder), folder)
    assert places(twice) == {"V2S dog": [(0, 1), (1, 2), (2, 3)]}
    assert len(twice.tracks) == 2


def test_nothing_of_ours_in_a_timeline_is_no_work(folder: Path) -> None:
    cut = timeline(track(shot("a")), track(kind="Audio", name="V2S dog"))
    assert without_sound_tracks(cut).to_json_string() == cut.to_json_string()
