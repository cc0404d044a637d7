"""What is planned: a job says all that decides its sound, and depends on nothing else."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media import make_clip, read_number
from tests.plugin.cuts import clip, fake_probe, gap, info, marker, options, span, time, timeline, track
from v2s_engine.errors import UsageError
from v2s_engine.video import read_pictures
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import Plan, PlanOptions, plan
from v2s_plugin.timing.warp import PLAIN, Warp


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty files with names of media; `fake_probe` says what is in them."""
    made: Path = tmp_path_factory.mktemp("cut")
    for name in ("a.mp4", "b.mp4", "hash#1 %20.mp4"):
        (made / name).touch()
    return made


def planned(folder: Path, *tracks: Any, **given: Any) -> Plan:
    given = given or {"sound": "dog"}
    return plan(timeline(*tracks), folder, options(**given), probe=fake_probe)


def only_job(folder: Path, made: Any, **given: Any) -> ClipJob:
    found = planned(folder, track(made), **given)
    assert found.skips == ()
    (job,) = found.jobs
    return job


# ---- what a job says


def test_a_job_says_where_its_clip_stands_and_what_it_shows(folder: Path) -> None:
    shot = clip("shot", "a.mp4", source=span(48, 96, 24), available=span(24, 2400, 24))
    (job,) = planned(folder, track(gap(12), shot, name="Film")).jobs
    assert (job.label, job.track_name, job.index_path) == ("shot", "Film", (0, 1))
    assert job.media == folder / "a.mp4"
    assert (job.source_start, job.source_duration, job.warp) == (1, 4, Warp.even(Fraction(1), Fraction(1)))
    assert (job.timeline_start, job.timeline_end, job.frame_rate) == (Fraction(1, 2), Fraction(9, 2), 24)
    assert job.where == "Film at 0.500 s"
    assert job.sound_class == "dog"
    assert job.length == 4 * 16_000 + 1


def test_pictures_are_taken_every_64_ms_from_the_clips_start(folder: Path) -> None:
    job = only_job(folder, clip("shot", "a.mp4", source=span(24, 24, 24), available=span(0, 2400, 24)))
    assert job.picture_times == tuple(1 + min(i, 15) * Fraction(64, 1000) for i in range(16))


def test_the_step_past_the_end_shows_the_last_picture_of_the_clip_and_not_the_next(folder: Path) -> None:
    """64 frames at 62.5 are 16 steps exactly; the sample more than is needed opens one step more."""
    job = only_job(folder, clip("shot", "a.mp4", source=span(0, 64, 62.5)))
    assert len(job.picture_times) == 17
    assert job.picture_times[-1] == job.picture_times[-2] == 15 * Fraction(64, 1000)


@pytest.mark.parametrize("rate", [23.976, 24.0, 25.0, 29.97, 30.0, 60.0])
def test_the_pictures_of_a_job_are_those_on_screen(tmp_path: Path, rate: float) -> None:
    exact = {23.976: Fraction(24000, 1001), 29.97: Fraction(30000, 1001)}.get(rate, Fraction(rate))
    media = make_clip(tmp_path / "a.mp4", rate=exact, frames=80)
    shot = clip("shot", media.path, source=span(1011, 40, rate), available=span(1000, 80, rate))
    (job,) = plan(timeline(track(shot)), tmp_path, options(sound="dog")).jobs
    pictures = list(read_pictures(job.media, job.picture_times, width=160, height=120))
    step = Fraction(64, 1000)
    inside = [i * step for i in range(len(pictures)) if i * step < 40 / exact]
    shown = [read_number(picture) for picture in pictures]
    assert shown[: len(inside)] == [11 + int(time * exact) for time in inside]
    assert shown[len(inside) :] in ([], shown[len(inside) - 1 : len(inside)])


def test_media_time_is_counted_in_seconds_whatever_the_rates(folder: Path) -> None:
    """As Resolve writes it: source range at 25 on media at 24 with timecode."""
    shot = clip("shot", "a.mp4", source=span(90032, 25, 25), available=span(86400, 480, 24))
    assert only_job(folder, shot).source_start == Fraction(90032, 25) - 3600


def test_without_an_available_range_the_source_range_counts_from_the_files_start(folder: Path) -> None:
    assert only_job(folder, clip("shot", "a.mp4", source=span(48, 24, 24))).source_start == 2


