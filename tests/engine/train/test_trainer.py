import os
import pickle
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from v2s_engine.corpus.recordings import Library, Material, Recording
from v2s_engine.errors import BundleDamagedError, CancelledError, OutputError, TrainingError, UsageError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.train.checkpoint import read_checkpoint, write_checkpoint
from v2s_engine.train.parameters import numpy_parameters
from v2s_engine.train.stream import ExcerptStream, StreamOptions
from v2s_engine.train.trainer import Trainer, TrainOptions
from v2s_engine.train.training_presets import OptimiserOptions

CONFIG = ModelConfig(("dog",), hidden_size=32, mlp_size=32, embedding_size=16, coarse_unit=16, mid_unit=4)


def library() -> Library:
    times = np.arange(24_000) / 16_000
    tone = (0.3 * np.sin(2 * np.pi * 500 * times) * (np.sin(2 * np.pi * 3 * times) > 0)).astype(np.float32)
    return Library((Recording(Material("dog/a.wav", "dog", 1.5, "CC0", "Ann", "0" * 64), tone),), ())


def options(folder: Path, steps: int = 6, learning_rate: float = 1.5e-3) -> TrainOptions:
    optimiser = OptimiserOptions(warmup_steps=2, learning_rate=learning_rate)
    return TrainOptions(folder, steps, optimiser, checkpoint_every=3)


def trainer(options: TrainOptions, config: ModelConfig = CONFIG, seed: int = 0, **more: Any) -> Trainer:
    held = library()
    stream = ExcerptStream(held.recordings, config, StreamOptions(rows=4, excerpt_length=8_192, seed=seed))
    return Trainer(config, stream, options, material=held.credits(), **more)


def test_the_loss_falls_from_that_of_guessing(tmp_path: Path) -> None:
    training = trainer(options(tmp_path, steps=30, learning_rate=1e-2))
    losses = [training.train_step().loss for _ in range(30)]
    assert losses[0] > np.log(256) - 0.5
    assert np.mean(losses[-5:]) < 4.0
    assert np.isfinite(losses).all()


def test_resuming_gives_the_losses_of_an_uninterrupted_run(tmp_path: Path) -> None:
    whole = trainer(options(tmp_path / "whole"))
    wanted = [whole.train_step() for _ in range(6)]

    first = trainer(options(tmp_path / "cut"))
    first.run(Progress(), stop_after=0.0)  # stops after one step, with a checkpoint
    assert first.step == 1
    second = trainer(options(tmp_path / "cut"))
    assert second.resume()
    assert [second.train_step() for _ in range(5)] == wanted[1:]
    for name, value in whole.averaged.state_dict().items():
        assert torch.equal(value, second.averaged.state_dict()[name])


def test_a_kill_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys
        sys.path[:0] = {[str(Path(__file__).parents[3]), str(Path(__file__).parent)]!r}
        from pathlib import Path
        from test_trainer import trainer, options, Progress
        progress = Progress(lambda event: print("step", event.done, flush=True))
        trainer(options(Path({str(tmp_path)!r}), steps=100_000)).run(progress)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("step 10")
        os.kill(process.pid, signal.SIGKILL)
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    assert checkpoint.step >= 9
    again = trainer(options(tmp_path, steps=100_000))
    assert again.resume()
    assert np.isfinite(again.train_step().loss)


def test_the_log_tells_loss_in_nats_and_bits(tmp_path: Path) -> None:
    trainer(options(tmp_path), on_checkpoint=lambda model, step: {"held_out_nats": float(step)}).run(Progress())
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert '"loss_nats"' in lines[0]
    assert '"loss_bits"' in lines[0]
    assert '"held_out_nats": 6.0' in lines[1]


def test_a_training_can_be_stopped(tmp_path: Path) -> None:
    progress = Progress()
    progress.cancel.set()
    with pytest.raises(CancelledError):
        trainer(options(tmp_path, steps=1000)).run(progress)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    trainer(options(tmp_path)).run(Progress())
    with pytest.raises(UsageError, match="asked for is"):
        trainer(options(tmp_path), ModelConfig(("dog",), hidden_size=16)).resume()


def test_other_batches_are_refused_with_what_differs(tmp_path: Path) -> None:
    trainer(options(tmp_path, steps=1)).run(Progress())
    with pytest.raises(UsageError, match="other batches: seed was 0, asked for is 9; give the same"):
        trainer(options(tmp_path), seed=9).resume()
    held = library().recordings[0]
    other = Recording(replace(held.material, sha256="1" * 64), held.samples)
    stream = ExcerptStream([other], CONFIG, StreamOptions(rows=4, excerpt_length=8_192))
    with pytest.raises(UsageError, match="other batches: material was"):
        Trainer(CONFIG, stream, options(tmp_path)).resume()
    plain = options(tmp_path)
    cut = replace(plain, optimiser=replace(plain.optimiser, truncation="coarse-tier", truncation_length=256))
    with pytest.raises(UsageError, match="truncation was chunk, asked for is coarse-tier; truncation_length was 512"):
        trainer(cut).resume()


def test_another_visual_encoder_is_refused(tmp_path: Path) -> None:
    trainer(options(tmp_path, steps=1), encoder_digest="a" * 64, merged=True).run(Progress())
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    assert (checkpoint.encoder_digest, checkpoint.merged) == ("a" * 64, True)
    with pytest.raises(UsageError, match=rf"encoder {'a' * 64}, given is {'b' * 64}; give the weights"):
        trainer(options(tmp_path), encoder_digest="b" * 64).resume()
    assert trainer(options(tmp_path), encoder_digest="a" * 64).resume()


