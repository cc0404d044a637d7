"""Trainings on clips, through the command line: killed, resumed, shared by two processes, stopped early."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.media import cut_file, make_clip
from v2s_engine.audio import read_sound
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.train.checkpoint import read_checkpoint
from v2s_engine.train.clip_session import ClipSessionOptions, run_clip_session
from v2s_engine.train.clip_stream import ClipStreamOptions
from v2s_engine.train.journal import read_losses
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.preview import PreviewOptions
from v2s_engine.train.trainer import TrainOptions
from v2s_engine.train.training_presets import OptimiserOptions

SMALL = ModelChanges(
    hidden_size=8,
    mlp_size=8,
    embedding_size=4,
    encoder_window=4,
    picture_network="small",
    picture_size=32,
    picture_features=4,
)
SMALL_ARGUMENTS = [
    argument
    for name, value in vars(SMALL).items()
    if value is not None
    for argument in (f"--{name.replace('_', '-')}", str(value))
]
OPTIMISER = OptimiserOptions(warmup_steps=0, schedule="constant", clipping="value", averaging=None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of two categories, of which one is for validation and one for testing; and a bad file."""
    folder: Path = tmp_path_factory.mktemp("data")
    rows = ["file,category,split,licence,attribution"]
    for number, split in enumerate(("train", "train", "train", "train", "validation", "test")):
        make_clip(folder / f"{number}.mp4", frames=14 + 5 * number, flashes=(1, 4, 8 + number))
        rows.append(f"{number}.mp4,{'dog' if number % 2 else 'drum'},{split},CC0,Ann")
    cut_file(folder / "0.mp4", folder / "bad.mp4", 1 / 3)  # type: ignore[arg-type]
    make_clip(folder / "silent.mp4")
    rows += ["bad.mp4,dog,train,,", "silent.mp4,dog,train,,", "gone.mp4,dog,train,,"]
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder


def options(data: Path, output: Path, preset: str = "paper-frame", steps: int = 4, **more: Any) -> ClipSessionOptions:
    training = {"optimiser": OPTIMISER, "checkpoint_every": 2, "mixed_precision": False, **more.pop("training", {})}
    fields: dict[str, Any] = {
        "stream": ClipStreamOptions(rows=4),
        "changes": SMALL,
        "picture_weights": "random:0",
        "motion_weights": "random:1" if preset == "paper-flow" else "",
        "cache": data / "cache",
        "previews": PreviewOptions(length=0),
        "tensorboard": False,
    }
    return ClipSessionOptions(
        data / "index.csv", TrainOptions(output, steps, **training), preset=preset, **(fields | more)
    )


@pytest.mark.parametrize("preset", ["paper-frame", "paper-sequence", "paper-flow", "starter"])
def test_every_preset_trains_on_clips(preset: str, data: Path, tmp_path: Path) -> None:
    more: dict[str, Any] = {}
    if preset == "starter":
        more["changes"] = ModelChanges(hidden_size=8, mlp_size=8)
    if preset == "paper-flow":
        more["changes"] = ModelChanges(**(vars(SMALL) | {"motion_features": 3}))
    more["previews"] = PreviewOptions((0.9, 1.0), 4_000)
    (result,) = run_clip_session(options(data, tmp_path, preset, steps=2, **more), Progress())
    assert (result.step, result.samples) == (2, 2 * 4 * 512)
    assert {file for file, _ in result.left_out} == {"bad.mp4", "silent.mp4", "gone.mp4"}
    checkpoint = read_checkpoint(result.checkpoint)
    assert checkpoint.config.sound_classes == ("dog", "drum")
    assert sorted(each["file"] for each in checkpoint.material) == [f"{seed}.mp4" for seed in range(4)]  # none held out
    assert checkpoint.material[0]["licence"] == "CC0"
    (entry,) = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert 0 < entry["held_out_nats"] < 8
    assert entry["held_out_bits"] == pytest.approx(1.4427 * entry["held_out_nats"], rel=1e-4)
    written = sorted(path.name for path in (tmp_path / "previews").iterdir())
    assert written == ["000002_drum.png", "000002_drum.wav", "000002_drum_t0.90.wav"]  # what is held out is a drum
    assert len(read_sound(tmp_path / "previews" / "000002_drum.wav")) == 4_000


