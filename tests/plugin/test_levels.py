"""Levels: a track gets the loudness asked for, and other levels never make a sound again."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest

from tests.plugin.cuts import (
    BUNDLE,
    ClickSource,
    clip,
    fake_probe,
    gap,
    load,
    names_in,
    options,
    save,
    span,
    timeline,
    track,
)
from tests.plugin.levelling import RATE, ToneSource, gain_between, levelled, shot, speech, track_sound, voice
from v2s_engine.audio import read_sound
from v2s_engine.errors import UsageError
from v2s_engine.loudness import integrated_loudness, true_peak
from v2s_plugin import otio_adapter
from v2s_plugin.cli import main
from v2s_plugin.levels.options import LevelOptions
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.selection import Selection
from v2s_plugin.takes.in_file import add_in_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


# ---- options


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lufs": 3.0}, "--lufs must lie between -60 and -5 LUFS; got 3"),
        ({"lufs": math.nan}, "--lufs must lie"),
        ({"duck_by": 6.0}, "add --duck TRACK"),
        ({"duck": ("VO",), "duck_by": -6.0}, "--duck-by must lie between 0 and 60 dB"),
        ({"fade": 1.0}, "--fade must lie between 3 and 10000 ms"),
        ({"pan": "stereo"}, "pan must be one of mono, motion"),
    ],
)
def test_values_that_cannot_be_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        LevelOptions(**given)


def test_without_options_the_plain_takes_stand_on_the_timeline(folder: Path) -> None:
    result = levelled(timeline(track(shot())), folder)
    (ours,) = our_clips(result.timeline)
    assert "mix" not in ours.metadata["v2s"]
    assert len(names_in(result.media_folder)) == 1
    assert result.scored[0].takes[0].plain is None


# ---- loudness


@pytest.mark.parametrize("target", [-35.0, -23.0])
def test_every_track_gets_the_loudness_asked_for(folder: Path, target: float) -> None:
    noted = [shot("a"), gap(240), shot("b", 48, notes=["v2s:sound=drum"]), shot("a", 120)]
    result = levelled(timeline(track(*noted)), folder, ToneSource(drum_db=-20), lufs=target)
    assert result.warnings == ()
    for name in ("V2S dog", "V2S drum"):
        assert integrated_loudness([track_sound(result, name)], RATE) == pytest.approx(target, abs=0.1)


def test_a_quiet_sound_stays_quieter_than_a_loud_one_on_its_track(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b", 48, notes=["v2s:sound=drum"])))
    result = levelled(cut, folder, ToneSource(drum_db=-12), lufs=-25.0, tracks="single")
    heard = track_sound(result, "V2S")
    quiet, loud = heard[5 * RATE : 7 * RATE], heard[RATE : 3 * RATE]
    assert 20 * np.log10(np.std(quiet) / np.std(loud)) == pytest.approx(-12, abs=0.05)
    assert integrated_loudness([heard], RATE) == pytest.approx(-25, abs=0.1)


def test_a_target_that_the_peaks_forbid_is_missed_and_said_so(folder: Path) -> None:
    cut = timeline(track(shot()))
    result = levelled(cut, folder, ClickSource(level=0.5), lufs=-10.0)
    (warning,) = result.warnings
    heard = track_sound(result, "V2S dog")
    reached = integrated_loudness([heard], RATE)
    assert reached is not None
    assert f"V2S dog reaches {reached:.1f} LUFS instead of -10" in warning
    assert -1.1 < true_peak(heard, RATE) <= -1.0


def test_parts_that_fall_out_of_the_measurement_do_not_spoil_the_target(folder: Path) -> None:
    """Sounds just above the standard's gate at -70 LUFS count before the gain and not after it, and the other way."""
    quiet = [shot("b", 48 * number, 480, notes=["v2s:sound=drum"]) for number in range(3)]
    cut = timeline(track(shot("a"), *quiet))
    for target in (-35.0, -15.0):
        result = levelled(cut, folder, ToneSource(drum_db=-44, peak=0.1), lufs=target, tracks="single")
        assert integrated_loudness([track_sound(result, "V2S")], RATE) == pytest.approx(target, abs=0.1)


