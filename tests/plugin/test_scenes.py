"""`--carry`: clips that touch at a cut share one sound, which does not start anew there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
from numpy.typing import NDArray

from tests.media import make_clip
from tests.models import tiny_bundle
from tests.plugin.cuts import (
    BUNDLE,
    ClickSource,
    clip,
    fake_probe,
    gap,
    load,
    marker,
    options,
    save,
    score,
    span,
    time,
    timeline,
    track,
)
from v2s_engine.audio import finish, read_sound
from v2s_engine.bundle import Bundle
from v2s_engine.errors import TimelineError, UsageError
from v2s_engine.pipeline import SoundPipeline, SoundRequest, SoundTake
from v2s_engine.progress import Progress
from v2s_engine.sampling.choose import Choice
from v2s_engine.video import probe
from v2s_plugin.cli import main
from v2s_plugin.levels.options import LevelOptions
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import plan
from v2s_plugin.planning.scenes import request_for, scenes_of
from v2s_plugin.scoring import ScoreResult
from v2s_plugin.sounding.making import MakeSource
from v2s_plugin.takes.in_file import TakesAnswer, add_in_file

RATE = 23.976
CARRY = options(sound="dog", carry=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcde":
        (tmp_path / f"{name}.mp4").touch()
    return tmp_path


def shot(name: str, frames: float = 31, start: float = 0, rate: float = RATE, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, frames, rate), **given)


def jobs_of(folder: Path, *tracks: Any, **given: Any) -> tuple[ClipJob, ...]:
    return plan(timeline(*tracks), folder, options(sound="dog", carry=True, **given), probe=fake_probe).jobs


def scenes(jobs: Sequence[ClipJob]) -> list[list[str]]:
    """The labels of each scene's clips, in the order in which they sound."""
    return [[jobs[index].label for index in scene] for scene in scenes_of(jobs) if len(scene) > 1]


class Noise:
    """A stand-in for an engine: noise from the seed, the take and the sample's number, as an engine draws it."""

    choice = Choice("fake", "it is a stand-in")

    def __init__(self, level: float = 0.2) -> None:
        self.level = level
        self.requests: list[SoundRequest] = []

    def samples(self, request: SoundRequest, take: int) -> NDArray[np.float32]:
        drawn = np.random.default_rng([request.seed, take]).uniform(-1, 1, request.length)
        return (self.level * drawn).astype(np.float32)

    def generate(self, requests: Sequence[SoundRequest], progress: Progress | None = None) -> Iterator[SoundTake]:
        self.requests += requests
        for request in requests:
            for take in request.takes:
                yield SoundTake(request, take, self.samples(request, take), None)


def heard(result: ScoreResult, take: int = 1) -> NDArray[np.float32]:
    """The WAVs of a take, one after the other in order of time."""
    in_time = sorted(result.scored, key=lambda sound: sound.job.timeline_start)
    return np.concatenate([read_sound(sound.takes[take - 1].path, sound.takes[take - 1].rate) for sound in in_time])