@pytest.mark.parametrize(("preset", "truncation"), [("paper-frame", "chunk"), ("paper-sequence", "coarse-tier")])
def test_resumed_gives_the_losses_of_an_uninterrupted_run(
    preset: str, truncation: str, data: Path, tmp_path: Path
) -> None:
    training = {"optimiser": dataclasses.replace(OPTIMISER, truncation=truncation), "checkpoint_every": 6}
    whole, cut = (options(data, tmp_path / name, preset, 6, training=training) for name in ("whole", "cut"))
    run_clip_session(whole, Progress())
    run_clip_session(dataclasses.replace(cut, max_hours=0.0), Progress())  # stops after one step
    assert len(read_losses(tmp_path / "cut")) == 1
    run_clip_session(dataclasses.replace(cut, resume=True), Progress())
    assert (tmp_path / "cut" / "losses.csv").read_text() == (tmp_path / "whole" / "losses.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "truncation"), [("paper-frame", "chunk"), ("paper-sequence", "coarse-tier")])
def test_killed_and_resumed_gives_the_losses_of_an_uninterrupted_run(
    preset: str, truncation: str, data: Path, tmp_path: Path
) -> None:
    arguments = ["--preset", preset, "--truncation", truncation, "--checkpoint-every", "5"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    with subprocess.Popen(command(data, cut, *arguments), stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(cut / "last.ckpt")
        finally:
            os.kill(process.pid, signal.SIGKILL)
    killed_after = read_checkpoint(cut / "last.ckpt").step
    assert killed_after >= 5
    steps = ["--max-steps", str(killed_after + 7)]
    train(data, cut, *arguments, *steps, "--resume")
    train(data, whole, *arguments, *steps)
    assert (cut / "losses.csv").read_text() == (whole / "losses.csv").read_text()  # every digit of every step
    assert [record.step for record in read_losses(cut)] == list(range(1, killed_after + 8))
    logs = [[json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()] for run in (whole, cut)]
    for one, other in zip(*logs, strict=True):
        assert {**one, "samples_per_second": 0} == {**other, "samples_per_second": 0}


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper-frame", "paper-sequence"])
def test_two_processes_do_what_one_does_with_all_rows(preset: str, data: Path, tmp_path: Path) -> None:
    arguments = ["--preset", preset, "--fill", "mask", "--checkpoint-every", "6", "--keep", "1"]
    train(data, tmp_path / "one", *arguments, "--max-steps", "30")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    two = command(data, tmp_path / "two", *arguments, "--max-steps", "18")
    ran = subprocess.run(
        [*torchrun, *two[1:]], capture_output=True, text=True, env=environment(), check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [str(tmp_path / "two" / "last.ckpt")]  # the first process alone speaks
    assert len(read_checkpoint(tmp_path / "two" / "last.ckpt").stream["numbers"]) == 4
    train(data, tmp_path / "two", *arguments, "--max-steps", "30", "--resume")  # and one process goes on
    one, two_ = read_losses(tmp_path / "one"), read_losses(tmp_path / "two")
    assert len(one) == len(two_) == 30
    for wanted, found in zip(one, two_, strict=True):
        assert found.samples == wanted.samples
        assert found.loss == pytest.approx(wanted.loss, abs=1e-5)
        assert found.encoder_gradient == pytest.approx(wanted.encoder_gradient, rel=1e-3, abs=1e-7)


def test_processes_started_wrongly(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="start several processes with torchrun"):
        run_clip_session(options(data, tmp_path), Progress())


def test_it_stops_when_the_held_out_loss_no_longer_falls(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([3.0, 2.0, 2.5, 2.1, 1.0, 9.0])
    monkeypatch.setattr("v2s_engine.train.clip_session.held_out_clip_loss", lambda model, clips: next(losses))
    training = {"checkpoint_every": 1, "patience": 2, "keep": 2}
    cut = options(data, tmp_path, steps=3, training=training)
    assert run_clip_session(cut, Progress())[0].step == 3
    go_on = options(data, tmp_path, steps=50, training=training, resume=True)  # the count goes on where it stood
    assert run_clip_session(go_on, Progress())[0].step == 4
    assert run_clip_session(go_on, Progress())[0].step == 4  # and a stopped training stays stopped
    assert sorted(path.name for path in tmp_path.glob("*.ckpt")) == [
        "best.ckpt",
        "last.ckpt",
        "step-000003.ckpt",
        "step-000004.ckpt",
    ]
    assert read_checkpoint(tmp_path / "best.ckpt").step == 2
    assert read_checkpoint(tmp_path / "last.ckpt").step == 4


def test_patience_wants_something_held_out(data: Path, tmp_path: Path) -> None:
    (data / "all.csv").write_text("file,category,split\n0.mp4,drum,train\n")
    alone = options(data, tmp_path, training={"patience": 1})
    with pytest.raises(UsageError, match="nothing is held out"):
        run_clip_session(ClipSessionOptions(**(vars(alone) | {"data": data / "all.csv"})), Progress())


def test_a_model_per_class_and_all_as_one(data: Path, tmp_path: Path) -> None:
    results = run_clip_session(options(data, tmp_path / "each", steps=1, per_class=True), Progress())
    assert [result.checkpoint.parent.name for result in results] == ["dog", "drum"]
    for result in results:
        config = read_checkpoint(result.checkpoint).config
        assert config.sound_classes == (result.checkpoint.parent.name,)
    (merged,) = run_clip_session(options(data, tmp_path / "one", steps=1, merge="any"), Progress())
    checkpoint = read_checkpoint(merged.checkpoint)
    assert checkpoint.config.sound_classes == ("any",)
    assert checkpoint.merged
    assert not read_checkpoint(results[0].checkpoint).merged
    assert len(checkpoint.material) == 4
    with pytest.raises(UsageError, match="take one of them"):
        run_clip_session(options(data, tmp_path, per_class=True, merge="any"), Progress())


def test_a_category_without_a_usable_clip_is_skipped_where_each_has_its_model(data: Path, tmp_path: Path) -> None:
    rows = ["file,category,split", "silent.mp4,dog,train", "0.mp4,drum,train", "2.mp4,rail,test"]
    (data / "some.csv").write_text("\n".join(rows) + "\n")
    some = dataclasses.replace(options(data, tmp_path, steps=1, per_class=True), data=data / "some.csv")
    (result,) = run_clip_session(some, Progress())
    assert result.checkpoint == tmp_path / "drum" / "last.ckpt"
    assert [file for file, _ in result.left_out] == ["silent.mp4", "dog", "rail"]
    (data / "none.csv").write_text("\n".join([rows[0], rows[1], rows[3]]) + "\n")
    with pytest.raises(UsageError, match=r"no usable clip to train on for dog \(silent.mp4"):
        run_clip_session(dataclasses.replace(some, data=data / "none.csv"), Progress())


def test_what_stops_a_later_model_is_said_before_the_first_is_trained(data: Path, tmp_path: Path) -> None:
    (tmp_path / "drum").mkdir()
    (tmp_path / "drum" / "last.ckpt").touch()
    with pytest.raises(OutputError, match="exists already"):
        run_clip_session(options(data, tmp_path, steps=1, per_class=True), Progress())
    patient = options(data, tmp_path / "patient", steps=1, per_class=True, training={"patience": 1})
    with pytest.raises(UsageError, match="nothing is held out"):  # for dogs there is nothing
        run_clip_session(patient, Progress())
    assert not list(tmp_path.glob("**/losses.csv"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"picture_weights": "random:7"}, "was trained with the visual encoder [0-9a-f]{64}, given is [0-9a-f]{64}"),
        ({"stream": ClipStreamOptions(rows=4, seed=9, fill="mask")}, "fill was loop, .*mask; seed was 0, .* is 9"),
        ({"classes": ("dog", "drum"), "data": "fewer.csv"}, "material was"),
    ],
)
def test_a_training_goes_on_with_the_same_only(
    changes: dict[str, Any], message: str, data: Path, tmp_path: Path
) -> None:
    lines = (data / "index.csv").read_text().splitlines()
    (data / "fewer.csv").write_text("\n".join(line for line in lines if not line.startswith("3.mp4")) + "\n")
    begun = options(data, tmp_path, steps=1)
    run_clip_session(begun, Progress())
    if "data" in changes:
        changes = changes | {"data": data / changes["data"]}
    with pytest.raises(UsageError, match=message):
        run_clip_session(dataclasses.replace(begun, resume=True, **changes), Progress())


def test_what_is_wrong_is_said_before_clips_are_looked_at(data: Path, tmp_path: Path) -> None:
    fresh = {"cache": tmp_path / "cache"}
    cut = options(
        data,
        tmp_path,
        "paper-sequence",
        training={"optimiser": dataclasses.replace(OPTIMISER, truncation="coarse-tier")},
        stream=ClipStreamOptions(rows=4, chunk_length=500),
        **fresh,
    )
    with pytest.raises(UsageError, match="truncated after 500 samples; wanted a multiple of 8 of at most 4096"):
        run_clip_session(cut, Progress())
    with pytest.raises(UsageError, match="does not fit conditioning vectors"):
        run_clip_session(options(data, tmp_path, stream=ClipStreamOptions(chunk_length=700), **fresh), Progress())
    with pytest.raises(UsageError, match="--workers must be at least 1; got 0"):
        options(data, tmp_path, workers=0)
    assert not (tmp_path / "cache").exists()


def test_a_category_without_a_usable_clip_is_an_error_that_says_why(data: Path, tmp_path: Path) -> None:
    (data / "silent.csv").write_text("file,category,split\n0.mp4,drum,train\nsilent.mp4,dog,train\n")
    silent = ClipSessionOptions(**(vars(options(data, tmp_path)) | {"data": data / "silent.csv"}))
    with pytest.raises(UsageError, match=r"no usable clip to train on for dog \(silent.mp4: .*silent throughout"):
        run_clip_session(silent, Progress())


def test_tensorboard_has_curves_sounds_and_spectrograms_also_after_a_resume(data: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    more: dict[str, Any] = {"previews": PreviewOptions((0.9, 1.0), 2_000), "tensorboard": True}
    run_clip_session(options(data, tmp_path, "paper-sequence", steps=3, **more), Progress())
    time.sleep(1.1)  # event files are named by the second
    run_clip_session(options(data, tmp_path, "paper-sequence", steps=5, resume=True, **more), Progress())
    board = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"scalars": 0, "audio": 0, "images": 0})
    board.Reload()
    tags = board.Tags()
    assert {"loss/nats", "loss/bits", "accuracy", "encoder_gradient_norm", "learning_rate"} <= set(tags["scalars"])
    assert {"loss/held_out_nats", "samples_per_second"} <= set(tags["scalars"])
    assert set(tags["audio"]) == {"drum/recorded", "drum/T=0.9", "drum/T=1"}
    assert tags["images"] == ["drum/spectrograms"]
    assert [event.step for event in board.Scalars("loss/nats")] == [1, 2, 3, 4, 5]
    losses = [record.loss for record in read_losses(tmp_path)]
    assert [event.value for event in board.Scalars("loss/nats")] == pytest.approx(losses, rel=1e-6)
    assert board.Scalars("encoder_gradient_norm")[0].value > 0  # every row starts a window
    assert board.Scalars("encoder_gradient_norm")[1].value == 0  # the second chunk tells the encoder nothing


def command(data: Path, output: Path, *arguments: str) -> list[str]:
    fixed = ["--data", str(data / "index.csv"), "-o", str(output), "--weights", "random:0", "--rows", "4"]
    quick = ["--cache", str(data / "cache"), "--preview-seconds", "0", "--no-tensorboard", "--full-precision"]
    return [sys.executable, "-m", "v2s_plugin.cli", "train", *fixed, *quick, *SMALL_ARGUMENTS, *arguments]


def train(data: Path, output: Path, *arguments: str) -> None:
    ran = subprocess.run(
        command(data, output, *arguments), capture_output=True, text=True, env=environment(), check=False
    )
    assert ran.returncode == 3, ran.stderr  # bad clips were left out


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 90
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)
