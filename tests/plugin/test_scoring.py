"""The main job from a timeline file to a scored one, with a stand-in for the model."""

import errno
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest

from tests.media import make_clip
from tests.plugin.cuts import (
    CLICK_AT,
    ClickSource,
    clip,
    fake_probe,
    gap,
    load,
    marker,
    names_in,
    options,
    save,
    score,
    span,
    timeline,
    track,
)
from v2s_engine.audio import read_sound
from v2s_engine.errors import CancelledError, DeviceError, OutputError, UsageError
from v2s_engine.progress import Progress, ProgressEvent
from v2s_plugin.media.urls import find_on_disk
from v2s_plugin.ours import our_clips
from v2s_plugin.outputs import only_run
from v2s_plugin.scoring import NothingToScoreError, ScoreOptions, score_file
from v2s_plugin.timing.placement import place_clips


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def shot(name: str = "a", start: float = 0, frames: float = 48, rate: float = 24, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, frames, rate), **given)


def heard_at(result: Any, folder: Path) -> list[Fraction]:
    """Seconds of the timeline at which the chosen takes click, by the written timeline and the files it points at."""
    found = []
    for placed in place_clips(result):
        if placed.kind == "Audio":
            sound = read_sound(find_on_disk(placed.clip.media_reference.target_url, folder), 48_000)
            onset = int(np.argmax(np.abs(sound) > 0.05))
            found.append(placed.span.start + Fraction(onset, 48_000))
    return found


def waves(folder: Path) -> list[str]:
    return names_in(folder / "cut_scored.media")


# ---- the whole way


def test_a_timeline_comes_back_scored_beside_the_input(folder: Path) -> None:
    result = score(timeline(track(shot("a"), gap(12), shot("b"))), folder, ClickSource())
    assert result.output == folder / "cut_scored.otio"
    assert names_in(folder) == ["a.mp4", "b.mp4", "cut.otio", "cut_scored.media", "cut_scored.otio"]
    assert [sound.job.label for sound in result.scored] == ["a", "b"]
    assert (result.made, result.reused, result.device_name, result.skips) == (2, 0, "fake", ())
    written = load(folder / "cut_scored.otio")
    assert [each.name for each in written.tracks] == ["V1", "V2S dog"]
    click = Fraction(CLICK_AT, 16_000)
    for heard, wanted in zip(heard_at(written, folder), [click, Fraction(5, 2) + click], strict=True):
        assert abs(heard - wanted) < Fraction(1, 1000)


@pytest.mark.parametrize("rate", [23.976, 24.0, 25.0, 29.97, 30.0, 60.0])
def test_clips_from_a_third_of_a_second_to_three_minutes_with_trims_and_gaps(tmp_path: Path, rate: float) -> None:
    exact = {23.976: Fraction(24000, 1001), 29.97: Fraction(30000, 1001)}.get(rate, Fraction(rate))
    make_clip(tmp_path / "a.mp4", rate=exact, frames=int(3 * rate), width=64, height=64, sound=False)
    short, long = round(0.3 * rate), round(180 * rate)
    cut = timeline(
        track(shot("a", 3, short, rate), gap(7, rate), shot("a", 5, long, rate), gap(1, rate), shot("a", 2, 30, rate))
    )
    result = score(cut, tmp_path, ClickSource(), probe=None)
    assert [sound.job.duration for sound in result.scored] == [n / exact for n in (short, long, 30)]
    for sound in result.scored:
        for take in sound.takes:
            start, end = (round(at * 48_000) for at in (sound.job.timeline_start, sound.job.timeline_end))
            assert len(read_sound(take.path, 48_000)) == end - start
    click = Fraction(CLICK_AT, 16_000)
    for heard, sound in zip(heard_at(result.timeline, tmp_path), result.scored, strict=True):
        assert abs(heard - sound.job.timeline_start - click) < Fraction(1, 1000)


def test_a_cue_is_heard_where_the_marker_stands(folder: Path) -> None:
    cut = timeline(track(gap(10), shot("a", 100, notes=["v2s:sound=drum", marker("v2s:cue", 124)])))
    source = ClickSource()
    score(cut, folder, source)
    (request,) = source.requests
    assert (request.sound_class, request.cues, request.label) == ("drum", (16_000,), "a")


def test_the_input_is_never_touched(folder: Path) -> None:
    path = save(timeline(track(shot())), folder / "cut.otio")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    score(None, folder, ClickSource())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_takes_are_made_under_their_numbers(folder: Path) -> None:
    source = ClickSource()
    result = score(timeline(track(shot())), folder, source, plan=options(sound="dog", takes=3))
    assert source.requests[0].takes == (1, 2, 3)
    assert [take.take for take in result.scored[0].takes] == [1, 2, 3]
    assert len(waves(folder)) == 3


