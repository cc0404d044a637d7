"""`--envelope-from`: a guide over the timeline says when and how loud, and later runs know it."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media import make_clip
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
    timeline,
    track,
)
from v2s_engine.audio import write_wav
from v2s_engine.bundle import Bundle
from v2s_engine.envelope import Envelope
from v2s_engine.envelope_file import envelope_text
from v2s_engine.errors import MediaNotFoundError, TimelineError, UsageError
from v2s_engine.guide import Guide, read_guide
from v2s_engine.onsets import find_onsets
from v2s_engine.options import ConditioningName
from v2s_engine.progress import Progress
from v2s_plugin.cli import main
from v2s_plugin.options import score_options
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.jobs import plan
from v2s_plugin.planning.scenes import request_for
from v2s_plugin.planning.selection import Selection
from v2s_plugin.protocol import ShotAsked
from v2s_plugin.sounding.making import MakeSource
from v2s_plugin.takes.in_file import TakesAnswer, add_in_file
from v2s_plugin.worker.asked import Asked
from v2s_plugin.worker.shot_requests import plan_shots


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def shot(name: str = "a", start: float = 0, frames: float = 48, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, frames, 24), **given)


def drawn(path: Path, *cues: float, seconds: float = 8) -> Guide:
    """A guide with events at these seconds of the timeline."""
    envelope = Envelope.silence(round(seconds * 62.5)).with_cues([round(cue * 16_000) for cue in cues])
    path.write_text(envelope_text(envelope, "csv"), encoding="utf-8")
    return read_guide(path)


def plan_with(guide: Guide | None, **given: Any) -> Any:
    return options(**{"sound": "dog", "guide": guide} | given)


def events(request: Any, start: float) -> list[float]:
    """Seconds of the timeline at which a request's envelope starts a sound."""
    return [round(start + step * 0.016, 3) for step in find_onsets(request.envelope.onset, 0.9).tolist()]


# ---- what is asked of the engine


def test_every_clip_gets_what_the_guide_says_at_its_place_of_the_timeline(folder: Path) -> None:
    guide = drawn(folder / "guide.csv", 1.2, 3.2, 5.6)
    source = ClickSource()
    score(timeline(track(shot("a"), gap(24), shot("b"))), folder, source, plan=plan_with(guide))
    first, second = source.requests
    assert (events(first, 0), events(second, 3)) == ([1.2], [pytest.approx(3.2, abs=0.009)])
    assert len(first.envelope) == len(second.envelope) == 126


def test_with_one_clip_selected_it_is_still_the_timeline_that_counts(folder: Path) -> None:
    guide = drawn(folder / "guide.csv", 1.2, 3.2)
    source = ClickSource()
    cut = timeline(track(shot("a"), shot("b")))
    score(cut, folder, source, plan=plan_with(guide, selection=Selection.parse(["clip=b"])))
    (request,) = source.requests
    assert (request.label, events(request, 2)) == ("b", [3.2])


def test_one_clip_used_twice_sounds_as_the_guide_says_in_either_place(folder: Path) -> None:
    guide = drawn(folder / "guide.csv", 0.8, 2.4)
    source = ClickSource()
    result = score(timeline(track(shot("a"), shot("a"))), folder, source, plan=plan_with(guide))
    assert [events(request, 2 * number) for number, request in enumerate(source.requests)] == [[0.8], [2.4]]
    assert len({each.job.key for each in result.scored}) == 2
    assert len({each.job.seed for each in result.scored}) == 1


def test_a_scene_over_cuts_gets_one_stretch_of_the_guide(folder: Path) -> None:
    guide = drawn(folder / "guide.csv", 0.8, 2.4)
    source = ClickSource()
    cut = timeline(track(gap(12), shot("a"), shot("b")))
    score(cut, folder, source, plan=plan_with(guide, carry=True))
    (request,) = source.requests
    assert events(request, 0.5) == [pytest.approx(0.8, abs=0.009), pytest.approx(2.4, abs=0.009)]
    assert len(request.envelope) == 251


def test_markers_on_top_of_a_guide_are_told_too(folder: Path) -> None:
    guide = drawn(folder / "guide.csv", 0.8)
    source = ClickSource()
    score(timeline(track(shot(notes=[marker("v2s:cue", 36)]))), folder, source, plan=plan_with(guide))
    assert (source.requests[0].cues, events(source.requests[0], 0)) == ((24_000,), [0.8])


def test_without_a_guide_nothing_is_given_and_keys_hold_nothing_of_one(folder: Path) -> None:
    source = ClickSource()
    result = score(timeline(track(shot())), folder, source)
    assert source.requests[0].envelope is None
    assert result.scored[0].job.guide is None
    (ours,) = our_clips(result.timeline)
    assert "guide" not in ours.metadata["v2s"]


