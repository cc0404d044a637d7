"""Retimed clips of Final Cut Pro 7 XML: the right pictures are looked at, to the frame, or the clip says why not.

The documents are made by hand, their films count their pictures, and what must be seen is written beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.media import make_still
from tests.plugin.cuts import ClickSource, fake_probe, options, span, timeline, track
from tests.plugin.fcp_xml_documents import (
    PAL,
    SAME_FILE,
    VIRTUAL_IN,
    VIRTUAL_OUT,
    clipitem,
    effect,
    file_tag,
    graph,
    parameter,
    rate_tag,
    remap,
    sequence,
    write_document,
)
from tests.plugin.scored_cuts import write, written_sounds
from tests.plugin.test_counted_pictures import NTSC_24, NTSC_30, Seen, check, falling, frames, make
from v2s_plugin.planning.jobs import plan
from v2s_plugin.scoring import ScoreOptions, score_file
from v2s_plugin.timeline import read_timeline


def one_clip(
    folder: Path, inside: str, *, first: int = 0, length: int = 20, rate: str = PAL, file: str | None = None
) -> Any:
    """The timeline of a document in which one film of 60 pictures, `a.mov`, stands from frame 0."""
    content = file_tag("a.mov", 60, rate) if file is None else file
    item = clipitem(0, length, first, content, inside, rate=rate)
    return read_timeline(write_document(folder, sequence(item, rate)))


@pytest.mark.parametrize(
    ("inside", "first", "number_at"),
    [
        (remap(50), 0, lambda t: int(Fraction(25, 2) * t)),
        (remap(50), 21, lambda t: int((21 + 25 * t) / 2)),  # starts within picture 10
        (remap(200), 0, lambda t: int(50 * t)),
        (remap(200), 7, lambda t: 14 + int(50 * t)),
        (remap(100, reverse=True), 0, lambda t: falling(60 - 25 * t)),  # from 59 down
        (remap(100, reverse=True), 12, lambda t: falling(48 - 25 * t)),
        (remap(200, reverse=True), 5, lambda t: falling(50 - 50 * t)),
        (remap(-50), 10, lambda t: falling(55 - 25 * t / 2)),
        (remap("33.3333"), 30, lambda t: int((30 + 25 * t) / 3)),  # a third, and not picture 9 at first
        (remap(100), 9, lambda t: 9 + int(25 * t)),
        (remap(200, on=False), 9, lambda t: 9 + int(25 * t)),
        (remap(150, graph((0, 0), (13, 19, VIRTUAL_IN), (33, 49, VIRTUAL_OUT))), 13, lambda t: int((39 + 75 * t) / 2)),
        (remap(50, graph((0, 17), (8, 21, VIRTUAL_IN))), 8, lambda t: 21 + int(Fraction(25, 2) * t)),  # from 17 on
        (remap(100, graph((4, 31, VIRTUAL_IN)), reverse=True), 4, lambda t: falling(31 - 25 * t)),
        (remap(100, graph((0, 61, VIRTUAL_IN)), reverse=True), 0, lambda t: falling(60 - 25 * t)),
        (remap(100, graph((0, 41, VIRTUAL_IN)), reverse=True), 0, lambda t: falling(40 - 25 * t)),
        (remap(200, graph((0, 0), (7, -1815255671, VIRTUAL_IN))), 7, lambda t: 14 + int(50 * t)),
    ],
)
def test_one_speed(tmp_path: Path, inside: str, first: int, number_at: Callable[[Fraction], int]) -> None:
    media = make(tmp_path)
    check(one_clip(tmp_path, inside, first=first), tmp_path, frames(0, 20, number_at), media=media)


@pytest.mark.parametrize("timebase", [24, 30])
@pytest.mark.parametrize("reverse", [False, True])
def test_ntsc(tmp_path: Path, timebase: int, reverse: bool) -> None:
    rate = NTSC_24 if timebase == 24 else NTSC_30
    media = make(tmp_path, rate=rate)
    cut = one_clip(tmp_path, remap(50, reverse=reverse), first=21, rate=rate_tag(timebase, ntsc=True))

    def number_at(t: Fraction) -> int:
        passed = (21 + rate * t) / 2
        return falling(60 - passed) if reverse else int(passed)

    check(cut, tmp_path, frames(0, 20, number_at, rate), media=media)


@pytest.mark.parametrize(("timebase", "ntsc", "of_file"), [(25, False, 50), (25, False, 24), (30, True, 24)])
@pytest.mark.parametrize("reverse", [False, True])
def test_films_of_another_rate(tmp_path: Path, timebase: int, ntsc: bool, of_file: int, reverse: bool) -> None:
    """In-points count frames of the sequence, the film runs at its own rate."""
    own, rate = ((each * (Fraction(1000, 1001) if ntsc else Fraction(1))) for each in (of_file, timebase))
    media = make(tmp_path, count=120, rate=own)
    file = file_tag("a.mov", 120, rate_tag(of_file, ntsc))
    cut = one_clip(tmp_path, remap(200, reverse=reverse), first=10, rate=rate_tag(timebase, ntsc), file=file)

    def number_at(t: Fraction) -> int:
        passed = (20 / rate + 2 * t) * own
        return falling(120 - passed) if reverse else int(passed)

    check(cut, tmp_path, frames(0, 20, number_at, rate), media=media)


def test_media_that_start_at_an_hour(tmp_path: Path) -> None:
    media = make(tmp_path, timecode="01:00:00:00")
    cut = one_clip(tmp_path, remap(200), first=7, file=file_tag("a.mov", 60, timecode=90_000))
    check(cut, tmp_path, frames(0, 20, lambda t: 14 + int(50 * t)))
    (clip,) = cut.find_clips()
    assert clip.source_range == span(90_014, 20, 25)
    assert media.frames == 60


def test_a_graph_of_premieres_frames_of_the_file_is_not_taken_for_a_trim(tmp_path: Path) -> None:
    """50 pictures a second in a sequence of 25: frame 20 of the film's 25 is its picture 40."""
    make(tmp_path, count=120, rate=50)
    cut = one_clip(
        tmp_path,
        remap(200, graph((0, 0), (10, 40, VIRTUAL_IN), last=119)),
        first=10,
        file=file_tag("a.mov", 120, rate_tag(50)),
    )
    check(cut, tmp_path, frames(0, 20, lambda t: 40 + int(100 * t)))