def test_clips_that_show_the_same_are_made_once(folder: Path) -> None:
    cut = timeline(track(gap(1, 29.97), *[shot("a", 0, 31, 29.97) for _ in range(4)]))
    source = ClickSource()
    result = score(cut, folder, source)
    assert len(source.requests) == 1
    assert len(result.scored) == 4
    assert {take.length for sound in result.scored for take in sound.takes} == {49_649, 49_650}
    assert len(waves(folder)) == 2


def test_a_take_too_loud_is_turned_down_and_told(folder: Path) -> None:
    result = score(timeline(track(shot())), folder, ClickSource(level=2.0))
    gain = result.scored[0].takes[0].gain_db
    assert gain < -6
    written = load(folder / "cut_scored.otio")
    (ours,) = our_clips(written)
    assert ours.metadata["v2s"]["takes"]["take 1"]["gain_db"] == gain


@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_another_rate_is_delivered_where_asked_for(folder: Path, rate: int) -> None:
    result = score(timeline(track(shot())), folder, ClickSource(), rate=rate)
    (ours,) = our_clips(result.timeline)
    assert ours.media_reference.available_range.duration == otio.opentime.RationalTime(2 * rate, rate)


def test_new_urls_follow_the_timelines_style(folder: Path) -> None:
    result = score(timeline(track(shot())), folder, ClickSource())
    (ours,) = our_clips(result.timeline)
    assert ours.media_reference.target_url == f"cut_scored.media/{waves(folder)[0]}"
    absolute = clip("a", folder / "a.mp4", source=span(0, 48, 24))
    result = score(timeline(track(absolute)), folder, ClickSource(), force=True)
    (ours,) = our_clips(result.timeline)
    assert ours.media_reference.target_url == str(folder / "cut_scored.media" / waves(folder)[0])


def test_relative_media_and_an_output_elsewhere_are_warned_of(folder: Path) -> None:
    (folder / "out").mkdir()
    result = score(timeline(track(shot())), folder, ClickSource(), output=folder / "out" / "x.otio")
    assert "1 media paths on the timeline are relative" in result.warnings[0]
    assert names_in(folder / "out") == ["x.media", "x.otio"]
    written = load(folder / "out" / "x.otio")
    (ours,) = our_clips(written)
    assert find_on_disk(ours.media_reference.target_url, folder / "out").is_file()


class WaitingSource(ClickSource):
    """Makes a sound only when the WAV of the one before it has been written."""

    def __init__(self, media: Path) -> None:
        super().__init__()
        self.media = media
        self.in_vain = False

    def generate(self, requests: Any, progress: Progress | None = None) -> Iterator[Any]:
        for number, outcome in enumerate(super().generate(requests, progress)):
            for _ in range(2000):
                self.in_vain = len(list(self.media.glob("*.wav"))) < number
                if not self.in_vain:
                    break
                time.sleep(0.01)
            yield outcome


def test_sounds_are_written_while_the_next_are_made(folder: Path) -> None:
    source = WaitingSource(folder / "cut_scored.media")
    score(timeline(track(shot("a"), shot("b"))), folder, source)
    assert len(waves(folder)) == 2
    assert not source.in_vain


def test_a_disk_that_is_full_stops_the_work_that_goes_on_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OutputError("the disk is full")

    monkeypatch.setattr("v2s_plugin.sounding.sound_files.SoundFolder.deliver", full)
    source = ClickSource()
    cut = timeline(track(*[shot("a", start) for start in range(40)]))
    with pytest.raises(OutputError, match="the disk is full"):
        score(cut, folder, source)
    assert names_in(folder) == ["a.mp4", "b.mp4", "cut.otio", "cut_scored.media"]


# ---- what goes wrong


def test_a_clip_whose_media_break_is_told_and_the_others_go_on(folder: Path) -> None:
    source = ClickSource(fails=lambda request: request.label == "a")
    result = score(timeline(track(shot("a"), shot("b"))), folder, source)
    assert [sound.job.label for sound in result.scored] == ["b"]
    (skip,) = result.skips
    assert (skip.label, skip.where, skip.advice) == ("a", "V1 at 0.000 s", "export it again")
    assert "cannot read" in skip.reason


def test_where_nothing_can_be_sounded_nothing_is_written(folder: Path) -> None:
    cut = timeline(track(shot("gone"), clip("title", source=span(0, 24, 24))))
    with pytest.raises(NothingToScoreError, match=r"none of the clips .*2 skipped.*no such file") as caught:
        score(cut, folder, ClickSource())
    assert [skip.label for skip in caught.value.skips] == ["gone", "title"]
    with pytest.raises(NothingToScoreError, match="holds no video clips"):
        score(timeline(), folder, ClickSource())
    with pytest.raises(NothingToScoreError, match="cannot read"):
        score(timeline(track(shot())), folder, ClickSource(fails=lambda request: True))
    assert not (folder / "cut_scored.otio").exists()


