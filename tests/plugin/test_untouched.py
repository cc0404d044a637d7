"""Whatever stands on a timeline, writing sounds to it and taking them out changes nothing else: properties.

"Nothing else" means: parsed as JSON, the timeline without our tracks is what OpenTimelineIO's own read-and-write makes
of the input.
"""

import json
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import BUNDLE, fake_probe, info, options, span
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.jobs import plan
from v2s_plugin.sounding.take_file import ScoredJob, TakeFile
from v2s_plugin.timeline import read_timeline
from v2s_plugin.tracks.edits import standing_sounds
from v2s_plugin.tracks.sound_clips import ClipStyle
from v2s_plugin.tracks.writeback import with_sound_tracks, without_sound_tracks

HERE = Path(__file__)
"""Stands for the media: the probe is a stand-in."""

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
# OpenTimelineIO writes a float without a fraction as it likes; halves come back as they were.
NUMBER = st.integers(-1000, 1000) | st.integers(-1000, 1000).map(lambda value: value + 0.5)
METADATA = st.dictionaries(
    st.sampled_from(["studio", "Resolve_OTIO", "ä %20", "cmx_3600"]),
    st.recursive(st.none() | st.booleans() | NUMBER | TEXT, lambda inner: st.lists(inner, max_size=2), max_leaves=4),
    max_size=2,
)
RATE = st.sampled_from([23.976, 23.98, 24000 / 1001, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0])
URL = st.sampled_from(
    [str(HERE), HERE.name, HERE.as_uri(), f"file://localhost{HERE}", "file:///C:/a%20b.mov", "b%20#;?%zz.mp4", "", "s3://x/y"]
)  # fmt: skip
FOREIGN = '{"OTIO_SCHEMA": "StudioThing.3", "id": 7, "lift": [0.5, null]}'


def ranges(longest: int = 200) -> st.SearchStrategy[Any]:
    return st.builds(span, st.integers(0, 500), st.integers(1, longest), RATE)


@st.composite
def clips(draw: Any) -> Any:
    made = otio.schema.Clip(draw(TEXT), source_range=draw(ranges()), metadata=draw(METADATA))
    references = {
        key: otio.schema.ExternalReference(draw(URL), metadata=draw(METADATA))
        for key in draw(st.sets(st.sampled_from(["DEFAULT_MEDIA", "proxy", "take 1"]), min_size=1))
    }
    made.set_media_references(references, sorted(references)[0])
    made.enabled = draw(st.sampled_from([True, True, True, False]))
    if draw(st.booleans()):
        made.effects.append(otio.schema.Effect(effect_name=draw(TEXT), metadata=draw(METADATA)))
    if draw(st.booleans()):
        note = draw(st.sampled_from(["v2s:sound=drum", "v2s:cue", "v2s:?", "good take"]))
        made.markers.append(otio.schema.Marker(note, draw(ranges(40)), comment=draw(TEXT)))
    if draw(st.booleans()):
        made.metadata["thing"] = otio.core.deserialize_json_from_string(FOREIGN)
    return made


@st.composite
def tracks(draw: Any, depth: int = 1) -> Any:
    kind = draw(st.sampled_from(["Video", "Video", "Audio"]))
    made = otio.schema.Track(draw(TEXT), kind=kind, metadata=draw(METADATA))
    for _ in range(draw(st.integers(0, 4))):
        what = draw(st.sampled_from(["clip", "clip", "clip", "gap", "nest", "dissolve"]))
        if what == "clip" or (what == "nest" and not depth):
            made.append(draw(clips()))
        elif what == "gap":
            made.append(otio.schema.Gap(source_range=draw(ranges())))
        elif what == "nest":
            made.append(otio.schema.Stack("nest", children=[draw(tracks(depth=0))], source_range=draw(ranges())))
        elif len(made) and not isinstance(made[-1], otio.schema.Transition):
            offset = draw(ranges(8)).duration
            made.append(otio.schema.Transition(draw(TEXT), "SMPTE_Dissolve", offset, offset))
    made.enabled = draw(st.sampled_from([True, True, True, False]))
    return made


@st.composite
def timelines(draw: Any) -> Any:
    made = otio.schema.Timeline(draw(TEXT), metadata=draw(METADATA))
    for each in draw(st.lists(tracks(), max_size=3)):
        made.tracks.append(each)
    return made