def test_a_clip_that_starts_within_a_dissolve(tmp_path: Path) -> None:
    """Its in-point stands for the dissolve's start, half of which lies before the cut."""
    make(tmp_path)
    dissolve = (
        f"<transitionitem>{PAL}<start>16</start><end>24</end><alignment>center</alignment>"
        "<effect><name>Cross Dissolve</name></effect></transitionitem>"
    )
    a = clipitem(0, -1, 0, file_tag("a.mov", 60))
    b = clipitem(-1, 36, 10, SAME_FILE, remap(200), name="b")
    cut = read_timeline(write_document(tmp_path, sequence(a + dissolve + b)))
    before = frames(0, 24, lambda t: int(25 * t))
    after = frames(16, 36, lambda t: 20 + int(50 * t))
    check(cut, tmp_path, before, after)


def test_a_retimed_nest(tmp_path: Path) -> None:
    """At half the speed from its frame 10 on, and backwards from its end."""
    make(tmp_path)
    inner = sequence(clipitem(0, 60, 0, file_tag("a.mov", 60), name="b"), PAL, 60, number=2)
    for more, number_at in (
        (remap(50), lambda t: int(10 + Fraction(25, 2) * t)),
        (remap(50, reverse=True), lambda t: falling(50 - Fraction(25, 2) * t)),
    ):
        cut = read_timeline(write_document(tmp_path, sequence(clipitem(0, 20, 20, inner, more))))
        check(cut, tmp_path, frames(0, 20, number_at))


# ---- freeze frames


NOTE = "<marker><name>v2s:sound=dog</name><in>{0}</in><out>-1</out></marker>"


@pytest.mark.parametrize(
    ("inside", "first"),
    [
        (remap(0, graph((0, 23), (2000, 23))), 1000),
        (remap(0), 23),
        ("<stillframe>TRUE</stillframe><stillframeoffset>23</stillframeoffset>", 1500),
    ],
    ids=["a graph that stands still", "without a graph", "as Final Cut Pro makes them"],
)
def test_a_freeze_frame_that_a_marker_asks_for(tmp_path: Path, inside: str, first: int) -> None:
    make(tmp_path)
    cut = one_clip(tmp_path, inside + NOTE.format(first), first=first)
    check(cut, tmp_path, frames(0, 20, lambda t: 23))


