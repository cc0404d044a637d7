"""Speed changes: the pictures of a job are those on screen, read from their counters, and the sound is as long."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.media import Clip, make_clip, read_number
from tests.plugin.cuts import clip, fake_probe, info, marker, options, span, timeline, track
from v2s_engine.video import read_pictures
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import plan
from v2s_plugin.timing.retimes import RetimeError, own_warp
from v2s_plugin.timing.warp import PLAIN, Warp

STEP = Fraction(64, 1000)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """100 numbered pictures at 24."""
    return make_clip(tmp_path_factory.mktemp("media") / "a.mp4", rate=24, frames=100, sound=False)


def warps(*scalars: float) -> list[Any]:
    return [otio.schema.LinearTimeWarp(time_scalar=scalar) for scalar in scalars]


def table(*frames: float) -> list[Any]:
    """Hiero's effect for a clip whose frame k shows frame `frames[k]` of its source range."""
    lookup = [frame - number for number, frame in enumerate(frames)]
    return [otio.schema.TimeEffect(effect_name="TimeWarp", metadata={"lookup": lookup})]


def nest(*items: Any, source: Any = None, effects: list[Any] | None = None) -> Any:
    made = otio.schema.Stack(source_range=source, effects=effects or [])
    made.append(track(*items))
    return made


