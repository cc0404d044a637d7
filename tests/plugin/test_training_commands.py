"""From a folder of recordings to a bundle and a scored timeline, by the commands of the README."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.media import make_clip
from tests.plugin.cuts import clip, save, span, timeline, track
from v2s_engine.audio import write_wav
from v2s_engine.bundle import load_bundle
from v2s_plugin.cli import main


def bark(path: Path, seed: int) -> None:
    """Noise that swells and falls, so that its envelope can be followed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(12_000) / 16_000
    swell = 0.002 + 0.3 * np.sin(2 * np.pi * 2 * times) ** 4
    write_wav(path, (swell * np.random.default_rng(seed).uniform(-1, 1, 12_000)).astype(np.float32), 16_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("own")
    for seed in (1, 2):
        bark(made / "sounds" / "bark" / f"{seed}.wav", seed)
    return made


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    sounds, run, timing, to = (folder / name for name in ("sounds", "run", "timing", "bark"))
    assert main(["train", "--sounds", str(sounds), "-o", str(run), "--steps", "2", "--checkpoint-every", "1"]) == 0
    assert main(["train-timing", "-o", str(timing), "--scenes", "2", "--held-scenes", "2", "--passes", "1"]) == 0
    weights = ["--checkpoint", str(run / "last.ckpt"), "--timing", str(timing / "encoder.safetensors")]
    assert main(["export", *weights, "--name", "bark", "-o", str(to), "--licence", "CC0-1.0"]) == 0
    return to


def test_a_training_leaves_a_log_and_something_to_hear_and_see(bundle: Path, folder: Path) -> None:
    entries = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [1, 2]
    assert {"loss_nats", "loss_bits", "samples_per_second"} <= set(entries[0])
    previews = {path.name for path in (folder / "run" / "previews").iterdir()}
    assert previews == {f"{step:06d}_bark.{suffix}" for step in (1, 2) for suffix in ("wav", "png")}


def test_a_training_is_not_overwritten_but_goes_on_where_asked(
    bundle: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["train", "--sounds", str(folder / "sounds"), "-o", str(folder / "run"), "--json"]
    assert main([*again, "--steps", "3"]) == 1
    assert "add --resume to go on" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main([*again, "--steps", "3", "--resume"]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 3


def test_the_bundle_says_what_it_was_made_from(bundle: Path) -> None:
    description = load_bundle(str(bundle)).description
    assert [each["file"] for each in description["material"]] == ["bark/1.wav", "bark/2.wav"]
    assert description["training"] == {"steps": 2, "samples": 2 * 16 * 512}
    assert description["licence"] == "CC0-1.0"
    assert description["encoder_training"]


def test_the_bundle_sounds_a_timeline(bundle: Path, tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=30)
    cut = save(timeline(track(clip("a", "a.mp4", source=span(0, 25, 25)))), tmp_path / "cut.otio")
    assert main(["generate", str(cut), "--bundle", str(bundle)]) == 0  # its only class needs no naming
    assert len(list((tmp_path / "cut_scored.media").glob("a_bark_take1_*.wav"))) == 1


def test_following_is_measured(bundle: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "--bundle", str(bundle), "--sounds", str(folder / "sounds"), "--json"]
    assert main(arguments) == 0
    following = json.loads(capsys.readouterr().out)["following"]
    assert following["all"]["recordings"] == 2
    assert following["all"]["noise"] > 0.95


def test_training_on_clips(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clips" / "bark").mkdir(parents=True)
    for name, frames in (("a", 20), ("b", 30)):
        make_clip(tmp_path / "clips" / "bark" / f"{name}.mp4", frames=frames, flashes=(2, 9))
    (tmp_path / "clips" / "bark" / "broken.mp4").write_text("no clip")
    small = ["--hidden-size", "8", "--mlp-size", "8", "--picture-network", "small", "--picture-size", "32"]
    small += ["--picture-features", "4", "--weights", "random", "--rows", "2", "--preview-seconds", "0.1"]
    train = ["train", "--data", str(tmp_path / "clips"), *small, "--no-tensorboard", "--max-steps", "1"]
    assert main([*train, "-o", str(tmp_path / "run"), "--preset", "paper-sequence", "--json"]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out) == {"checkpoint": str(tmp_path / "run" / "last.ckpt"), "step": 1, "samples": 1024}
    assert "left out: bark/broken.mp4: " in told.err
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert main([*train, "-o", str(tmp_path / "each"), "--preset", "paper-frame", "--per-class", "--json"]) == 3
    assert [each["step"] for each in json.loads(capsys.readouterr().out)["models"]] == [1]
    assert (tmp_path / "each" / "bark" / "last.ckpt").exists()


def test_own_sounds_are_learned_from_where_the_starter_stands(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train = ["train", "--sounds", str(folder / "sounds"), "--preview-seconds", "0", "--no-tensorboard", "-o", str(run)]
    assert main([*train, "--from", "starter", "--steps", "1"]) == 0
    assert "started from starter: 24 of 24 weights; classes new to it: bark" in capsys.readouterr().err
    again = [*train, "--resume", "--steps", "2", "--json", "--from"]
    assert main([*again, "gone"]) == 0  # a training that stands there goes on with its own
    told = capsys.readouterr()
    assert json.loads(told.out)["step"] == 2
    assert "started from" not in told.err

    other = ["-o", str(tmp_path / "other"), "--from"]
    assert main([*train, *other, "gone"]) == 1
    assert main([*train, *other, "starter", "--hidden-size", "16"]) == 2
    assert "hidden_size is 256 there and 16 here" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_recordings_and_clips_are_not_mixed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (
        [],
        ["--sounds", str(folder / "sounds"), "--data", str(folder)],
        ["--sounds", str(folder / "sounds"), "--merge", "any"],
        ["--sounds", str(folder / "sounds"), "--preset", "paper-frame"],
        ["--sounds", str(folder / "sounds"), "--picture-size", "64"],
        ["--sounds", str(folder / "sounds"), "--weights", "random"],
        ["--sounds", str(folder / "sounds"), "--motion-weights", "random"],
        ["--sounds", str(folder / "sounds"), "--flow-weights", "random"],
        ["--sounds", str(folder / "sounds"), "--workers", "0"],
        ["--sounds", str(folder / "sounds"), "--encoder-window", "4"],
        ["--sounds", str(folder / "sounds"), "--fill", "mask"],
        ["--sounds", str(folder / "sounds"), "--seed", "-1"],
        ["--data", str(folder), "--manifest", "x.csv"],
        ["--data", str(folder), "--preset", "starter", "--weights", "random"],
        ["--data", str(folder), "--preset", "paper-frame", "--flow-weights", "random"],
        ["--data", str(folder), "--workers", "0"],
        ["--data", str(folder), "--fill", "tape"],
    ):
        assert main(["train", *wrong, "-o", str(folder / "other")]) == 2, wrong
    assert "either --sounds DIR" in capsys.readouterr().err
    assert not (folder / "other").exists()


def test_an_unknown_device_or_preset_is_wrong_use(folder: Path) -> None:
    train = ["train", "--sounds", str(folder / "sounds"), "-o", str(folder / "other")]
    assert main([*train, "--device", "abacus"]) == 2
    assert main([*train, "--preset", "huge"]) == 2
    assert not (folder / "other").exists()