@pytest.mark.parametrize(
    ("timecode", "rate", "source", "start"),
    [
        ("01:00:00:00", 24, span(86424, 24, 24), Fraction(1)),
        ("01:00:00:00", Fraction(24000, 1001), span(86424, 24, 23.976), Fraction(1001, 1000)),
        ("01:00:00;00", Fraction(30000, 1001), span(107952, 30, 29.97), Fraction(2002, 1000)),
        (
            "00:00:01:00",
            24,
            span(48, 24, 24),
            Fraction(2),
        ),  # inside the file as it stands: the timecode is not taken off
    ],
)
def test_the_files_timecode_is_taken_off_only_where_nothing_else_fits(
    folder: Path, timecode: str, rate: Fraction, source: Any, start: Fraction
) -> None:
    def with_timecode(path: Path) -> Any:
        return replace(info(path, 100, timecode=timecode), rate=Fraction(rate))

    cut = timeline(track(clip("shot", "a.mp4", source=source)))
    (job,) = plan(cut, folder, options(sound="dog"), probe=with_timecode).jobs
    assert job.source_start == start


def test_a_clip_without_any_range_is_its_whole_medium(folder: Path) -> None:
    job = only_job(folder, clip("shot", "a.mp4"))
    assert (job.source_start, job.duration) == (0, 100)


def test_a_faster_clip_takes_its_pictures_further_apart(folder: Path) -> None:
    twice = [otio.schema.LinearTimeWarp(time_scalar=scalar) for scalar in (4.0, 0.5)]
    job = only_job(folder, clip("shot", "a.mp4", source=span(24, 48, 24), effects=twice))
    assert (job.warp.speed, job.duration, job.source_duration) == (2, 2, 4)
    assert job.picture_times[:3] == (1, 1 + Fraction(128, 1000), 1 + Fraction(256, 1000))
    assert job.length == 2 * 16_000 + 1


def test_pictures_past_the_end_of_the_media_hold_its_last_one(folder: Path) -> None:
    job = only_job(folder, clip("shot", "a.mp4", source=span(99 * 24, 48, 24)))
    assert job.duration == 2
    assert job.picture_times[-1] == 100
    before = only_job(folder, clip("shot", "a.mp4", source=span(-24, 48, 24)))
    assert before.picture_times[0] == before.picture_times[15] == 0


def test_a_nested_clip_shows_what_is_left_of_it(folder: Path) -> None:
    nest = otio.schema.Stack(source_range=span(24, 24, 24))
    nest.append(track(clip("shot", "a.mp4", source=span(48, 96, 24), notes=[marker("v2s:cue", 84)])))
    job = only_job(folder, nest)
    assert (job.source_start, job.duration, job.cues) == (3, 1, (8000,))


def test_the_file_that_is_there_is_taken_where_the_active_one_is_not(folder: Path) -> None:
    references = {
        "online": otio.schema.ExternalReference("gone.mp4", available_range=span(86400, 2400, 24)),
        "proxy": otio.schema.ExternalReference("b.mp4"),
    }
    shot = clip("shot", "a.mp4", source=span(86424, 24, 24))
    shot.set_media_references(references, "online")
    job = only_job(folder, shot)
    assert (job.media.name, job.source_start) == ("b.mp4", 1)


def test_names_with_signs_of_urls_are_found(folder: Path) -> None:
    assert only_job(folder, clip("shot", "hash#1 %20.mp4", source=span(0, 24, 24))).media.name == "hash#1 %20.mp4"


def test_the_timeline_is_not_changed(folder: Path) -> None:
    cut = timeline(track(clip("shot", "a.mp4", source=span(0, 24, 24), notes=["v2s:sound=dog"])))
    before = cut.to_json_string()
    plan(cut, folder, options(), probe=fake_probe)
    assert cut.to_json_string() == before


# ---- lengths in samples


@settings(deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 900), min_size=1, max_size=20))
def test_delivered_lengths_are_differences_of_rounded_places(start: int, lengths: list[int]) -> None:
    """At 29.97 a frame is 1601.6 samples: lengths of equal clips alternate, and nothing adds up."""
    at = start
    for frames in lengths:
        job = _job_between(Fraction(at * 1001, 30000), Fraction((at + frames) * 1001, 30000))
        # 48,000 · 1001/30000 = 1601.6 = 8008/5
        assert job.delivered_length(48_000) == (8008 * (at + frames) * 2 + 5) // 10 - (8008 * at * 2 + 5) // 10
        at += frames


