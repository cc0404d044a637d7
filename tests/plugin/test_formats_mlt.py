"""MLT projects: our tracks stand in the document itself, come back from it and go out of it again."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import ClickSource, clip, fake_probe, gap, options, save, score, span, timeline, track
from tests.plugin.mlt_documents import blank, entry, playlist, producer, save_document, shotcut, tractor, transition
from tests.plugin.mlt_documents import track as mlt_track
from tests.plugin.scored_cuts import our_track, placed_sounds, scored_cut, sound, write, written_sounds
from v2s_engine.errors import OutputError
from v2s_plugin.api import choose_take
from v2s_plugin.cli import main
from v2s_plugin.formats.mlt_elements import property_of
from v2s_plugin.formats.mlt_notes import notes_of
from v2s_plugin.formats.sound_tracks import places
from v2s_plugin.ours import is_ours, our_clips
from v2s_plugin.scoring import ScoreOptions, ScoreResult, score_file
from v2s_plugin.timeline import read_timeline
from v2s_plugin.timing.rates import exact_span

RATES = [Fraction(24), Fraction(25), Fraction(30), *(Fraction(n * 1000, 1001) for n in (24, 30, 60))]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As Shotcut saves it: two shots with a dissolve, a title above, a voice, and a filter on each track."""
    for name in ("a.mov", "b.mov", "voice.wav"):
        (tmp_path / name).touch()
    mix = (mlt_track("a", None, 40, 49), mlt_track("b", None, 0, 9), transition("luma", last=9))
    body = shotcut(
        producer("a", "a.mov", tag="chain", length=200, mlt_service="avformat-novalidate"),
        producer("b", "b.mov", tag="chain", length=200, mlt_service="avformat-novalidate"),
        producer("voice", "voice.wav", tag="chain", length=200, mlt_service="avformat-novalidate"),
        producer("title", "title", length=200, mlt_service="qtext"),
        tractor("mix", *mix, first=0, last=9, shotcut__transition="lumaMix"),
        playlist("p0", entry("a", 0, 39), entry("mix", 0, 9), entry("b", 10, 59), shotcut__video=1, shotcut__name="V1"),
        playlist("p1", blank(5), entry("title", 0, 9), shotcut__video=1, shotcut__name="V2"),
        playlist("p2", entry("voice", 0, 49), shotcut__audio=1, shotcut__name="A1"),
        tracks=(
            mlt_track("p0"),
            mlt_track("p1"),
            mlt_track("p2", "video"),
            transition("mix", a_track=0, b_track=1, always_active=1, sum=1),
            transition("qtblend", a_track=1, b_track=2),
            transition("mix", a_track=0, b_track=3, always_active=1, sum=1),
        ),
    )
    return save_document(tmp_path / "cut.mlt", *body, main="main_bin")


def score_project(source: Path, *, takes: int = 1, **given: Any) -> ScoreResult:
    wanted = ScoreOptions(plan=options(sound="dog", existing="add", takes=takes), **given)
    return score_file(source, wanted, lambda **_: ClickSource(), probe=fake_probe)


def parsed(path: Path) -> Element:
    return ElementTree.parse(path).getroot()  # noqa: S314


def plain(path: Path) -> bytes:
    return ElementTree.tostring(parsed(path))


def numbers_by_track(path: Path) -> list[tuple[str, str, str]]:
    """Service and the tracks' names of each transition of the main tractor."""
    root = parsed(path)
    (found,) = root.findall("tractor[@id='tractor0']")
    names = [each.get("producer", "") for each in found.findall("track")]
    ours = {each.get("id") for each in root.findall("playlist") if property_of(each, "shotcut:name")[:4] == "V2S "}
    named = ["ours" if name in ours else name for name in names]
    return [
        (property_of(each, "mlt_service"), *(named[int(property_of(each, key))] for key in ("a_track", "b_track")))
        for each in found.findall("transition")
    ]


def facts(item: Any) -> Any:
    return json.loads(item.to_json_string())["metadata"]["v2s"]


