"""MLT XML is read as melt plays it: tracks, times, dissolves and nests; what is damaged is refused in words."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import fromstring, tostring

import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import info, options
from tests.plugin.mlt_documents import (
    FILM,
    blank,
    document,
    entry,
    frames,
    one_track,
    playlist,
    producer,
    read,
    remapped,
    shotcut,
    shown_frames,
    track,
    tractor,
    transition,
)
from v2s_engine.errors import TimelineUnreadableError
from v2s_plugin.cli import main
from v2s_plugin.formats.mlt_document import frames_of
from v2s_plugin.planning.jobs import plan
from v2s_plugin.timeline import read_timeline
from v2s_plugin.timing.placement import place_clips


def test_entries_and_blanks_stand_one_behind_the_other_and_both_ends_belong_to_them(tmp_path: Path) -> None:
    found = one_track(tmp_path, blank(7), entry("a", 10, 59), blank("00:00:00.400"), entry("a", 0, 0))
    assert [(type(each).__name__, frames(each)) for each in found] == [
        ("Gap", (0, 7)), ("Clip", (10, 50)), ("Gap", (0, 10)), ("Clip", (0, 1)),
    ]  # fmt: skip
    assert [each.name for each in found.find_clips()] == ["a.mov", "a.mov"]
    assert found.kind == "Video"


def test_an_entry_counts_from_its_producers_in_point(tmp_path: Path) -> None:
    """As melt writes `a.mov in=10 out=59`."""
    first = producer("a", "a.mov", length=100, first=10, last=59)
    found = one_track(tmp_path, entry("a", 0, 29), entry("a"), before=(first,))
    assert [frames(each) for each in found] == [(10, 30), (10, 50)]


def test_what_is_longer_than_its_media_ends_with_them(tmp_path: Path) -> None:
    found = one_track(tmp_path, entry("a", 90, 150), entry("a", 40, 20), entry("a", 98, 99))
    assert [frames(each) for each in found] == [(90, 10), (20, 21), (98, 2)]


@pytest.mark.parametrize(
    ("text", "rate", "want"),
    [
        ("59", Fraction(25), 59),
        ("00:00:02.400", Fraction(25), 60),
        ("00:00:02,400", Fraction(25), 60),
        ("00:00:02:10", Fraction(25), 60),
        ("01:02.000", Fraction(25), 1550),
        ("00:00:01;15", Fraction(30_000, 1001), 45),
        ("01:00:00.000", Fraction(30_000, 1001), 107_892),
        ("00:01:00.033", Fraction(30_000, 1001), 1799),
        ("00:05:05.047", Fraction(24_000, 1001), 7313),
    ],
)
def test_times_are_frames_clocks_or_timecode(text: str, rate: Fraction, want: int) -> None:
    assert frames_of(text, rate) == want


@given(st.integers(0, 10**7), st.sampled_from([24, 25, 30, 50, 60, *(Fraction(n * 1000, 1001) for n in (24, 30, 60))]))
def test_a_clock_that_mlt_writes_is_the_frame_it_was_written_for(frame: int, rate: Fraction) -> None:
    """MLT rounds hours and minutes down to frames, and writes the rest in milliseconds."""
    rest = frame
    hours = int(rest / (rate * 3600))
    rest -= int(hours * 3600 * rate)
    minutes = int(rest / (rate * 60))
    rest -= int(minutes * 60 * rate)
    clock = f"{hours:02}:{minutes:02}:{float(rest / rate):06.3f}"
    assert frames_of(clock, Fraction(rate)) == frame


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(30_000, 1001), Fraction(60_000, 1001)])
def test_ntsc_rates_are_exact(tmp_path: Path, rate: Fraction) -> None:
    cut = read(tmp_path, FILM, playlist("v1", blank(1001), entry("a", 7, 30)), tractor("t", track("v1")), rate=rate)
    (placed,) = place_clips(cut)
    assert placed.span.start == 1001 / rate
    assert placed.span.duration == 24 / rate


def test_a_shotcut_project_without_its_bin_and_its_black_background(tmp_path: Path) -> None:
    sound = {"meta_DOT_media_DOT_0_DOT_stream_DOT_type": "audio"}
    video = producer("a", "a.mov", tag="chain", length=100, mlt_service="avformat-novalidate", shotcut__caption="shot")
    voice = producer("b", "b.mov", tag="chain", length=50, mlt_service="avformat-novalidate", **sound)
    tracks = (track("p0"), track("p1", "both"), track("p2", "video"))
    body = shotcut(
        video,
        voice,
        playlist("p0", entry("a", "00:00:00.400", "00:00:01.160"), shotcut__video=1, shotcut__name="Main"),
        playlist("p1", entry("a", 0, 9), shotcut__video=1, shotcut__name="Over"),
        playlist("p2", entry("b", 0, 9), shotcut__audio=1, shotcut__name="Voice"),
        tracks=tracks,
    )
    cut = read(tmp_path, *body, main="main_bin")
    assert [(each.name, each.kind, each.enabled) for each in cut.tracks] == [
        ("Main", "Video", True), ("Over", "Video", False), ("Voice", "Audio", True),
    ]  # fmt: skip
    assert [each.name for each in cut.find_clips()] == ["shot", "shot", "b.mov"]
    assert frames(cut.tracks[0][0]) == (10, 20)


@pytest.mark.parametrize(("hide", "own"), [(None, True), ("audio", False), ("video", None), ("both", False)])
def test_the_sound_of_pictures_is_heard_unless_it_is_hidden(tmp_path: Path, hide: str | None, own: bool | None) -> None:
    film = producer("a", "a.mov", length=100, meta_DOT_media_DOT_1_DOT_stream_DOT_type="audio")
    mute = producer("b", "b.mov", length=100, meta_DOT_media_DOT_1_DOT_stream_DOT_type="audio", audio_index=-1)
    list_ = playlist("v1", entry("a", 0, 9), entry("b", 0, 9), entry("a", 20, 29))
    cut = read(tmp_path, film, mute, list_, tractor("t", track("v1", hide)))
    if own is None:
        assert [each.kind for each in cut.tracks] == ["Audio"]
        return
    assert [each.kind for each in cut.tracks] == ["Video", *["Audio"] * own]
    if own:
        assert [type(each).__name__ for each in cut.tracks[1]] == ["Clip", "Gap", "Clip"]
    found = plan(cut, tmp_path, options(sound="dog"), probe=lambda path: info(path, 4, rate=25))
    skipped = [each.reason for each in found.skips]
    assert skipped == (
        ["its own sound stands on the timeline"] * 2 if own else ["its track is disabled"] * 3 * (hide == "both")
    )


@pytest.mark.parametrize(("index", "own"), [("1", True), ("all", True), ("-1", False), (None, False)])
def test_without_notes_of_the_streams_the_chosen_stream_says_whether_there_is_sound(
    tmp_path: Path, index: str | None, own: bool
) -> None:
    """As in what MLT saves with `no_meta`."""
    film = producer("a", "a.mov", length=100, **({} if index is None else {"audio_index": index}))
    cut = read(tmp_path, film, playlist("v1", entry("a", 0, 9)), tractor("t", track("v1")))
    assert [each.kind for each in cut.tracks] == ["Video", *["Audio"] * own]


MIX = tractor("mix", track("a", None, 30, 49), track("b", None, 0, 19), transition("luma", last=19), first=0, last=19)


@pytest.mark.parametrize("after", [20, 25])
def test_a_dissolve_in_one_playlist_is_a_cut_in_its_middle_under_a_transition(tmp_path: Path, after: int) -> None:
    """melt's `-mix`, Shotcut's dissolves; what follows may also be another part of the file."""
    other = producer("b", "b.mov", length=100)
    found = one_track(
        tmp_path, entry("a", 0, 29), entry("mix", 0, 19), entry("b", after, 59), before=(FILM, other, MIX)
    )
    clips = [each for each in found if isinstance(each, otio.schema.Clip)]
    assert [each.name for each in clips[:2]] == ["a.mov", "b.mov"]
    assert frames(clips[0]) == (0, 40)
    assert isinstance(found[1], otio.schema.Transition)
    assert (found[1].in_offset.value, found[1].out_offset.value) == (10, 10)
    assert [frames(each) for each in clips[1:]] == ([(10, 50)] if after == 20 else [(10, 10), (25, 35)])


def test_a_clip_between_two_dissolves_may_be_nothing_but_them(tmp_path: Path) -> None:
    other = producer("b", "b.mov", length=100)
    back = tractor("back", track("b", None, 20, 29), track("a", None, 60, 69), transition("luma", last=9), last=9)
    found = one_track(
        tmp_path, entry("a", 0, 29), entry("mix", 0, 19), entry("back", 0, 9), before=(FILM, other, MIX, back)
    )
    assert [type(each).__name__ for each in found] == ["Clip", "Transition", "Clip", "Transition", "Clip"]
    assert [frames(each) for each in found.find_clips()] == [(0, 40), (10, 15), (65, 5)]


def test_a_dissolve_between_kdenlives_two_playlists_has_its_cut_where_kdenlive_notes_it(tmp_path: Path) -> None:
    other = producer("b", "b.mov", length=100)
    rolls = (playlist("p0", entry("a", 0, 49)), playlist("p1", blank(30), entry("b", 0, 59)))
    mix = transition("luma", first=30, last=49, kdenlive__mixcut=5)
    line = tractor("line", track("p0", "audio"), track("p1", "audio"), mix, kdenlive__track_name="Top")
    cut = read(tmp_path, FILM, other, *rolls, line, tractor("t", track("line")))
    (found,) = cut.tracks
    assert found.name == "Top"
    assert [type(each).__name__ for each in found] == ["Clip", "Transition", "Clip"]
    assert [frames(each) for each in found.find_clips()] == [(0, 35), (5, 55)]
    assert (found[1].in_offset.value, found[1].out_offset.value) == (5, 15)


def test_a_nested_sequence_is_a_nest_with_its_own_tracks(tmp_path: Path) -> None:
    inner = (playlist("in", blank(5), entry("a", 10, 59)), tractor("nest", track("in", "audio")))
    cut = read(tmp_path, FILM, *inner, playlist("v1", blank(3), entry("nest", 10, 29)), tractor("t", track("v1")))
    (placed,) = place_clips(cut)
    assert (placed.span.start, placed.span.end) == (Fraction(3, 25), Fraction(23, 25))
    assert shown_frames(tmp_path, cut) == [list(range(15, 35))]


def test_nests_that_do_not_say_how_long_they_are(tmp_path: Path) -> None:
    """Thirty of them, each in the other, are read in no time."""
    nests = [
        part
        for level in range(30)
        for part in (playlist(f"p{level}", entry(f"t{level - 1}" if level else "a", *(() if level else (3, 9)))),
                     tractor(f"t{level}", track(f"p{level}")))
    ]  # fmt: skip
    cut = read(tmp_path, FILM, *nests)
    assert shown_frames(tmp_path, cut) == [list(range(3, 10))]


def test_services_may_stand_where_they_are_used(tmp_path: Path) -> None:
    """As in MLT's own examples: nothing is named by an id."""
    inside = f"<multitrack><playlist>{entry('a', 5, 9)}</playlist></multitrack>"
    cut = read(tmp_path, FILM, f"<tractor>{inside}</tractor>")
    assert shown_frames(tmp_path, cut) == [list(range(5, 10))]