def test_equal_clips_at_29_97_differ_by_one_sample_and_at_23_976_never() -> None:
    at_2997 = [
        _job_between(Fraction(i * 1001, 30000), Fraction((i + 1) * 1001, 30000)).delivered_length(48_000)
        for i in range(5)
    ]
    assert sorted(at_2997) == [1601, 1601, 1602, 1602, 1602]
    assert sum(at_2997) == 8008
    at_23976 = {
        _job_between(Fraction(i * 1001, 24000), Fraction((i + 1) * 1001, 24000)).delivered_length(48_000)
        for i in range(100)
    }
    assert at_23976 == {2002}


@settings(deadline=None, max_examples=50)
@given(
    st.fractions(0, 10**4, max_denominator=60_060),
    st.integers(8, 3000),
    st.sampled_from([23.976, 24.0, 25.0, 29.97, 30.0, 60.0]),
    st.sampled_from([44_100, 48_000, 96_000]),
)
def test_what_is_generated_is_enough_wherever_the_clip_stands(
    start: Fraction, frames: int, rate: float, delivered: int
) -> None:
    with TemporaryDirectory() as name:
        (Path(name) / "a.mp4").touch()
        shot = clip("a", "a.mp4", source=span(0, frames, rate))
        (job,) = plan(timeline(track(shot)), Path(name), options(sound="dog"), probe=fake_probe).jobs
    moved = replace(job, timeline_start=start, timeline_end=start + job.duration)
    assert moved.delivered_length(delivered) * 16_000 <= job.length * delivered


def _job_between(start: Fraction, end: Fraction) -> ClipJob:
    return ClipJob(
        key="",
        label="",
        index_path=(),
        track_name="",
        media=Path(),
        source_start=Fraction(0),
        source_duration=end - start,
        warp=PLAIN,
        timeline_start=start,
        timeline_end=end,
        frame_rate=24.0,
        picture_times=(),
        length=0,
        sound_class="dog",
        seed=0,
        takes=1,
        cues=(),
    )


# ---- seed and key


def test_seed_and_key_do_not_depend_on_place_order_or_neighbours(folder: Path) -> None:
    def shot() -> Any:
        return clip("shot", "a.mp4", source=span(24, 48, 24))

    alone = only_job(folder, shot())
    other = clip("other", "b.mp4", source=span(0, 31, 29.97))
    found = planned(folder, track(gap(7), other, shot()), track(shot(), name="V2"), sound="dog", covered="add")
    same = [job for job in found.jobs if job.label == "shot"]
    assert {(job.key, job.seed, job.length, job.picture_times) for job in same} == {
        (alone.key, alone.seed, alone.length, alone.picture_times)
    }
    assert len({job.seed for job in found.jobs}) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"source": span(25, 48, 24)},
        {"source": span(24, 49, 24)},
        {"url": "b.mp4"},
        {"notes": ["v2s:sound=drum"]},
        {"effects": [otio.schema.LinearTimeWarp(time_scalar=2)]},
        {"effects": [otio.schema.LinearTimeWarp(time_scalar=-1)]},
        {"effects": [otio.schema.TimeEffect(metadata={"lookup": [0.0] * 47 + [1.0]})]},
        {"effects": [otio.schema.FreezeFrame()], "notes": ["v2s:sound=dog"]},
        {"notes": ["v2s:cue"]},
    ],
)
def test_what_changes_the_sound_changes_the_key(folder: Path, change: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"url": "a.mp4", "source": span(24, 48, 24)}
    assert only_job(folder, clip("shot", **usual)).key != only_job(folder, clip("shot", **usual | change)).key


