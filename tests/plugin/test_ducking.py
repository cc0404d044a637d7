"""Ducking: our sounds go down while a track of the timeline speaks, to the sample, and only then."""

from pathlib import Path

import numpy as np
import opentimelineio as otio
import pytest

from tests.plugin.cuts import clip, gap, load, save, span, timeline, track
from tests.plugin.levelling import RATE, ToneSource, gain_between, levelled, shot, speech, track_sound, voice
from v2s_engine.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("name", ["VO", "vo", "V*", "1"])
def test_our_sounds_go_down_exactly_while_a_track_speaks(folder: Path, name: str) -> None:
    path = speech(folder / "voice.wav", [(2.0, 3.0), (3.5, 4.0), (7.0, 7.4)])
    cut = timeline(track(shot("a", frames=240)), voice(path))
    plain = levelled(cut, folder)
    ducked = levelled(cut, folder, duck=(name,))
    for seconds in (0.5, 1.8, 5.0, 6.0, 6.8, 8.4, 9.5):
        assert gain_between(ducked, plain, seconds) == pytest.approx(0, abs=0.05)
    for seconds in (2.02, 2.5, 3.2, 3.6, 4.2, 7.02, 7.3, 7.6):
        assert gain_between(ducked, plain, seconds) == pytest.approx(-9, abs=0.05)
    assert ducked.warnings == ()


def test_the_ramps_end_at_the_very_sample(folder: Path) -> None:
    path = speech(folder / "voice.wav", [(2.0, 3.0)])
    cut = timeline(track(shot("a", frames=240)), voice(path))
    plain, ducked = levelled(cut, folder), levelled(cut, folder, duck=("VO",), duck_by=12.0)
    before, after = track_sound(plain, "V2S dog"), track_sound(ducked, "V2S dog")
    far = np.abs(before - after) > 1e-6
    first, last = np.flatnonzero(far)[[0, -1]] / RATE
    assert 1.85 - 0.005 <= first < 1.852
    assert 3.795 < last <= 3.8 + 0.005
    full = after[2 * RATE : round(3.3 * RATE)] / 10 ** (-12 / 20)
    np.testing.assert_allclose(full, before[2 * RATE : round(3.3 * RATE)], atol=1e-6)


def test_speech_is_heard_where_its_clip_puts_it(folder: Path) -> None:
    """Trimmed, at another rate, with a timecode, after a gap, at twice the speed and backwards."""
    path = speech(folder / "voice.wav", [(4.0, 5.0)], rate=44_100)
    trimmed = clip("v", path.name, source=span(90_000 + 75, 75, 25), available=span(90_000, 250, 25))  # 3 s .. 6 s
    fast = clip(
        "v",
        path.name,
        source=span(90_000 + 50, 75, 25),
        available=span(90_000, 250, 25),
        effects=[otio.schema.LinearTimeWarp(time_scalar=2.0)],
    )  # 2 s .. 8 s in 3 s
    back = clip(
        "v",
        path.name,
        source=span(90_000 + 75, 75, 25),
        available=span(90_000, 250, 25),
        effects=[otio.schema.LinearTimeWarp(time_scalar=-1.0)],
    )  # 6 s .. 3 s
    cut = timeline(
        track(shot("a", frames=24 * 16)), voice(path, gap(2 * 25, 25), trimmed, gap(50, 25), fast, gap(25, 25), back)
    )
    plain, ducked = levelled(cut, folder), levelled(cut, folder, duck=("VO",))
    spoken = [(3.0, 4.0), (8.0, 8.5), (12.0, 13.0)]
    for start, end in spoken:
        for seconds in (start + 0.02, end - 0.02, end + 0.25):
            assert gain_between(ducked, plain, seconds) == pytest.approx(-9, abs=0.1)
        for seconds in (start - 0.2, end + 0.9):
            assert gain_between(ducked, plain, seconds) == pytest.approx(0, abs=0.05)


def test_a_click_is_no_speech(folder: Path) -> None:
    path = speech(folder / "voice.wav", [(2.0, 2.02)])
    cut = timeline(track(shot("a", frames=240)), voice(path))
    plain, ducked = levelled(cut, folder), levelled(cut, folder, duck=("VO",))
    assert gain_between(ducked, plain, 2.01) == pytest.approx(0, abs=0.01)


def test_speech_whose_media_are_missing_counts_throughout_and_is_warned_of(folder: Path) -> None:
    lost = clip("lines", "gone.wav", source=span(0, 48, 24))
    cut = timeline(track(shot("a", frames=240)), track(gap(72), lost, name="VO", kind="Audio"))
    plain, ducked = levelled(cut, folder), levelled(cut, folder, duck=("VO",))
    (warning,) = ducked.warnings
    assert "lines (VO at 3.000 s) counts as sounding throughout for --duck: no such file" in warning
    assert gain_between(ducked, plain, 4.9) == pytest.approx(-9, abs=0.05)
    assert gain_between(ducked, plain, 2.5) == pytest.approx(0, abs=0.05)


def test_what_is_disabled_does_not_speak(folder: Path) -> None:
    path = speech(folder / "voice.wav", [(2.0, 3.0)])
    silent = clip("v", path.name, source=span(0, 240, 24), available=span(0, 240, 24), enabled=False)
    cut = timeline(track(shot("a", frames=240)), track(silent, name="VO", kind="Audio"))
    plain, ducked = levelled(cut, folder), levelled(cut, folder, duck=("VO",))
    assert gain_between(ducked, plain, 2.5) == pytest.approx(0, abs=0.05)


def test_a_track_that_is_not_there_is_told_before_anything_is_made(folder: Path) -> None:
    source = ToneSource()
    cut = timeline(track(shot()), voice(folder / "voice.wav", name="Dialogue"), track(name="Music", kind="Audio"))
    with pytest.raises(UsageError, match=r"--duck VO: .*the timeline's are: 1 'Dialogue', 2 'Music'"):
        levelled(cut, folder, source, duck=("VO",))
    assert source.requests == []
    assert not (folder / "cut_scored.media").exists()


def test_our_own_tracks_are_not_ducked_under(folder: Path) -> None:
    levelled(timeline(track(shot())), folder)
    save(load(folder / "cut_scored.otio"), folder / "cut.otio")
    with pytest.raises(UsageError, match="the timeline's are: none"):
        levelled(None, folder, duck=("V2S dog",))