def test_an_output_that_exists_is_refused_before_any_work(folder: Path) -> None:
    (folder / "cut_scored.otio").write_text("mine")
    source = ClickSource()
    with pytest.raises(OutputError, match="--force"):
        score(timeline(track(shot())), folder, source)
    assert source.requests == []
    assert (folder / "cut_scored.otio").read_text() == "mine"


def test_two_runs_at_once_on_one_output(folder: Path) -> None:
    source = ClickSource()
    with only_run(folder / "cut_scored.otio"), pytest.raises(OutputError, match="another run is writing"):
        score(timeline(track(shot())), folder, source)
    assert source.requests == []
    score(timeline(track(shot())), folder, source)


class StoppedSource(ClickSource):
    """Has somebody ask to stop (or fails) after so many sounds."""

    def __init__(self, after: int, stop: Any) -> None:
        super().__init__()
        self.after, self.stop = after, stop

    def generate(self, requests: Any, progress: Progress | None = None) -> Iterator[Any]:
        for number, outcome in enumerate(super().generate(requests, progress)):
            if number == self.after:
                self.stop()
            yield outcome


def test_a_cancel_keeps_finished_sounds_and_writes_no_timeline(folder: Path) -> None:
    cancel = threading.Event()
    with pytest.raises(CancelledError):
        score(
            timeline(track(shot("a"), shot("b"))),
            folder,
            StoppedSource(0, cancel.set),
            progress=Progress(cancel=cancel),
        )
    assert names_in(folder) == ["a.mp4", "b.mp4", "cut.otio", "cut_scored.media"]
    assert len(waves(folder)) == 1
    assert waves(folder)[0].endswith(".wav")


@pytest.mark.parametrize("error", [KeyboardInterrupt, DeviceError("no GPU; use --device cpu"), RuntimeError("bug")])
def test_an_error_in_the_middle_leaves_the_old_output(folder: Path, error: Any) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    score(cut, folder, ClickSource())
    before = (folder / "cut_scored.otio").read_bytes()

    def fail() -> None:
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        score(cut, folder, StoppedSource(1, fail), force=True, plan=options(sound="drum"))
    assert (folder / "cut_scored.otio").read_bytes() == before
    assert not [name for name in names_in(folder) if "part" in name or "lock" in name]


def test_a_full_disk_while_sounds_are_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("wave.Wave_write.writeframes", full)
    with pytest.raises(OutputError, match="No space left on device; free some space"):
        score(timeline(track(shot())), folder, ClickSource())
    assert not (folder / "cut_scored.otio").exists()
    assert waves(folder) == []


def test_what_a_killed_run_left_is_cleared(folder: Path) -> None:
    (folder / "cut_scored.media").mkdir()
    (folder / "cut_scored.media" / ".a_dog_take1.wav.1234.part").write_text("half a sound")
    score(timeline(track(shot())), folder, ClickSource())
    assert [name[-4:] for name in waves(folder)] == [".wav"]


def test_a_file_where_the_media_folder_should_be(folder: Path) -> None:
    (folder / "cut_scored.media").write_text("x")
    with pytest.raises(OutputError, match="cannot make the folder"):
        score(timeline(track(shot())), folder, ClickSource())


def test_the_device_is_opened_only_where_something_is_to_be_made(folder: Path) -> None:
    cut = timeline(track(shot()))
    score(cut, folder, ClickSource())

    def no_device(**_: Any) -> Any:
        raise DeviceError("no GPU")

    wanted = ScoreOptions(plan=options(sound="dog"), force=True)
    assert score_file(folder / "cut.otio", wanted, no_device, probe=fake_probe).reused == 1
    with pytest.raises(DeviceError):
        score_file(folder / "cut.otio", replace(wanted, plan=options(sound="drum")), no_device, probe=fake_probe)


def test_an_unknown_rate_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"44100, 48000, 96000; got 8000"):
        score(timeline(track(shot())), folder, ClickSource(), rate=8000)


def test_progress_never_falls_and_ends_full(folder: Path) -> None:
    events: list[ProgressEvent] = []
    cut = timeline(track(shot("a"), shot("b")))
    source = ClickSource(fails=lambda request: request.label == "b")
    score(cut, folder, source, progress=Progress(events.append), plan=options(sound="dog", takes=2))
    written = [event for event in events if event.stage == "write"]
    assert [event.done for event in written] == sorted(event.done for event in written)
    assert written[-1].done == written[-1].total == 4
