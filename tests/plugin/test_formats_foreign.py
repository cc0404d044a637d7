"""Foreign formats: what is read from them, and that what V2S writes stands where it should when it is read back."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from tests.plugin.cuts import (
    ClickSource,
    clip,
    fake_probe,
    gap,
    info,
    names_in,
    options,
    save,
    score,
    span,
    timeline,
    track,
)
from tests.plugin.scored_cuts import (
    our_track,
    placed_on,
    placed_sounds,
    scored_cut,
    seconds,
    sound,
    write,
    written_sounds,
)
from v2s_engine.errors import OutputError, TimelineUnreadableError, UsageError
from v2s_plugin.formats.reading import ReadOptions
from v2s_plugin.formats.sound_tracks import timeline_rate
from v2s_plugin.formats.timeline_format import format_named
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.jobs import plan
from v2s_plugin.scoring import ScoreOptions, ScoreResult, score_file
from v2s_plugin.timeline import read_timeline
from v2s_plugin.timing.placement import place_clips

NTSC = [24_000 / 1001, 23.976, 30_000 / 1001, 29.97, 60_000 / 1001]
RATES = [24, 25, 30, 60, *NTSC]

READ = {
    "aaf_2997_dropframe_1v6a.aaf": 1,
    "avid_2997_1v2a.aaf": 2,
    "avid_muted_clip.aaf": 1,
    "edl_25fps.edl": 4,
    "edl_avid_example.edl": 2,
    "edl_dissolve_test_2.edl": 3,
    "edl_dissolve_test_4.edl": 6,
    "edl_gap_test.edl": 3,
    "edl_multi_audio.edl": 0,
    "edl_nucoda_example.edl": 2,
    "edl_premiere_example.edl": 2,
    "edl_speed_effects_small.edl": 5,
    "fcpx_project.fcpxml": 16,
    "hiero_export.xml": 2,
    "kdenlive_2407_example.kdenlive": 6,
    "kdenlive_2608_project.kdenlive": 3,
    "pitivi_ges_example.xges": 5,
    "premiere_disabled_clips.xml": 6,
    "premiere_example.xml": 9,
    "premiere_generators.xml": 6,
}
"""Real timelines and how many video clips stand in them, nested ones too."""


def parse_xml(path: Path) -> Any:
    return ElementTree.parse(path)  # noqa: S314


def edl_rate(name: str) -> ReadOptions:
    return ReadOptions(edl_rate="25" if "25fps" in name else "24" if name.endswith(".edl") else None)


def score_any(source: Path, **given: Any) -> ScoreResult:
    wanted = ScoreOptions(plan=options(sound="dog", existing="add"), **given)
    return score_file(source, wanted, lambda **_: ClickSource(), probe=fake_probe)


def test_the_list_is_complete(shared: Path) -> None:
    others = {path.name for path in (shared / "timelines").iterdir() if path.suffix not in (".otio", ".md", ".json")}
    assert others == set(READ)


@pytest.mark.parametrize("name", READ)
def test_a_real_timeline_is_read_and_every_clip_is_a_job_or_a_skip(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """As it is, without its media, and with one small file in the place of all of them; nothing is printed."""
    cut = read_timeline(shared / "timelines" / name, edl_rate(name))
    clips = [each for each in place_clips(cut) if each.kind == "Video"]
    assert len(clips) == READ[name]
    found = plan(cut, shared / "timelines", options(sound="dog"))
    assert not found.jobs
    assert all(skip.reason and skip.advice for skip in found.skips)
    stand_in = tmp_path / "a.mp4"
    stand_in.touch()
    monkeypatch.setattr("v2s_plugin.media.library.find_on_disk", lambda url, folder: stand_in)
    found = plan(cut, tmp_path, options(sound="dog", existing="add"), probe=lambda path: info(path, 100_000))
    assert len(found.jobs) + len(found.skips) >= READ[name]
    assert capfd.readouterr() == ("", "")


NATIVE = (
    "avid_multitrack_missing_media",
    "kdenlive_2608_export",
    "otio_doc_multiple_track",
    "otio_generator_reference",
    "otio_nested_retimes",
    "otio_transitions",
    "raven_timecode_rates",
    "resolve_picchu_8v11a",
)


@pytest.mark.parametrize("name", [*READ, *(f"{name}.otio" for name in NATIVE)])
def test_a_real_timeline_is_written_in_every_format_with_our_sound_in_its_place(
    shared: Path, tmp_path: Path, name: str
) -> None:
    """Or it is said that it cannot be: a stack that holds a clip beside its tracks is nothing to the adapter."""
    source = tmp_path / name
    source.write_bytes((shared / "timelines" / name).read_bytes())
    cut = read_timeline(source, edl_rate(name))
    rate = timeline_rate(cut)
    cut.tracks.append(our_track("V2S dog", gap(10, rate), sound(tmp_path / "out.media", "dog", 20, rate, takes=2)))
    wanted = seconds(placed_sounds(cut, tmp_path))
    for kind in ("fcp_xml", "aaf", "xges"):
        if (name, kind) == ("otio_nested_retimes.otio", "fcp_xml"):
            with pytest.raises(OutputError, match="cannot be written as Final Cut Pro 7 XML"):
                write(cut, tmp_path, kind, source=source)
            continue
        path, _ = write(cut, tmp_path, kind, source=source)
        ((start, end, _),) = written_sounds(path, [wanted[0][2]])
        assert start == pytest.approx(wanted[0][0], abs=2e-9)
        assert end == pytest.approx(wanted[0][1], abs=2e-9)
    assert write(cut, tmp_path, "mlt", source=source)[0].exists()


def test_switched_off_clips_and_tracks_of_premiere_are_known(shared: Path) -> None:
    """The adapter of 2022 does not look at them."""
    cut = read_timeline(shared / "timelines" / "premiere_disabled_clips.xml")
    assert [each.name for each in cut.tracks][:4] == ["base", "overlay_1", "disabled_track", "audio_with_disabled"]
    assert [each.enabled for each in cut.tracks][:3] == [True, True, False]
    assert [each.name for each in cut.find_clips() if not each.enabled] == [
        "video_track_1_disabled_1",
        "video_track_1_disabled_2",
        "video_track_3_disabled_1",
        "audio_track_1_disabled_1",
    ]


@pytest.mark.parametrize("kind", ["fcp_xml", "aaf", "xges"])
@pytest.mark.parametrize("rate", RATES)
def test_sounds_stand_at_the_same_places_with_the_same_files(tmp_path: Path, kind: str, rate: float) -> None:
    cut = scored_cut(tmp_path, rate=rate)
    save(cut, tmp_path / "cut.otio")
    path, said = write(cut, tmp_path, kind)
    wanted = seconds(placed_sounds(cut, tmp_path))
    found = written_sounds(path, [file for _, _, file in wanted])
    if kind == "xges":  # counts nanoseconds
        assert sorted(file for _, _, file in found) == sorted(file for _, _, file in wanted)
        for got, want in zip(found, wanted, strict=True):
            assert got[0] == pytest.approx(want[0], abs=2e-9)
            assert got[1] == pytest.approx(want[1], abs=2e-9)
    else:
        assert found == wanted
    assert not [line for line in said if "moved" in line]


@pytest.mark.parametrize("rate", RATES)
def test_pictures_come_through_fcp_xml_with_their_media_and_trims(tmp_path: Path, rate: float) -> None:
    """Equal clips on picture and sound tracks, which the adapter alone would write as empty references."""
    cut = scored_cut(tmp_path, rate=rate)
    save(cut, tmp_path / "cut.otio")
    path, _ = write(cut, tmp_path, "fcp_xml")
    found = read_timeline(path)
    assert seconds(placed_on(found.tracks[0], tmp_path)) == seconds(placed_on(cut.tracks[0], tmp_path))
    assert seconds(placed_on(found.tracks[1], tmp_path)) == seconds(placed_on(cut.tracks[1], tmp_path))
    hour = 3600 * round(rate)
    assert [each.source_range.start_time.value for each in found.tracks[0] if isinstance(each, otio.schema.Clip)] == [
        hour + 10,
        hour + 100,
    ]
    assert found.global_start_time.value == hour


def test_fcp_xml_says_how_large_pictures_are(tmp_path: Path) -> None:
    """DaVinci Resolve does not load a sequence without `<format>`."""
    save(cut := scored_cut(tmp_path), tmp_path / "cut.otio")
    path, said = write(cut, tmp_path, "fcp_xml")
    size = parse_xml(path).find(".//media/video/format/samplecharacteristics")
    assert size is not None
    assert (size.findtext("width"), size.findtext("height")) == ("1920", "1080")
    assert any("does not say how large its pictures are" in line for line in said)


@pytest.mark.parametrize("name", ["premiere_example.xml", "premiere_disabled_clips.xml", "hiero_export.xml"])
def test_a_premiere_document_keeps_everything_it_held(shared: Path, tmp_path: Path, name: str) -> None:
    """Our tracks are put into the very document; taken out again, it says what it said before."""
    source = tmp_path / name
    source.write_bytes((shared / "timelines" / name).read_bytes())
    cut = read_timeline(source)
    rate = cut.global_start_time.rate
    made = sound(tmp_path / "out.media", "dog", 20, rate, takes=3, chosen=2)
    cut.tracks.append(our_track("V2S dog", gap(10, rate), made))
    path, said = write(cut, tmp_path, "fcp_xml", source=source)
    assert said == ()
    scored = read_timeline(path)
    assert placed_sounds(scored, tmp_path) == placed_sounds(cut, tmp_path)
    (ours,) = our_clips(scored)
    assert ours.active_media_reference_key == "take 2"
    assert list(ours.media_references()) == ["take 1", "take 2", "take 3"]
    assert json.loads(ours.to_json_string())["metadata"]["v2s"] == json.loads(made.to_json_string())["metadata"]["v2s"]
    before, after = (parse_xml(each).getroot() for each in (source, path))
    ours_there = [each for each in after.iter("track") if "V2S" in each.get("MZ.TrackName", "")]
    assert len(ours_there) == 3
    for audio in after.iter("audio"):
        for each in ours_there:
            if each in list(audio):
                audio.remove(each)
    assert texts(before) == texts(after)


def texts(root: ElementTree.Element) -> list[tuple[str, dict[str, str], str]]:
    return [(each.tag, each.attrib, (each.text or "").strip()) for each in root.iter()]


def test_a_premiere_timeline_is_scored_again_from_its_own_file(tmp_path: Path) -> None:
    """XML in, XML out; takes of the first run are known by what the XML says, also in place."""
    (tmp_path / "a.mov").touch()
    rate = 25
    cut = timeline(track(clip("a", tmp_path / "a.mov", source=span(0, 50, rate), available=span(0, 100, rate))))
    source = tmp_path / "cut.xml"
    save(cut, tmp_path / "cut.otio")
    write(cut, tmp_path, "fcp_xml")[0].rename(source)
    first = score_any(source)
    assert first.output == tmp_path / "cut_scored.xml"
    assert (first.made, first.reused) == (1, 0)
    again = score_any(source, force=True)
    assert (again.made, again.reused) == (0, 1)
    in_place = score_any(first.output, in_place=True)
    assert (in_place.made, in_place.reused) == (0, 1)
    assert len(read_timeline(first.output).audio_tracks()) == 1
    assert names_in(tmp_path) == [
        "a.mov", "cut.otio", "cut.xml", "cut_scored.media", "cut_scored.xml", "cut_scored.xml.bak"
    ]  # fmt: skip


def test_aaf_holds_our_sounds_only_and_the_start_timecode(tmp_path: Path) -> None:
    save(cut := scored_cut(tmp_path, rate=29.97), tmp_path / "cut.otio")
    path, said = write(cut, tmp_path, "aaf")
    found = read_timeline(path)
    assert [each.kind for each in found.tracks] == ["Audio", "Audio"]
    assert found.global_start_time.value == 3600 * 30
    assert "AAF cannot hold tracks with pictures: 1 lost" in said


def test_aaf_leaves_out_transitions_and_switched_off_sounds(tmp_path: Path) -> None:
    """The adapter cannot write a Transition that did not come from an AAF."""
    off = sound(tmp_path, "drum", 12, 24)
    off.enabled = False
    dissolve = otio.schema.Transition(
        "SMPTE_Dissolve", in_offset=span(0, 6, 24).duration, out_offset=span(0, 6, 24).duration
    )
    dissolve.metadata["v2s"] = {"generated": True}
    cut = timeline(
        our_track("V2S dog", sound(tmp_path, "dog", 24, 24), dissolve, sound(tmp_path, "hound", 24, 24)),
        our_track("V2S drum", gap(6), off, sound(tmp_path, "late drum", 12, 24)),
    )
    save(cut, tmp_path / "cut.otio")
    path, said = write(cut, tmp_path, "aaf")
    placed = [each for each in placed_sounds(cut, tmp_path) if "/drum_" not in each[3]]
    assert written_sounds(path, [file for *_, file in placed]) == seconds(placed)
    assert "AAF cannot hold fades and transitions beside our clips: 1 lost" in said
    assert "AAF cannot hold switched-off clips of ours (left out): 1 lost" in said


@pytest.mark.parametrize("kind", ["aaf", "xges"])
def test_takes_are_known_again_where_the_format_cannot_note_them(tmp_path: Path, kind: str) -> None:
    """A copy of the whole timeline lies with the sounds."""
    (tmp_path / "a.mp4").touch()
    cut = timeline(track(clip("a", tmp_path / "a.mp4", source=span(0, 48, 24), available=span(0, 100, 24))))
    first = score(cut, tmp_path, ClickSource(), format=kind)
    assert first.output is not None
    assert first.output.suffix == f".{kind}"
    again = score(cut, tmp_path, ClickSource(), format=kind, force=True)
    assert (again.made, again.reused) == (0, 1)


def test_mlt_counts_frames_of_files_and_names_them_plainly(tmp_path: Path) -> None:
    """Media that start at an hour, and names that MLT would not unescape."""
    save(cut := scored_cut(tmp_path, rate=24_000 / 1001), tmp_path / "cut.otio")
    path, _ = write(cut, tmp_path, "mlt")
    root = parse_xml(path).getroot()
    profile = root.find("profile")
    assert profile is not None
    assert (profile.get("frame_rate_num"), profile.get("frame_rate_den")) == ("24000", "1001")
    files = {each.get("id"): each.findtext("property[@name='resource']") for each in root.iter("producer")}
    tracks = [
        [
            (files.get(each.get("producer")), each.get("in"), each.get("out"), each.get("length"))
            for each in one
            if each.tag != "property"
        ]
        for one in root.iter("playlist")
    ]
    film = str(tmp_path / "a b#1.mov")
    assert tracks[0] == [(film, "10", "39", None), (None, None, None, "12"), (film, "100", "139", None)]
    assert tracks[-1] == [
        (None, None, None, "42"), (str(tmp_path / "cut.media" / "drum_take1.wav"), "0", "39", None)
    ]  # fmt: skip


def test_a_cut_between_frames_is_moved_to_the_nearest_one_and_said(tmp_path: Path) -> None:
    cut = timeline(
        track(clip("a", "a.mov", source=span(0, 100, 25)), name="V1"),
        our_track("V2S dog", gap(10, 24), sound(tmp_path, "dog", 24, 24)),
    )
    save(cut, tmp_path / "cut.otio")
    path, said = write(cut, tmp_path, "aaf")
    assert any("1 of our clips do not start and end on frames at 25 per second" in line for line in said)
    ((start, end, _),) = written_sounds(path, [str(tmp_path / "dog_take1.wav")])
    assert (start, end) == (Fraction(10, 25), Fraction(35, 25))


def test_a_moved_cut_counts_once_however_many_takes_stand_there(tmp_path: Path) -> None:
    cut = timeline(
        track(clip("a", "a.mov", source=span(0, 100, 25)), name="V1"),
        our_track("V2S dog", gap(10, 24), sound(tmp_path, "dog", 24, 24, takes=3)),
    )
    save(cut, tmp_path / "cut.otio")
    _, said = write(cut, tmp_path, "fcp_xml")
    assert any(line.startswith("1 of our clips do not start") for line in said)


def test_media_of_a_kdenlive_project_count_from_its_root(shared: Path, tmp_path: Path) -> None:
    text = (shared / "timelines" / "kdenlive_2407_example.kdenlive").read_text(encoding="utf-8")
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "AUD0002.OGG").touch()
    root = text.split('root="', 1)[1].split('"', 1)[0]
    path = tmp_path / "cut.kdenlive"
    path.write_text(text.replace(root, str(tmp_path / "media")), encoding="utf-8")
    urls = {each.media_reference.target_url for each in read_timeline(path).audio_tracks()[0].find_clips()}
    assert urls == {str(tmp_path / "media" / "AUD0002.OGG")}
    path.write_text(text.replace(root, str(tmp_path / "nowhere")), encoding="utf-8")
    urls = {each.media_reference.target_url for each in read_timeline(path).audio_tracks()[0].find_clips()}
    assert urls == {"AUD0002.OGG"}


def test_an_edit_decision_list_needs_its_rate(shared: Path) -> None:
    path = shared / "timelines" / "edl_25fps.edl"
    with pytest.raises(UsageError, match=r"does not say its frame rate; give it with --edl-rate"):
        read_timeline(path)
    with pytest.raises(TimelineUnreadableError, match=r"does not fit 24 frames per second .*--edl-rate"):
        read_timeline(path, ReadOptions(edl_rate="24"))
    with pytest.raises(UsageError, match=r"--edl-rate must be one of 23\.976, .*; got '12'"):
        read_timeline(path, ReadOptions(edl_rate="12"))
    first = read_timeline(path, ReadOptions(edl_rate="25")).tracks[0][0]
    assert first.source_range == span(90_000, 161, 25)


@pytest.mark.parametrize("suffix", [".otio", ".otioz", ".xml", ".aaf"])
def test_a_rate_for_what_is_no_edit_decision_list_is_refused(tmp_path: Path, suffix: str) -> None:
    cut = timeline(track(clip("a", "a.mp4", source=span(0, 48, 24), available=span(0, 100, 24))))
    path = save(cut, tmp_path / "cut.otio")
    if suffix != ".otio":
        path = write(cut, tmp_path, {".xml": "fcp_xml"}.get(suffix, suffix[1:]))[0].rename(tmp_path / f"cut{suffix}")
    with pytest.raises(UsageError, match=rf"--edl-rate 25 was given for cut\{suffix}, .*; leave --edl-rate out"):
        read_timeline(path, ReadOptions(edl_rate="25"))


@pytest.mark.parametrize("suffix", [".xml", ".fcpxml", ".aaf", ".edl", ".kdenlive", ".xges"])
@pytest.mark.parametrize("text", ["", "<", "<xml/>", "no timeline \xff"])
def test_a_broken_file_of_any_format_is_an_error_and_no_crash(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"cut{suffix}"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(TimelineUnreadableError, match=rf"cut\{suffix} "):
        read_timeline(path, edl_rate(path.name))


def test_relative_media_are_found_from_wherever_the_output_lies(tmp_path: Path) -> None:
    """Foreign formats know no relative paths."""
    (tmp_path / "a b.mp4").touch()
    (tmp_path / "elsewhere").mkdir()
    cut = timeline(track(clip("a", "a b.mp4", source=span(0, 48, 24), available=span(0, 100, 24))))
    for kind in ("fcp_xml", "xges"):
        output = tmp_path / "elsewhere" / f"out{format_named(kind).suffixes[0]}"
        result = score(cut, tmp_path, ClickSource(), output=output)
        assert not [line for line in result.warnings if "relative" in line]
        picture = next(iter(read_timeline(output).video_tracks()[0].find_clips()))
        assert picture.media_reference.target_url == f"file://{tmp_path}/a%20b.mp4"
        ours = {str(take.path) for each in result.scored for take in each.takes}
        assert len(written_sounds(output, list(ours))) == 1
