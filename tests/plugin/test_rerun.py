"""A second run: it replaces and never doubles, uses what still fits, and keeps what the editor chose."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.cuts import (
    ClickSource,
    clip,
    fake_probe,
    gap,
    load,
    names_in,
    options,
    save,
    score,
    span,
    timeline,
    track,
)
from v2s_engine.audio import read_sound
from v2s_engine.sampling.choose import Choice
from v2s_plugin.ours import our_clips
from v2s_plugin.scoring import ScoreOptions, score_file
from v2s_plugin.sounding import ledger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def shot(name: str = "a", start: float = 0, frames: float = 48, rate: float = 24) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, frames, rate))


def waves(folder: Path) -> list[str]:
    return names_in(folder / "cut_scored.media")


def forget(folder: Path) -> None:
    """Leave what was made to the timeline to remember."""
    (folder / "cut_scored.media" / ledger.NAME).unlink()


def test_a_second_run_uses_what_is_there_and_replaces(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    score(cut, folder, ClickSource())
    first = (folder / "cut_scored.otio").read_text()
    source = ClickSource()
    result = score(cut, folder, source, force=True)
    assert source.requests == []
    assert (result.made, result.reused, result.device_name) == (0, 2, None)
    assert (folder / "cut_scored.otio").read_text() == first


def test_a_run_on_the_output_itself_uses_what_is_there(folder: Path) -> None:
    score(timeline(track(shot("a"), shot("b"))), folder, ClickSource())
    (folder / "cut.otio").write_text((folder / "cut_scored.otio").read_text())
    source = ClickSource()
    result = score(None, folder, source, in_place=True)
    assert (source.requests, result.reused) == ([], 2)
    written = load(folder / "cut.otio")
    assert [each.name for each in written.tracks] == ["V1", "V2S dog"]
    assert names_in(folder / "cut.media") == waves(folder)
    assert (folder / "cut.otio.bak").exists()


def test_after_a_re_cut_only_what_changed_is_made(folder: Path) -> None:
    score(timeline(track(shot("a"), shot("b"))), folder, ClickSource())
    source = ClickSource()
    recut = timeline(track(gap(7), shot("b"), shot("a", 10), shot("b", 5)))
    result = score(recut, folder, source, force=True)
    assert [(request.label, request.picture_times[0]) for request in source.requests] == [
        ("a", Fraction(10, 24)),
        ("b", Fraction(5, 24)),
    ]
    assert (result.made, result.reused) == (2, 1)


def test_a_clip_that_moved_by_part_of_a_sample_keeps_its_seed_and_gets_its_new_length(folder: Path) -> None:
    score(timeline(track(shot("a", 0, 1, 29.97), gap(1, 24))), folder, ClickSource())
    source = ClickSource()
    result = score(timeline(track(gap(1, 29.97), shot("a", 0, 1, 29.97))), folder, source, force=True)
    take = result.scored[0].takes[0]
    assert take.length == 1601
    assert len(read_sound(take.path, 48_000)) == 1601


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_file_that_is_gone_or_changed_is_made_again(folder: Path, harm: str) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    score(cut, folder, ClickSource())
    victim = folder / "cut_scored.media" / waves(folder)[0]
    victim.unlink() if harm == "gone" else victim.write_bytes(b"RIFF?")
    source = ClickSource()
    result = score(cut, folder, source, force=True)
    assert [request.label for request in source.requests] == ["a"]
    assert len(read_sound(result.scored[0].takes[0].path, 48_000)) == 96_000


def test_more_takes_add_to_those_that_are_there_and_fewer_lose_none(folder: Path) -> None:
    cut = timeline(track(shot()))
    score(cut, folder, ClickSource(), plan=options(sound="dog", takes=2))
    source = ClickSource()
    result = score(cut, folder, source, force=True, plan=options(sound="dog", takes=3))
    assert source.requests[0].takes == (3,)
    assert [(take.take, take.reused) for take in result.scored[0].takes] == [(1, True), (2, True), (3, False)]
    result = score(cut, folder, ClickSource(), force=True, plan=options(sound="dog", takes=1))
    assert len(result.scored[0].takes) == 3


def test_the_take_chosen_on_the_output_stays_chosen(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    score(cut, folder, ClickSource(), plan=options(sound="dog", takes=2))
    edited = load(folder / "cut_scored.otio")
    next(iter(our_clips(edited))).active_media_reference_key = "take 2"
    save(edited, folder / "cut_scored.otio")
    score(cut, folder, ClickSource(), force=True)
    written = load(folder / "cut_scored.otio")
    assert [ours.active_media_reference_key for ours in our_clips(written)] == ["take 2", "take 1"]


@pytest.mark.parametrize("given", [{"sound": "drum"}, {"sound": "dog", "seed": 5}])
def test_another_class_or_seed_is_made_anew_and_replaces(folder: Path, given: dict[str, Any]) -> None:
    cut = timeline(track(shot()))
    score(cut, folder, ClickSource())
    source = ClickSource()
    result = score(cut, folder, source, force=True, plan=options(**given))
    assert len(source.requests) == 1
    assert [each.name for each in result.timeline.tracks] == ["V1", f"V2S {given['sound']}"]


def test_an_output_that_is_no_timeline_is_replaced_when_forced(folder: Path) -> None:
    (folder / "cut_scored.otio").write_text("half a file")
    score(timeline(track(shot())), folder, ClickSource(), force=True)
    written = load(folder / "cut_scored.otio")
    assert len(written.tracks) == 2


@pytest.mark.parametrize("facts", [{}, {"takes": {}}, {"takes": {"take 1": {"take": "x"}}}, {"takes": 3}])
def test_metadata_of_ours_that_somebody_changed_is_not_trusted(folder: Path, facts: dict[str, Any]) -> None:
    cut = timeline(track(shot()))
    score(cut, folder, ClickSource())
    written = load(folder / "cut_scored.otio")
    (ours,) = our_clips(written)
    ours.metadata["v2s"] = {"generated": True, "key": ours.metadata["v2s"]["key"], **facts}
    save(written, folder / "cut_scored.otio")
    forget(folder)
    source = ClickSource()
    score(cut, folder, source, force=True)
    assert len(source.requests) == 1


# ---- what the sounds are made on


def devices_asked_for(
    folder: Path, cut: Any, device: str, *, takes: int = 1, warnings: tuple[str, ...] = ()
) -> tuple[list[str | None], Any]:
    """Score with a source that makes its sounds on `device`; what it was told of those that are there."""
    told: list[str | None] = []

    def make(*, sounds: int, earlier: str | None) -> ClickSource:
        told.append(earlier)
        source = ClickSource()
        source.choice = Choice(device, "it is a stand-in", warnings=warnings)
        return source

    save(cut, folder / "cut.otio")
    wanted = ScoreOptions(plan=options(sound="dog", takes=takes), force=True)
    return told, score_file(folder / "cut.otio", wanted, make, probe=fake_probe)


def devices_on(path: Path) -> list[str]:
    return [fact["device"] for ours in our_clips(load(path)) for fact in ours.metadata["v2s"]["takes"].values()]


def test_every_take_remembers_what_it_was_made_on(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    told, _ = devices_asked_for(folder, cut, "cuda/16")
    assert told == [None]
    assert devices_on(folder / "cut_scored.otio") == ["cuda/16", "cuda/16"]
    devices_asked_for(folder, cut, "cpu", takes=2)
    assert devices_on(folder / "cut_scored.otio") == ["cuda/16", "cpu", "cuda/16", "cpu"]


def test_neighbours_that_are_made_again_hear_what_made_the_others(folder: Path) -> None:
    devices_asked_for(folder, timeline(track(shot("a"), shot("b"), shot("a", 5))), "cuda/16")
    told, result = devices_asked_for(folder, timeline(track(shot("a"), shot("b"), shot("b", 9))), "cpu")
    assert told == ["cuda/16"]
    assert (result.made, result.reused) == (1, 2)
    told, _ = devices_asked_for(folder, timeline(track(shot("a"), shot("b"), shot("b", 11))), "cpu")
    assert told == ["cuda/16"]  # two takes against one


def test_sounds_of_another_bundle_or_an_earlier_version_say_nothing(folder: Path) -> None:
    cut = timeline(track(shot("a")))
    devices_asked_for(folder, cut, "cuda/16")
    written = load(folder / "cut_scored.otio")
    (ours,) = our_clips(written)
    ours.metadata["v2s"]["bundle_digest"] = "e" * 64
    save(written, folder / "cut_scored.otio")
    told, _ = devices_asked_for(folder, timeline(track(shot("b"))), "cpu")
    assert told == [None]
    written = load(folder / "cut_scored.otio")
    (ours,) = our_clips(written)
    del ours.metadata["v2s"]["takes"]["take 1"]["device"]
    save(written, folder / "cut_scored.otio")
    forget(folder)
    told, result = devices_asked_for(folder, timeline(track(shot("b"), shot("a"))), "cpu")
    assert told == [None]
    assert result.reused == 1


def test_a_device_that_is_gone_is_warned_of(folder: Path) -> None:
    _, result = devices_asked_for(folder, timeline(track(shot("a"))), "cpu", warnings=("made on 'cuda' before",))
    assert result.warnings == ("made on 'cuda' before",)
