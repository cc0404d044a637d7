"""What an editor does in Final Cut Pro to sounds of ours stays when the project is scored again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.plugin.fcpxml_cuts import STORY, our_elements, ours_in, rewrite, score_cut
from tests.plugin.fcpxml_rules import check_rules, document, parse, plain, save_document
from tests.plugin.scored_cuts import our_track, sound, write
from v2s_engine.errors import OutputError
from v2s_plugin.api import choose_take
from v2s_plugin.cli import main
from v2s_plugin.ours import our_clips
from v2s_plugin.timeline import read_timeline


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    return save_document(tmp_path, document(STORY))


def test_another_take_is_chosen_by_v2s_or_by_picking_it_in_the_audition(cut: Path) -> None:
    scored = score_cut(cut, takes=2).output
    assert scored is not None
    choose_take(scored, 2)
    check_rules(scored)
    assert [each.active_media_reference_key for each in our_clips(read_timeline(scored))] == ["take 2"] * 4
    root = parse(scored)
    audition = next(root.iter("audition"))
    audition[:] = reversed(audition)
    rewrite(scored, root)
    keys = [each.active_media_reference_key for each in our_clips(read_timeline(scored))]
    assert sorted(map(str, keys)) == ["take 1", "take 2", "take 2", "take 2"]
    again = score_cut(scored, takes=2, in_place=True)
    assert (again.made, again.reused) == (0, 8)
    assert keys == [each.active_media_reference_key for each in our_clips(read_timeline(scored))]


def test_a_sound_that_was_moved_and_trimmed_stays_so(cut: Path) -> None:
    """Four frames later, and twelve shorter; Final Cut Pro numbers lanes anew."""
    scored = score_cut(cut).output
    assert scored is not None
    before = ours_in(scored)
    root = parse(scored)
    first = next(our_elements(root))
    first.set("offset", f"{Fraction((first.get('offset') or '')[:-1]) + 4 * Fraction(1001, 24000)}s")
    first.set("duration", f"{12 * Fraction(1001, 24000)}s")
    for each in our_elements(root):
        each.set("lane", "-1")
    rewrite(scored, root)
    again = score_cut(scored, in_place=True)
    assert (again.made, again.reused) == (0, 4)
    check_rules(scored)
    places = {(each.start, each.duration) for each in ours_in(scored)}
    moved = before[0].start + 4 * Fraction(1001, 24000)
    assert places == {(moved, 12 * Fraction(1001, 24000)), *((each.start, each.duration) for each in before[1:])}


def test_volume_role_marks_and_effects_on_our_clips_stay(cut: Path) -> None:
    scored = score_cut(cut, takes=2).output
    assert scored is not None
    root = parse(scored)
    first = next(our_elements(root))
    first.set("audioRole", "effects.dogs")
    first.append(ElementTree.fromstring('<adjust-volume amount="-6dB"/>'))  # noqa: S314
    first.append(ElementTree.fromstring('<marker start="0s" duration="1001/24000s" value="too loud?"/>'))  # noqa: S314
    first.append(ElementTree.fromstring('<filter-audio ref="e1" name="Echo"/>'))  # noqa: S314
    rewrite(scored, root)
    score_cut(scored, takes=2, in_place=True)
    check_rules(scored)
    (kept,) = (each for each in our_elements(parse(scored)) if each.find("adjust-volume") is not None)
    assert [each.tag for each in kept] == ["note", "adjust-volume", "marker", "filter-audio"]
    assert kept.get("audioRole") == "effects.dogs"


def test_an_effect_that_another_document_does_not_have_is_not_named_there(cut: Path) -> None:
    """The editor added one to the scored document; the original, scored again, has no such effect under that id."""
    scored = score_cut(cut).output
    assert scored is not None
    root = parse(scored)
    resources = root.find("resources")
    assert resources is not None
    ElementTree.SubElement(resources, "effect", id="e2", name="Echo", uid="echo")
    ElementTree.SubElement(resources, "format", id="f2", name="FFVideoFormatRateUndefined")
    first = next(our_elements(root))
    first.set("format", "f2")
    first.append(ElementTree.fromstring('<adjust-volume amount="-6dB"/>'))  # noqa: S314
    first.append(ElementTree.fromstring('<filter-audio ref="e2" name="Echo"/>'))  # noqa: S314
    rewrite(scored, root)
    score_cut(scored, in_place=True)
    kept = next(our_elements(parse(scored)))
    assert [each.tag for each in kept] == ["note", "adjust-volume", "filter-audio"]
    result = score_cut(cut, force=True)
    check_rules(scored)
    kept = next(our_elements(parse(scored)))
    assert [each.tag for each in kept] == ["note", "adjust-volume"]
    assert "1 effects on our sounds are not in this document; they were left out" in result.warnings


def test_switched_off_sounds_stay_off(cut: Path, tmp_path: Path) -> None:
    timeline = read_timeline(cut)
    rate = 24_000 / 1001
    timeline.tracks.append(our_track("V2S dog", sound(tmp_path, "on", 9, rate), sound(tmp_path, "off", 9, rate)))
    timeline.tracks[-1][1].enabled = False
    path, _ = write(timeline, tmp_path, "fcpxml", source=cut)
    assert [each.get("enabled", "1") for each in our_elements(parse(path))] == ["1", "0"]
    assert [each.enabled for each in our_clips(read_timeline(path))] == [True, False]


def test_a_sound_in_a_storyline_leaves_a_gap_and_a_storyline_of_sounds_goes(cut: Path) -> None:
    """Two sounds made a connected storyline, a third put into the primary one."""
    scored = score_cut(cut).output
    assert scored is not None
    root = parse(scored)
    parents = {child: parent for parent in root.iter() for child in parent}
    one, two, three, _ = list(our_elements(root))
    spine = ElementTree.Element("spine", lane="-1", offset=one.get("offset", ""))
    into = parents[one]
    into.insert(list(into).index(one), spine)
    for each, offset in ((one, Fraction(0)), (two, Fraction(1001, 1000))):
        parents[each].remove(each)
        each.attrib.pop("lane")
        each.set("offset", f"{offset}s")
        spine.append(each)
    parents[three].remove(three)
    three.attrib.pop("lane")
    three.set("offset", "86594508/24000s")
    (primary,) = root.iterfind(".//sequence/spine")
    primary.append(three)
    rewrite(scored, root)
    starts = [Fraction(each, 24000) for each in (0, 24024, 108108, 121121)]
    assert [each.start for each in ours_in(scored)] == starts
    assert len(list(our_clips(read_timeline(scored)))) == 4
    assert main(["remove", str(scored), "--in-place"]) == 0
    check_rules(scored)
    root = parse(scored)
    assert not list(our_elements(root))
    assert not root.findall(".//spine[@lane]")
    last = root.findall(".//sequence/spine/*")[-1]
    assert last.attrib == {"name": "Gap", "offset": "86594508/24000s", "start": "0s", "duration": three.get("duration")}


def test_what_the_editor_added_to_our_audition_stays(cut: Path) -> None:
    scored = score_cut(cut, takes=2).output
    assert scored is not None
    root = parse(scored)
    next(root.iter("audition")).append(ElementTree.Element("asset-clip", ref="r2", name="mine", duration="1001/1000s"))
    rewrite(scored, root)
    assert main(["remove", str(scored), "--in-place"]) == 0
    assert [[each.get("name") for each in audition] for audition in parse(scored).iter("audition")] == [["mine"]]


def test_a_sound_put_into_a_compound_clip_stays_there_and_is_not_doubled(tmp_path: Path) -> None:
    media = """
    <media id="c1" name="compound"><sequence format="r1" tcStart="0s" duration="4s"><spine>
      <asset-clip ref="r3" name="A" offset="0s" start="1s" duration="4s"/>
    </spine></sequence></media>
    """
    story = '<ref-clip ref="c1" name="compound" offset="0s" duration="4s"/>'
    source = save_document(tmp_path, document(story, frame="1/24s", start="0s", resources=media))
    scored = score_cut(source, takes=2).output
    assert scored is not None
    root = parse(scored)
    (audition,) = root.iter("audition")
    next(root.iter("ref-clip")).remove(audition)
    audition.set("offset", "1s")
    (inner,) = (each for each in root.iter("asset-clip") if each.get("name") == "A")
    inner.append(audition)
    rewrite(scored, root)
    before = plain(scored)
    again = score_cut(scored, takes=2, in_place=True)
    assert (again.made, again.reused) == (0, 2)
    assert "1 of our sounds stand in compound clips; they were left as they are" in again.warnings
    assert plain(scored) == before


def test_what_hangs_on_a_sound_is_not_thrown_away(cut: Path) -> None:
    scored = score_cut(cut).output
    assert scored is not None
    root = parse(scored)
    next(our_elements(root)).append(ElementTree.Element("asset-clip", ref="r3", lane="-1", duration="1001/1000s"))
    rewrite(scored, root)
    before = scored.read_bytes()
    with pytest.raises(
        OutputError, match=r"something is connected to the sound 'A \(dog\)'; connect that to the story"
    ):
        score_cut(scored, in_place=True)
    assert scored.read_bytes() == before


def test_an_asset_that_the_editor_uses_too_stays(cut: Path) -> None:
    scored = score_cut(cut).output
    assert scored is not None
    root = parse(scored)
    event = root.find("library/event")
    assert event is not None
    event.insert(0, ElementTree.Element("asset-clip", ref="v2s2", name="mine"))
    rewrite(scored, root)
    assert main(["remove", str(scored), "--in-place"]) == 0
    left = [each.get("id") for each in parse(scored).iterfind("resources/asset")]
    assert left == ["r2", "r3", "v2s2"]
