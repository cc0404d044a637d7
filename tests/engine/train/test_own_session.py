"""Training on a plain folder of own recordings: what it starts from, how it stops, and how it goes on."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.models import tiny_bundle
from tests.recorded import record, steps
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.train import checkpoint as checkpoints
from v2s_engine.train.checkpoint import read_checkpoint
from v2s_engine.train.own_session import OwnSessionOptions, OwnTraining, run_own_session
from v2s_engine.train.preview import PreviewOptions
from v2s_engine.train.stream import StreamOptions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("own")
    for seed in range(4):
        record(made / "sounds" / f"{seed}.wav", steps(4, 16_000, seed), 16_000)
    tiny_bundle(made / "tiny", source_filter=True)
    tiny_bundle(made / "old")
    return made


def options(folder: Path, output: Path, **more: Any) -> OwnSessionOptions:
    asked = OwnSessionOptions(
        sounds=folder / "sounds",
        name="footsteps",
        output=output,
        stream=StreamOptions(rows=2, excerpt_length=4_096),
        steps=20,
        checkpoint_every=20,
        origin=str(folder / "tiny"),
        previews=PreviewOptions(length=0),
        tensorboard=False,
    )
    return replace(asked, **more)


def run(asked: OwnSessionOptions, progress: Progress | None = None) -> OwnTraining:
    return run_own_session(asked, progress or Progress(), lambda line: None)


def test_it_starts_from_the_origins_weights_and_sizes_and_stops_with_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C sets `cancel`; the same command with --resume does what is left."""
    progress = Progress(lambda event: progress.cancel.set() if event.stage == "train" else None)
    with pytest.raises(CancelledError, match=r"stopped at step 1[01] of 20; .*--resume goes on"):
        run(options(folder, tmp_path), progress)
    stopped = read_checkpoint(tmp_path / "last.ckpt")
    assert stopped.step in (10, 11)
    assert (stopped.config.hidden_size, stopped.config.sound_classes) == (16, ("footsteps",))
    assert stopped.started_from == "tiny"

    with pytest.raises(OutputError, match="--resume to go on"):
        run(options(folder, tmp_path))
    with pytest.raises(UsageError, match="learns footsteps, asked for is barks"):
        run(options(folder, tmp_path, name="barks", resume=True))
    done = run(options(folder, tmp_path, steps=None, resume=True, origin="gone"))  # as it was planned
    assert done.is_done
    assert done.session.step == 20
    assert done.best == tmp_path / "best.ckpt"
    assert (tmp_path / "palette.safetensors").exists()
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(math.isfinite(entry["held_out_nats"]) for entry in log)


def test_a_limit_of_time_makes_a_shorter_plan(folder: Path, tmp_path: Path) -> None:
    heard: list[ProgressEvent] = []
    asked = options(folder, tmp_path, steps=None, checkpoint_every=None, max_hours=1e-7)
    done = run(asked, Progress(heard.append))
    assert done.plan.steps == 1
    assert done.session.step == 1


def test_a_model_that_does_not_fit_is_refused_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pre_emphasis is 0.85 there and 0.0 here.*--from none"):
        run(options(folder, tmp_path / "run", origin=str(folder / "old")))
    with pytest.raises(UsageError, match="--max-hours wants a time above 0"):
        options(folder, tmp_path / "run", max_hours=0)
    assert not (tmp_path / "run").exists()


def test_a_full_disk_loses_nothing_that_was_trained(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(options(folder, tmp_path, steps=1))
    before = read_checkpoint(tmp_path / "last.ckpt")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(OutputError, match="No space left on device; the one before is untouched"):
        run(options(folder, tmp_path, steps=2, resume=True))
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / "last.ckpt").step == before.step
    assert run(options(folder, tmp_path, steps=2, resume=True)).session.step == 2