def test_a_still_image_of_premiere_is_no_freeze_frame_of_a_film(tmp_path: Path) -> None:
    make_still(tmp_path / "a.png", 7)
    file = file_tag("a.png", 1).replace("<video>", "<video><stillframe>TRUE</stillframe>")
    cut = one_clip(tmp_path, "<stillframe>TRUE</stillframe>" + NOTE.format(86_400), first=86_400, file=file)
    check(cut, tmp_path, frames(0, 20, lambda t: 7))


# ---- speed that changes


@pytest.mark.parametrize("app", ["PremierePro", ""], ids=["Premiere", "Final Cut Pro"])
def test_a_graph_of_straight_lines(tmp_path: Path, app: str) -> None:
    """Ten frames at once the speed, ten frames through two pictures, then doubly as fast."""
    media = make(tmp_path)
    keys = graph((0, 0), (5, 5, VIRTUAL_IN), (10, 10), (20, 12), (30, -1815255671, VIRTUAL_OUT), (40, 52), app=app)
    own = "" if app else parameter("mappedduration", 0)
    cut = one_clip(tmp_path, remap(100, own + keys, varies=True), first=5, length=28)

    def number_at(t: Fraction) -> int:
        when = 5 + 25 * t
        return int(when if when < 10 else 10 + (when - 10) / 5 if when < 20 else 12 + 2 * (when - 20))

    check(cut, tmp_path, frames(0, 28, number_at), media=media)


@pytest.mark.parametrize(
    ("inside", "file", "reason"),
    [
        (remap(100, graph((0, 0), (40, 52), app=""), varies=True), None, "not known to go straight"),
        (remap(100, graph((0, 0), (9, 9, "<inscale>1</inscale>"), (40, 52)), varies=True), None, "not known to go"),
        (remap(100, graph((0, 50), (40, 10)), varies=True), None, "its graph runs backwards"),
        (remap(100, graph((0, 0), (12, 20)), varies=True), None, "does not reach over the clip"),
        (remap(100, varies=True), None, "not known to go straight"),
        (remap(100, graph((0, 0), (40, 52)), varies=True), file_tag("a.mov", 60, rate_tag(50)), "of the clip or of"),
        (remap(200, graph((0, 9))), file_tag("a.mov", 60, rate_tag(50)), "its graph and its speed do not agree"),
        (remap(100, reverse=True), file_tag("a.mov", None), "the length of its file is not known"),
        (remap("fast"), None, "it holds 'fast' where a number should stand"),
        (remap("nan"), None, "it holds 'nan' where"),
        (remap("1e-999999999"), None, "it holds '1e-999999999' where"),
        (remap(100, graph((0, 0), (40, 52)).replace("FCPCurve", "hold"), varies=True), None, "not known to go"),
        (remap(50, graph((0, 0)).replace("<when>0</when>", "")), None, "it holds 'None' where"),
        (remap(100) + remap(100, graph((0, 50), (40, 10)), varies=True), None, "its graph runs backwards"),
        ("<stillframe>TRUE</stillframe><stillframeoffset>x</stillframeoffset>", None, "stillframe, it holds 'x'"),
    ],
)
def test_what_is_not_clear_is_skipped_with_the_reason(
    tmp_path: Path, inside: str, file: str | None, reason: str
) -> None:
    make(tmp_path)
    found = plan(one_clip(tmp_path, inside, file=file), tmp_path, options(sound="dog"))
    assert found.jobs == ()
    (skip,) = found.skips
    assert "its speed changes within the clip" in skip.reason
    assert reason in skip.reason
    assert "render the clip" in skip.advice