def with_our_tracks(cut: Any, folder: Path, rate: float = 25) -> Any:
    """Two tracks of ours, one with three takes of which the second is chosen."""
    cut.tracks.append(our_track("V2S dog", gap(10, rate), sound(folder, "dog", 20, rate, takes=3, chosen=2)))
    cut.tracks.append(our_track("V2S drum", sound(folder, "drum", 5, rate), gap(3, rate), sound(folder, "d", 9, rate)))
    return cut


def test_our_tracks_come_back_with_all_that_v2s_knows(project: Path, tmp_path: Path) -> None:
    cut = with_our_tracks(read_timeline(project), tmp_path / "out.media")
    path, said = write(cut, tmp_path, "mlt", source=project)
    assert said == ()
    found = read_timeline(path)
    assert placed_sounds(found, tmp_path) == placed_sounds(cut, tmp_path)
    for before, after in zip(our_clips(cut), our_clips(found), strict=True):
        assert (after.name, facts(after)) == (before.name, facts(before))
        assert list(after.media_references()) == list(before.media_references())
        assert after.active_media_reference_key == before.active_media_reference_key
    assert [facts(each) for each in found.tracks if is_ours(each)] == [facts(each) for each in cut.tracks[-2:]]
    assert [each.name for each in found.tracks] == ["V1", "V2", "A1", "V2S dog", "V2S drum"]


def test_all_else_stays_as_it_was_and_taken_out_again_all_is_as_it_was(project: Path, tmp_path: Path) -> None:
    path, _ = write(with_our_tracks(read_timeline(project), tmp_path / "out.media"), tmp_path, "mlt", source=project)
    before, after = parsed(project), parsed(path)
    known = {each.get("id"): ElementTree.tostring(each) for each in before if each.get("id")}
    new = {each.get("id"): ElementTree.tostring(each) for each in after if each.get("id")}
    assert [name for name in known if new[name] != known[name]] == ["main_bin", "tractor0"]
    assert numbers_by_track(path) == [*numbers_by_track(project), *[("mix", "background", "ours")] * 2]
    removed = tmp_path / "removed.mlt"
    assert main(["remove", str(path), "-o", str(removed)]) == 0
    assert plain(removed) == plain(project)


def test_a_document_without_a_bin_loses_the_one_that_was_made_for_it(tmp_path: Path) -> None:
    """melt's own documents have none."""
    (tmp_path / "a.mov").touch()
    lists = (playlist("v", entry("a", 0, 49)), f"<tractor id='t'><multitrack>{mlt_track('v')}</multitrack></tractor>")
    source = save_document(tmp_path / "cut.mlt", producer("a", "a.mov", length=100), *lists)
    scored = score_project(source).output
    assert scored is not None
    found = read_timeline(scored)
    assert [each.kind for each in found.tracks] == ["Video", "Audio"]
    assert main(["remove", str(scored), "--in-place"]) == 0
    assert plain(scored) == plain(source)


def test_a_project_is_scored_again_and_in_place(project: Path) -> None:
    first = score_project(project, takes=2)
    assert first.output == project.with_name("cut_scored.mlt")
    assert (first.made, first.reused) == (4, 0)
    assert not (first.output.with_suffix(".media") / "cut_scored.otio").exists()
    written = first.output.read_bytes()
    again = score_project(project, takes=2, force=True)
    assert (again.made, again.reused) == (0, 4)
    assert first.output.read_bytes() == written
    in_place = score_project(first.output, takes=2, in_place=True)
    assert (in_place.made, in_place.reused) == (0, 4)
    assert first.output.read_bytes() == written
    assert main(["remove", str(first.output), "--in-place"]) == 0
    assert plain(first.output) == plain(project)


def test_another_take_is_chosen_by_v2s_or_by_putting_it_onto_the_track(project: Path) -> None:
    scored = score_project(project, takes=2).output
    assert scored is not None
    choose_take(scored, 2)
    assert {each.active_media_reference_key for each in our_clips(read_timeline(scored))} == {"take 2"}
    root = parsed(scored)  # as an editor does who replaces a clip by another one of the bin
    takes: dict[str, dict[str, str]] = {}
    for name, note in notes_of(root).items():
        takes.setdefault(note["clip"]["key"], {})[note["clip"]["active"]] = name
    one = next(iter(takes.values()))
    placed = [each for list_ in root.findall("playlist") if list_.get("id") != "main_bin" for each in list_]
    (moved,) = (each for each in placed if each.get("producer") == one["take 2"])
    moved.set("producer", one["take 1"])
    ElementTree.ElementTree(root).write(scored, encoding="utf-8")
    assert sorted(str(each.active_media_reference_key) for each in our_clips(read_timeline(scored))) == [
        "take 1", "take 2"
    ]  # fmt: skip