def test_markers_of_shotcut_and_guides_of_kdenlive_stand_on_the_timeline(tmp_path: Path) -> None:
    mark = '<property name="text">v2s:sound=dog</property><property name="start">00:00:00.400</property>'
    mark += '<property name="end">00:00:00.800</property>'
    noted = f'<properties name="shotcut:markers"><properties name="0">{mark}</properties></properties>'
    cut = read(tmp_path, FILM, playlist("v1", entry("a", 0, 49)), tractor("t", track("v1"), noted))
    (marker,) = cut.tracks.markers
    assert (marker.name, marker.marked_range.start_time.value, marker.marked_range.duration.value) == (
        "v2s:sound=dog", 10, 10
    )  # fmt: skip
    guides = '[{"comment": "look", "pos": 12, "type": 3}, 7]'
    kdenlive = tractor("t", track("v1"), kdenlive__sequenceproperties_DOT_guides=guides)
    cut = read(tmp_path, FILM, playlist("v1", entry("a", 0, 49)), kdenlive)
    assert [(each.name, each.marked_range.start_time.value) for each in cut.tracks.markers] == [("look", 12)]


LAUGHS = "".join(f'<!ENTITY l{number + 1} "{f"&l{number};" * 10}">' for number in range(12))


BOMB = f'<?xml version="1.0"?><!DOCTYPE mlt [<!ENTITY l0 "ha">{LAUGHS}]><mlt><profile description="&l12;"/></mlt>'