def test_seed_bundle_and_media_content_change_the_key_and_takes_do_not(folder: Path, tmp_path: Path) -> None:
    shot = clip("shot", "a.mp4", source=span(24, 48, 24))
    usual = only_job(folder, shot)
    assert only_job(folder, shot, sound="dog", takes=3).key == usual.key
    reseeded = only_job(folder, shot, sound="dog", seed=1)
    assert reseeded.key != usual.key
    assert reseeded.seed != usual.seed
    other_bundle = PlanOptions(BundleFacts("other", "e", ("dog",)))
    (job,) = plan(timeline(track(shot)), folder, other_bundle, probe=fake_probe).jobs
    assert job.key != usual.key
    assert job.seed == usual.seed
    (tmp_path / "a.mp4").write_text("another file of the same name")
    elsewhere = only_job(tmp_path, shot)
    assert elsewhere.key != usual.key
    assert elsewhere.seed == usual.seed  # the medium's name as written decides the seed


def test_a_seed_has_64_bits(folder: Path) -> None:
    assert (
        0 <= only_job(folder, clip("shot", "a.mp4", source=span(0, 24, 24)), sound="dog", seed=2**64 - 1).seed < 2**64
    )


# ---- sound classes


def test_markers_make_one_job_each(folder: Path) -> None:
    shot = clip(
        "shot",
        "a.mp4",
        source=span(240, 96, 24),
        notes=["v2s:sound=dog", marker("v2s:sound=drum", 264, 36), marker("v2s:cue", 276)],
    )
    dog, drum = planned(folder, track(gap(24), shot)).jobs
    assert (dog.sound_class, dog.timeline_start, dog.timeline_end, dog.cues) == ("dog", 1, 5, (24_000,))
    assert (drum.sound_class, drum.timeline_start, drum.timeline_end, drum.cues) == (
        "drum",
        2,
        Fraction(7, 2),
        (8_000,),
    )
    assert drum.source_start == 11
    assert drum.picture_times[0] == 11
    assert dog.seed != drum.seed


def test_sound_is_the_default_and_sound_force_overrides(folder: Path) -> None:
    both = track(
        clip("noted", "a.mp4", source=span(0, 24, 24), notes=["v2s:sound=drum"]),
        clip("plain", "a.mp4", source=span(0, 24, 24)),
    )
    assert [job.sound_class for job in planned(folder, both, sound="dog").jobs] == ["drum", "dog"]
    assert [job.sound_class for job in planned(folder, both, sound_force="dog").jobs] == ["dog", "dog"]


def test_a_bundle_with_one_class_needs_no_word(folder: Path) -> None:
    one = PlanOptions(BundleFacts("one", "d", ("dog",)))
    (job,) = plan(timeline(track(clip("a", "a.mp4", source=span(0, 24, 24)))), folder, one, probe=fake_probe).jobs
    assert job.sound_class == "dog"


def test_a_clip_that_nothing_is_said_of_is_skipped_with_the_option_to_type(folder: Path) -> None:
    (skip,) = planned(folder, track(clip("a", "a.mp4", source=span(0, 24, 24))), seed=0).skips
    assert "--sound CLASS" in skip.advice


def test_a_class_that_the_bundle_lacks_is_skipped_with_those_it_has(folder: Path) -> None:
    shot = clip("a", "a.mp4", source=span(0, 24, 24), notes=["v2s:sound=cat", "v2s:sound=dog"])
    found = planned(folder, track(shot))
    assert [job.sound_class for job in found.jobs] == ["dog"]
    assert "no sound class 'cat'" in found.skips[0].reason
    assert "dog, drum" in found.skips[0].advice


# ---- what cannot be


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sound": "cat"}, "no sound class 'cat'; it has: dog, drum"),
        ({"sound_force": "cat"}, "no sound class 'cat'"),
        ({"sound": "dog", "sound_force": "dog"}, "contradict"),
        ({"seed": -1}, "a seed lies between"),
        ({"seed": 2**64}, "a seed lies between"),
        ({"takes": 0}, "between 1 and 99; got 0"),
        ({"takes": 100}, "between 1 and 99"),
        ({"existing": "ad"}, "one of skip, add; got 'ad'"),
        ({"covered": "ad"}, "one of skip, add; got 'ad'"),
    ],
)
def test_values_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(**given)


def test_a_timeline_without_global_start_or_with_one_plans_the_same(folder: Path) -> None:
    shot = clip("a", "a.mp4", source=span(0, 24, 24))
    cut = timeline(track(shot), start=time(86400, 24))
    assert plan(cut, folder, options(sound="dog"), probe=fake_probe).jobs[0].timeline_start == 0