def as_wav(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples as a 24-bit file holds them."""
    return (np.rint(samples.astype(np.float64) * (2**23 - 1)) / 2**23).astype(np.float32)


# ---- one sound


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_joined_the_files_are_one_sound_to_the_bit(folder: Path, rate: int) -> None:
    cut = timeline(track(gap(7, RATE), shot("a"), shot("b", 17), shot("c", 40)))
    source = Noise()
    result = score(cut, folder, source, plan=options(sound="dog", carry=True, takes=2), rate=rate)
    (request,) = source.requests
    (first, *_, last) = result.scored
    assert first.job.timeline_start == 7 * Fraction(1001, 24_000)
    length = round(last.job.timeline_end * rate) - round(first.job.timeline_start * rate)
    for take in (1, 2):
        whole = finish(source.samples(request, take), length, rate)
        np.testing.assert_array_equal(heard(result, take), as_wav(whole))
    for sound in result.scored:
        start, end = (round(at * rate) for at in (sound.job.timeline_start, sound.job.timeline_end))
        assert {file.length for file in sound.takes} == {end - start}


def test_without_carry_every_clip_starts_anew(folder: Path) -> None:
    source = Noise()
    result = score(timeline(track(shot("a"), shot("b", 17), shot("c", 40))), folder, source)
    assert [(request.label, request.after_cuts) for request in source.requests] == [("a", ()), ("b", ()), ("c", ())]
    assert len({request.seed for request in source.requests}) == 3
    for sound in result.scored:
        samples = read_sound(sound.takes[0].path, 48_000)
        assert abs(samples[0]) < 1e-3 > abs(samples[-1])  # faded


def test_one_gain_for_the_whole_scene(folder: Path) -> None:
    """A gain of its own for each clip would be a step at the cut."""

    class LoudAtTheEnd(Noise):
        def samples(self, request: SoundRequest, take: int) -> NDArray[np.float32]:
            samples = super().samples(request, take)
            samples[-8000:] *= 10
            return samples

    source = LoudAtTheEnd()
    result = score(timeline(track(shot("a"), shot("b"), shot("c"))), folder, source, plan=CARRY)
    (gain_db,) = {sound.takes[0].gain_db for sound in result.scored}
    assert gain_db < -5
    whole = finish(source.samples(source.requests[0], 1), len(heard(result)), 48_000)
    np.testing.assert_array_equal(heard(result), as_wav(whole * 10 ** (gain_db / 20)))


def test_pictures_and_cues_are_on_one_grid_from_the_scenes_start(folder: Path) -> None:
    cut = timeline(
        track(shot("a", 31, 10), shot("b", 17, 5, notes=[marker("v2s:cue", 12, rate=RATE)]), shot("c", 40, 100))
    )
    source = Noise()
    result = score(cut, folder, source, plan=CARRY)
    (request,) = source.requests
    step, frame = Fraction(64, 1000), Fraction(1001, 24_000)
    cuts = [0, 31 * frame, 48 * frame, 88 * frame]
    starts = [10 * frame, 5 * frame, 100 * frame]
    wanted: list[list[Fraction]] = [[], [], []]
    for index in range(-(-cuts[3] // step)):
        at = max(number for number in range(3) if cuts[number] <= index * step)
        wanted[at].append(starts[at] + index * step - cuts[at])
    assert [(run.media.name, list(run.times)) for run in request.runs] == [
        (f"{name}.mp4", times) for name, times in zip("abc", wanted, strict=True)
    ]
    (cue,) = request.cues
    assert abs(cue - (31 + 7) * frame * 16_000) <= 1
    assert request.seed == result.scored[0].job.seed


def test_a_clip_between_two_steps_of_the_grid_is_not_looked_at_and_has_its_sound(folder: Path) -> None:
    source = Noise()
    result = score(
        timeline(track(shot("a", 31, rate=60), shot("b", 1, rate=60), shot("c", 40, rate=60))),
        folder,
        source,
        plan=CARRY,
    )
    assert [run.media.name for run in source.requests[0].runs] == ["a.mp4", "c.mp4"]
    assert [sound.takes[0].length for sound in result.scored] == [24_800, 800, 32_000]


def test_with_a_real_model_joined_files_are_one_sound_to_the_bit(tmp_path: Path) -> None:
    model = tiny_bundle(tmp_path / "tiny")
    for name, flashes in {"a": (5,), "b": (9,), "c": (2, 20)}.items():
        make_clip(tmp_path / f"{name}.mp4", frames=60, flashes=flashes, width=64, height=64)
    pipeline = SoundPipeline(model, "cpu")
    cut = timeline(track(shot("a", 21), shot("b", 17, notes=["v2s:cue"]), shot("c", 24)))
    result = score(cut, tmp_path, pipeline, plan=CARRY, probe=probe)
    request = request_for([sound.job for sound in result.scored], (1,))
    assert [run.media.name for run in request.runs] == ["a.mp4", "b.mp4", "c.mp4"]
    joined, gain_db = heard(result), result.scored[0].takes[0].gain_db
    streamed = np.concatenate([piece.samples for piece in pipeline.stream(request)])
    whole = finish(streamed, round(62 * Fraction(1001, 24_000) * 48_000), 48_000)
    np.testing.assert_array_equal(joined, as_wav(whole * 10 ** (gain_db / 20) if gain_db else whole))


def test_with_a_real_model_the_first_clip_is_as_alone_and_the_next_goes_on(tmp_path: Path) -> None:
    model = tiny_bundle(tmp_path / "tiny")
    for name, flashes in {"a": (5,), "b": (9,)}.items():
        make_clip(tmp_path / f"{name}.mp4", frames=60, flashes=flashes)
    cut = timeline(track(shot("a", 29, rate=25), shot("b", 40, rate=25)))
    both = score(cut, tmp_path, SoundPipeline(model, "cpu"), plan=CARRY, probe=probe)
    alone = score(cut, tmp_path, SoundPipeline(model, "cpu"), probe=probe, output=tmp_path / "alone.otio")
    joined, apart = heard(both), heard(alone)
    cut_at = 29 * 1920
    scale = 10 ** ((both.scored[0].takes[0].gain_db - alone.scored[0].takes[0].gain_db) / 20)
    seen_ahead = 2 * 256 * 3 + 300  # two steps of the envelope, and the resampler's filter
    np.testing.assert_allclose(joined[: cut_at - seen_ahead], scale * apart[: cut_at - seen_ahead], atol=1e-5)
    assert np.abs(joined[cut_at:] - scale * apart[cut_at:]).mean() > 0.01


# ---- what is one scene


def test_clips_of_one_class_that_touch_are_one_scene_whatever_their_tracks(folder: Path) -> None:
    dogs = jobs_of(
        folder,
        track(shot("a"), gap(20, RATE), shot("c"), gap(1, RATE), shot("d")),
        track(gap(31, RATE), shot("b", 20), name="V2"),
    )
    assert scenes(dogs) == [["a", "b", "c"]]


def test_another_class_a_skipped_clip_or_a_gap_ends_a_scene(folder: Path) -> None:
    drum = shot("c", notes=["v2s:sound=drum"])
    jobs = jobs_of(folder, track(shot("a"), shot("b"), drum, shot("a", start=50), shot("gone"), shot("d"), shot("e")))
    assert scenes(jobs) == [["a", "b"], ["d", "e"]]
    assert [job.label for job in jobs if job.part is None] == ["c", "a"]


def test_a_transition_ends_a_scene(folder: Path) -> None:
    dissolve = otio.schema.Transition("x", otio.schema.TransitionTypes.SMPTE_Dissolve, time(4, 24), time(4, 24))
    shots = (shot("a", 48, 10, 24), shot("b", 48, 10, 24), shot("c", 48, 10, 24), shot("d", 48, 10, 24))
    assert scenes(jobs_of(folder, track(shots[0], shots[1], dissolve, shots[2], shots[3]))) == [["a", "b"], ["c", "d"]]


def test_of_two_that_touch_the_one_on_the_same_track_goes_first(folder: Path) -> None:
    jobs = jobs_of(
        folder,
        track(shot("a"), shot("b")),
        track(shot("c"), shot("d"), name="V2"),
        covered="add",
    )
    assert scenes(jobs) == [["a", "b"], ["c", "d"]]


def test_clips_that_stand_alone_keep_their_keys(folder: Path) -> None:
    tracks = (track(shot("a"), gap(3, RATE), shot("b")),)
    assert jobs_of(folder, *tracks) == plan(timeline(*tracks), folder, options(sound="dog"), probe=fake_probe).jobs


# ---- run again


def test_a_second_run_makes_nothing_and_changes_nothing(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b"), shot("c")))
    score(cut, folder, Noise(), plan=CARRY)
    first = (folder / "cut_scored.otio").read_text()
    source = Noise()
    result = score(cut, folder, source, plan=CARRY, force=True)
    assert (source.requests, result.made, result.reused) == ([], 0, 3)
    assert (folder / "cut_scored.otio").read_text() == first


def test_a_re_cut_changes_the_keys_from_the_clip_before_it_on(folder: Path) -> None:
    """What comes after a cut is heard just before it: a cue quiets what is there, the envelope is seen ahead."""
    before = [job.key for job in jobs_of(folder, track(*(shot(name) for name in "abcde")))]
    names = [("a", 0), ("b", 0), ("c", 7), ("d", 0), ("e", 0)]
    after = [job.key for job in jobs_of(folder, track(*(shot(name, start=start) for name, start in names)))]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False, False, False]


def test_after_a_re_cut_files_that_come_out_the_same_stay(folder: Path) -> None:
    score(timeline(track(shot("a"), shot("b"), shot("c"))), folder, Noise(), plan=CARRY)
    old = [
        next(iter(ours.media_references().values())).target_url for ours in our_clips(load(folder / "cut_scored.otio"))
    ]
    source = Noise()
    result = score(timeline(track(shot("a"), shot("b"), shot("c", start=9))), folder, source, plan=CARRY, force=True)
    assert len(source.requests) == 1
    assert [sound.takes[0].reused for sound in result.scored] == [True, False, False]
    assert [sound.takes[0].path.name for sound in result.scored][:2] == [Path(url).name for url in old][:2]


def test_a_file_that_is_gone_is_made_again_with_its_scene(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b"), shot("c")))
    first = score(cut, folder, Noise(), plan=CARRY)
    wanted = heard(first)
    first.scored[1].takes[0].path.unlink()
    result = score(cut, folder, Noise(), plan=CARRY, force=True)
    assert [sound.takes[0].reused for sound in result.scored] == [True, False, True]
    np.testing.assert_array_equal(heard(result), wanted)


def test_a_scene_used_twice_is_made_once(folder: Path) -> None:
    cut = timeline(
        track(shot("a", 24, rate=24), shot("b", 24, rate=24), gap(24), shot("a", 24, rate=24), shot("b", 24, rate=24))
    )
    source = Noise()
    result = score(cut, folder, source, plan=CARRY)
    assert len(source.requests) == 1
    files = [sound.takes[0].path for sound in result.scored]
    assert files[:2] == files[2:]


def test_what_an_editor_did_by_hand_survives_carrying(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    score(cut, folder, Noise(), plan=options(sound="dog", takes=2))
    written = load(folder / "cut_scored.otio")
    list(our_clips(written))[1].active_media_reference_key = "take 2"
    save(written, folder / "cut_scored.otio")
    score(cut, folder, Noise(), plan=options(sound="dog", takes=2, carry=True), force=True)
    chosen = [ours.active_media_reference_key for ours in our_clips(load(folder / "cut_scored.otio"))]
    assert chosen == ["take 1", "take 2"]


def test_fades_that_are_asked_for_leave_the_cuts_within_a_scene_alone(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b"), shot("c")))
    plain = heard(score(cut, folder, Noise(), plan=CARRY))
    mixed = heard(score(cut, folder, Noise(), plan=CARRY, levels=LevelOptions(fade=100), force=True))
    assert len(mixed) == len(plain)
    np.testing.assert_allclose(mixed[4800:-4800], plain[4800:-4800], atol=2**-23)
    assert np.abs(mixed[:480]).max() < 0.1 * np.abs(plain[:480]).max()
    assert np.abs(mixed[-480:]).max() < 0.1 * np.abs(plain[-480:]).max()


# ---- more takes


def add(folder: Path, count: int, clips: list[str], source: Any) -> TakesAnswer:
    def open_bundle(name: str) -> tuple[BundleFacts, MakeSource]:
        return BUNDLE, lambda **_: source

    return add_in_file(folder / "cut_scored.otio", count, clips, open_bundle=open_bundle, probe=fake_probe)


def files_of(folder: Path, take: int) -> NDArray[np.float32]:
    clips = our_clips(load(folder / "cut_scored.otio"))
    urls = [each.media_references()[f"take {take}"].target_url for each in clips]
    return np.concatenate([read_sound(folder / url, 48_000) for url in urls])


def test_a_take_added_to_one_clip_is_added_to_its_scene(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b"), shot("c"), gap(5, RATE), shot("d")))
    score(cut, folder, Noise(), plan=CARRY)
    source = Noise()
    answer = add(folder, 2, ["b (dog)"], source)
    assert (answer.made, [request.takes for request in source.requests]) == (6, [(2, 3)])
    takes = [list(each.metadata["v2s"]["takes"]) for each in our_clips(load(folder / "cut_scored.otio"))]
    assert takes == [["take 1", "take 2", "take 3"]] * 3 + [["take 1"]]
    source = Noise()
    score(cut, folder, source, plan=options(sound="dog", carry=True, takes=3), force=True)
    assert [(request.label, request.takes) for request in source.requests] == [("d", (2, 3))]  # the others are good


def test_what_is_added_is_one_sound_too(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b"), shot("c")))
    score(cut, folder, Noise(), plan=CARRY)
    source = Noise()
    add(folder, 1, ["3"], source)
    added = files_of(folder, 2)
    (request,) = source.requests
    np.testing.assert_array_equal(added, as_wav(finish(source.samples(request, 2), len(added), 48_000)))


def test_of_two_scenes_that_are_alike_only_the_one_asked_for_gets_a_take(folder: Path) -> None:
    pair = (shot("a", 24, rate=24), shot("b", 24, rate=24))
    score(timeline(track(*pair, gap(24), *(each.deepcopy() for each in pair))), folder, Noise(), plan=CARRY)
    answer = add(folder, 1, ["4"], Noise())
    assert answer.made == 2
    takes = [len(each.metadata["v2s"]["takes"]) for each in our_clips(load(folder / "cut_scored.otio"))]
    assert takes == [1, 1, 2, 2]


def test_takes_are_not_added_where_a_clip_of_the_scene_is_gone(folder: Path) -> None:
    score(timeline(track(shot("a"), shot("b"))), folder, Noise(), plan=CARRY)
    written = load(folder / "cut_scored.otio")
    del written.tracks[1][1]
    save(written, folder / "cut_scored.otio")
    with pytest.raises(TimelineError, match=r"a \(dog\) .* shares its sound with clips that are not all there"):
        add(folder, 1, [], Noise())


# ---- what cannot be


def test_a_scene_whose_media_fail_is_skipped_as_a_whole_and_says_why(folder: Path) -> None:
    source = ClickSource(fails=lambda request: bool(request.after_cuts))
    result = score(timeline(track(shot("a"), shot("b"), gap(3, RATE), shot("c"))), folder, source, plan=CARRY)
    assert [sound.job.label for sound in result.scored] == ["c"]
    assert [skip.label for skip in result.skips] == ["a", "b"]
    assert result.skips[1].reason.startswith("it is one sound with its neighbours, and cannot read")
    assert "--carry" in result.skips[1].advice


def test_a_bundle_that_starts_from_pictures_cannot_carry() -> None:
    with pytest.raises(UsageError, match="--carry asks for sounds that go on over cuts"):
        options(sound="dog", carry=True, bundle=replace(BUNDLE, crosses_cuts=False))


@pytest.mark.parametrize(("conditioning", "code"), [("frame", 0), ("sequence", 2), ("flow", 2)])
def test_only_bundles_that_can_are_taken(
    paper_bundle: Any, tmp_path: Path, conditioning: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        make_clip(tmp_path / f"{name}.mp4", frames=60, width=64, height=64)
    save(timeline(track(shot("a", 25, rate=25), shot("b", 25, rate=25))), tmp_path / "cut.otio")
    bundle: Bundle = paper_bundle(conditioning)
    given = ["plan", str(tmp_path / "cut.otio"), "--sound", "dog", "--bundle", str(bundle.path), "--carry"]
    assert main(given) == code
    said = capsys.readouterr()
    if code:
        assert "--carry asks for sounds that go on over cuts" in said.err
    else:
        assert said.out.splitlines()[1] == "V1 at 1.000 s: b: dog, 1.000 s, goes on from the clip before"