def test_sounds_are_known_again_when_shotcut_has_saved_the_project(project: Path) -> None:
    """With ids and times of its own; properties stay."""
    scored = score_project(project, takes=2).output
    assert scored is not None
    before = read_timeline(scored)
    text = re.sub(r'"v2s(\d+)"', r'"chain1\1"', scored.read_text(encoding="utf-8"))
    for pattern in (r'((?:in|out)=")(\d+)"', r'(<property name="length">)(\d+)<'):
        text = re.sub(pattern, lambda found: f"{found[1]}00:00:{int(found[2]) / 25:06.3f}{found[0][-1]}", text)
    scored.write_text(text, encoding="utf-8")
    found = read_timeline(scored)
    assert placed_sounds(found, project.parent) == placed_sounds(before, project.parent)
    again = score_project(scored, takes=2, in_place=True)
    assert (again.made, again.reused) == (0, 4)
    assert len(list(our_clips(read_timeline(scored)))) == 2


def test_switched_off_clips_and_tracks_of_ours_stay_off(project: Path, tmp_path: Path) -> None:
    cut = with_our_tracks(read_timeline(project), tmp_path / "out.media")
    cut.tracks[-2][1].enabled = False
    cut.tracks[-1].enabled = False
    path, _ = write(cut, tmp_path, "mlt", source=project)
    found = read_timeline(path)
    assert [each.enabled for each in found.tracks if is_ours(each)] == [True, False]
    assert [each.enabled for each in our_clips(found)] == [False, True, True]


def test_an_editors_clip_on_our_track_and_a_track_behind_ours_stay(project: Path, tmp_path: Path) -> None:
    path, _ = write(with_our_tracks(read_timeline(project), tmp_path), tmp_path, "mlt", source=project)
    root = parsed(path)
    (drum,) = (each for each in root.findall("playlist") if property_of(each, "shotcut:name") == "V2S drum")
    ElementTree.SubElement(drum, "entry", {"producer": "voice", "in": "0", "out": "11"})
    (main_tractor,) = root.findall("tractor[@id='tractor0']")
    late = ElementTree.fromstring(playlist("late", entry("voice", 60, 69), shotcut__name="A9"))  # noqa: S314
    root.insert(list(root).index(main_tractor), late)
    main_tractor.append(Element("track", producer="late", hide="video"))
    main_tractor.append(ElementTree.fromstring(transition("mix", a_track=0, b_track=6)))  # noqa: S314
    ElementTree.ElementTree(root).write(path, encoding="utf-8")
    assert main(["remove", str(path), "--in-place"]) == 0
    found = read_timeline(path)
    assert not list(our_clips(found))
    assert [each.name for each in found.tracks] == ["V1", "V2", "A1", "V2S drum", "A9"]
    assert [(start, end) for item, start, end in places(found.tracks[3]) if isinstance(item, otio.schema.Clip)] == [
        (Fraction(17, 25), Fraction(29, 25))
    ]
    assert numbers_by_track(path)[-2:] == [("mix", "background", "ours"), ("mix", "background", "late")]


