"""`--only` and `--map` on the command line: what is planned, what is made, and what stays from before."""

import json
from pathlib import Path

import pytest

from tests.media import make_clip
from tests.plugin.cuts import BUNDLE, ClickSource, clip, gap, load, save, span, timeline, track
from v2s_plugin import cli
from v2s_plugin.ours import our_clips


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three clips: a and b on V1, c on V2 after them."""
    monkeypatch.setattr("v2s_plugin.engine.open_bundle", lambda name: (None, BUNDLE))
    monkeypatch.setattr("v2s_plugin.engine.open_pipeline", lambda bundle, device, **_: ClickSource())
    for name in "abc":
        make_clip(tmp_path / f"{name}.mp4", frames=50, width=64, height=64)
    a, b, c = (clip(name, f"{name}.mp4", source=span(0, 24, 24)) for name in "abc")
    return save(timeline(track(a, b), track(gap(48), c, name="V2")), tmp_path / "cut.otio")


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def names_on(path: Path) -> list[str]:
    written = load(path)
    return sorted(f"{each.name}: {each.metadata['v2s']['sound']}" for each in our_clips(written))


def test_plan_says_what_is_left_out(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", cut, "--sound", "dog", "--only", "track=V1", "--only", "clip=[bc]") == 0
    assert capsys.readouterr().out.splitlines() == [
        "V1 at 1.000 s: b: dog, 1.000 s",
        "1 sound, 0 skipped, 2 clips not selected",
    ]
    assert run("plan", cut, "--sound", "dog", "--only", "clip=b", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [job["label"] for job in answer["jobs"]] == ["b"]
    assert answer["unselected"] == ["a (V1 at 0.000 s)", "c (V2 at 2.000 s)"]


def test_a_map_names_classes_and_rows_for_nothing_are_warned_of(
    cut: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "classes.csv").write_text("a,dog\n[bc].mp4,drum\nz*,dog\n")
    assert run("plan", cut, "--map", tmp_path / "classes.csv") == 0
    out, err = capsys.readouterr()
    assert [line.split(": ")[2].split(",")[0] for line in out.splitlines()[:3]] == ["dog", "drum", "drum"]
    assert "warning: classes.csv line 3: 'z*' fits no clip" in err
    assert run("generate", cut, "--map", tmp_path / "classes.csv", "--json") == 0
    assert "classes.csv line 3" in json.loads(capsys.readouterr().out)["warnings"][0]


def test_wrong_use_is_exit_2_and_nothing_is_written(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in (["--only", "clip=zebra"], ["--only", "V1"], ["--map", "gone.csv"]):
        assert run("generate", cut, "--sound", "dog", *more) == 2
    assert not cut.with_name("cut_scored.otio").exists()
    assert "--only clip=zebra fits no clip; there are: a, b, c" in capsys.readouterr().err


def test_what_is_left_out_keeps_the_sound_it_has(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scored = cut.with_name("cut_scored.otio")
    assert run("generate", cut, "--sound", "dog") == 0
    before = names_on(scored)
    assert len(before) == 3
    assert run("generate", cut, "--sound", "drum", "--only", "clip=b", "--force") == 0
    assert [name.rpartition(": ")[2] for name in names_on(scored)] == ["dog", "drum", "dog"]
    assert "not selected: 2 clips" in capsys.readouterr().err