def test_other_takes_of_a_clip_get_the_gain_of_its_track(folder: Path) -> None:
    cut = timeline(track(shot()))
    plain = levelled(cut, folder, plan=options(sound="dog", takes=2))
    mixed = levelled(cut, folder, plan=options(sound="dog", takes=2), lufs=-30.0)
    gains = []
    for before, after in zip(plain.scored[0].takes, mixed.scored[0].takes, strict=True):
        gains.append(np.std(read_sound(after.path, RATE)) / np.std(read_sound(before.path, RATE)))
    assert gains[0] == pytest.approx(gains[1], rel=1e-3)
    (ours,) = our_clips(mixed.timeline)
    assert ours.metadata["v2s"]["mix"]["gain_db"] == pytest.approx(20 * np.log10(gains[0]), abs=0.02)


def test_a_silent_track_is_left_alone(folder: Path) -> None:
    result = levelled(timeline(track(shot())), folder, ToneSource(peak=0.0), lufs=-30.0)
    (warning,) = result.warnings
    assert "V2S dog is silent" in warning


# ---- fades


def test_fades_are_as_long_as_asked_at_cuts(folder: Path) -> None:
    cut = timeline(track(shot()))
    plain, mixed = levelled(cut, folder), levelled(cut, folder, fade=200.0)
    before, after = track_sound(plain, "V2S dog"), track_sound(mixed, "V2S dog")
    loud = np.abs(before) > 0.02
    gain = np.where(loud, after / np.where(loud, before, 1), np.nan)
    for seconds, wanted in ((0.05, 0.1464), (0.1, 0.5), (0.15, 0.8536), (0.3, 1.0), (3.9, 0.5), (3.7, 1.0)):
        near = gain[round(seconds * RATE) - 60 : round(seconds * RATE) + 60]
        assert np.nanmedian(near) == pytest.approx(wanted, abs=0.01)


# ---- other levels, the same sounds


def test_other_levels_never_make_a_sound_again(folder: Path) -> None:
    path = speech(folder / "voice.wav", [(2.0, 3.0)])
    cut = timeline(track(shot("a"), shot("b", 48)), voice(path))
    plain = levelled(cut, folder)
    first_timeline = (folder / "cut_scored.otio").read_text()
    plain_files = names_in(plain.media_folder)
    for given in ({"lufs": -30.0}, {"lufs": -33.0, "duck": ("VO",)}, {"fade": 50.0}):
        source = ToneSource()
        result = levelled(cut, folder, source, **given)
        assert (source.requests, result.made, result.reused) == ([], 0, 2)
        files, text = names_in(result.media_folder), (folder / "cut_scored.otio").read_text()
        assert set(plain_files) < set(files)
        assert not {Path(each.media_reference.target_url).name for each in our_clips(result.timeline)} & set(
            plain_files
        )
        levelled(cut, folder, source, **given)
        assert source.requests == []
        assert names_in(result.media_folder) == files
        assert (folder / "cut_scored.otio").read_text() == text
    source = ToneSource()
    levelled(cut, folder, source)
    assert source.requests == []
    assert (folder / "cut_scored.otio").read_text() == first_timeline


def test_a_run_on_the_output_itself_starts_from_the_plain_takes(folder: Path) -> None:
    levelled(timeline(track(shot())), folder, lufs=-30.0)
    (folder / "cut.otio").write_text((folder / "cut_scored.otio").read_text())
    source = ToneSource()
    result = levelled(None, folder, source, in_place=True, lufs=-20.0)
    assert source.requests == []
    assert integrated_loudness([track_sound(result, "V2S dog")], RATE) == pytest.approx(-20, abs=0.1)


def test_a_plain_take_that_is_gone_is_made_again(folder: Path) -> None:
    cut = timeline(track(shot()))
    result = levelled(cut, folder, lufs=-30.0)
    plain = result.scored[0].takes[0].plain
    assert plain is not None
    plain.path.unlink()
    source = ToneSource()
    again = levelled(cut, folder, source, lufs=-30.0)
    assert len(source.requests) == 1
    assert plain.path.exists()
    assert again.scored[0].takes[0].path == result.scored[0].takes[0].path


