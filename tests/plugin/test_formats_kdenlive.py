"""Kdenlive projects: our tracks stand in the document itself, come back from it and go out of it again."""

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import opentimelineio as otio
import pytest

from tests.media import make_clip
from tests.plugin.cuts import ClickSource, fake_probe, gap, options, save
from tests.plugin.scored_cuts import our_track, placed_sounds, scored_cut, sound, write
from tests.plugin.test_melt import check_onsets, onsets
from v2s_engine.audio import write_wav
from v2s_engine.errors import OutputError
from v2s_plugin.api import choose_take
from v2s_plugin.cli import main
from v2s_plugin.formats.adapters import quiet
from v2s_plugin.formats.kdenlive_project import sequence_of, track_tractors
from v2s_plugin.formats.mlt_elements import property_of
from v2s_plugin.formats.mlt_notes import notes_of
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.jobs import plan
from v2s_plugin.scoring import ScoreOptions, ScoreResult, score_file
from v2s_plugin.timeline import read_timeline

RATE = Fraction(24_000, 1001)
NAMES = ["kdenlive_2608_project.kdenlive", "kdenlive_2407_example.kdenlive"]


@pytest.fixture
def project(shared: Path, tmp_path: Path) -> Path:
    """As Kdenlive 26.08 saved it, at 23.976, with two sounds of its own, which are silent here."""
    path = tmp_path / "cut.kdenlive"
    text = (shared / "timelines" / NAMES[0]).read_text(encoding="utf-8")
    path.write_text(text.replace("/media/project/media", str(tmp_path)), encoding="utf-8")
    for name in ("A shot 01.mov", "B_shot.mov"):
        (tmp_path / name).touch()
    return path


def score_project(source: Path, *, takes: int = 1, **given: Any) -> ScoreResult:
    wanted = ScoreOptions(plan=options(sound="dog", existing="add", takes=takes), **given)
    return score_file(source, wanted, lambda **_: ClickSource(), probe=fake_probe)


def parsed(path: Path) -> Element:
    return ElementTree.parse(path).getroot()  # noqa: S314


def plain(path: Path) -> bytes:
    """The file as an XML library writes it."""
    return ElementTree.tostring(parsed(path))


def names_of_tracks(path: Path) -> list[str]:
    root = parsed(path)
    return [property_of(each, "kdenlive:track_name") for each in track_tractors(root, sequence_of(root))]


def with_our_tracks(cut: Any, folder: Path, rate: float) -> Any:
    """Two tracks of ours, one with three takes of which the second is chosen."""
    cut.tracks.append(our_track("V2S dog", gap(10, rate), sound(folder, "dog", 20, rate, takes=3, chosen=2)))
    cut.tracks.append(our_track("V2S drum", sound(folder, "drum", 5, rate), gap(3, rate), sound(folder, "d", 9, rate)))
    return cut


