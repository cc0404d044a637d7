"""What every conditioning promises, from the trained network to the samplers that run: one suite for all four."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.model.conditioning import (
    Conditioning,
    class_conditioning,
    envelope_conditioning,
    frame_conditioning,
    looped,
    picture_conditioning,
    picture_windows,
)
from v2s_engine.model.samplernn import SampleRNN, TierState
from v2s_engine.options import LEVELS, SILENCE_CODE, ModelConfig, VisualConfig
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.lockstep import RowJob, sample_lockstep
from v2s_engine.sampling.sampler import Row
from v2s_engine.train.parameters import numpy_parameters, parameter_count
from v2s_engine.train.presets import preset_config

PICTURES = VisualConfig("small", picture_size=32, picture_features=80)
SMALL = {"hidden_size": 16, "mlp_size": 16, "embedding_size": 8, "window": 2, "quantisation": "linear"}
TWO = ("dog", "drum")
CONFIGS = {
    "envelope": ModelConfig(TWO, **SMALL),
    "frame": ModelConfig(TWO, conditioning="frame", visual=PICTURES, sample_expansion=24, weight_norm=True, **SMALL),
    "sequence": ModelConfig(TWO, conditioning="sequence", visual=PICTURES, encoder_window=3, weight_norm=True, **SMALL),
    "flow": ModelConfig(
        TWO, conditioning="flow", visual=replace(PICTURES, motion_features=8), encoder_window=3, **SMALL
    ),
}
COUNT = 8  # pictures: for sequence and flow two whole windows and two thirds of one
LENGTH = COUNT * FRAME_LENGTH

every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
from_pictures = pytest.mark.parametrize("name", ["frame", "sequence", "flow"])
from_windows = pytest.mark.parametrize("name", ["sequence", "flow"])


@cache
def build(config: ModelConfig) -> SampleRNN:
    with torch.random.fork_rng():
        torch.manual_seed(11)
        network = SampleRNN(config).eval().requires_grad_(False)
        for name, parameter in network.named_parameters():
            if "bias" in name or name == "mid_start":
                parameter.uniform_(-0.3, 0.3)
    return network


@dataclass(frozen=True)
class Seen:
    """What there is to see (or, for envelope, to hear) of one clip."""

    told: NDArray[np.float32]

    def conditioning(self, network: SampleRNN, class_index: int = 0) -> Conditioning:
        config = network.config
        if config.conditioning == "envelope":
            return Conditioning(envelope_conditioning(Envelope.from_loudness(self.told), class_index, config))
        start_of = network.picture_starts if config.starts_from_pictures else None
        return picture_conditioning(self.told, len(self.told), class_index, config, start_of)


def seen(config: ModelConfig, seed: int = 0) -> Seen:
    rng = np.random.default_rng(seed)
    if config.conditioning == "envelope":
        return Seen(rng.uniform(-60, -10, COUNT * 4).astype(np.float32))
    return Seen(rng.normal(size=(COUNT, config.feature_size)).astype(np.float32))


def codes(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, LEVELS, LENGTH, dtype=np.uint8)


def teacher_forced(network: SampleRNN, sound: NDArray[np.uint8], conditioning: Conditioning) -> NDArray[np.float32]:
    """Logits `[L, 256]` by the plain way: the network over each window, lower tiers and history carried over."""
    config = network.config
    window = config.encoder_window_length if conditioning.starts is not None else len(sound)
    vectors_each = window // config.conditioning_length
    whole = torch.from_numpy(np.concatenate([np.full(config.history_length, SILENCE_CODE, np.uint8), sound])).long()
    state: TierState | None = None
    logits = []
    for number, first in enumerate(range(0, len(sound), window)):
        start = None if conditioning.starts is None else torch.from_numpy(conditioning.starts[number : number + 1])
        fresh = network.initial_state(1, start)
        state = fresh if state is None else TierState(fresh.coarse, state.mid)
        piece = whole[None, first : min(first + window, len(sound)) + config.history_length]
        vectors = conditioning.vectors[number * vectors_each : (number + 1) * vectors_each]
        made, state = network(piece, torch.from_numpy(vectors[None]), state)
        logits.append(made[0])
    return np.asarray(torch.cat(logits).numpy())


@every_config
def test_vectors_cover_the_sound_and_starts_its_windows(config: ModelConfig) -> None:
    made = seen(config).conditioning(build(config))
    assert made.vectors.shape == (LENGTH // config.conditioning_length, config.conditioning_size)
    assert made.vectors.dtype == np.float32
    if config.starts_from_pictures:
        assert made.starts is not None
        assert made.starts.shape == (3, config.hidden_size)
    else:
        assert made.starts is None


@every_config
def test_every_parameter_is_trained(config: ModelConfig) -> None:
    network = SampleRNN(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "bias" in name:
                parameter.uniform_(-0.3, 0.3)
    rows = [seen(config, 1), seen(config, 2)]
    if config.starts_from_pictures:
        windows = np.stack([picture_windows(each.told, config)[0] for each in rows])
        state = network.initial_state(2, network.picture_start(torch.from_numpy(windows)))
        vectors = np.stack([class_conditioning(1, index, config) for index in (0, 1)])
    else:
        state = network.initial_state(2)
        vectors = np.stack([each.conditioning(network, row).vectors[:4] for row, each in enumerate(rows)])
    sound = torch.from_numpy(np.stack([codes(1), codes(2)])[:, : config.history_length + FRAME_LENGTH]).long()
    logits, _ = network(sound, torch.from_numpy(vectors), state)
    torch.nn.functional.cross_entropy(logits.transpose(1, 2), sound[:, config.history_length :]).backward()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
        else:
            assert name == "coarse_start"
            assert config.starts_from_pictures


@every_config
@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_samplers_make_of_it_what_the_network_makes(config: ModelConfig, device: str) -> None:
    network = build(config)
    sampler = open_sampler(fold_weights(numpy_parameters(network), config), device)  # type: ignore[arg-type]
    conditioning, sound = seen(config).conditioning(network), codes()
    wanted = teacher_forced(network, sound, conditioning)
    state, made, first = sampler.start([Row(1, 1)]), [], 0
    window = config.encoder_window_length if conditioning.starts is not None else LENGTH
    each = config.conditioning_length
    while first < LENGTH:
        if conditioning.starts is not None:
            state = state.with_coarse(conditioning.starts[[first // window]])
        last = min(first + window, LENGTH)
        vectors = conditioning.vectors[None, first // each : -(-last // each)]
        logits, state = sampler.logits(state, sound[None, first:last], vectors)
        made.append(logits[0])
        first = last
    np.testing.assert_allclose(np.concatenate(made), wanted, rtol=0, atol=2e-4)


@every_config
def test_what_is_sampled_in_lockstep_is_drawn_window_by_window(config: ModelConfig) -> None:
    """Across windows, and beside a sound of another length, the codes are those of one sound made alone by hand."""
    network = build(config)
    sampler = open_sampler(fold_weights(numpy_parameters(network), config), "cpu")
    jobs = [
        RowJob(Row(5, take), made.vectors, length, made.starts)
        for take, (made, length) in enumerate(
            [(seen(config, 3).conditioning(network), LENGTH - 100), (seen(config, 4).conditioning(network, 1), 5_000)]
        )
    ]
    waiting = iter(enumerate(jobs))
    together = dict(sample_lockstep(sampler, lambda wait: next(waiting, None), 2, lambda tag, done: None))
    for number, job in enumerate(jobs):
        np.testing.assert_array_equal(together[number], by_hand(sampler, job, config))


def by_hand(sampler, job: RowJob, config: ModelConfig) -> NDArray[np.uint8]:  # type: ignore[no-untyped-def]
    state, made = sampler.start([job.row]), []
    for picture in range(-(-job.length // FRAME_LENGTH)):
        if job.starts is not None and picture % config.encoder_window == 0:
            state = replace(state, coarse=job.starts[[picture // config.encoder_window]])
        first = picture * FRAME_LENGTH // config.conditioning_length
        piece, state = sampler.generate(state, job.conditioning[None, first:], FRAME_LENGTH)
        made.append(piece[0])
    return np.concatenate(made)[: job.length]


@every_config
def test_the_sound_class_is_heard(config: ModelConfig) -> None:
    network, sound = build(config), codes()
    one, other = (teacher_forced(network, sound, seen(config).conditioning(network, index)) for index in (0, 1))
    assert np.abs(one - other).max() > 1e-3


@from_pictures
def test_pictures_are_heard_where_they_may_be(name: str) -> None:
    """`frame`: from the changed picture on. `sequence`, `flow`: from the start of its window on."""
    config = CONFIGS[name]
    network, sound, clip = build(config), codes(), seen(config)
    before = teacher_forced(network, sound, clip.conditioning(network))
    for picture in (1, 4, 7):
        changed = clip.told.copy()
        changed[picture] += 1
        after = teacher_forced(network, sound, Seen(changed).conditioning(network))
        start = picture if name == "frame" else picture // config.encoder_window * config.encoder_window
        np.testing.assert_array_equal(after[: start * FRAME_LENGTH], before[: start * FRAME_LENGTH])
        assert np.abs(after[start * FRAME_LENGTH] - before[start * FRAME_LENGTH]).max() > 1e-4


@from_windows
def test_an_untrained_coarsest_tier_remembers_its_pictures_through_the_window(name: str) -> None:
    torch.manual_seed(3)
    network = SampleRNN(replace(CONFIGS[name], hidden_size=32)).eval().requires_grad_(False)
    config = network.config
    codes = torch.full((2, config.history_length + config.encoder_window_length), SILENCE_CODE)
    classes = torch.zeros(2, config.encoder_window, config.conditioning_size)
    starts = torch.linspace(-1, 1, 2)[:, None].expand(2, 32)
    _, last = network.coarse_tier(codes, classes, starts)
    assert float((last[0] - last[1]).abs().max()) > 0.1


@from_windows
def test_the_lower_tiers_go_on_across_a_window(name: str) -> None:
    """What was heard before a seam changes what is drawn after it, though the coarsest tier starts anew there."""
    config = CONFIGS[name]
    network, sound = build(config), codes()
    seam = config.encoder_window_length
    conditioning = seen(config).conditioning(network)
    before = teacher_forced(network, sound, conditioning)
    changed = sound.copy()
    changed[seam - 200 : seam - 100] ^= 129
    after = teacher_forced(network, changed, conditioning)
    assert np.abs(after[seam] - before[seam]).max() > 1e-6


@from_windows
def test_a_state_is_wanted_where_pictures_give_it_and_refused_elsewhere(name: str) -> None:
    with pytest.raises(UsageError, match="give its result"):
        build(CONFIGS[name]).initial_state(2)
    with pytest.raises(UsageError, match="give no other"):
        build(CONFIGS["frame"]).initial_state(2, torch.zeros(2, 16))
    with pytest.raises(UsageError, match="no state from pictures"):
        build(CONFIGS["frame"]).picture_start(torch.zeros(2, 3, 80))
    with pytest.raises(UsageError, match="whole windows"):
        build(CONFIGS[name]).picture_start(torch.zeros(2, 2, CONFIGS[name].feature_size))


@from_windows
def test_restarting_a_clip_and_entering_a_window_are_not_the_same(name: str) -> None:
    network = build(CONFIGS[name])
    old = TierState(torch.full((3, 16), 0.5), torch.full((3, 16), 0.25))
    coarse = torch.full((3, 16), 0.75)
    reset, window = torch.tensor([True, False, False]), torch.tensor([True, True, False])
    state = network.restarted(old, reset, coarse, window)
    assert state.coarse[:, 0].tolist() == [0.75, 0.75, 0.5]
    torch.testing.assert_close(state.mid, torch.stack([network.mid_start, old.mid[1], old.mid[2]]))


@pytest.mark.parametrize("rows", [1, 2, 100])
@pytest.mark.parametrize("length", [512, 2048, 4608])
def test_projecting_vectors_once_is_repeating_them(rows: int, length: int) -> None:
    """However many vectors a batch has, the coarsest tier computes what a GRU over repeated vectors computes."""
    config = CONFIGS["frame"]
    network = build(config)
    generator = torch.Generator().manual_seed(1)
    sound = torch.randint(0, LEVELS, (rows, config.history_length + length), generator=generator)
    vectors = torch.randn(rows, -(-length // FRAME_LENGTH), config.conditioning_size, generator=generator)
    start = torch.randn(rows, config.hidden_size, generator=generator)
    got, _ = network.coarse_tier(sound, vectors, start)

    assert network.coarse_input is not None
    samples = ((sound[:, :length].float() - 128) / 64).reshape(rows, -1, 8)
    repeated = vectors.repeat_interleave(FRAME_LENGTH // 8, dim=1)[:, : length // 8]
    plain = torch.nn.GRU(24 + config.conditioning_size, config.hidden_size, batch_first=True)
    plain.load_state_dict(
        {key: getattr(network.coarse_gru, key) for key in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")}
    )
    wanted, _ = plain(torch.cat([network.coarse_input(samples), repeated], dim=2), start[None])
    torch.testing.assert_close(got, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("preset", "millions", "pictures"),
    [("paper-frame", 43.9, 0), ("paper-sequence", 34.5, 15.7), ("paper-flow", 47.0, 28.3)],
)
def test_presets_have_the_papers_sizes(preset: str, millions: float, pictures: float) -> None:
    with torch.device("meta"):
        network = SampleRNN(replace(preset_config(preset, ("dog",)), weight_norm=False))
    assert parameter_count(network) / 1e6 == pytest.approx(millions, abs=0.06)
    encoder = network.pictures.parameters() if network.pictures else ()
    assert sum(each.numel() for each in encoder) / 1e6 == pytest.approx(pictures, abs=0.06)


def test_a_temporal_network_of_1024_gives_the_smaller_flow_model() -> None:
    """paper.md 8.10 has both sizes, since which one the paper used is not known."""
    config = preset_config("paper-flow", ("dog",))
    with torch.device("meta"):
        network = SampleRNN(replace(config, visual=VisualConfig(motion_features=1024), weight_norm=False))
    assert parameter_count(network) / 1e6 == pytest.approx(37.6, abs=0.06)


def test_the_coarsest_tier_of_the_frame_preset_is_three_quarters_of_it() -> None:
    with torch.device("meta"):
        network = SampleRNN(replace(preset_config("paper-frame", ("dog",)), weight_norm=False))
    names = ("coarse_input", "coarse_gru", "coarse_up")
    count = sum(value.numel() for name, value in network.named_parameters() if name.startswith(names))
    assert count / 1e6 == pytest.approx(32.6, abs=0.06)


@from_pictures
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 11])
def test_any_clips_pictures_can_stand_with_a_sound_of_any_length(name: str, count: int) -> None:
    """Vectors are looped or cut to the sound; windows are whole ones of the clip, as in training."""
    config, clip = CONFIGS[name], seen(CONFIGS[name])
    network = build(config)
    start_of = network.picture_starts if config.starts_from_pictures else None
    made = picture_conditioning(clip.told, count, 1, config, start_of)
    assert len(made.vectors) == count
    if name == "frame":
        np.testing.assert_array_equal(made.vectors[:, :80], looped(clip.told, count))
    else:
        whole = clip.told if count <= COUNT else looped(clip.told, count)
        windows = picture_windows(whole, config)[: -(-count // config.encoder_window)]
        assert made.starts is not None
        np.testing.assert_array_equal(made.starts, network.picture_starts(windows))


@given(st.integers(1, 9), st.integers(0, 40))
def test_looping_repeats_from_the_start(count: int, length: int) -> None:
    values = np.arange(count)
    assert looped(values, length).tolist() == [index % count for index in range(length)]


def test_picture_and_sound_are_looped_together() -> None:
    """After looping, sample t still belongs to picture t // 1024: both go round at whole pictures."""
    features, sound = np.arange(5)[:, None], np.repeat(np.arange(5), FRAME_LENGTH)
    long_features, long_sound = looped(features, 12)[:, 0], looped(sound, 12 * FRAME_LENGTH)
    np.testing.assert_array_equal(long_sound, np.repeat(long_features, FRAME_LENGTH))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_windows_hold_every_picture_in_order_and_the_last_is_looped(count: int) -> None:
    config = CONFIGS["sequence"]
    features = np.random.default_rng(0).normal(size=(count, 80)).astype(np.float32)
    windows = picture_windows(features, config)
    assert windows.shape == (-(-count // 3), 3, 80)
    np.testing.assert_array_equal(windows.reshape(-1, 80)[:count], features)
    rest = features[count // 3 * 3 :] if count % 3 else features[-3:]
    np.testing.assert_array_equal(windows[-1], looped(rest, 3))


@pytest.mark.parametrize(
    "make",
    [
        lambda config: picture_windows(np.zeros((0, 80), np.float32), config),
        lambda config: picture_windows(np.zeros((3, 79), np.float32), config),
        lambda config: frame_conditioning(np.zeros(80, np.float32), 0, replace(config, conditioning="frame")),
        lambda config: looped(np.zeros((0, 2)), 4),
    ],
)
def test_what_is_no_clip_is_refused(make: Callable[[ModelConfig], object]) -> None:
    with pytest.raises(UsageError, match=r"wanted \[pictures, 80\]|nothing to repeat"):
        make(CONFIGS["sequence"])