# ---- what is said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3.2, ["the guide guide.csv ends at 3.200 s of the timeline, and 1 of 2 sounds goes on after that in silence"]),
        (1.6, ["the guide guide.csv ends at 1.600 s of the timeline, and 2 of 2 sounds go on after that in silence"]),
        (3.952, []),  # a little early is no matter
        (9, []),
    ],
)
def test_a_guide_that_is_too_short_is_said(folder: Path, seconds: float, said: list[str]) -> None:
    guide = drawn(folder / "guide.csv", 0.8, seconds=seconds)
    found = plan(timeline(track(shot("a"), shot("b"))), folder, plan_with(guide), probe=fake_probe)
    assert [warning.split(", the first")[0] for warning in found.warnings] == said


def test_beyond_the_guide_it_is_silent(folder: Path) -> None:
    source = ClickSource()
    score(timeline(track(shot("a"), shot("b"))), folder, source, plan=plan_with(drawn(folder / "g.csv", 1, seconds=2)))
    assert set(source.requests[1].envelope.loudness) == {-80}


def test_a_bundle_that_goes_by_pictures_alone_refuses_it(folder: Path) -> None:
    guide = drawn(folder / "guide.csv", 0.8)
    pictures_only = BundleFacts("frames", "f" * 64, ("dog",), obeys_cues=False)
    with pytest.raises(UsageError, match=r"--envelope-from guide\.csv says when sounds start, and this bundle goes by"):
        plan_with(guide, bundle=pictures_only)


def test_a_guide_that_is_not_there_or_no_guide_is_told(folder: Path) -> None:
    with pytest.raises(MediaNotFoundError, match="no guide at"):
        score_options(BUNDLE, envelope_from=folder / "none.wav")
    (folder / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=r"bad\.csv has the columns a, b"):
        score_options(BUNDLE, envelope_from=str(folder / "bad.csv"))


# ---- later runs