@pytest.mark.parametrize("name", NAMES)
def test_our_tracks_come_back_from_the_project_with_all_that_v2s_knows(shared: Path, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_bytes((shared / "timelines" / name).read_bytes())
    rate = 25 if "2407" in name else float(RATE)
    cut = with_our_tracks(read_timeline(source), tmp_path / "out.media", rate)
    path, said = write(cut, tmp_path, "kdenlive", source=source)
    assert said == ()
    found = read_timeline(path)
    assert placed_sounds(found, tmp_path) == placed_sounds(cut, tmp_path)
    wanted, got = list(our_clips(cut)), list(our_clips(found))
    for before, after in zip(wanted, got, strict=True):
        assert after.name == before.name
        assert facts(after) == facts(before)
        assert list(after.media_references()) == list(before.media_references())
        assert after.active_media_reference_key == before.active_media_reference_key
    assert [facts(each) for each in found.tracks if "v2s" in each.metadata] == [facts(each) for each in cut.tracks[-2:]]


def facts(item: Any) -> Any:
    return json.loads(item.to_json_string())["metadata"]["v2s"]


@pytest.mark.parametrize("name", NAMES)
def test_taken_out_again_the_project_is_what_it_was(shared: Path, tmp_path: Path, name: str) -> None:
    """Also the numbers by which it names its tracks, in transitions, targets and groups."""
    source = tmp_path / name
    source.write_bytes((shared / "timelines" / name).read_bytes())
    scored = with_our_tracks(read_timeline(source), tmp_path / "out.media", 25 if "2407" in name else float(RATE))
    path, _ = write(scored, tmp_path, "kdenlive", source=source)
    assert plain(path) != plain(source)
    removed = tmp_path / "removed.kdenlive"
    assert main(["remove", str(path), "-o", str(removed)]) == 0
    assert plain(removed) == plain(source)


@pytest.mark.parametrize("name", NAMES)
def test_all_else_stays_as_kdenlive_wrote_it(shared: Path, tmp_path: Path, name: str) -> None:
    """Everything of the source is there, in its order; what is new is ours."""
    source = tmp_path / name
    source.write_bytes((shared / "timelines" / name).read_bytes())
    scored = with_our_tracks(read_timeline(source), tmp_path / "out.media", 25 if "2407" in name else float(RATE))
    path, _ = write(scored, tmp_path, "kdenlive", source=source)
    before, after = parsed(source), parsed(path)
    assert {each.get("id") for each in before} <= {each.get("id") for each in after}
    known = {each.get("id"): ElementTree.tostring(each) for each in before if each.get("id")}
    changed = [each.get("id") for each in after if ElementTree.tostring(each) != known.get(each.get("id"), b"")]
    changed = [each for each in changed if each in known]
    assert changed == [sequence_of(before).get("id"), "main_bin"]
    old, new = sequence_of(before), sequence_of(after)
    assert [each.get("producer") for each in new.findall("track")][3:] == [
        each.get("producer") for each in old.findall("track")
    ][1:]
    for tag in ("a_track", "b_track"):
        theirs = [each for each in new.findall("transition") if not (each.get("id") or "").startswith("v2s")]
        numbers = [int(property_of(each, tag)) for each in old.findall("transition")]
        assert [int(property_of(each, tag)) for each in theirs] == [each + 2 if each else 0 for each in numbers]
    ours = [each for each in new.findall("transition") if (each.get("id") or "").startswith("v2s")]
    assert [(property_of(each, "mlt_service"), property_of(each, "b_track")) for each in ours] == [
        ("mix", "1"), ("mix", "2")
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_take_is_a_clip_of_the_bin_with_numbers_of_its_own(shared: Path, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_bytes((shared / "timelines" / name).read_bytes())
    scored = with_our_tracks(read_timeline(source), tmp_path / "out.media", 25 if "2407" in name else float(RATE))
    path, _ = write(scored, tmp_path, "kdenlive", source=source)
    root = parsed(path)
    by_id = {each.get("id", ""): each for each in root}
    held = [by_id[each.get("producer", "")] for each in root.findall("playlist[@id='main_bin']/entry")]
    for number in ("kdenlive:id", "kdenlive:control_uuid"):
        numbers = [property_of(each, number) for each in held if property_of(each, number)]
        assert len(set(numbers)) == len(numbers)
    assert {each.get("id") for each in held} >= notes_of(root).keys()
    assert len(notes_of(root)) == 5
    for tractor in track_tractors(root, sequence_of(root))[:2]:
        entries = by_id[tractor.findall("track")[0].get("producer", "")].findall("entry")
        assert entries
        for entry in entries:
            assert property_of(entry, "kdenlive:id") == property_of(by_id[entry.get("producer", "")], "kdenlive:id")


def test_groups_name_the_same_tracks_as_before(shared: Path, tmp_path: Path) -> None:
    source = tmp_path / NAMES[1]
    source.write_bytes((shared / "timelines" / NAMES[1]).read_bytes())
    path, _ = write(with_our_tracks(read_timeline(source), tmp_path, 25), tmp_path, "kdenlive", source=source)
    groups = json.loads(property_of(sequence_of(parsed(path)), "kdenlive:sequenceproperties.groups"))
    assert [[each["data"] for each in group["children"]] for group in groups] == [["4:74", "5:74"], ["5:458", "4:458"]]


def test_a_project_is_scored_again_and_in_place(project: Path) -> None:
    first = score_project(project, takes=2)
    assert first.output == project.with_name("cut_scored.kdenlive")
    assert (first.made, first.reused) == (6, 0)
    assert names_of_tracks(first.output) == ["V2S dog", "V2S gen", "A1", "V1"]
    written = first.output.read_bytes()
    again = score_project(project, takes=2, force=True)
    assert (again.made, again.reused) == (0, 6)
    assert first.output.read_bytes() == written
    in_place = score_project(first.output, takes=2, in_place=True)
    assert (in_place.made, in_place.reused) == (0, 6)
    assert first.output.read_bytes() == written
    assert main(["remove", str(first.output), "--in-place"]) == 0
    assert plain(first.output) == plain(project)


def test_another_take_is_chosen_by_v2s_or_by_putting_it_onto_the_track(project: Path) -> None:
    scored = score_project(project, takes=2).output
    assert scored is not None
    assert [each.active_media_reference_key for each in our_clips(read_timeline(scored))] == ["take 1"] * 3
    choose_take(scored, 2)
    assert [each.active_media_reference_key for each in our_clips(read_timeline(scored))] == ["take 2"] * 3
    root = parsed(scored)  # as an editor does who replaces a clip by another one of the bin
    takes: dict[str, dict[str, str]] = {}
    for name, note in notes_of(root).items():
        takes.setdefault(note["clip"]["key"], {})[note["clip"]["active"]] = name
    one = next(iter(takes.values()))
    placed = [entry for each in root.findall("playlist") if each.get("id") != "main_bin" for entry in each]
    (entry,) = (each for each in placed if each.get("producer") == one["take 2"])
    entry.set("producer", one["take 1"])
    ElementTree.ElementTree(root).write(scored, encoding="utf-8")
    keys = sorted(str(each.active_media_reference_key) for each in our_clips(read_timeline(scored)))
    assert keys == ["take 1", "take 2", "take 2"]


def test_switched_off_clips_and_tracks_of_ours_stay_off(project: Path, tmp_path: Path) -> None:
    cut = with_our_tracks(read_timeline(project), tmp_path / "out.media", float(RATE))
    cut.tracks[-2][1].enabled = False
    cut.tracks[-1].enabled = False
    path, _ = write(cut, tmp_path, "kdenlive", source=project)
    found = read_timeline(path)
    ours = [each for each in found.tracks if "v2s" in each.metadata]
    assert [each.enabled for each in ours] == [True, False]
    assert [each.enabled for each in our_clips(found)] == [False, True, True]


def test_a_clip_of_the_editor_on_our_track_stays_where_it_is(project: Path, tmp_path: Path) -> None:
    cut = with_our_tracks(read_timeline(project), tmp_path, float(RATE))
    path, _ = write(cut, tmp_path, "kdenlive", source=project)
    root = parsed(path)
    (playlist,) = (each for each in root.findall("playlist") if len(each) == 3 and (each.get("id") or "")[:3] == "v2s")
    theirs = ElementTree.SubElement(playlist, "entry", {"producer": "chain0", "in": "0", "out": "11"})
    ElementTree.SubElement(theirs, "property", name="kdenlive:id").text = "6"
    ElementTree.ElementTree(root).write(path, encoding="utf-8")
    assert main(["remove", str(path), "--in-place"]) == 0
    found = read_timeline(path)
    assert not list(our_clips(found))
    (track,) = (each for each in found.tracks if each.name == "V2S drum")
    (kept,) = track.find_clips()
    assert track.range_of_child(kept).start_time.value == 5 + 3 + 9


def test_sounds_of_another_sequence_stay(project: Path, tmp_path: Path) -> None:
    """With all their takes."""
    cut = with_our_tracks(read_timeline(project), tmp_path, float(RATE))
    path, _ = write(cut, tmp_path, "kdenlive", source=project)
    root = parsed(path)
    notes = notes_of(root)
    (chosen,) = (name for name, note in notes.items() if note["title"] == "dog sound")
    other = Element("playlist", id="playlist99")
    ElementTree.SubElement(other, "entry", {"producer": chosen, "in": "0", "out": "9"})
    root.insert(list(root).index(sequence_of(root)), other)
    for playlist in root.findall("playlist"):
        for entry in playlist.findall(f"entry[@producer='{chosen}']"):
            if playlist.get("id") not in ("playlist99", "main_bin"):
                playlist.remove(entry)
    ElementTree.ElementTree(root).write(path, encoding="utf-8")
    assert main(["remove", str(path), "--in-place"]) == 0
    left = notes_of(parsed(path))
    assert sorted(note["clip"]["active"] for note in left.values()) == ["take 1", "take 2", "take 3"]
    assert chosen in left


def test_no_project_is_made_from_another_timeline_and_none_of_an_old_kdenlive_is_changed(
    project: Path, tmp_path: Path
) -> None:
    save(cut := scored_cut(tmp_path), tmp_path / "cut.otio")
    with pytest.raises(OutputError, match=r"into a Kdenlive project and makes no new one; .*--format otio"):
        write(cut, tmp_path, "kdenlive")
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace('docproperties.version">1.1<', 'docproperties.version">1.04<'), encoding="utf-8")
    before = project.read_bytes()
    with pytest.raises(OutputError, match=r"is of a Kdenlive before 23\.04; save it with a newer one"):
        write(cut, tmp_path, "kdenlive", source=project)
    assert project.read_bytes() == before


FILM = '<property name="resource">{}</property>\n  <property name="mlt_service">{}</property>'


def test_retimed_and_switched_off_clips_are_what_they_are_in_kdenlive(project: Path) -> None:
    text = project.read_text(encoding="utf-8")
    film = FILM.format(f"{project.parent}/A shot 01.mov", "avformat-novalidate")
    twice = FILM.format(f"2.000000:{project.parent}/A shot 01.mov", "timewarp")
    off = '<property name="set.test_audio">1</property><property name="set.test_image">1</property>'
    other = FILM.format(f"{project.parent}/B_shot.mov", "avformat-novalidate")
    assert film in text
    assert other in text
    project.write_text(text.replace(film, twice).replace(other, other + off), encoding="utf-8")
    found = plan(read_timeline(project), project.parent, options(sound="dog", existing="add"), probe=fake_probe)
    assert [each.reason for each in found.skips] == ["it is disabled"]
    assert [each.timeline_start * RATE for each in found.jobs] == [0, 96]
    first, second, *_ = found.jobs[0].picture_times
    assert (first * RATE, second - first) == (48, Fraction(2 * 64, 1000))


@pytest.mark.parametrize("name", NAMES)
def test_projects_are_read_as_opentimelineios_adapter_reads_them(shared: Path, name: str) -> None:
    """Where it reads anything: it knows no names of files, and only colours of what is generated."""
    path = shared / "timelines" / name
    package = pytest.importorskip("otio_kdenlive_adapter", reason="its adapter is not installed")
    file = Path(package.__file__).parent / "adapters" / "kdenlive.py"
    judge = otio.adapters.Adapter(name="kdenlive", filepath=str(file), suffixes=[]).module()
    with quiet():
        theirs = judge.read_from_string(path.read_text(encoding="utf-8"))
    ours = read_timeline(path)
    assert [_told(each) for each in ours.tracks] == [_told(each) for each in theirs.tracks]
    assert [_marked(each) for each in ours.tracks.markers] == [_marked(each) for each in theirs.tracks.markers]


def _told(one: Any) -> Any:
    """Name and kind of a track and what stands on it."""
    items = []
    for item in one:
        shown = item.source_range
        reference = getattr(item, "media_reference", None)
        effects = [each.effect_name for each in item.effects]
        media = (getattr(reference, "target_url", None), getattr(reference, "available_range", None))
        known = [_marked(each) for each in item.markers]
        items.append((shown.start_time, shown.duration, effects, known, media if media[0] else None))
    return one.name, one.kind, items


def _marked(marker: Any) -> Any:
    return marker.name, marker.marked_range, marker.color


@pytest.mark.programs
@pytest.mark.skipif(shutil.which("melt") is None, reason="melt is not installed: make test-programs")
def test_melt_plays_the_scored_project_with_every_sound_in_its_place(project: Path, tmp_path: Path) -> None:
    """The document itself, with its own sound at 1 s of a clip from frame 6 on; also in place, and taken out again."""
    for name in ("A shot 01.mov", "B_shot.mov"):
        make_clip(tmp_path / name, rate=RATE, frames=480, timecode="01:00:00:00")
    for name in ("gen_01.wav", "gen_02.wav"):
        samples = np.zeros(4 * 48_000, np.float32)
        samples[48_000:48_040] = 0.5 if name == "gen_01.wav" else 0
        write_wav(tmp_path / name, samples, 48_000)
    theirs = float(6 / RATE) + 1
    check_onsets(project, [theirs], RATE)
    scored = score_project(project, takes=2).output
    assert scored is not None
    check_onsets(scored, sorted([*onsets(0, 48, 96, rate=RATE), theirs]), RATE)
    score_project(scored, takes=2, in_place=True)
    check_onsets(scored, sorted([*onsets(0, 48, 96, rate=RATE), theirs]), RATE)
    assert main(["remove", str(scored), "--in-place"]) == 0
    check_onsets(scored, [theirs], RATE)