@pytest.mark.parametrize("more", ["", remap(50), remap(200, reverse=True)], ids=["plain", "slow", "backwards"])
@pytest.mark.parametrize("timecode", [None, 90_000])
def test_markers_stay_where_they_are_on_the_timeline(tmp_path: Path, more: str, timecode: int | None) -> None:
    """They count from the first picture like in-points, and the source range in timecode; also when written again."""
    make(tmp_path)
    marker = "<marker><name>v2s:cue</name><in>25</in><out>-1</out></marker>"
    cut = one_clip(tmp_path, more + marker, first=20, file=file_tag("a.mov", 60, timecode=timecode))
    (job,) = plan(cut, tmp_path, options(sound="dog")).jobs
    assert job.cues == (16_000 * 5 // 25,)
    if not more:
        written, _ = write(cut, tmp_path, "fcp_xml")
        assert written.read_text(encoding="utf-8").count("<in>25</in>") == 1
        (again,) = plan(read_timeline(written), tmp_path, options(sound="dog")).jobs
        assert again.cues == job.cues


# ---- what else stands in the document


def test_sounds_of_retimed_clips_stand_beside_them_and_are_not_stretched(tmp_path: Path) -> None:
    (tmp_path / "a.mov").touch()
    fast = clipitem(10, 30, 40, file_tag("a.mov", 2400), remap(200))
    slow = clipitem(50, 90, 0, SAME_FILE, remap(50, reverse=True), name="b")
    source = write_document(tmp_path, sequence(fast + slow))
    result = score_file(source, ScoreOptions(plan=options(sound="dog")), lambda **_: ClickSource(), probe=fake_probe)
    assert result.output is not None
    sounds = [str(take.path) for each in result.scored for take in each.takes]
    assert [(start, end) for start, end, _ in written_sounds(result.output, sounds)] == [
        (Fraction(10, 25), Fraction(30, 25)),
        (Fraction(50, 25), Fraction(90, 25)),
    ]
    (ours,) = read_timeline(result.output).audio_tracks()
    assert [clip.source_range.duration.value for clip in ours.find_clips()] == [20, 40]
    assert not any(clip.effects for clip in ours.find_clips())
    text = result.output.read_text(encoding="utf-8")
    assert text.count("<effectid>timeremap</effectid>") == 2
    again = score_file(
        result.output,
        ScoreOptions(plan=options(sound="dog"), in_place=True),
        lambda **_: ClickSource(),
        probe=fake_probe,
    )
    assert (again.made, again.reused) == (0, 2)


@pytest.mark.parametrize(
    ("opacity", "seen"),
    [
        (parameter("opacity", 40), True),
        (
            "<parameter><parameterid>opacity</parameterid><keyframe><when>0</when><value>0</value></keyframe>"
            "<keyframe><when>9</when><value>100</value></keyframe></parameter>",
            True,
        ),
        (parameter("opacity", 100), False),
        (parameter("opacity", "much"), False),
    ],
)
@pytest.mark.parametrize("on", [True, False])
def test_a_clip_of_less_opacity_covers_nothing(tmp_path: Path, opacity: str, seen: bool, on: bool) -> None:
    make(tmp_path)
    below = clipitem(0, 20, 0, file_tag("a.mov", 60), name="below")
    above = clipitem(0, 20, 30, SAME_FILE, effect("opacity", opacity, on=on), name="above")
    document = sequence(below, more_tracks=f"<track>{above}</track>")
    found = plan(read_timeline(write_document(tmp_path, document)), tmp_path, options(sound="dog"))
    assert [job.label for job in found.jobs] == (["below", "above"] if seen and on else ["above"])


def test_the_in_point_and_the_graph_that_resolve_wrote_agree(tmp_path: Path) -> None:
    """Numbers of a real export: frame 755411 of a clip slowed to a hundredth shows frame 7532.37 of the file."""
    keys = ((0, 0), (755_411, 7532.37, VIRTUAL_IN), (755_631, 7534.56, VIRTUAL_OUT), (12_507_799, 124_719))
    written = remap("0.997122", graph(*keys, last=124_717, app=""))
    file = file_tag("a.mov", 124_718, rate_tag(60))
    (clip,) = one_clip(tmp_path, written, first=755_411, length=220, rate=rate_tag(60), file=file).find_clips()
    assert clip.source_range.start_time.value == pytest.approx(7532.37, abs=0.01)
    assert [effect.time_scalar for effect in clip.effects] == [pytest.approx(0.00997122)]


def test_the_retime_of_hieros_own_file_is_in_percent(shared: Path, tmp_path: Path) -> None:
    """0.25 % from frame 326400 of the retimed clip: picture 816, which stays for all its 239 frames."""
    cut = read_timeline(shared / "timelines" / "hiero_export.xml")
    (clip,) = (clip for clip in cut.find_clips() if clip.effects)
    assert clip.source_range == span(816, 239, 24)
    make(tmp_path, count=830, rate=24)
    clip.media_reference = otio.schema.ExternalReference(str(tmp_path / "a.mov"), span(0, 830, 24))
    check(timeline(track(clip.deepcopy())), tmp_path, Seen(Fraction(0), Fraction(239, 24), lambda t: 816))