def test_the_chosen_take_stays_chosen_and_is_what_is_measured(folder: Path) -> None:
    cut = timeline(track(shot()))
    levelled(cut, folder, plan=options(sound="dog", takes=2), lufs=-30.0)
    edited = load(folder / "cut_scored.otio")
    next(our_clips(edited)).active_media_reference_key = "take 2"
    save(edited, folder / "cut_scored.otio")
    result = levelled(cut, folder, plan=options(sound="dog", takes=2), lufs=-30.0)
    (ours,) = our_clips(result.timeline)
    assert ours.active_media_reference_key == "take 2"
    assert integrated_loudness([track_sound(result, "V2S dog")], RATE) == pytest.approx(-30, abs=0.1)


def test_the_timeline_remembers_the_options_and_the_plain_files(folder: Path) -> None:
    path = speech(folder / "voice.wav", [(2.0, 3.0)])
    cut = timeline(track(shot()), voice(path))
    result = levelled(cut, folder, lufs=-30.0, duck=("VO",), fade=10.0)
    (ours,) = our_clips(load(folder / "cut_scored.otio"))
    facts = ours.metadata["v2s"]
    mix = {name: value for name, value in facts["mix"].items() if name != "duck"}
    assert mix.pop("gain_db") < 0
    assert mix == {"lufs": -30.0, "duck_by": 9.0, "fade": 10.0}
    assert list(facts["mix"]["duck"]) == ["VO"]
    take = result.scored[0].takes[0]
    assert take.plain is not None
    assert facts["takes"]["take 1"]["plain"]["file"] == take.plain.path.name
    assert take.plain.path.parent == take.path.parent
    assert take.path.name.startswith("a_dog_take1_mix_")


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_mixed_file_is_as_long_as_its_plain_one_at_any_rate(folder: Path, rate: int) -> None:
    path = speech(folder / "voice.wav", [(2.0, 3.0)])
    cut = timeline(track(gap(7), clip("a", "a.mp4", source=span(0, 100, 29.97))), voice(path))
    result = levelled(cut, folder, rate=rate, lufs=-30.0, duck=("VO",))
    take = result.scored[0].takes[0]
    assert take.plain is not None
    assert len(read_sound(take.path, rate)) == len(read_sound(take.plain.path, rate)) == take.length
    assert take.length == result.scored[0].job.delivered_length(rate)
    assert integrated_loudness([read_sound(take.path, rate)], rate) is not None


def test_an_editors_move_and_trim_count(folder: Path) -> None:
    """Where the sound stands now is what is ducked, and what is heard of it is what is measured."""
    path = speech(folder / "voice.wav", [(5.0, 6.0)])
    cut = timeline(track(shot("a", frames=72)), voice(path))
    levelled(cut, folder)
    edited = load(folder / "cut_scored.otio")
    ours = next(our_clips(edited))
    ours.source_range = span(24, 36, 24)
    ours.parent().insert(0, gap(110))
    save(edited, folder / "cut_scored.otio")
    plain, ducked = levelled(cut, folder), levelled(cut, folder, duck=("VO",))
    assert gain_between(ducked, plain, 5.5) == pytest.approx(-9, abs=0.05)
    assert gain_between(ducked, plain, 4.7) == pytest.approx(0, abs=0.05)


# ---- where else levels must hold


def test_takes_that_are_added_get_the_levels_of_the_others(folder: Path) -> None:
    path = speech(folder / "voice.wav", [(2.0, 3.0)])
    cut = timeline(track(shot("a", frames=240)), voice(path))
    first = levelled(cut, folder, lufs=-30.0, duck=("VO",))
    source = ToneSource()
    answer = add_in_file(
        folder / "cut_scored.otio", 1, open_bundle=lambda name: (BUNDLE, lambda **_: source), probe=fake_probe
    )
    (ours,) = our_clips(answer.timeline)
    old, new = (
        read_sound(folder / ours.media_references()[key].target_url, RATE)[RATE : 4 * RATE]
        for key in ("take 1", "take 2")
    )
    assert [request.takes for request in source.requests] == [(2,)]
    np.testing.assert_allclose(new, old / 2, atol=1e-4)  # the source makes take 2 half as loud
    source = ToneSource()
    again = levelled(cut, folder, source, lufs=-30.0, duck=("VO",))
    assert source.requests == []
    assert [take.take for take in again.scored[0].takes] == [1, 2]
    assert again.scored[0].takes[0].path == first.scored[0].takes[0].path