OUTSIDE = '<?xml version="1.0"?><!DOCTYPE mlt [<!ENTITY x SYSTEM "file:///etc/passwd">]><mlt>&x;</mlt>'


LOOP = (
    playlist("one", entry("t2", 0, 9)),
    tractor("t2", track("one"), last=9),
    playlist("two", entry("t2", 0, 9)),
    tractor("t", track("two")),
)


DOUBLED = tuple(
    part
    for level in range(30)
    for part in (
        playlist(f"p{level}", *[entry(f"t{level - 1}" if level else "a", 0, 9)] * 2),
        tractor(f"t{level}", track(f"p{level}"), last=9),
    )
)


DEEP = tuple(
    part
    for level in range(80)
    for part in (
        playlist(f"p{level}", entry(f"t{level - 1}" if level else "a", 0, 9)),
        tractor(f"t{level}", track(f"p{level}"), last=9),
    )
)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("no xml", "syntax error"),
        ("<fcpxml/>", "its first element is <fcpxml>, not <mlt>"),
        (document(FILM), "it holds no tractor"),
        (
            document(playlist("v1", entry("gone", 0, 9)), tractor("t", track("v1"))),
            "it names 'gone', which it does not",
        ),
        (document(FILM, playlist("v1", entry("a", "soon", 9)), tractor("t", track("v1"))), "'soon' is no time"),
        (document(FILM, playlist("v1", blank(10**11)), tractor("t", track("v1"))), "MLT counts to 2147483647"),
        (document(producer("n", "n.mov"), playlist("v1", entry("n")), tractor("t", track("v1"))), "does not say where"),
        (document(*LOOP), "'t2' contains itself"),
        (document(FILM, *DOUBLED), "holds more than 50000 clips"),
        (document(FILM, *DEEP), "nested more than 50 deep"),
        (document(FILM).replace('frame_rate_num="25"', 'frame_rate_num="0"'), "0 frames per second"),
        (document(FILM).replace('frame_rate_den="1"', 'frame_rate_den="0"'), "says no frame rate"),
        (document(FILM).replace('frame_rate_den="1"', 'frame_rate_den="50000"'), "0.0005 frames per second"),
        ("<mlt><tractor/></mlt>", "says no frame rate"),
        (BOMB, "amplification"),
        (OUTSIDE, "undefined entity"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, match: str
) -> None:
    path = tmp_path / "cut.mlt"
    path.write_text(text)
    with pytest.raises(TimelineUnreadableError, match=match):
        read_timeline(path)
    assert main(["plan", str(path)]) == 1
    assert "Traceback" not in "".join(capsys.readouterr())


