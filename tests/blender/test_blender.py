"""The extension in a real Blender (the `bpy` wheel): installed from its zip, scored, mixed down, undone, run again."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blender.conftest import FAKE, REAL, Blender
from tests.blender.fake_worker import CLICK_AT
from tests.blender.listening import RATE, clicks, found_at, read_mix, sounding, tone
from tests.media import read_number
from v2s_engine.video import read_pictures

pytestmark = pytest.mark.programs

FPS = Fraction(24_000, 1001)
FRAME = float(1 / FPS)
FIRST = 1
"""The scene's first frame: second 0 of a mixdown."""


def second(frame: int) -> float:
    return float((frame - FIRST) / FPS)


def sounds(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [strip for strip in told["strips"] if strip["record"]]


def movies(told: dict[str, Any]) -> dict[str, Any]:
    return {strip["name"]: strip for strip in told["strips"] if strip["type"] in {"MOVIE", "SPEED"}}


def test_the_zip_installs_and_finds_its_worker_only_where_one_was_set(blender: Blender) -> None:
    installed = blender.installed
    assert ".".join(map(str, installed["version"])) == blender.version
    assert installed["enabled"]
    assert installed["unbaked"] == []
    assert {"LICENSE", "LICENSE-APACHE", "blender_manifest.toml", "client.py"} <= set(installed["files"])


def test_v2s_hosts_install_puts_it_where_blender_finds_it(blender: Blender, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blender, "folder", tmp_path)
        (tmp_path / "resources").mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "v2s_plugin.cli", "hosts", "install", "blender", "--dir", tmp_path / "resources"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert blender.run("switch_on") == {"command": REAL}


CUT_FRAMES = [
    *range(22, 100, 13),
    *range(100, 160, 9),
    *range(178, 230, 7),
    *range(250, 300, 7),
    *range(330, 390, 7),
    *(400, 429, 430, 500),
]
ADDED_FRAMES = [*range(100, 178, 11), *range(610, 660, 7)]


@pytest.mark.parametrize(("cut", "frames"), [("make_cut", CUT_FRAMES), ("make_added_cut", ADDED_FRAMES)])
def test_the_shots_are_the_pictures_that_blender_shows(
    blender: Blender, media: dict[str, str], folder: str, cut: str, frames: list[int]
) -> None:
    """Each frame is rendered by Blender; the number in its picture is the one the shot's times lead to."""
    told = blender.run("render_cut", media=media, folder=folder, frames=frames, cut=cut)
    rates = {media["ntsc"]: FPS, media["pal"]: Fraction(25), media["high"]: Fraction(60_000, 1001)}
    off, checked = [], 0
    for frame in frames:
        for name, start, end, path, source_start, as_text in told["shots"]:
            if not start <= frame < end:
                continue
            duration, speed = (end - start) / FPS, Fraction(as_text)
            inside = (frame - start) / FPS + 1 / FPS / 2  # the middle of the frame
            at = Fraction(source_start) + (inside if speed > 0 else duration - inside) * abs(speed)
            picture = next(iter(read_pictures(Path(told["shown"][str(frame)]), [Fraction(0)], width=160, height=120)))
            shown, wanted = read_number(picture), at * rates[path]
            checked += 1
            if abs(shown + 0.5 - wanted) > 0.8:  # Blender rounds to a whole picture where speeds are not 1
                off.append((name, frame, shown, float(wanted)))
    assert not off
    assert checked == len(frames)


def test_sounds_are_heard_where_the_pictures_are(blender: Blender, media: dict[str, str], folder: str) -> None:
    told = blender.run("generate_cut", media=media, folder=folder, settings={}, edits=["mix_down"])
    assert told["result"] == ["FINISHED"]
    placed = sounds(told["scored"])
    seen = movies(told["cut"])
    wanted = [seen[name] for name in ("trimmed", "pal", "fast", "slowed", "backwards", "whole", "whole.001")]
    assert [(each["start"], each["end"]) for each in placed] == [(each["start"], each["end"]) for each in wanted]
    assert all(each["channel"] == "V2S dog" for each in placed)
    mix = read_mix(told["mix_down"])
    onsets = clicks(mix)
    expected = [second(each["start"]) + float(CLICK_AT) for each in wanted]
    errors = np.subtract(onsets, expected)
    print(f"Blender {blender.version}: {len(onsets)} onsets, errors in ms: {np.round(errors * 1000, 3).tolist()}")
    assert np.abs(errors).max() < 0.001
    heard = sounding(mix)
    spans = [(second(each["start"]), second(each["end"])) for each in wanted]
    spans = [(spans[0][0], spans[1][1]), *spans[2:5], (spans[5][0], spans[6][1])]  # the first and the last two touch
    np.testing.assert_allclose(heard, spans, atol=FRAME)


def test_a_sound_for_a_strip_in_a_meta_strip_is_as_long_as_what_is_seen(
    blender: Blender, media: dict[str, str], folder: str
) -> None:
    told = blender.run(
        "generate_cut", media=media, folder=folder, settings={}, edits=["run_again"], cut="make_added_cut"
    )
    added, inner = sounds(told["scored"])
    assert (added["start"], added["end"]) == (100, 179)
    assert (inner["start"], inner["end"]) == (610, 660)
    assert sounds(told["run_again"]) == [added, inner]


def test_the_worker_is_told_exact_times(blender: Blender, media: dict[str, str], folder: str) -> None:
    settings = {"sound": "dog", "takes": 2, "seed": 7, "use_level": True, "level": -20.0, "bundle": "starter"}
    blender.run("generate_cut", media=media, folder=folder, settings=settings, edits=[])
    hello, request, *_ = blender.requests()
    assert hello["type"] == "hello"
    assert request["options"] == {
        "sound": "dog",
        "takes": 2,
        "seed": 7,
        "device": "auto",
        "lufs": -20.0,
        "bundle": "starter",
    }
    assert request["media_folder"] == str(Path(folder) / "v2s")
    first, pal = request["shots"][:2]
    assert first["media"] == media["ntsc"]
    assert Fraction(first["source_start"]) == 12 / FPS
    assert Fraction(first["duration"]) == 78 / FPS
    assert (first["speed"], first["frame_rate"]) == ("1/1", "24000/1001")
    assert Fraction(first["timeline_start"]) == 22 / FPS
    assert Fraction(pal["speed"]) == FPS / 25  # frame by frame


def test_all_of_it_is_one_step_to_undo(blender: Blender, media: dict[str, str], folder: str) -> None:
    told = blender.run(
        "generate_cut", media=media, folder=folder, settings={"takes": 2}, edits=["undo", "redo", "undo"]
    )
    assert len(sounds(told["scored"])) == 7
    assert told["undo"] == told["cut"] | {"remarks": told["undo"]["remarks"]}
    assert sounds(told["redo"]) == sounds(told["scored"])


def test_a_second_run_replaces_and_keeps_the_editors_changes(
    blender: Blender, media: dict[str, str], folder: str
) -> None:
    edits = ["edit_sounds", "reopen", "move_and_trim_movies", "run_again", "mix_down"]
    told = blender.run("generate_cut", media=media, folder=folder, settings={"takes": 3}, edits=edits)
    before, after = sounds(told["scored"]), sounds(told["run_again"])
    assert [each["record"]["shot"] for each in after] == [each["record"]["shot"] for each in before]
    seen = movies(told["run_again"])
    first, second_, third = after[:3]
    assert (first["start"], first["end"]) == (seen["trimmed"]["start"], seen["trimmed"]["end"])
    assert first["start"] == before[0]["start"] + 5
    assert first["volume"] == 0.25
    assert (second_["start"], second_["end"]) == (seen["pal"]["start"], seen["pal"]["end"])
    assert second_["end"] == before[1]["end"] - 7
    assert second_["record"]["take"] == 2
    assert third["start"] == seen["fast"]["start"] + 4
    assert all(sorted(each["record"]["takes"]) == ["1", "2", "3"] for each in after)
    assert {first["channel"], second_["channel"]} == {"V2S dog", "V2S dog 2"}  # they overlap now
    assert {each["channel"] for each in after[2:]} == {"V2S dog"}
    mix = read_mix(told["mix_down"])
    begin = second(second_["start"])
    assert tone(mix, begin + 0.3, begin + 1.5) == pytest.approx(880, abs=2)
    begin = second(third["start"])
    assert tone(mix, begin + 0.3, begin + 1.5) == pytest.approx(440, abs=2)


def test_an_unchanged_cut_stays_as_it_is_on_every_run(blender: Blender, media: dict[str, str], folder: str) -> None:
    edits = ["run_again", "mix_down", "change_class", "remove"]
    told = blender.run("generate_cut", media=media, folder=folder, settings={"sound": "dog"}, edits=edits)
    assert sounds(told["run_again"]) == sounds(told["scored"])
    assert len(clicks(read_mix(told["mix_down"]))) == 7
    drums = sounds(told["change_class"])
    assert [(each["start"], each["end"], each["channel"]) for each in drums] == [
        (each["start"], each["end"], "V2S drum") for each in sounds(told["scored"])
    ]
    assert told["change_class"]["channels"] == ["V2S drum"]
    assert sounds(told["remove"]) == []
    assert told["remove"]["channels"] == []
    assert [each["name"] for each in told["remove"]["strips"]] == [each["name"] for each in told["cut"]["strips"]]


def test_after_a_ripple_sounds_stand_on_the_channel_they_had(
    blender: Blender, media: dict[str, str], folder: str
) -> None:
    told = blender.run("generate_cut", media=media, folder=folder, settings={}, edits=["ripple", "run_again"])
    before, after = sounds(told["scored"]), sounds(told["run_again"])
    assert [each["start"] for each in after] == [each["start"] + 40 for each in before]
    assert {each["channel"] for each in after} == {"V2S dog"}
    assert told["run_again"]["channels"] == ["V2S dog"]


def test_a_sound_remembers_its_settings(blender: Blender, media: dict[str, str], folder: str) -> None:
    settings = {"sound": "drum", "takes": 2, "seed": 5}
    told = blender.run("generate_cut", media=media, folder=folder, settings=settings, edits=["reopen", "use_settings"])
    assert told["use_settings"] == settings


def test_strips_that_cannot_get_sound_are_named_with_the_reason(
    blender: Blender, media: dict[str, str], folder: str
) -> None:
    told = blender.run("refuse", media=media, folder=folder)
    remarks = "\n".join(told["scored"]["remarks"])
    for name, reason in {
        "muted": "it is muted",
        "sounding": "its own sound stands beside it",
        "gone": "cannot read",
        "slowed": "not one constant",
    }.items():
        assert f"{name}: " in remarks
        assert reason in remarks
    (good,) = sounds(told["scored"])
    assert good["start"] == 1
    (shot,) = blender.requests()[1]["shots"]
    assert shot["cues"] == ["1001/1000"]
    assert "no strip to make sound for" in told["nothing"]
    assert told["allowed"] == "{'FINISHED'}"
    assert [each["start"] for each in sounds(told["sounds"])] == [1, 200]


@pytest.mark.parametrize(("mode", "said"), [("fail", "no such bundle; name another"), ("die", "killed by a test")])
def test_a_worker_that_fails_is_reported_and_leaves_nothing(
    blender: Blender, media: dict[str, str], folder: str, mode: str, said: str
) -> None:
    blender.bake([*FAKE, str(blender.log), "--mode", mode])
    told = blender.run("fail", media=media, folder=folder)
    assert said in told["said"]
    assert sounds(told["scored"]) == []
    assert told["running"] is False


def test_without_a_worker_it_says_what_to_do(blender: Blender, media: dict[str, str], folder: str) -> None:
    blender.bake([])
    assert "v2s hosts install blender" in blender.run("no_worker", media=media, folder=folder, program="")["said"]
    told = blender.run("no_worker", media=media, folder=folder, program="/no/such/v2s")
    assert "cannot start the V2S worker /no/such/v2s" in told["said"]


def test_a_run_that_is_stopped_keeps_what_is_finished(blender: Blender, folder: str) -> None:
    command = [*FAKE, str(blender.log), "--mode", "slow"]
    told = blender.run("cancel", command=command, folder=folder)
    assert told == {"heard": ["progress", "clip"], "cancelled": True, "sounds": ["dog", "drum"]}
    assert blender.requests()[2]["type"] == "cancel"


def test_escape_stops_a_run_and_keeps_what_is_finished(blender: Blender, media: dict[str, str], folder: str) -> None:
    blender.bake([*FAKE, str(blender.log), "--mode", "slow"])
    told = blender.run("escape", media=media, folder=folder)
    assert told["results"] == ["FINISHED", "PASS_THROUGH", "RUNNING_MODAL"]
    assert "sample 0/7 trimmed" in told["texts"]
    assert told["reports"] == ["stopped; sound for 1 strip"]
    assert len(sounds(told["scored"])) == 1
    assert told["busy"]
    assert not told["running"]


def test_the_panels_show_fields_progress_and_takes(blender: Blender, media: dict[str, str], folder: str) -> None:
    told = blender.run("draw", media=media, folder=folder)
    assert not told["takes_before"]
    assert {"Strips", "Sound", "Takes", "Seed", "Bundle", "Level (LUFS)", "Make Sounds"} <= set(told["rest"])
    assert "Stop" not in told["rest"]
    assert {"25% sample 1/4", "Stop"} <= set(told["run"])
    assert "Make Sounds" not in told["run"]
    assert " ".join(line.strip() for line in told["run"][-2:]) == " ".join(["a:", *["long remark"] * 8])
    assert told["takes"][:4] == ["dog, seed 0", "1", "2 (pressed)", "3"]


def test_it_learns_from_the_worker_what_there_is(blender: Blender, folder: str) -> None:
    assert blender.run("ask", folder=folder) == {"sounds": ["dog", "drum"], "bundles": ["starter"]}


def test_the_real_worker_scores_the_cut(blender: Blender, media: dict[str, str], folder: str) -> None:
    """Sounds of `v2s worker`: each file is found again in the mix, to the sample where its strip begins."""
    blender.bake(REAL)
    settings = {"sound": "dog", "takes": 1}
    told = blender.run("generate_cut", media=media, folder=folder, settings=settings, edits=["mix_down", "run_again"])
    placed = sounds(told["scored"])
    assert told["result"] == ["FINISHED"], told["scored"]["remarks"]
    assert len(placed) == 7
    mix = read_mix(told["mix_down"])
    errors = []
    for strip in placed:
        made = read_mix(strip["path"])
        assert abs(len(made) - (strip["end"] - strip["start"]) / FPS * RATE) <= 1
        assert np.abs(made).max() > 0.01
        errors.append(found_at(mix, made) / RATE - second(strip["start"]))
    print(f"Blender {blender.version}: places in ms off: {np.round(np.multiply(errors, 1000), 3).tolist()}")
    assert np.abs(errors).max() < 0.001
    assert sounds(told["run_again"]) == placed