def sounds_for(cut: Any, **given: Any) -> list[ScoredJob]:
    """Every job of a timeline, with two takes that are said to exist."""
    todo = plan(cut, HERE.parent, options(**({"sound": "dog", "existing": "add"} | given)), probe=fake_probe)
    return [
        ScoredJob(
            job,
            tuple(
                TakeFile(n, Path(f"/x.media/{job.key[:10]}_{n}.wav"), str(n), job.delivered_length(48_000), 48_000)
                for n in (1, 2)
            ),
        )
        for job in todo.jobs
    ]


def write(cut: Any, sounds: list[ScoredJob], **given: Any) -> Any:
    return with_sound_tracks(cut, sounds, ClipStyle(BUNDLE, "plain", HERE.parent), **given).timeline


def without_ours(text: str) -> Any:
    """A timeline's JSON without the tracks that say they are ours."""
    plain = json.loads(text)
    children = plain["tracks"]["children"]
    plain["tracks"]["children"] = [
        each for each in children if not isinstance(each, dict) or "v2s" not in each["metadata"]
    ]
    return plain


@settings(deadline=None)
@given(cut=timelines())
def test_all_but_our_tracks_comes_back_as_otio_itself_writes_it(cut: Any) -> None:
    text = otio.core.serialize_json_to_string(cut)
    read = otio.core.deserialize_json_from_string(text)
    sounds = sounds_for(read)
    written = otio.core.serialize_json_to_string(write(read, sounds))
    expected = json.loads(otio.core.serialize_json_to_string(otio.core.deserialize_json_from_string(text)))
    assert without_ours(written) == expected
    again = otio.core.deserialize_json_from_string(written)
    assert len(list(our_clips(again))) == len(sounds)
    assert json.loads(otio.core.serialize_json_to_string(without_sound_tracks(again))) == expected


@settings(deadline=None)
@given(cut=timelines(), seed=st.integers(0, 2**64 - 1))
def test_a_second_run_in_place_is_the_same_and_one_with_another_seed_stands_the_same(cut: Any, seed: int) -> None:
    once = write(cut, sounds_for(cut))
    assert write(once, sounds_for(once)).to_json_string() == once.to_json_string()
    places = [(each.index_path, each.place) for each in standing_sounds(once)]
    other = write(once, sounds_for(once, seed=seed))
    assert [(each.index_path, each.place) for each in standing_sounds(other)] == places


@settings(deadline=None)
@given(cut=timelines(), data=st.data())
def test_no_edit_of_our_clips_is_lost_and_none_is_doubled(cut: Any, data: st.DataObject) -> None:
    once = write(cut, sounds_for(cut))
    edited = once.deepcopy()
    for number, ours in enumerate(our_clips(edited)):
        ours.enabled = data.draw(st.booleans())
        ours.active_media_reference_key = data.draw(st.sampled_from(["take 1", "take 2"]))
        ours.name = f"{number} {data.draw(TEXT)}"
    wanted = sorted((each.name, each.enabled, each.active_media_reference_key) for each in our_clips(edited))
    in_place = write(edited, sounds_for(edited))
    assert sorted((each.name, each.enabled, each.active_media_reference_key) for each in our_clips(in_place)) == wanted
    beside = write(cut, sounds_for(cut), earlier=edited)
    assert sorted((each.name, each.enabled, each.active_media_reference_key) for each in our_clips(beside)) == wanted
    assert json.loads(without_sound_tracks(in_place).to_json_string()) == json.loads(cut.to_json_string())


SCHEMA_OF_NEWER_OTIO = "otio_head_marker3_unreadable_by_0181.otio"


def test_real_timelines_come_back_as_otio_itself_writes_them(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "a.mp4"
    stand_in.touch()
    monkeypatch.setattr("v2s_plugin.media.library.find_on_disk", lambda url, folder: stand_in)
    count = 0
    for path in sorted((shared / "timelines").glob("*.otio")):
        if path.name == SCHEMA_OF_NEWER_OTIO:
            continue
        expected = json.loads(otio.core.serialize_json_to_string(otio.core.deserialize_json_from_file(str(path))))
        cut = read_timeline(path)
        todo = plan(cut, tmp_path, options(sound="dog", existing="add"), probe=lambda path: info(path, 10_000))
        sounds = [ScoredJob(job, (TakeFile(1, tmp_path / "x.wav", "1", 48_000, 48_000),)) for job in todo.jobs]
        written = otio.core.serialize_json_to_string(write(cut, sounds))
        assert without_ours(written) == expected, path.name
        again = otio.core.deserialize_json_from_string(written)
        assert len(list(our_clips(again))) == len(sounds)
        assert json.loads(otio.core.serialize_json_to_string(without_sound_tracks(again))) == expected, path.name
        count += len(sounds)
    assert count > 20
