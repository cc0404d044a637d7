"""The right pictures are looked at, to the frame: media count their pictures, and jobs are read back.

What must be seen is written beside each cut in whole frames, by hand; `picture_judge` must find the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.media import VFR_STEPS_MS, make_clip, make_sequence, make_still, read_number
from tests.plugin.cuts import clip, gap, options, span, time, timeline, track
from tests.plugin.picture_judge import Media, picture_at
from v2s_engine.video import read_pictures
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import plan

STEP = Fraction(64, 1000)
NTSC_24 = Fraction(24000, 1001)
NTSC_30 = Fraction(30000, 1001)
HOUR = 3600


@dataclass(frozen=True)
class Seen:
    """A stretch of sound and the pictures that go with it."""

    start: Fraction
    """Seconds on the timeline."""
    end: Fraction
    number_at: Callable[[Fraction], int]
    """Number of the picture so many seconds after `start`."""


def frames(start: int, end: int, number_at: Callable[[Fraction], int], rate: int | Fraction = 25) -> Seen:
    return Seen(start / Fraction(rate), end / Fraction(rate), number_at)


def falling(count: Fraction) -> int:
    """The last picture that begins before a moment, which is counted in pictures."""
    return -(-count.numerator // count.denominator) - 1


def numbers_seen(job: ClipJob) -> list[int | None]:
    """The numbers of the pictures of a job, one every 64 ms while it sounds."""
    duration = job.sound_end - job.sound_start
    shown = [read_number(picture) for picture in read_pictures(job.media, job.picture_times, width=80, height=60)]
    inside = -(-duration // STEP)
    assert len(shown) >= inside
    assert set(shown[inside:]) <= {shown[inside - 1]}  # past the end the last stays
    return shown[:inside]


def check(cut: Any, folder: Path, *wanted: Seen, media: Media | None = None, **given: Any) -> None:
    """Hold the jobs of a cut, whose media lie in `folder`, against what must be seen, and the judge likewise."""
    found = plan(cut, folder, options(sound="dog", **given))
    assert found.skips == ()
    assert [(job.sound_start, job.sound_end) for job in found.jobs] == [(each.start, each.end) for each in wanted]
    for job, each in zip(found.jobs, wanted, strict=True):
        shown = numbers_seen(job)
        moments = [number * STEP for number in range(len(shown))]
        assert shown == [each.number_at(moment) for moment in moments]
        if media is not None:
            judged = [picture_at(cut, job.index_path, each.start + moment, media) for moment in moments]
            assert judged == shown


def make(folder: Path, name: str = "a.mov", count: int = 60, rate: int | Fraction = 25, **given: Any) -> Media:
    """A film of so many counted pictures in `folder`."""
    made = make_clip(
        folder / name, rate=Fraction(rate), frames=count, width=64, height=48, sound=False, key_every=20, **given
    )
    return Media(Fraction(rate), count, times=made.times if given.get("vfr") else ())


def warp(scalar: float) -> Any:
    return otio.schema.LinearTimeWarp(time_scalar=scalar)


def stack(*tracks: Any, source: Any = None, effects: tuple[Any, ...] = ()) -> Any:
    made = otio.schema.Stack("nest", children=list(tracks), source_range=source)
    made.effects.extend(effects)
    return made


# ---- where in the media


def test_plain(tmp_path: Path) -> None:
    media = make(tmp_path, count=50)
    check(timeline(track(clip("a", "a.mov"))), tmp_path, frames(0, 50, lambda t: int(25 * t)), media=media)


def test_trimmed_after_a_gap_on_a_timeline_that_starts_at_an_hour(tmp_path: Path) -> None:
    media = make(tmp_path)
    cut = timeline(track(gap(10, 25), clip("a", "a.mov", source=span(7, 30, 25))), start=time(90_000, 25))
    check(cut, tmp_path, frames(10, 40, lambda t: 7 + int(25 * t)), media=media)


@pytest.mark.parametrize("told", [True, False], ids=["available range", "the file's own timecode"])
def test_media_that_start_at_an_hour(tmp_path: Path, told: bool) -> None:
    media = make(tmp_path, timecode="01:00:00:00")
    available = span(90_000, 60, 25) if told else None
    cut = timeline(track(clip("a", "a.mov", source=span(90_007, 30, 25), available=available)))
    known = Media(media.rate, media.frames, timecode=Fraction(HOUR))
    check(cut, tmp_path, frames(0, 30, lambda t: 7 + int(25 * t)), media=known)


def test_a_source_range_at_25_on_media_at_24(tmp_path: Path) -> None:
    """As Resolve writes it: 90032 at 25 is 1.28 s after 86400 at 24, which is no whole frame."""
    media = make(tmp_path, count=100, rate=24, timecode="01:00:00:00")
    cut = timeline(track(clip("a", "a.mov", source=span(90_032, 44, 25), available=span(86_400, 100, 24))))
    check(cut, tmp_path, frames(0, 44, lambda t: int(24 * (Fraction(32, 25) + t))), media=media)


@pytest.mark.parametrize("source", [23.976, 24000 / 1001, 23.976024627685547])
@pytest.mark.parametrize("available", [23.976, 24000 / 1001, 23.976024627685547])
def test_23976_is_one_rate_however_it_is_written(tmp_path: Path, source: float, available: float) -> None:
    media = make(tmp_path, rate=NTSC_24, timecode="01:00:00:00")
    cut = timeline(track(clip("a", "a.mov", source=span(86_412, 40, source), available=span(86_400, 60, available))))
    check(cut, tmp_path, frames(0, 40, lambda t: 12 + int(NTSC_24 * t), NTSC_24), media=media)


@pytest.mark.parametrize("told", [True, False], ids=["available range", "the file's own timecode"])
def test_drop_frame_timecode(tmp_path: Path, told: bool) -> None:
    """01:00:00;00 is picture 107892 of the count, not 108000."""
    media = make(tmp_path, rate=NTSC_30, timecode="01:00:00;00")
    available = span(107_892, 60, 29.97) if told else None
    cut = timeline(track(clip("a", "a.mov", source=span(107_907, 40, 29.97), available=available)))
    known = Media(media.rate, media.frames, timecode=107_892 / NTSC_30)
    check(cut, tmp_path, frames(0, 40, lambda t: 15 + int(NTSC_30 * t), NTSC_30), media=known)


def test_variable_frame_rate(tmp_path: Path) -> None:
    media = make(tmp_path, count=40, vfr=True)
    ends = [sum(VFR_STEPS_MS[index % len(VFR_STEPS_MS)] for index in range(number + 1)) for number in range(40)]

    def number_at(t: Fraction) -> int:
        return sum(end <= 400 + 1000 * t for end in ends)

    cut = timeline(track(clip("a", "a.mov", source=span(10, 40, 25))))
    check(cut, tmp_path, frames(0, 40, number_at), media=media)


# ---- retimes


@pytest.mark.parametrize(
    ("scalars", "number_at"),
    [
        ((2.5,), lambda t: 3 + int(Fraction(125, 2) * t)),
        ((0.5,), lambda t: 3 + int(Fraction(25, 2) * t)),
        ((2.0, 0.75), lambda t: 3 + int(Fraction(75, 2) * t)),
        ((-1.0,), lambda t: falling(23 - 25 * t)),  # from 22 down to 3
        ((-2.0,), lambda t: falling(43 - 50 * t)),  # from 42 down
        ((-2.0, -0.5), lambda t: 3 + int(25 * t)),
    ],
    ids=str,
)
def test_speed(tmp_path: Path, scalars: tuple[float, ...], number_at: Callable[[Fraction], int]) -> None:
    media = make(tmp_path)
    cut = timeline(track(clip("a", "a.mov", source=span(3, 20, 25), effects=[warp(each) for each in scalars])))
    check(cut, tmp_path, frames(0, 20, number_at), media=media)


def test_backwards_the_first_picture_on_screen_is_the_last_of_the_stretch(tmp_path: Path) -> None:
    make(tmp_path)
    cut = timeline(track(clip("a", "a.mov", source=span(8, 16, 25), effects=[warp(-1)])))
    (job,) = plan(cut, tmp_path, options(sound="dog")).jobs
    assert numbers_seen(job) == [23, 22, 20, 19, 17, 15, 14, 12, 11, 9]


def test_a_freeze_frame_that_a_marker_asks_for(tmp_path: Path) -> None:
    media = make(tmp_path)
    frozen = clip("a", "a.mov", source=span(7, 20, 25), effects=[otio.schema.FreezeFrame()], notes=["v2s:sound=dog"])
    check(timeline(track(frozen)), tmp_path, frames(0, 20, lambda t: 7), media=media)


def test_hieros_table(tmp_path: Path) -> None:
    """Forward, faster, held, and back: frame k of the clip shows `shown[k]`."""
    media = make(tmp_path)
    shown = [0, 1, 2, 3, 4, 7, 10, 13, 13, 13, 13, 12, 11, 10, 9, 8]
    effect = otio.schema.TimeEffect("TimeWarp", "TimeWarp", {"lookup": [float(s - k) for k, s in enumerate(shown)]})
    cut = timeline(track(clip("a", "a.mov", source=span(20, 16, 25), effects=[effect])))

    def number_at(t: Fraction) -> int:
        frame = int(25 * t)
        faster = 4 <= frame < 7  # three pictures run through in each frame
        return 20 + shown[frame] + (int(3 * (25 * t - frame)) if faster else 0)

    check(cut, tmp_path, frames(0, 16, number_at), media=media)


# ---- nests and tracks


def test_a_nest_with_its_own_range(tmp_path: Path) -> None:
    media = make(tmp_path)
    nest = stack(track(gap(5, 25), clip("a", "a.mov", source=span(4, 40, 25))), source=span(10, 25, 25))
    check(timeline(track(gap(8, 25), nest)), tmp_path, frames(8, 33, lambda t: 9 + int(25 * t)), media=media)


@pytest.mark.parametrize(
    ("scalar", "number_at"),
    [(2, lambda t: 7 + int(50 * t)), (-1, lambda t: falling(27 - 25 * t)), (-0.5, lambda t: falling(17 - 25 * t / 2))],
)
def test_a_nest_retimed_as_a_whole(tmp_path: Path, scalar: float, number_at: Callable[[Fraction], int]) -> None:
    """Its range starts 5 frames in, its clip 2 frames in."""
    media = make(tmp_path)
    nest = stack(track(clip("a", "a.mov", source=span(2, 50, 25))), source=span(5, 20, 25), effects=(warp(scalar),))
    check(timeline(track(gap(8, 25), nest)), tmp_path, frames(8, 28, number_at), media=media)


def test_two_clips_in_a_nest_that_runs_backwards_change_places(tmp_path: Path) -> None:
    media = make(tmp_path)
    inner = track(clip("a", "a.mov", source=span(0, 10, 25)), clip("b", "a.mov", source=span(30, 15, 25)))
    cut = timeline(track(stack(inner, source=span(0, 25, 25), effects=(warp(-1),))))
    a, b = frames(15, 25, lambda t: falling(10 - 25 * t)), frames(0, 15, lambda t: falling(45 - 25 * t))
    check(cut, tmp_path, a, b, media=media)


def test_a_reversed_clip_in_a_reversed_nest_runs_forward(tmp_path: Path) -> None:
    media = make(tmp_path)
    inner = track(clip("a", "a.mov", source=span(6, 20, 25), effects=[warp(-1)]))
    cut = timeline(track(stack(inner, source=span(0, 20, 25), effects=(warp(-1),))))
    check(cut, tmp_path, frames(0, 20, lambda t: 6 + int(25 * t)), media=media)


def test_a_track_with_its_own_range(tmp_path: Path) -> None:
    media = make(tmp_path)
    cut = timeline(track(clip("a", "a.mov", source=span(2, 40, 25)), source=span(10, 15, 25)))
    check(cut, tmp_path, frames(0, 15, lambda t: 12 + int(25 * t)), media=media)


def test_clips_of_many_rates_on_one_track(tmp_path: Path) -> None:
    rates = [Fraction(24), Fraction(25), NTSC_30, Fraction(50), NTSC_24]
    clips, wanted, start = [], [], Fraction(0)
    for rate in rates:
        name = f"{round(rate)}_{rate.denominator}.mov"
        make(tmp_path, name, rate=rate)
        clips.append(clip(name, name, source=span(5, 31, float(rate))))
        end = start + 31 / rate
        wanted.append(Seen(start, end, lambda t, rate=rate: 5 + int(rate * t)))
        start = end
    check(timeline(track(*clips)), tmp_path, *wanted)


# ---- what is seen of a clip


def test_what_a_clip_above_leaves_of_one_below(tmp_path: Path) -> None:
    media = make(tmp_path)
    cut = timeline(
        track(clip("a", "a.mov", source=span(0, 50, 25))),
        track(gap(10, 25), clip("b", "a.mov", source=span(35, 20, 25)), name="V2"),
    )
    before, after = frames(0, 10, lambda t: int(25 * t)), frames(30, 50, lambda t: 30 + int(25 * t))
    check(cut, tmp_path, before, after, frames(10, 30, lambda t: 35 + int(25 * t)), media=media)


@pytest.mark.parametrize(("first", "handle"), [(20, 5), (3, 3)], ids=["enough media", "cut off by the media"])
def test_a_dissolve_shows_both_clips_beyond_the_cut(tmp_path: Path, first: int, handle: int) -> None:
    media = make(tmp_path)
    dissolve = otio.schema.Transition(in_offset=time(5, 25), out_offset=time(7, 25))
    cut = timeline(
        track(
            clip("a", "a.mov", source=span(10, 25, 25)),
            dissolve,
            clip("b", "a.mov", source=span(first, 25, 25)),
        )
    )
    a = frames(0, 32, lambda t: 10 + int(25 * t))
    b = frames(25 - handle, 50, lambda t: first - handle + int(25 * t))
    check(cut, tmp_path, a, b, media=media)


# ---- pictures that are files


@pytest.mark.parametrize("step", [1, 2])
def test_an_image_sequence(tmp_path: Path, step: int) -> None:
    """A slate of the sequence shows its file's own number; with a step of 2 each stays for two frames."""
    make_sequence(tmp_path / "plate", range(1001, 1031, step))
    reference = otio.schema.ImageSequenceReference(
        str(tmp_path / "plate"), "shot.", ".png", 1001, step, 24, 4, available_range=span(1001, 30, 24)
    )
    cut = timeline(track(clip("a", reference=reference, source=span(1006, 20, 24))))
    check(cut, tmp_path, frames(0, 20, lambda t: 1001 + int(5 + 24 * t) // step * step, 24))


def test_a_still_that_a_marker_asks_for(tmp_path: Path) -> None:
    make_still(tmp_path / "a.png", 7)
    cut = timeline(track(clip("a", "a.png", source=span(0, 30, 25), notes=["v2s:sound=dog"])))
    check(cut, tmp_path, frames(0, 30, lambda t: 7))