def test_a_cut_with_a_transition_is_not_faded(folder: Path) -> None:
    dissolve = otio.schema.Transition(
        transition_type="SMPTE_Dissolve",
        in_offset=otio.opentime.RationalTime(12, 24),
        out_offset=otio.opentime.RationalTime(12, 24),
    )
    cut = timeline(track(shot("a", 48), dissolve, shot("b", 48)))
    plain, mixed = levelled(cut, folder), levelled(cut, folder, fade=200.0)
    assert gain_between(mixed, plain, 3.95) == pytest.approx(0, abs=0.01)
    assert gain_between(mixed, plain, 4.05) == pytest.approx(0, abs=0.01)
    assert gain_between(mixed, plain, 0.1) == pytest.approx(-6, abs=0.2)
    assert gain_between(mixed, plain, 7.9) == pytest.approx(-6, abs=0.2)


@pytest.fixture
def tones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's place is taken by tones."""
    monkeypatch.setattr("v2s_plugin.engine.open_bundle", lambda name: (None, BUNDLE))
    monkeypatch.setattr("v2s_plugin.engine.open_pipeline", lambda *_, **__: ToneSource())
    monkeypatch.setattr("v2s_plugin.media.library._engine_probe", lambda: fake_probe)


@pytest.mark.usefixtures("tones")
def test_the_hook_takes_the_same_options(folder: Path) -> None:
    path = speech(folder / "voice.wav", [(1.0, 2.0)])
    cut = timeline(track(shot()), voice(path))
    asked = {"media_folder": str(folder / "sounds"), "sound": "dog", "lufs": -30, "duck": "VO", "fade": 20}
    result = otio_adapter.hook_function(cut, {"v2s": asked})
    (ours,) = our_clips(result)
    assert ours.metadata["v2s"]["mix"]["lufs"] == -30.0
    assert "_mix_" in ours.media_reference.target_url
    for wrong, words in ({"lufs": 0}, "--lufs must lie"), ({"pan": "left"}, "pan must be"), ({"duck": "X"}, "--duck X"):
        with pytest.raises(UsageError, match=words):
            otio_adapter.hook_function(cut, {"v2s": asked | wrong})


def test_a_bundle_takes_the_plain_takes_in(folder: Path) -> None:
    cut = timeline(track(shot()))
    levelled(cut, folder, lufs=-30.0, output=folder / "out.otioz")
    source = ToneSource()
    again = levelled(cut, folder, source, lufs=-20.0, output=folder / "out.otioz")
    assert source.requests == []
    assert again.reused == 1


@pytest.mark.usefixtures("tones")
def test_the_command_takes_them_and_tells_both_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = speech(folder / "voice.wav", [(1.0, 2.0)])
    cut = save(timeline(track(shot()), voice(path)), folder / "cut.otio")
    asked = "--sound dog --lufs -30 --duck VO --duck-by 6 --fade 20 --json"
    assert main(["generate", str(cut), *asked.split()]) == 0
    (take,) = json.loads(capsys.readouterr().out)["sounds"][0]["takes"]
    assert Path(take["path"]).exists()
    assert Path(take["plain"]).exists()
    (ours,) = our_clips(load(folder / "cut_scored.otio"))
    mix = ours.metadata["v2s"]["mix"]
    assert (mix["lufs"], mix["duck_by"], mix["fade"], list(mix["duck"])) == (-30.0, 6.0, 20.0, ["VO"])
    assert main(["generate", str(cut), "--sound", "dog", "--force", "--pan", "left"]) == 2
    assert "pan must be one of mono, motion" in capsys.readouterr().err


def test_sounds_that_are_not_selected_keep_their_levels(folder: Path) -> None:
    cut = timeline(track(shot("a"), shot("b", 48)))
    first = levelled(cut, folder, lufs=-30.0)
    only = options(sound="dog", selection=Selection.parse(["clip=a"]))
    second = levelled(cut, folder, lufs=-20.0, plan=only)
    before, after = (
        [each.media_reference.target_url for each in our_clips(result.timeline)] for result in (first, second)
    )
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert (folder / after[1]).exists()
