"""The sound of a clip with a transition reaches as far as its pictures are seen, and no further than they exist."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.plugin.cuts import clip, fake_probe, gap, marker, options, span, time, timeline, track
from v2s_plugin.planning.jobs import Plan, plan
from v2s_plugin.timing.transitions import Handles

MEDIA = span(0, 2400, 24)
"""All of `a.mp4`, as `fake_probe` has it: 100 s."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("cut")
    (made / "a.mp4").touch()
    return made


def planned(folder: Path, *tracks: Any, **given: Any) -> Plan:
    return plan(timeline(*tracks), folder, options(sound="dog", **given), probe=fake_probe)


def shot(name: str, start: float, frames: float = 24, **given: Any) -> Any:
    return clip(name, "a.mp4", source=span(start, frames, 24), available=MEDIA, **given)


def dissolve(before: float, after: float) -> Any:
    return otio.schema.Transition("", "SMPTE_Dissolve", time(before, 24), time(after, 24))


def test_the_sound_begins_and_ends_with_the_dissolve(folder: Path) -> None:
    a, b = planned(folder, track(shot("a", 240), dissolve(6, 12), shot("b", 480))).jobs
    assert (a.handles, b.handles) == (Handles(after=Fraction(1, 2)), Handles(before=Fraction(1, 4)))
    assert (a.timeline_start, a.timeline_end, a.sound_start, a.sound_end) == (0, 1, 0, Fraction(3, 2))
    assert (b.timeline_start, b.timeline_end, b.sound_start, b.sound_end) == (1, 2, Fraction(3, 4), 2)
    assert (b.source_start, b.picture_times[0]) == (20, Fraction(79, 4))
    assert (a.length, b.length) == (24_001, 20_001)
    assert len(a.picture_times) == 24
    assert a.picture_times[-1] == 10 + 23 * Fraction(64, 1000)
    assert b.delivered_length(48_000) == 60_000


def test_a_dissolve_changes_the_key_and_leaves_the_subject_and_the_seed(folder: Path) -> None:
    (hard,) = planned(folder, track(shot("a", 240))).jobs
    soft = planned(folder, track(shot("a", 240), dissolve(0, 12), gap(24))).jobs[0]
    assert hard.key != soft.key
    assert (hard.subject, hard.seed) == (soft.subject, soft.seed)
    moved = planned(folder, track(gap(24), shot("a", 240), dissolve(0, 12), gap(24))).jobs[0]
    assert moved.key == soft.key


def test_a_handle_ends_where_the_media_end_in_whole_frames(folder: Path) -> None:
    before = planned(folder, track(gap(48), dissolve(12, 12), shot("a", 2.5))).jobs[0]
    assert before.handles == Handles(before=Fraction(2, 24))  # 2.5 frames are there
    after = planned(folder, track(shot("a", 2370), dissolve(12, 12), gap(48))).jobs[0]
    assert after.handles == Handles(after=Fraction(6, 24))
    outside = planned(folder, track(shot("a", 2390), dissolve(12, 12), gap(48))).jobs[0]
    assert outside.handles == Handles()


def test_a_handle_of_a_faster_or_reversed_clip_takes_its_media_as_fast(folder: Path) -> None:
    fast = shot("a", 24, effects=[otio.schema.LinearTimeWarp(time_scalar=4)])
    job = planned(folder, track(gap(48), dissolve(12, 0), fast)).jobs[0]
    assert job.handles == Handles(before=Fraction(1, 4))  # 24 frames of media at 4
    back = shot("a", 24, effects=[otio.schema.LinearTimeWarp(time_scalar=-1)])
    job = planned(folder, track(back, dissolve(0, 48), gap(48))).jobs[0]
    assert job.handles == Handles(after=Fraction(1))  # down to the media's start


def test_a_still_has_as_much_as_is_asked_for(folder: Path) -> None:
    cut = timeline(track(gap(48), dissolve(12, 0), clip("a", "a.mp4", source=span(0, 24, 24), notes=["v2s:sound=dog"])))
    still = plan(cut, folder, options(), probe=lambda path: replace(fake_probe(path), duration=Fraction(0), still=True))
    assert still.jobs[0].handles == Handles(before=Fraction(1, 2))


def test_cues_count_from_the_sounds_start(folder: Path) -> None:
    cued = shot("a", 240, notes=[marker("v2s:cue", 252)])
    assert planned(folder, track(gap(24), dissolve(12, 0), cued)).jobs[0].cues == (16_000,)


def test_only_stretches_that_reach_the_cut_have_its_handle(folder: Path) -> None:
    """A marked stretch, and what another clip leaves of this one."""
    marked = shot("a", 240, 48, notes=[marker("v2s:sound=drum", 252, 12), marker("v2s:sound=dog", 276, 12)])
    drum, dog = planned(folder, track(marked, dissolve(6, 6), gap(24))).jobs
    assert (drum.handles, dog.handles) == (Handles(), Handles(after=Fraction(1, 4)))
    under = track(shot("a", 240, 72), dissolve(6, 6), gap(24))
    first, last, _ = planned(folder, under, track(gap(24), shot("b", 480), name="V2")).jobs
    assert (first.handles, last.handles) == (Handles(), Handles(after=Fraction(1, 4)))