def before(frame: Fraction) -> int:
    """The last frame that begins before a moment, counted in frames."""
    return -(-frame.numerator // frame.denominator) - 1


@dataclass(frozen=True)
class Case:
    """A clip on a track, and what is on screen when."""

    name: str
    make: Callable[[Path], Any]
    frame_at: Callable[[Fraction], int]
    """Number of the picture on screen so many seconds after the clip's start."""
    duration: Fraction = Fraction(1)


def shot(path: Path, *, source: Any, effects: list[Any] | None = None, available: Any = None) -> Any:
    return clip("shot", path, source=source, effects=effects or [], available=available)


CASES = [
    Case("plain", lambda path: shot(path, source=span(0, 24, 24)), lambda t: int(24 * t)),
    Case("trimmed", lambda path: shot(path, source=span(30, 24, 24)), lambda t: 30 + int(24 * t)),
    Case("fast", lambda path: shot(path, source=span(10, 24, 24), effects=warps(2.5)), lambda t: 10 + int(60 * t)),
    Case("slow", lambda path: shot(path, source=span(10, 24, 24), effects=warps(0.5)), lambda t: 10 + int(12 * t)),
    Case("reverse", lambda path: shot(path, source=span(10, 24, 24), effects=warps(-1)), lambda t: 33 - int(24 * t)),
    Case(
        "reverse, twice as fast",
        lambda path: shot(path, source=span(10, 24, 24), effects=warps(-2)),
        lambda t: before(58 - 48 * t),
    ),
    Case(
        "reverse as Flame writes it: 1068 down to 1040",
        lambda path: shot(path, source=span(1040, 41, 24), effects=warps(-0.7), available=span(1000, 100, 24)),
        lambda t: before(Fraction(687, 10) - Fraction(168, 10) * t),
        Fraction(41, 24),
    ),
    Case(
        "a table: forwards, still, backwards",
        lambda path: shot(path, source=span(20, 24, 24), effects=table(*range(8), *[8] * 8, *range(8, 0, -1))),
        lambda t: 20 + [*range(8), *[8] * 8, *range(8, 0, -1)][int(24 * t)],
    ),
    Case(
        "a table on a reversed clip",
        lambda path: shot(path, source=span(20, 24, 24), effects=[*table(*range(3, 27)), *warps(-1)]),
        lambda t: 40 - int(24 * t),
    ),
    Case(
        "mixed rates and timecode, as Resolve writes it",
        lambda path: shot(path, source=span(90032, 25, 25), available=span(86400, 100, 24)),
        lambda t: int(24 * (t + Fraction(90032, 25) - 3600)),
    ),
    Case(
        "nested",
        lambda path: nest(shot(path, source=span(30, 48, 24)), source=span(12, 24, 24)),
        lambda t: 42 + int(24 * t),
    ),
    Case(
        "nested, the nest twice as fast, the clip half as fast",
        lambda path: nest(
            shot(path, source=span(30, 60, 24), effects=warps(0.5)), source=span(12, 24, 24), effects=warps(2)
        ),
        lambda t: int(36 + 24 * t),
    ),
    Case(
        "nested, the nest reversed",
        lambda path: nest(shot(path, source=span(30, 60, 24)), source=span(12, 24, 24), effects=warps(-1)),
        lambda t: 65 - int(24 * t),
    ),
    Case(
        "nested, the nest and the clip reversed",
        lambda path: nest(
            shot(path, source=span(30, 36, 24), effects=warps(-1)), source=span(12, 24, 24), effects=warps(-1)
        ),
        lambda t: 30 + int(24 * t),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_pictures_of_a_job_are_those_on_screen(media: Clip, case: Case) -> None:
    (job,) = plan(timeline(track(case.make(media.path))), media.path.parent, options(sound="dog")).jobs
    assert job.duration == case.duration
    assert job.length == -(-job.duration * 16_000 // 1) + 1  # never stretched
    pictures = read_pictures(job.media, job.picture_times, width=160, height=120)
    shown = [read_number(picture) for picture in pictures]
    inside = [number * STEP for number in range(len(shown)) if number * STEP < job.duration]
    assert shown[: len(inside)] == [case.frame_at(moment) for moment in inside]


def job_of(folder: Path, made: Any, **given: Any) -> ClipJob:
    (folder / "a.mp4").touch()
    (job,) = plan(timeline(track(made)), folder, options(sound="dog", **given), probe=fake_probe).jobs
    return job


def test_a_freeze_frame_that_asks_for_sound_shows_one_picture(tmp_path: Path) -> None:
    frozen = clip("x", "a.mp4", source=span(48, 24, 24), effects=[otio.schema.FreezeFrame()], notes=["v2s:sound=dog"])
    job = job_of(tmp_path, frozen)
    assert set(job.picture_times) == {2}
    assert (job.duration, job.source_duration) == (1, 0)


def test_a_cue_stands_where_it_was_put_whatever_the_speed(tmp_path: Path) -> None:
    """A marker counts in the source range, whose duration is the clip's length on the timeline."""
    for scalar in (1, 2, -0.5):
        fast = clip("x", "a.mp4", source=span(48, 24, 24), effects=warps(scalar), notes=[marker("v2s:cue", 60)])
        assert job_of(tmp_path, fast).cues == (8000,)


def test_hieros_table_gives_the_frame_shown_less_the_frame(shared: Path) -> None:
    """Offsets from 2 down to -2 over 11 frames: from frame 2 to frame 8, slower and slower."""
    made = otio.schema.Clip.from_json_file(str(shared / "timelines" / "hiero_clip_timewarp_lookup.json"))
    frame = Fraction(1001, 24000)
    warp = own_warp(made, 11 * frame)
    shown = [warp.at(number * frame) / frame for number in range(11)]
    assert (shown[0], shown[-1]) == (2, 8)
    steps = [float(that - this) for this, that in pairwise(shown)]
    assert steps == sorted(steps, reverse=True)
    assert 0 < steps[-1] < steps[0] < 1


@pytest.mark.parametrize(
    ("name", "length", "first", "speed"),
    [
        ("resolve_clip_speed_250", Fraction(171, 25), Fraction(0), Fraction(5, 2)),
        ("hiero_clip_reverse_200", 11 * Fraction(1001, 24000), 22 * Fraction(1001, 24000), Fraction(-2)),
        ("flame_clip_reverse_70", Fraction(41, 25), Fraction(287, 250), Fraction(-7, 10)),
        ("hiero_clip_freeze_frame", Fraction(1), Fraction(0), Fraction(0)),
    ],
)
def test_retimes_of_real_programs(shared: Path, name: str, length: Fraction, first: Fraction, speed: Fraction) -> None:
    made = otio.schema.Clip.from_json_file(str(shared / "timelines" / f"{name}.json"))
    assert own_warp(made, length) == Warp.even(first, speed)


@pytest.mark.parametrize(
    ("effects", "message"),
    [
        ([otio.schema.TimeEffect(effect_name="Ramp")], r"\(Ramp\) in a way the timeline does not tell; render"),
        ([otio.schema.TimeEffect(metadata={"lookup": "fast"})], "in a way the timeline does not tell"),
        ([otio.schema.TimeEffect(metadata={"lookup": [0.0] * 3})], "has 3 entries for 24 frames"),
        ([otio.schema.TimeEffect(metadata={"lookup": [0.0, None]})], "does not hold two numbers"),
        ([otio.schema.TimeEffect(metadata={"lookup": [0.0]})], "does not hold two numbers"),
        ([*table(*range(24)), *table(*range(24))], "two tables"),
        (warps(float("inf")), "its speed is no number"),
    ],
)
def test_a_speed_change_that_cannot_be_read_says_what_and_what_to_do(effects: list[Any], message: str) -> None:
    made = clip("x", "a.mp4", source=span(0, 24, 24))
    made.effects.extend(effects)
    with pytest.raises(RetimeError, match=message) as caught:
        own_warp(made, Fraction(1))
    assert "; " in str(caught.value)


def test_a_disabled_speed_change_does_nothing() -> None:
    made = clip("x", "a.mp4", source=span(0, 24, 24), effects=warps(2))
    made.effects[0].enabled = False
    assert own_warp(made, Fraction(1)) == PLAIN


def test_an_absurd_length_is_told_and_fills_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    cut = timeline(track(clip("x", "a.mp4", source=span(0, 1e15, 24))))
    (skip,) = plan(cut, tmp_path, options(sound="dog"), probe=fake_probe).skips
    assert "more than a day" in skip.reason


def test_image_sequences_of_ayon_count_from_their_first_picture(shared: Path) -> None:
    """Available from 1000, used from 0: 1000 frames before the first if it were taken by the letter."""
    from v2s_plugin.media.footage import Footage, footage_of
    from v2s_plugin.media.library import MediaLibrary, Medium
    from v2s_plugin.timing.placement import place_clips

    class Library(MediaLibrary):
        def find(self, clip: Any) -> Medium:
            return Medium(Path("a"), "a", info(Path("a")), clip.media_reference)

    text = (shared / "timelines" / "hiero_track_clips_gap.json").read_text(encoding="utf-8")
    whole = otio.core.deserialize_json_from_string(json.dumps(json.loads(text)))
    placed = list(place_clips(timeline(whole)))
    starts = [footage.start for each in placed if isinstance(footage := footage_of(each, Library(Path())), Footage)]
    assert starts == [0, 0]