VALUES = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(
        ["", "1e9", "nan", "-1", "00:00:01.5", "::", "9:9:9:9", "a", "p0", "both", "0=1;x=2", "inf:a.mov", "é"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=12),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1, max_size=4))
def test_a_damaged_document_is_read_or_refused_with_the_reason(tmp_path: Path, damage: list[tuple[int, str]]) -> None:
    """Any value of it may be anything."""
    mix = tractor("mix", track("a", None, 30, 49), track("w", None, 0, 19), transition("luma", last=19), last=19)
    body = shotcut(
        FILM,
        remapped(time_map="0=0;25=2"),
        producer("fast", "2:a.mov", mlt_service="timewarp", warp_speed=2, length=50),
        producer("img", "i%03d.png", mlt_service="qimage", ttl=2, begin=1, length=50),
        mix,
        playlist(
            "p0", entry("a", 0, 29), entry("mix", 0, 19), entry("w", 20, 40), entry("fast", 0, 9), shotcut__name="V"
        ),
        playlist("p1", blank(3), entry("img", 0, 9)),
        tracks=(track("p0"), track("p1", "audio")),
    )
    root = fromstring(document(*body).encode())  # noqa: S314
    slots = [(each, name) for each in root.iter() for name in each.attrib]
    texts = list(root.iter("property"))
    for number, value in damage:
        at = number % (len(slots) + len(texts))
        if at < len(slots):
            slots[at][0].set(slots[at][1], value)
        else:
            texts[at - len(slots)].text = value
    path = tmp_path / "cut.mlt"
    path.write_bytes(tostring(root))
    try:
        cut = read_timeline(path)
    except TimelineUnreadableError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "is no MLT XML (" in refused  # not what a library stumbled over
        return
    found = plan(cut, tmp_path, options(sound="dog"), probe=lambda each: info(each, 4, rate=25))
    assert all(each.reason and each.advice for each in found.skips)