def test_checkpoints_that_do_not_say_are_not_checked(tmp_path: Path) -> None:
    trainer(options(tmp_path, steps=1)).run(Progress())
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    for name in ("encoder_digest", "stream_print", "merged"):
        del content[name]
    torch.save(content, tmp_path / "last.ckpt")
    assert not read_checkpoint(tmp_path / "last.ckpt").merged
    assert trainer(options(tmp_path), seed=9, encoder_digest="b" * 64).resume()


def test_a_loss_that_is_no_number_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    trainer(options(tmp_path, steps=3)).run(Progress())
    again = trainer(options(tmp_path, steps=9))
    again.resume()
    with torch.no_grad():
        again.model.fine_output.bias[0] = torch.nan
    with pytest.raises(TrainingError, match=r"the loss is no number .* at step 4 with learning rate 0\.0\d+; "):
        again.run(Progress())
    assert read_checkpoint(tmp_path / "last.ckpt").step == 3


def test_weights_that_are_no_numbers_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = trainer(options(tmp_path, steps=1))

    def step(optimiser: torch.optim.Adam) -> None:
        with torch.no_grad():
            optimiser.param_groups[0]["params"][0].fill_(torch.nan)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    with pytest.raises(TrainingError, match="weights are no numbers any more at step 1"):
        training.run(Progress())
    assert not (tmp_path / "last.ckpt").exists()


def test_a_held_out_loss_that_is_no_number_counts_as_worse(tmp_path: Path) -> None:
    losses = iter([np.nan, 3.0, np.nan, np.nan, 1.0])
    training = trainer(
        replace(options(tmp_path, steps=9), checkpoint_every=1, patience=2),
        on_checkpoint=lambda model, step: {"held_out_nats": float(next(losses))},
    )
    training.run(Progress())
    assert training.step == 4
    assert read_checkpoint(tmp_path / "last.ckpt").best == (3.0, 2, 2)
    assert read_checkpoint(tmp_path / "best.ckpt").step == 2


def test_values_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seed must be at least 0; got -1"):
        TrainOptions(tmp_path, 1, seed=-1)
    for length in (500, 1024):  # neither a multiple of the coarsest unit, nor within a chunk of 512
        optimiser = OptimiserOptions(truncation="coarse-tier", truncation_length=length)
        with pytest.raises(
            UsageError, match=rf"truncated after {length} samples; wanted a multiple of 16 of at most 512"
        ):
            trainer(TrainOptions(tmp_path, 1, optimiser))


def test_a_checkpoint_with_parts_missing_is_damaged(tmp_path: Path) -> None:
    trainer(options(tmp_path, steps=1)).run(Progress())
    whole = torch.load(tmp_path / "last.ckpt", weights_only=True)
    for name in ("config", "step", "model", "state", "stream", "material"):
        torch.save({key: value for key, value in whole.items() if key != name}, tmp_path / "cut.ckpt")
        with pytest.raises(BundleDamagedError, match=rf"no whole checkpoint of format 1: .*{name}"):
            read_checkpoint(tmp_path / "cut.ckpt")
    torch.save(whole | {"config": {"colour": 1}}, tmp_path / "cut.ckpt")
    with pytest.raises(BundleDamagedError, match="unknown model option colour"):
        read_checkpoint(tmp_path / "cut.ckpt")


def test_pickled_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "evil.ckpt"
    path.write_bytes(pickle.dumps(Evil()))
    torch.save({"format": 1, "model": Evil()}, tmp_path / "evil2.ckpt")
    for each in (path, tmp_path / "evil2.ckpt"):
        with pytest.raises(BundleDamagedError, match="no checkpoint of plain tensors"):
            read_checkpoint(each)
    assert not (tmp_path / "ran").exists()


def test_a_missing_and_a_foreign_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BundleDamagedError, match="no checkpoint at"):
        read_checkpoint(tmp_path / "none.ckpt")
    torch.save({"format": 99}, tmp_path / "other.ckpt")
    with pytest.raises(BundleDamagedError, match="format 1"):
        read_checkpoint(tmp_path / "other.ckpt")


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = trainer(options(tmp_path))
    training.run(Progress())
    before = read_checkpoint(tmp_path / "last.ckpt")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="the one before is untouched"):
        write_checkpoint(before, tmp_path / "last.ckpt")
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / "last.ckpt").step == before.step
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "log.jsonl", "losses.csv"]


def test_weight_norm_is_multiplied_out_of_the_parameters() -> None:
    torch.manual_seed(0)
    normed = SampleRNN(ModelConfig(("dog",), hidden_size=16, mlp_size=16, weight_norm=True))
    with torch.no_grad():
        for parameter in normed.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    plain = SampleRNN(ModelConfig(("dog",), hidden_size=16, mlp_size=16))
    arrays = numpy_parameters(normed)
    assert set(arrays) == set(plain.state_dict())
    plain.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    codes = torch.randint(0, 256, (2, 8 + 256))
    conditioning = torch.randn(2, 1, 9)
    with torch.no_grad():
        one, _ = normed(codes, conditioning, normed.initial_state(2))
        other, _ = plain(codes, conditioning, plain.initial_state(2))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
