"""A training that starts from another model computes, at first, what that one does."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.engine.train.made_clips import tiny
from tests.models import TINY, tiny_bundle
from v2s_engine.bundle import load_bundle
from v2s_engine.corpus.recordings import Library, Material, Recording
from v2s_engine.errors import BundleNotFoundError, UsageError
from v2s_engine.model.samplernn import SampleRNN, TierState
from v2s_engine.options import ModelConfig, VisualConfig
from v2s_engine.progress import Progress
from v2s_engine.sampling.cpu import CpuSampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.weights import load_folded
from v2s_engine.train.checkpoint import read_checkpoint, write_checkpoint
from v2s_engine.train.initial_weights import Origin, read_origin, take_over
from v2s_engine.train.parameters import numpy_parameters
from v2s_engine.train.processes import Processes
from v2s_engine.train.session import run_trainer
from v2s_engine.train.stream import ExcerptStream, StreamOptions
from v2s_engine.train.trainer import Trainer, TrainOptions
from v2s_engine.train.training_presets import OptimiserOptions

LENGTH = 2_048


def model(config: ModelConfig, seed: int) -> SampleRNN:
    """Random in every parameter, biases and learned starts as well."""
    torch.manual_seed(seed)
    made = SampleRNN(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.requires_grad and parameter.ndim == 1:
                parameter.uniform_(-0.3, 0.3)
    return made


def origin(config: ModelConfig) -> tuple[SampleRNN, Origin]:
    made = model(config, 1)
    return made, Origin("old", config, numpy_parameters(made))


def conditioning(config: ModelConfig, told: float, classes: dict[str, float]) -> torch.Tensor:
    """The same vector all the time: every number that is told of pictures, and a weight for each class."""
    vector = torch.full((config.conditioning_size,), told)
    vector[config.conditioning_size - len(config.sound_classes) :] = 0
    for name, value in classes.items():
        vector[config.conditioning_size - len(config.sound_classes) + config.class_index(name)] = value
    return vector.expand(1, LENGTH // config.conditioning_length, -1)


@torch.inference_mode()
def logits(
    network: SampleRNN, told: float, classes: dict[str, float], coarse: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    config = network.config
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, config.history_length + LENGTH)))
    start = network.coarse_start if coarse is None else torch.from_numpy(coarse)
    state = TierState(start.expand(1, -1), network.mid_start.expand(1, -1))
    found = network(codes, conditioning(config, told, classes), state)[0]
    return np.asarray(found[0].numpy(), np.float32)


def same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return bool(np.abs(one - other).max() < 1e-4 * np.abs(one).max())


@pytest.mark.parametrize(("before", "after"), [(False, False), (True, True), (False, True), (True, False)])
def test_old_classes_sound_as_before_and_a_new_one_as_their_mean(before: bool, after: bool) -> None:
    old, known = origin(tiny("envelope", weight_norm=before))
    new = model(dataclasses.replace(old.config, sound_classes=("drum", "bell", "dog"), weight_norm=after), 2)
    assert not same(logits(new, 0.7, {"dog": 1}), logits(old, 0.7, {"dog": 1}))
    taken = take_over(new, known)
    for name in ("dog", "drum"):
        assert same(logits(new, 0.7, {name: 1}), logits(old, 0.7, {name: 1}))
    assert same(logits(new, 0.7, {"bell": 1}), logits(old, 0.7, {"dog": 0.5, "drum": 0.5}))
    assert not same(logits(old, 0.7, {"dog": 1}), logits(old, 0.7, {"drum": 1}))
    assert (taken.left, taken.new_classes) == ((), ("bell",))
    assert str(taken) == f"started from old: {len(taken.taken)} of {len(taken.taken)} weights; classes new to it: bell"


@pytest.mark.parametrize("expansions", [(0, 0), (12, 12), (0, 12), (12, 0), (12, 16)])
def test_frames_are_not_heard_of_at_first(expansions: tuple[int, int]) -> None:
    before, after = expansions
    old, known = origin(tiny("sequence", sample_expansion=before, weight_norm=True))
    new = model(tiny("frame", sample_expansion=after, weight_norm=True), 2)
    taken = take_over(new, known)
    state = np.linspace(-0.5, 0.5, 8, dtype=np.float32)
    wanted = logits(old, 0, {"drum": 1}, state)
    assert same(logits(new, 0.9, {"drum": 1}, state), wanted)
    assert not same(wanted, logits(old, 0, {"drum": 1}))
    changed = ("coarse_input.weight", "coarse_input.bias") if after and after != before else ()
    assert set(taken.left) == {"coarse_start", *changed}  # it had none: its pictures said how a sound starts


def test_what_looks_at_a_window_is_taken_where_it_sees_the_same() -> None:
    old, known = origin(tiny("sequence"))
    features = torch.rand(1, 4, 6)
    new = model(tiny("flow"), 2)
    taken = take_over(new, known)
    assert torch.equal(new.picture_start(features), old.picture_start(features))
    assert taken.left == ("coarse_start",)
    other = model(tiny("sequence", visual=VisualConfig("small", 32, 5)), 2)
    assert {name for name in take_over(other, known).left if name != "coarse_start"} == {
        name for name in known.parameters if name.startswith("pictures.")
    }
    assert same(logits(other, 0, {"dog": 1}), logits(old, 0, {"dog": 1}))


def test_a_coarsest_tier_that_never_had_to_remember_is_left() -> None:
    _, known = origin(tiny("frame"))
    new = model(tiny("sequence"), 2)
    before = {name: parameter.clone() for name, parameter in new.named_parameters()}
    taken = take_over(new, known)
    wanted = {name for name in before if name.startswith(("coarse_gru.", "coarse_start", "pictures."))}
    assert set(taken.left) == wanted
    for name, parameter in new.named_parameters():
        assert torch.equal(parameter, before[name]) is (name in wanted or not before[name].any())


def test_features_are_taken_from_the_same_look_only() -> None:
    old, known = origin(tiny("frame"))
    new = model(tiny("frame"), 2)
    take_over(new, known)
    assert same(logits(new, 0.4, {"dog": 1}), logits(old, 0.4, {"dog": 1}))
    looks = dataclasses.replace(old.config.visual or VisualConfig(), picture_size=48)
    other = model(tiny("frame", visual=looks), 2)
    take_over(other, known)
    assert same(logits(other, 0.4, {"dog": 1}), logits(old, 0.0, {"dog": 1}))


def test_what_cannot_be_taken_is_refused_with_each_difference() -> None:
    _, known = origin(tiny("envelope"))
    new = model(tiny("envelope", hidden_size=16, quantisation="mu-law", pre_emphasis=0.85), 2)
    before = numpy_parameters(new)
    with pytest.raises(UsageError, match=r"hidden_size is 8 there and 16 here; quantisation is linear .*; pre_emph"):
        take_over(new, known)
    assert all(np.array_equal(value, before[name]) for name, value in numpy_parameters(new).items())
    with pytest.raises(UsageError, match="sample_expansion 3 here is less than coarse_unit, 8"):
        take_over(model(tiny("frame", sample_expansion=3), 2), known)
    with pytest.raises(BundleNotFoundError, match=r"nothing to start from at 'huge'.*starter"):
        read_origin("huge")


def test_the_starter_is_taken_as_it_sounds() -> None:
    bundle, known = load_bundle("starter"), read_origin("starter")
    untrained = fold_weights(numpy_parameters(new := SampleRNN(bundle.config)), bundle.config)
    taken = take_over(new, known)
    assert (taken.origin, taken.left, taken.new_classes) == ("starter", (), ())
    assert known.material == bundle.description["material"]
    shipped = CpuSampler(load_folded(bundle.sampler_path, bundle.config))
    told = np.zeros((1, 8, bundle.config.conditioning_size), np.float32)
    codes, _ = shipped.generate(shipped.start([Row(1, 1)]), told, 2048)
    learned, random = CpuSampler(fold_weights(numpy_parameters(new), new.config)), CpuSampler(untrained)
    wanted, got, other = (
        torch.from_numpy(run.logits(run.start([Row(1, 1)]), codes, told)[0]).log_softmax(-1)
        for run in (shipped, learned, random)
    )
    # Shipped weights are rounded to 8 bits, which moves what is drawn by less than a thousandth of a nat.
    assert torch.nn.functional.kl_div(wanted[0], got[0], log_target=True, reduction="batchmean") < 0.002
    assert torch.nn.functional.kl_div(other[0], got[0], log_target=True, reduction="batchmean") > 0.5


def test_a_bundle_is_found_by_its_folder(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny")
    torch.manual_seed(5)
    new = SampleRNN(TINY)
    take_over(new, read_origin(str(bundle.path)))
    stored = read_origin(str(bundle.path)).parameters
    assert all(np.array_equal(value, stored[name]) for name, value in numpy_parameters(new).items())


CONFIG = tiny("envelope", weight_norm=True)


def trainer(folder: Path, steps: int = 2, sound_classes: tuple[str, ...] = ("dog", "drum"), seed: int = 0) -> Trainer:
    config = dataclasses.replace(CONFIG, sound_classes=sound_classes)
    rng = np.random.default_rng(3)
    library = Library(
        tuple(
            Recording(
                Material(f"{name}.wav", name, 1.0, "CC BY", name, "0" * 64),
                rng.uniform(-0.5, 0.5, 16_000).astype(np.float32),
            )
            for name in sound_classes
        ),
        (),
    )
    stream = ExcerptStream(library.recordings, config, StreamOptions(rows=4, excerpt_length=8_192))
    options = TrainOptions(folder, steps, OptimiserOptions(learning_rate=3e-3, warmup_steps=0), seed=seed)
    return Trainer(config, stream, options, material=library.credits())


def run(training: Trainer, start: Origin | None = None) -> Any:
    one = Processes(device=torch.device("cpu"))
    return run_trainer(training, one, Progress(), origin=start, resume=True, max_hours=None, left_out=())


def test_a_training_goes_on_from_the_averaged_weights_and_owes_the_same_credits(tmp_path: Path) -> None:
    run(trainer(tmp_path / "old", 20))
    path = tmp_path / "old" / "last.ckpt"
    checkpoint = read_checkpoint(path)
    spoiled = {name: torch.full_like(value, torch.nan) for name, value in checkpoint.model.items()}
    older = {"file": "bell.wav", "sound_class": "bell", "sha256": "0" * 64}  # says less than is said now
    other = dataclasses.replace(checkpoint, model=spoiled, material=[*checkpoint.material, older])
    write_checkpoint(other, path)  # only what is averaged may be read

    new = trainer(tmp_path / "new", 3, ("bell",), seed=1)
    weights = list(new.model.parameters())
    before = numpy_parameters(new.averaged)
    taken = new.start_from(read_origin(str(path)))
    assert taken.origin == "old/last.ckpt"
    assert all(one is other for one, other in zip(weights, new.model.parameters(), strict=True))
    assert not np.array_equal(numpy_parameters(new.averaged)["mid_up.weight"], before["mid_up.weight"])
    for name, value in numpy_parameters(new.averaged).items():
        assert np.array_equal(value, numpy_parameters(new.model)[name])

    result = run(new, read_origin(str(path)))
    written = read_checkpoint(result.checkpoint)
    assert result.started_from == taken
    assert written.started_from == "old/last.ckpt"
    assert [each["file"] for each in written.material] == ["bell.wav", "dog.wav", "drum.wav"]
    assert not torch.equal(written.model["mid_up.bias"], checkpoint.averaged["mid_up.bias"])  # it learned on

    again = run(trainer(tmp_path / "new", 4, ("bell",), seed=1))
    written = read_checkpoint(again.checkpoint)
    assert (again.step, again.started_from, written.started_from) == (4, None, "old/last.ckpt")
    assert [each["file"] for each in written.material] == ["bell.wav", "dog.wav", "drum.wav"]
