"""Final Cut Pro documents: our sounds stand in the document itself, come back from it and go out of it again."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import gap
from tests.plugin.fcpxml_cuts import LATE, STORY, our_elements, ours_in, score_cut
from tests.plugin.fcpxml_rules import check_rules, document, parse, placed, plain, save_document
from tests.plugin.scored_cuts import our_track, placed_sounds, sound, write
from v2s_plugin.cli import main
from v2s_plugin.ours import our_clips
from v2s_plugin.timeline import read_timeline


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    return save_document(tmp_path, document(STORY))


@pytest.fixture
def real(shared: Path, tmp_path: Path) -> Path:
    """As Final Cut Pro 10.4 exported it (1.8), with its media in place."""
    text = (shared / "timelines" / "fcpx_project.fcpxml").read_text(encoding="utf-8")
    path = save_document(tmp_path, text.replace("/Volumes/Media/otio", str(tmp_path)), "real.fcpxml")
    for name in set(re.findall(r"/([^/\"]*\.MOV)\"", text)):
        (tmp_path / name).touch()
    return path


def facts(item: Any) -> Any:
    return json.loads(item.to_json_string())["metadata"]["v2s"]


# ---- where sounds stand


VARIANTS = {
    "23.976, in a library, 1.10": document(STORY),
    "1.13": document(STORY.replace("<marker", "<hidden-clip-marker/><marker"), version="1.13"),
    "1.8, assets without media-rep": document(STORY, version="1.8", wrapped=False),
    "without lines": re.sub(r">\s+<", "><", document(STORY)),
    "from 0": document(LATE, start="0s", frame="100/2500s"),
    "29.97": document(LATE.replace("2s", "60060/30000s"), start="0s", frame="1001/30000s"),
    "59.94": document(LATE.replace("2s", "120120/60000s"), start="0s", frame="1001/60000s"),
    "storyline from 0 in spite of tcStart": document(LATE, frame="1/24s", start="3600s"),
}


@pytest.mark.parametrize("takes", [1, 3])
@pytest.mark.parametrize("text", VARIANTS.values(), ids=VARIANTS)
def test_sounds_stand_to_the_frame_where_the_plan_says(tmp_path: Path, text: str, takes: int) -> None:
    check_scored(save_document(tmp_path, text), takes)


@pytest.mark.parametrize("takes", [1, 3])
def test_sounds_stand_in_a_real_project_where_the_plan_says(real: Path, takes: int) -> None:
    check_scored(real, takes)


def check_scored(source: Path, takes: int) -> None:
    result = score_cut(source, takes=takes)
    assert result.output == source.with_name(f"{source.stem}_scored.fcpxml")
    check_rules(result.output)
    wanted = sorted((each.job.timeline_start, each.job.timeline_end) for each in result.scored)
    ours = ours_in(result.output)
    assert [(each.start, each.start + each.duration) for each in ours] == wanted
    assert wanted
    assert all(each.on_frames for each in ours)
    theirs = {each.lane for each in placed(source)}
    assert all(each.lane < 0 and each.lane not in theirs for each in ours)
    files = sorted(str(each.takes[0].path) for each in result.scored)
    assert sorted(each.source.removeprefix("file://") for each in ours) == files
    assert {each.element.tag for each in ours} == {"asset-clip" if takes == 1 else "audition"}
    assert [each for each in placed(result.output) if each not in ours and not each.source.endswith(".wav")]


def test_otios_adapter_finds_our_sounds_where_they_stand(real: Path) -> None:
    """It knows neither auditions nor NTSC rates, so: one take, at 30."""
    from otio_fcpx_xml_adapter import fcpx_xml

    result = score_cut(real)
    assert result.output is not None
    found = fcpx_xml.read_from_string(result.output.read_text(encoding="utf-8"))
    (lane,) = (each for each in found.tracks if each.name == "-2")
    places = [
        (each.trimmed_range_in_parent().start_time.value, each.media_reference.target_url) for each in lane.find_clips()
    ]
    assert places == [
        (each.job.timeline_start * 30, f"file://{each.takes[0].path}")
        for each in sorted(result.scored, key=lambda each: each.job.timeline_start)
    ]


def test_a_sound_says_what_final_cut_pro_wants_to_know(cut: Path) -> None:
    result = score_cut(cut)
    assert result.output is not None
    root = parse(result.output)
    first = next(our_elements(root))
    assert first.attrib == {
        "ref": "v2s1",
        "lane": "-2",
        "offset": "18018/5s",
        "name": "A (dog)",
        "start": "0s",
        "duration": "1001/1000s",
        "audioRole": "effects.V2S",
    }
    (asset,) = (each for each in root.iterfind("resources/asset") if each.get("id") == "v2s1")
    (take,) = next(each.takes for each in result.scored if each.job.label == "A")
    assert asset.attrib == {
        "id": "v2s1",
        "name": take.path.stem,
        "start": "0s",
        "duration": f"{take.length}/48000s",
        "hasAudio": "1",
        "audioSources": "1",
        "audioChannels": "1",
        "audioRate": "48000",
    }


# ---- out again, and once more


@pytest.mark.parametrize("text", VARIANTS.values(), ids=VARIANTS)
def test_taken_out_again_the_document_is_what_it_was(tmp_path: Path, text: str) -> None:
    source = save_document(tmp_path, text)
    scored = score_cut(source, takes=2).output
    assert scored is not None
    assert plain(scored) != plain(source)
    assert main(["remove", str(scored), "--in-place"]) == 0
    assert plain(scored) == plain(source)


def test_all_else_stays_as_final_cut_pro_wrote_it(real: Path) -> None:
    scored = score_cut(real, takes=2).output
    assert scored is not None
    root = parse(scored)
    parents = {child: parent for parent in root.iter() for child in parent}
    for audition in list(root.iter("audition")):
        parents[audition].remove(audition)
    for asset in root.findall("resources/asset"):
        if (asset.get("id") or "").startswith("v2s"):
            parents[asset].remove(asset)
    assert [words(each) for each in root.iter()] == [words(each) for each in parse(real).iter()]


def words(element: Element) -> tuple[str, dict[str, str], str]:
    return element.tag, element.attrib, (element.text or "").strip()


def test_a_document_is_scored_again_and_in_place(cut: Path) -> None:
    first = score_cut(cut, takes=2)
    assert first.output is not None
    assert (first.made, first.reused) == (8, 0)
    written = first.output.read_bytes()
    again = score_cut(cut, takes=2, force=True)
    assert (again.made, again.reused) == (0, 8)
    assert first.output.read_bytes() == written
    in_place = score_cut(first.output, takes=2, in_place=True)
    assert (in_place.made, in_place.reused) == (0, 8)
    assert first.output.read_bytes() == written
    assert first.output.with_name("cut_scored.fcpxml.bak").read_bytes() == written


RATES = {"1001/24000s": 24_000 / 1001, "1/25s": 25, "1001/30000s": 30_000 / 1001, "100/6000s": 60}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frame=st.sampled_from(sorted(RATES)),
    story=st.lists(st.tuples(st.integers(1, 200), st.integers(0, 5000)), min_size=1, max_size=5),
    ours=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 300)), min_size=1, max_size=5),
    begin=st.sampled_from([0, 3600]),
)
def test_any_sounds_come_back_from_any_storyline(
    tmp_path: Path, frame: str, story: list[tuple[int, int]], ours: list[tuple[int, int]], begin: int
) -> None:
    """Of each pair of numbers of frames, the first is what lies before it, or how long it is; the second its start."""
    step = Fraction(frame.removesuffix("s"))
    offset = Fraction(begin)
    items = ""
    for number, (duration, start) in enumerate(story):
        tag = 'asset-clip ref="r3"' if number % 2 else "gap"
        items += f'<{tag} name="n" offset="{offset}s" start="{start * step}s" duration="{duration * step}s"/>'
        offset += duration * step
    source = save_document(tmp_path, document(items, frame=frame, start=f"{begin}s"))
    rate = RATES[frame]
    cut = read_timeline(source)
    for number, (before, duration) in enumerate(ours):
        made = sound(
            tmp_path, f"s{number}", duration, rate, takes=number % 3 + 1, chosen=number % 2 % (number % 3 + 1) + 1
        )
        cut.tracks.append(our_track(f"V2S {number}", *([gap(before, rate)] if before else []), made))
    path, said = write(cut, tmp_path, "fcpxml", source=source)
    assert said == ()
    check_rules(path)
    found = read_timeline(path)
    assert placed_sounds(found, tmp_path) == placed_sounds(cut, tmp_path)
    for old, new in zip(our_clips(cut), our_clips(found), strict=True):
        assert (new.name, facts(new)) == (old.name, facts(old))
        assert new.active_media_reference_key == old.active_media_reference_key
        assert sorted(new.media_references()) == sorted(old.media_references())
        for key, reference in old.media_references().items():
            held = new.media_references()[key].available_range.duration
            assert 0 <= held.value - reference.available_range.duration.value <= 1  # a sample, to fill the last frame
    assert main(["remove", str(path), "--in-place"]) == 0
    assert plain(path) == plain(source)