def test_a_second_run_makes_only_what_the_guide_changed(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    score(cut, folder, ClickSource(), plan=plan_with(drawn(folder / "guide.csv", 0.8, 2.4)))
    same = ClickSource()
    moved = drawn(folder / "elsewhere.csv", 0.8, 2.4)  # another file, the same said
    score(cut, folder, same, plan=plan_with(moved), force=True)
    assert same.requests == []
    changed = ClickSource()
    result = score(cut, folder, changed, plan=plan_with(drawn(folder / "guide.csv", 0.8, 3.2)), force=True)
    assert [request.label for request in changed.requests] == ["b"]
    assert (result.made, result.reused) == (1, 1)


def test_with_and_without_a_guide_are_two_sounds_and_both_are_kept(folder: Path) -> None:
    cut = timeline(track(shot("a")))
    guide = drawn(folder / "guide.csv", 0.8)
    score(cut, folder, ClickSource(), plan=options(sound="dog"))
    guided = ClickSource()
    score(cut, folder, guided, plan=plan_with(guide), force=True)
    assert len(guided.requests) == 1
    again = ClickSource()
    score(cut, folder, again, plan=options(sound="dog"), force=True)
    score(cut, folder, again, plan=plan_with(guide), force=True)
    assert again.requests == []


def test_a_clip_that_moved_follows_the_guide_at_its_new_place_and_keeps_what_was_edited(folder: Path) -> None:
    guide = drawn(folder / "guide.csv", 0.8)
    score(timeline(track(shot("a"))), folder, ClickSource(), plan=plan_with(guide))
    edited = load(folder / "cut_scored.otio")
    next(iter(our_clips(edited))).enabled = False
    save(edited, folder / "cut_scored.otio")
    source = ClickSource()
    score(timeline(track(gap(6), shot("a"))), folder, source, plan=plan_with(guide), force=True)
    assert events(source.requests[0], 0.25) == [pytest.approx(0.8, abs=0.009)]
    (ours,) = our_clips(load(folder / "cut_scored.otio"))
    assert ours.enabled is False


def test_a_run_on_some_clips_leaves_what_pictures_timed(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    before = score(cut, folder, ClickSource(), plan=options(sound="dog"))
    only = plan_with(drawn(folder / "guide.csv", 2.4), selection=Selection.parse(["clip=b"]))
    score(cut, folder, ClickSource(), plan=only, force=True)
    first, second = our_clips(load(folder / "cut_scored.otio"))
    assert first.metadata["v2s"]["key"] == before.scored[0].job.key
    assert [("guide" in each.metadata["v2s"]) for each in (first, second)] == [False, True]


# ---- takes added


def add(out: Path, count: int, clips: list[str], source: Any, **given: Any) -> TakesAnswer:
    def open_bundle(name: str) -> tuple[BundleFacts, MakeSource]:
        return BUNDLE, lambda **_: source

    return add_in_file(out, count, clips, open_bundle=open_bundle, probe=fake_probe, **given)


@pytest.fixture
def out(folder: Path) -> Path:
    """`a` timed by its pictures, `b` by a guide."""
    cut = timeline(track(shot("a"), shot("b")))
    score(cut, folder, ClickSource(), plan=options(sound="dog"))
    only = plan_with(drawn(folder / "guide.csv", 2.4), selection=Selection.parse(["clip=b"]))
    score(cut, folder, ClickSource(), plan=only, force=True)
    return folder / "cut_scored.otio"


def test_a_take_more_follows_what_the_others_follow(out: Path) -> None:
    source = ClickSource()
    assert add(out, 2, [], source).made == 4
    by_label = {request.label: request for request in source.requests}
    assert by_label["a"].envelope is None
    assert events(by_label["b"], 2) == [2.4]
    assert by_label["b"].takes == (2, 3)


def test_a_scene_that_a_guide_timed_gets_takes_as_one(folder: Path) -> None:
    guide = drawn(folder / "guide.csv", 0.8, 2.4)
    score(timeline(track(shot("a"), shot("b"))), folder, ClickSource(), plan=plan_with(guide, carry=True))
    source = ClickSource()
    add(folder / "cut_scored.otio", 1, ["1"], source)
    (request,) = source.requests
    assert (events(request, 0), request.takes) == ([0.8, 2.4], (2,))


def test_a_guide_in_the_project_moves_with_it(out: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moved = tmp_path_factory.mktemp("moved") / "project"
    out.parent.rename(moved)
    source = ClickSource()
    add(moved / out.name, 1, ["2"], source)
    assert events(source.requests[0], 2) == [2.4]


def test_a_guide_that_is_gone_or_changed_is_told_and_can_be_named(out: Path) -> None:
    guide = out.parent / "guide.csv"
    kept = guide.rename(out.parent.parent / f"{out.parent.name} old.csv")
    before = out.read_bytes()
    with pytest.raises(TimelineError, match=r"b \(dog\) .* guide\.csv, which cannot be read \([^;]*\); name it with"):
        add(out, 1, ["2"], ClickSource())
    drawn(guide, 3.2)
    with pytest.raises(TimelineError, match="which was changed since; name the old one"):
        add(out, 1, ["2"], ClickSource())
    with pytest.raises(UsageError, match="none of these sounds was timed by --envelope-from"):
        add(out, 1, ["2"], ClickSource(), envelope_from=guide)
    assert out.read_bytes() == before
    assert add(out, 1, ["1"], ClickSource()).made == 1  # pictures timed that one
    source = ClickSource()
    assert add(out, 1, ["2"], source, envelope_from=kept).made == 1
    assert events(source.requests[0], 2) == [2.4]


# ---- a host's shots


def test_shots_of_a_host_follow_the_guide_where_they_stand_on_its_timeline(folder: Path) -> None:
    drawn(folder / "guide.csv", 0.8, 10.4, seconds=12)
    make_clip(folder / "film.mp4", frames=75, width=64, height=64)
    late = ShotAsked(1, str(folder / "film.mp4"), Fraction(0), Fraction(2), timeline_start=Fraction(10), sound="dog")
    asked = Asked.shots({"envelope_from": str(folder / "guide.csv")})
    _, found = plan_shots([late], asked, Progress())
    assert events(request_for(found.jobs, (1,)), 10) == [10.4]
    with pytest.raises(UsageError, match="envelope_from must be an absolute path"):
        Asked.shots({"envelope_from": "guide.csv"})


# ---- the command, with a real network


def test_a_recording_over_the_cut_times_the_sounds_of_the_command(
    tmp_path: Path, paper_bundle: Callable[[ConditioningName], Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    make_clip(tmp_path / "a.mp4", frames=50, width=64, height=64)
    save(timeline(track(clip("a", "a.mp4", source=span(0, 50, 25)))), tmp_path / "cut.otio")
    claps = np.zeros(2 * 48_000, np.float32)
    claps[24_000:25_000] = 0.3
    write_wav(tmp_path / "claps.wav", claps, 48_000)
    arguments = [str(tmp_path / "cut.otio"), "--sound", "drum", "--envelope-from", str(tmp_path / "claps.wav")]
    assert main(["plan", *arguments, "--json"]) == 0
    key = json.loads(capsys.readouterr().out)["jobs"][0]["key"]
    assert main(["generate", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sounds"][0]["key"] == key
    assert main(["takes", str(tmp_path / "cut_scored.otio"), "--add", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == 1
    frames = str(paper_bundle("frame").path)
    assert main(["generate", *arguments, "--force", "--bundle", frames]) == 2
    assert "goes by the pictures alone" in capsys.readouterr().err
