"""One command from a folder of recordings to a bundle of one's own: `v2s train --sounds DIR --name NAME`."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.media import make_clip
from tests.models import tiny_bundle
from tests.plugin.cuts import clip, save, span, timeline, track
from tests.recorded import record, steps
from v2s_engine.bundle import load_bundle
from v2s_plugin.cli import main

TINY = ["--rows", "2", "--max-steps", "2", "--checkpoint-every", "1", "--preview-seconds", "0.1", "--no-tensorboard"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("own")
    sounds = made / "my-footsteps"
    record(sounds / "hall.wav", steps(5, 44_100, 1), 44_100, channels=2)
    record(sounds / "wood" / "floor.flac", steps(5, 22_050, 2), 22_050)
    record(sounds / "wood" / "stairs.ogg", steps(5, 24_000, 3), 24_000)
    record(sounds / "silent.wav", np.zeros(16_000, np.float32), 16_000)
    (sounds / "broken.wav").write_bytes(b"RIFF")
    (sounds / "notes.txt").write_text("in the hall\n")
    tiny_bundle(made / "tiny", source_filter=True)
    return made


def train(folder: Path, *more: str) -> list[str]:
    given = ["train", "--sounds", str(folder / "my-footsteps"), "--name", "footsteps", "-o", str(folder / "run")]
    return [*given, "--from", str(folder / "tiny"), *TINY, *more]


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    assert main(train(folder)) == 0
    return folder / "run" / "bundle"


def test_the_bundle_sounds_a_timeline(bundle: Path, tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=12)
    cut = save(timeline(track(clip("a", "a.mp4", source=span(0, 10, 25)))), tmp_path / "cut.otio")
    assert main(["generate", str(cut), "--bundle", str(bundle), "--sound", "footsteps"]) == 0
    assert len(list((tmp_path / "cut_scored.media").glob("a_footsteps_take1_*.wav"))) == 1


def test_the_bundle_says_what_it_is_made_of_and_how_good_it_is(bundle: Path, folder: Path) -> None:
    told = load_bundle(str(bundle)).description
    report = json.loads((folder / "run" / "report.json").read_text())
    assert told["name"] == "footsteps"
    assert told["config"]["sound_classes"] == ["footsteps"]
    assert told["training"]["started_from"] == "tiny"
    assert report["verdict"] in told["summary"]
    assert told["quality"]["following"] == report["following"]
    assert {each["file"] for each in told["material"]} == {"hall.wav", "wood/floor.flac", "wood/stairs.ogg"}
    assert {name for name, _ in report["recordings"]["left_out"]} == {"broken.wav", "notes.txt", "silent.wav"}
    assert report["training"]["held_out"] is not None
    assert report["verdict"] in (folder / "run" / "report.md").read_text()
    assert len(list((folder / "run" / "previews").glob("*_footsteps.wav"))) == 2


def test_a_finished_training_is_not_overwritten_but_goes_on_where_asked(
    bundle: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load_bundle(str(bundle)).digest
    assert main(train(folder)) == 1
    assert "has been finished; add --resume" in capsys.readouterr().err
    assert load_bundle(str(bundle)).digest == before
    assert main(train(folder, "--max-steps", "3", "--resume", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["step"], told["bundle"]) == (3, str(bundle))
    assert told["verdict"]


@pytest.mark.parametrize("name", ["", " ", "a/b", "../up", "..", "-o", "dog\n", "a:b", "x" * 41, "v2s:cue"])
def test_odd_names_are_refused(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["train", "--sounds", str(folder / "my-footsteps"), f"--name={name}", "-o", str(folder / "odd")]
    assert main(given) == 2
    assert "cannot name a sound; wanted at most 40 letters" in capsys.readouterr().err
    assert not (folder / "odd").exists()


def test_what_does_not_go_with_a_name_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--name", "dog"]) == 2
    assert "--name wants --sounds DIR" in capsys.readouterr().err
    assert main(["train", "--sounds", str(folder / "my-footsteps")]) == 2
    assert "wants --output DIR" in capsys.readouterr().err
    for wrong in (
        ["--preset", "starter"],
        ["--manifest", "x.csv"],
        ["--data", "x"],
        ["--merge", "x"],
        ["--class", "x"],
    ):
        assert main(train(folder, *wrong, "-o", str(folder / "odd"))) == 2
        assert "leave one of them away" in capsys.readouterr().err
    assert not (folder / "odd").exists()


def test_nothing_to_learn_from_is_said(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    given = ["train", "--sounds", str(tmp_path / "empty"), "--name", "dog", "-o", str(tmp_path / "run")]
    assert main([*given, "--from", str(folder / "tiny")]) == 2
    assert "holds 0.0 s of sound in 0 usable files; at least 10 s are wanted" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
