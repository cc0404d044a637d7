"""The command line, in this process: what goes to stdout and stderr, and the exit codes."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.media import make_clip
from tests.plugin.cuts import BUNDLE, ClickSource, clip, load, names_in, save, span, timeline, track
from tests.plugin.processes import run_python
from v2s_engine.errors import BundleNotFoundError
from v2s_engine.progress import Progress
from v2s_plugin import cli
from v2s_plugin.ours import our_clips
from v2s_plugin.timeline import read_timeline


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> ClickSource:
    """Stands in for the bundle and the pipeline of every command."""
    made = ClickSource()

    def open_bundle(name: str) -> tuple[None, Any]:
        if name != "starter":
            raise BundleNotFoundError(f"no bundle {name!r}")
        return None, BUNDLE

    monkeypatch.setattr("v2s_plugin.engine.open_bundle", open_bundle)
    monkeypatch.setattr("v2s_plugin.engine.open_pipeline", lambda bundle, device, **_: made)
    return made


@pytest.fixture
def cut(tmp_path: Path, source: ClickSource) -> Path:
    """A timeline of two clips, the second of which carries a marker."""
    make_clip(tmp_path / "a.mp4", frames=50, width=64, height=64)
    first = clip("first", "a.mp4", source=span(0, 24, 24))
    second = clip("second", "a.mp4", source=span(12, 24, 24), notes=["v2s:sound=drum"])
    return save(timeline(track(first, second)), tmp_path / "cut.otio")


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_generate_answers_with_the_output_and_talks_on_stderr(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate", cut, "--sound", "dog") == 0
    out, err = capsys.readouterr()
    assert out == f"{cut.parent / 'cut_scored.otio'}\n"
    assert "2 sounds in 2 takes on fake" in err
    assert "made on fake: it is a stand-in" in err.splitlines()
    assert "writing the sounds" in err.splitlines()
    assert names_in(cut.parent) == ["a.mp4", "cut.otio", "cut_scored.media", "cut_scored.otio"]


def test_some_clips_skipped_is_exit_3_with_reasons(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate", cut) == 3
    out, err = capsys.readouterr()
    assert out.endswith("cut_scored.otio\n")
    assert "skipped: first (V1 at 0.000 s): nothing says what it should sound like; give --sound CLASS" in err


def test_json_is_one_object_with_everything(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate", cut, "--sound", "dog", "--takes", 2, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["output"] == str(cut.parent / "cut_scored.otio")
    assert (answer["made"], answer["reused"], answer["device"], answer["skips"]) == (4, 0, "fake", [])
    assert answer["choice"] == {"device": "fake", "reason": "it is a stand-in", "speeds": {}}
    first, second = answer["sounds"]
    assert {take["device"] for take in first["takes"]} == {"fake"}
    assert (first["label"], first["sound"], first["start"], first["end"]) == ("first", "dog", 0.0, 1.0)
    assert second["sound"] == "drum"
    assert [take["take"] for take in first["takes"]] == [1, 2]
    assert all(Path(take["path"]).is_file() for take in first["takes"] + second["takes"])


@pytest.fixture
def in_cut_folder(
    cut: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> pytest.CaptureFixture[str]:
    monkeypatch.chdir(cut.parent)
    return capsys


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "message"),
    [
        (["generate", "no.otio"], 1, "TimelineNotFoundError", "no timeline at"),
        (["generate", "cut.txt"], 2, "UsageError", "V2S reads .otio"),
        (["generate", "cut.otio", "--sound", "cat"], 2, "UsageError", "it has: dog, drum"),
        (["generate", "cut.otio", "--rate", "8000"], 2, "UsageError", "44100"),
        (["generate", "cut.otio", "--takes", "0"], 2, "UsageError", "takes"),
        (["generate", "cut.otio", "--takes", "many"], 2, "UsageError", "--takes"),
        (["generate", "cut.otio", "--existing", "maybe"], 2, "UsageError", "skip, add"),
        (["generate", "cut.otio", "--device", "gpu"], 2, "UsageError", "unknown device 'gpu'; known: auto, cpu"),
        (["generate", "cut.otio", "--bundle", "none"], 1, "BundleNotFoundError", "no bundle 'none'"),
        (["generate", "cut.otio", "-o", "cut.otio"], 2, "UsageError", "--in-place"),
        (["generate", "cut.otio", "-o", "x.otio", "--in-place"], 2, "UsageError", "contradict"),
        (["generate", "cut.otio", "-o", "no/x.otio"], 1, "OutputError", "no folder"),
        (["generate", "cut.otio", "--nonsense"], 2, "UsageError", "--nonsense"),
        (["generate"], 2, "UsageError", "TIMELINE"),
        (["plan", "no.otio"], 1, "TimelineNotFoundError", "no timeline at"),
        (["remove", "no.otio"], 1, "TimelineNotFoundError", "no timeline at"),
        (["sing"], 2, "UsageError", "sing"),
    ],
)
def test_errors_have_their_exit_code_and_one_message_also_as_json(
    in_cut_folder: pytest.CaptureFixture[str], arguments: list[str], code: int, kind: str, message: str
) -> None:
    capsys = in_cut_folder
    assert run(*arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert run(*arguments, "--json") == code
    error = json.loads(capsys.readouterr().out)["error"]
    assert message in error["message"]
    assert error["kind"] == kind


def test_nothing_to_score_is_exit_1_with_every_reason(
    tmp_path: Path, source: ClickSource, capsys: pytest.CaptureFixture[str]
) -> None:
    shots = [clip(name, f"{name}.mp4", source=span(0, 24, 24)) for name in ("x", "y")]
    path = save(timeline(track(*shots)), tmp_path / "cut.otio")
    assert run("generate", path, "--sound", "dog") == 1
    err = capsys.readouterr().err
    assert "x (V1 at 0.000 s): no such file" in err
    assert "y (V1 at 1.000 s): no such file" in err
    assert run("generate", path, "--sound", "dog", "--json") == 1
    skips = json.loads(capsys.readouterr().out)["error"]["skips"]
    assert [skip["label"] for skip in skips] == ["x", "y"]


def test_an_existing_output_needs_force_and_then_what_is_there_is_used(
    cut: Path, source: ClickSource, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("generate", cut, "--sound", "dog") == 0
    assert run("generate", cut, "--sound", "dog") == 1
    assert "--force" in capsys.readouterr().err
    asked = len(source.requests)
    assert run("generate", cut, "--sound", "dog", "--force") == 0
    assert "2 of them from an earlier run" in capsys.readouterr().err
    assert len(source.requests) == asked


def test_every_option_of_generate_reaches_the_work(cut: Path, source: ClickSource) -> None:
    out = cut.parent / "x.otio"
    given = ("--sound-force", "dog", "--seed", 7, "--takes", 2, "--rate", 44100, "--existing", "add", "--device", "cpu")
    assert run("generate", cut, "-o", out, *given) == 0
    assert {request.sound_class for request in source.requests} == {"dog"}
    assert source.requests[0].takes == (1, 2)
    written = load(out)
    ours = next(iter(our_clips(written)))
    assert ours.media_reference.available_range.duration.rate == 44_100
    seed = source.requests[0].seed
    assert run("generate", cut, "-o", out, "--sound-force", "dog", "--force") == 0
    assert source.requests[-2].seed != seed


def test_in_place_and_remove_bring_back_the_timeline(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = load(cut)
    assert run("generate", cut, "--sound", "dog", "--in-place") == 0
    scored = load(cut)
    assert [each.name for each in scored.tracks] == ["V1", "V2S dog", "V2S drum"]
    assert (cut.parent / "cut.otio.bak").exists()
    capsys.readouterr()
    assert run("remove", cut, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "output": str(cut.parent / "cut_unscored.otio"),
        "tracks_removed": 2,
        "clips_removed": 2,
        "deleted": [],
    }
    assert load(cut.parent / "cut_unscored.otio").to_json_string() == before.to_json_string()
    assert run("remove", cut, "--in-place") == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{cut}\n", "2 tracks removed\n")
    assert load(cut).to_json_string() == before.to_json_string()


def test_remove_leaves_a_timeline_without_our_sounds_as_it_is(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = cut.read_bytes()
    assert run("remove", cut) == 0
    assert capsys.readouterr() == (f"{cut}\n", "nothing of V2S is on it; it stays as it is\n")
    assert run("remove", cut, "--in-place", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["output"], answer["tracks_removed"]) == (str(cut), 0)
    assert cut.read_bytes() == before
    assert not list(cut.parent.glob("*_unscored*")) + list(cut.parent.glob("*.bak"))
    assert run("remove", cut, "-o", cut.parent / "asked.otio") == 0  # who names a file gets it
    assert load(cut.parent / "asked.otio").to_json_string() == load(cut).to_json_string()


def test_clips_that_the_editor_disabled_are_listed_and_not_missed(
    cut: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = clip("off", "a.mp4", source=span(0, 24, 24), enabled=False)
    loud = clip("loud", "a.mp4", source=span(12, 24, 24), notes=["v2s:sound=drum"])
    hidden = track(clip("hidden", "a.mp4", source=span(0, 24, 24)), name="V2", enabled=False)
    save(timeline(track(off, loud), hidden), cut)
    for command in ("plan", "generate"):
        assert run(command, cut) == 0
        said = "".join(capsys.readouterr())
        assert "it is disabled; enable the clip to sound it" in said
        assert "its track is disabled; enable the track to sound it" in said


def test_clips_skipped_for_one_reason_are_one_line(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mute = [clip(f"c{number}", "a.mp4", source=span(0, 24, 24)) for number in range(6)]
    loud = clip("loud", "a.mp4", source=span(12, 24, 24), notes=["v2s:sound=drum"])
    save(timeline(track(*mute, loud)), cut)
    assert run("generate", cut) == 3
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped")]
    listed = "c0 (V1 at 0.000 s), c1 (V1 at 1.000 s), c2 (V1 at 2.000 s), c3 (V1 at 3.000 s) and 2 more"
    assert line.startswith(f"skipped: {listed}: nothing says what it should sound like; give --sound CLASS")


def test_remove_can_write_another_format(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = load(cut)
    assert run("generate", cut, "--sound", "dog") == 0
    assert run("remove", cut.parent / "cut_scored.otio", "--format", "otioz") == 0
    assert capsys.readouterr().out.endswith("cut_scored_unscored.otioz\n")
    found = read_timeline(cut.parent / "cut_scored_unscored.otioz")
    assert [track.name for track in found.tracks] == [track.name for track in before.tracks]


@pytest.mark.parametrize("command", [("remove",), ("takes",), ("takes", "--choose", "2")])
def test_our_clips_cannot_be_told_in_a_format_that_keeps_no_notes(
    cut: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert run("generate", cut, "--sound", "dog", "--format", "aaf") == 0
    capsys.readouterr()
    assert run(*command, cut.parent / "cut_scored.aaf") == 2
    copy = cut.parent / "cut_scored.media" / "cut_scored.otio"
    assert capsys.readouterr().err.endswith(f"give {copy}, which was written with it\n")
    assert not (cut.parent / "cut_scored_unscored.aaf").exists()


def test_what_a_run_leaves_over_is_told_and_pruned(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate", cut, "--sound", "dog", "--tracks", "single") == 0
    single = load(cut.parent / "cut_scored.otio")
    assert [each.name for each in single.tracks] == ["V1", "V2S"]
    changed = load(cut)
    del changed.tracks[0][1]
    save(changed, cut)
    capsys.readouterr()
    assert run("generate", cut, "--sound", "dog", "--force", "--json") == 0
    out, err = capsys.readouterr()
    (orphan,) = json.loads(out)["orphans"]
    assert [each["name"] for each in json.loads(out)["dropped"]] == ["second (drum)"]
    assert "left out: second (drum) (V2S at 1.000 s): no clip shows just this stretch of picture any more" in err
    assert f"not used any more (--prune deletes them): 1 WAV in {cut.parent / 'cut_scored.media'}" in err
    assert run("generate", cut, "--sound", "dog", "--force", "--prune") == 0
    assert "deleted: 1 WAV\n" in capsys.readouterr().err
    assert not Path(orphan).exists()


def test_plan_shows_jobs_and_skips_and_writes_nothing(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", cut) == 3
    out, _ = capsys.readouterr()
    assert out.splitlines()[0] == "V1 at 1.000 s: second: drum, 1.000 s"
    assert out.splitlines()[1].startswith("V1 at 0.000 s: first: skipped: nothing says")
    assert out.splitlines()[2] == "1 sound, 1 skipped"
    assert run("plan", cut, "--sound", "dog", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [job["sound"] for job in answer["jobs"]] == ["dog", "drum"]
    assert answer["bundle"] == "toy"
    assert names_in(cut.parent) == ["a.mp4", "cut.otio"]


def test_a_bug_is_told_in_one_line_and_shown_where_asked_for(
    cut: Path, source: ClickSource, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(source, "generate", bug)
    assert run("generate", cut, "--sound", "dog") == 1
    err = capsys.readouterr().err
    assert "please report it: ZeroDivisionError: oh. V2S_TRACEBACK=1 shows where." in err
    assert "Traceback" not in err
    monkeypatch.setenv("V2S_TRACEBACK", "1")
    assert run("generate", cut, "--sound", "dog") == 1
    assert "Traceback" in capsys.readouterr().err


class InterruptedSource(ClickSource):
    """Presses Ctrl-C while it works."""

    def generate(self, requests: Any, progress: Progress | None = None) -> Any:
        signal.raise_signal(signal.SIGINT)
        return super().generate(requests, progress)


def test_ctrl_c_stops_with_130_and_leaves_no_timeline(
    cut: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("v2s_plugin.engine.open_pipeline", lambda bundle, device, **_: InterruptedSource())
    assert run("generate", cut, "--sound", "dog") == 130
    assert "stopped on request" in capsys.readouterr().err
    assert not (cut.parent / "cut_scored.otio").exists()
    assert signal.getsignal(signal.SIGINT) is before
    assert run("generate", cut, "--sound", "dog", "--json") == 130
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "CancelledError"


def test_a_reader_that_left_is_no_error_message() -> None:
    """As in `v2s plan cut.otio | head -1`."""
    code = """
import os, sys
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
from v2s_plugin.cli import main
sys.exit(main(["bundles", "--json"]))
"""
    done = run_python(code)
    assert (done.returncode, done.stderr) == (1, "")


def test_on_a_terminal_a_bar_is_drawn(
    cut: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert run("generate", cut, "--sound", "dog") == 0
    err = capsys.readouterr().err
    assert "writing the sounds" in err
    assert "\x1b[" in err


def test_the_version_is_the_engines(capsys: pytest.CaptureFixture[str]) -> None:
    from v2s_engine import __version__

    assert run("--version") == 0
    assert capsys.readouterr().out == f"v2s {__version__}\n"


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "Commands:" in "".join(capsys.readouterr())


@pytest.mark.parametrize("command", [[], *[[name] for name in sorted(typer.main.get_command(cli.app).commands)]])
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command, "--help") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: v2s")
    assert err == ""
    for line in out.splitlines():
        assert "..." not in line.replace("[ARGS]...", "").replace("[OPTIONS]...", "")


def test_bundles_lists_what_came_with_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    from v2s_engine.bundle import known_bundles

    assert run("bundles", "--json") == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)["bundles"]] == list(known_bundles())
    assert run("bundles") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(known_bundles())
