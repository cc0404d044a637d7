"""What is read of foreign formats stands where the program's own file says, and starts there in its media."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from v2s_plugin.formats.reading import ReadOptions
from v2s_plugin.timeline import read_timeline
from v2s_plugin.timing.placement import place_clips
from v2s_plugin.timing.rates import exact_seconds

EDLS = {
    "edl_25fps.edl": 25,
    "edl_avid_example.edl": 24,
    "edl_dissolve_test_2.edl": 24,
    "edl_dissolve_test_4.edl": 24,
    "edl_gap_test.edl": 24,
    "edl_nucoda_example.edl": 24,
    "edl_premiere_example.edl": 24,
    "edl_speed_effects_small.edl": 24,
}


def standing(cut: Any, kind: str = "Video") -> list[tuple[Fraction, Fraction, Fraction]]:
    """Start and end of every clip that is shown, and where its own range starts, in seconds."""
    return sorted(
        (each.span.start, each.span.end, exact_seconds(each.clip.source_range.start_time) or Fraction(0))
        for each in place_clips(cut)
        if each.kind == kind and each.span.duration
    )


def check_frames(cut: Any, rate: int, *wanted: tuple[int, int, int]) -> None:
    assert standing(cut) == [tuple(Fraction(each, rate) for each in clip) for clip in wanted]


@pytest.mark.parametrize("name", EDLS)
def test_the_events_of_an_edl_stand_where_they_are_recorded(shared: Path, name: str) -> None:
    """Counted from the first one, at which the timeline starts; a dissolve's own line is the incoming clip's."""
    rate = EDLS[name]
    path = shared / "timelines" / name
    recorded = []
    for line in path.read_text().splitlines():
        if re.match(r"\d{3} .* V ", line):
            start, end = (frames_of(timecode, rate) for timecode in line.split()[-2:])
            recorded += [(start, end)] if end > start else []
    first = min(start for start, _ in recorded)
    cut = read_timeline(path, ReadOptions(edl_rate=str(rate)))
    assert [each[:2] for each in standing(cut)] == [
        (Fraction(start - first, rate), Fraction(end - first, rate)) for start, end in recorded
    ]
    assert exact_seconds(cut.global_start_time) == Fraction(first, rate)


def test_the_tracks_of_an_edl_stand_to_each_other_as_they_are_recorded(tmp_path: Path) -> None:
    events = (
        "001  AX       V     C        00:00:10:00 00:00:14:00 01:00:00:00 01:00:04:00",
        "002  AX       A     C        00:00:20:00 00:00:21:00 01:00:01:05 01:00:02:05",
    )
    (tmp_path / "cut.edl").write_text("TITLE: two\n\n" + "\n".join(events) + "\n")
    cut = read_timeline(tmp_path / "cut.edl", ReadOptions(edl_rate="25"))
    assert standing(cut) == [(0, 4, 10)]
    assert standing(cut, "Audio") == [(Fraction(30, 25), Fraction(55, 25), 20)]
    assert exact_seconds(cut.global_start_time) == 3600


def test_a_premiere_xml_opens_its_nested_sequence(shared: Path) -> None:
    """The nest (`sequence-2`) stands at 636; its clips at 0 and 100 in it.

    A clip that a transition starts or ends says -1: one ends with its fade at 557, two meet amid theirs at 1164. The
    file `sc01_master_layerA_sh030_temp.mov` starts at 99, so its in-point 34 is 133; 6 frames in, and 12 of dissolve,
    are 18.
    """
    check_frames(
        read_timeline(shared / "timelines" / "premiere_example.xml"),
        30,
        (13, 113, 0),
        (15, 956, 108_000),
        (165, 322, 0),
        (322, 557, 0),
        (536, 636, 0),
        (636, 736, 0),
        (736, 956, 0),
        (956, 1164, 133),
        (1164, 1246, 18),
    )


def test_final_cuts_connected_and_compound_clips(shared: Path) -> None:
    """Compound clips stand at 80 s (from 109 frames in) and 140 s (from 57 frames in); lanes count from their gaps."""
    check_frames(
        read_timeline(shared / "timelines" / "fcpx_project.fcpxml"),
        30,
        (0, 300, 0),
        (600, 900, 0),
        (1500, 1785, 0),
        (1785, 2070, 15),
        (1937, 2237, 0),
        (2400, 2591, 0),
        (2891, 3191, 0),
        (3300, 3600, 0),
        (3600, 3900, 376),
        (3900, 4200, 232),
        (4200, 4443, 0),
    )


def test_kdenlives_blanks_and_entries(shared: Path) -> None:
    """An entry's `out` is its last frame; blanks of 6.640 s (Wide), 8.720 s and 3.720 s (Close) lie between."""
    check_frames(
        read_timeline(shared / "timelines" / "kdenlive_2407_example.kdenlive"),
        25,
        (0, 74, 0),
        (0, 74, 0),
        (74, 292, 166),
        (292, 458, 95),
        (458, 831, 508),
        (551, 754, 0),
    )


def test_pitivis_nanoseconds(shared: Path) -> None:
    """Two clips overlap for their cross-fade from 15.170742086 s on, 1.838981930 s long, and are cut amid it."""
    cut = read_timeline(shared / "timelines" / "pitivi_ges_example.xges")
    amid = 15.170742086 + 1.838981930 / 2
    wanted = [
        (1.894092578, 1.894092578 + 5.284314119, 0),
        (6.821836273, amid, 0),
        (11.095856186, 11.095856186 + 3.333333333, 0),
        (amid, 15.170742086 + 9.212112257, 10.187887743 + 1.838981930 / 2),
        (25.678779157, 25.678779157 + 10.537153711, 5.284314119),
    ]
    assert [float(each) for clip in standing(cut) for each in clip] == pytest.approx(
        [each for clip in wanted for each in clip], abs=1e-6
    )


def frames_of(timecode: str, rate: int) -> int:
    hours, minutes, seconds, frames = (int(each) for each in timecode.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * rate + frames