def test_media_beside_the_project_are_found_from_another_folder(project: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    found = score_project(project, output=tmp_path / "other" / "out.mlt").output
    assert found is not None
    urls = {each.media_reference.target_url for each in read_timeline(found).video_tracks()[0].find_clips()}
    assert urls == {str(tmp_path / "a.mov"), str(tmp_path / "b.mov")}


@pytest.mark.parametrize("suffix", [".otio", ".xml", ".aaf", ".xges"])
def test_a_project_is_written_in_other_formats_with_our_sounds_in_their_places(
    project: Path, tmp_path: Path, suffix: str
) -> None:
    result = score_project(project, output=tmp_path / f"out{suffix}")
    assert result.output is not None
    wanted = placed_sounds(result.timeline, tmp_path)
    assert [(start, end) for _, start, end, _ in wanted] == [(0, Fraction(9, 5)), (Fraction(9, 5), 4)]
    found = written_sounds(result.output, [file for *_, file in wanted])
    assert [(round(start * 25), round(end * 25)) for start, end, _ in found] == [(0, 45), (45, 100)]


def test_a_playlist_alone_is_read_but_takes_no_tracks(tmp_path: Path) -> None:
    (tmp_path / "a.mov").touch()
    list_ = playlist("v", entry("a", 0, 49))
    source = save_document(tmp_path / "cut.mlt", producer("a", "a.mov", length=100), list_)
    assert len(list(read_timeline(source).find_clips())) == 1
    with pytest.raises(OutputError, match=r"holds no tractor .*--format otio"):
        score_project(source)


def test_a_project_that_v2s_made_from_another_timeline_is_scored_again_without_doubling(tmp_path: Path) -> None:
    (tmp_path / "a.mov").touch()
    source = clip("a", tmp_path / "a.mov", source=span(10, 48, 24), available=span(0, 100, 24))
    first = score(timeline(track(gap(7), source)), tmp_path, ClickSource(), format="mlt")
    assert first.output is not None
    again = score_project(first.output, in_place=True)
    assert (again.made, again.reused) == (0, 1)
    assert len(list(our_clips(read_timeline(first.output)))) == 1


def test_sound_that_stands_on_tracks_of_its_own_is_not_played_by_the_pictures_too(tmp_path: Path) -> None:
    save(cut := scored_cut(tmp_path), tmp_path / "cut.otio")
    path, _ = write(cut, tmp_path, "mlt")
    (main_tractor,) = parsed(path).findall("tractor")
    assert [each.get("hide") for each in main_tractor.iter("track")] == [None, "audio", "video", "video", "video"]


LENGTHS = st.integers(1, 200)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.sampled_from(RATES),
    tracks=st.lists(
        st.tuples(
            st.sampled_from(["Video", "Audio"]),
            st.text("abc &<>\"'é", max_size=8),
            st.lists(st.tuples(st.booleans(), LENGTHS, st.integers(0, 50)), min_size=1, max_size=5),
        ),
        min_size=1,
        max_size=3,
    ),
    ours=st.lists(st.tuples(LENGTHS, LENGTHS, st.integers(1, 3)), max_size=3),
)
def test_what_is_written_comes_back(
    tmp_path: Path, rate: Fraction, tracks: list[Any], ours: list[tuple[int, int, int]]
) -> None:
    """Clips, gaps and our sounds with all their takes, at their frames."""
    fps = float(rate)
    made = []
    for kind, name, items in tracks:
        children = [
            gap(length, fps)
            if empty
            else clip("a", tmp_path / "a%20 b#.mov", source=span(head, length, fps), available=span(0, 500, fps))
            for empty, length, head in items
        ]
        made.append(track(*children, name=name.strip(), kind=kind))
    for number, (before, length, takes) in enumerate(ours):
        sounds = sound(tmp_path / "media", f"s{number}", length, fps, takes=takes, chosen=takes)
        made.append(our_track(f"V2S {number}", gap(before, fps), sounds))
    cut = timeline(*made, start=otio.opentime.RationalTime(0, fps))
    save(cut, tmp_path / "cut.otio")
    path, _ = write(cut, tmp_path, "mlt")
    found = read_timeline(path)
    assert [(each.name, each.kind) for each in found.tracks] == [(each.name, each.kind) for each in made]
    for before_, after in zip(made, found.tracks, strict=True):
        assert _clips(after) == _clips(before_)
    assert [list(each.media_references()) for each in our_clips(found)] == [
        list(each.media_references()) for each in our_clips(cut)
    ]


def _clips(one: Any) -> list[Any]:
    return [
        (start, end, exact_span(item.source_range), item.media_reference.target_url)
        for item, start, end in places(one)
        if isinstance(item, otio.schema.Clip)
    ]
