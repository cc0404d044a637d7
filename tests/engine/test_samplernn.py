"""The network that is trained: what it may know of when, and that pieces with carried state are the whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from v2s_engine.model.gru import Gru
from v2s_engine.model.samplernn import SampleRNN, TierState, scaled_amplitudes
from v2s_engine.options import LEVELS, ModelConfig

CONFIGS = {
    "(2,8)": ModelConfig(("dog",), hidden_size=16, mlp_size=24, embedding_size=8),
    "(4,16), long window": ModelConfig(
        ("dog", "drum"), hidden_size=24, mlp_size=16, coarse_unit=16, mid_unit=4, window=20, embedding_size=8
    ),
    "(16,64), window 2": ModelConfig(
        ("dog",), hidden_size=16, mlp_size=16, coarse_unit=64, mid_unit=16, window=2, embedding_size=8
    ),
    "mu-law off, weight norm": ModelConfig(
        ("dog",), hidden_size=16, mlp_size=16, window=2, embedding_size=8, quantisation="linear", weight_norm=True
    ),
}
LENGTH = 1024

every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def build(config: ModelConfig) -> SampleRNN:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = SampleRNN(config).eval().requires_grad_(False)
        for name, parameter in network.named_parameters():
            if "bias" in name or name.endswith("_start"):
                parameter.uniform_(-0.3, 0.3)
    return network


def without_weight_norm(network: SampleRNN) -> SampleRNN:
    for module in network.modules():
        for name in list(getattr(module, "parametrizations", ())):
            torch.nn.utils.parametrize.remove_parametrizations(module, name)
    return network


def inputs(config: ModelConfig, rows: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    codes = torch.randint(0, LEVELS, (rows, config.history_length + LENGTH), generator=generator)
    conditioning = torch.randn(
        rows, LENGTH // config.conditioning_length, config.conditioning_size, generator=generator
    )
    return codes, conditioning


@every_config
@pytest.mark.parametrize("changed", [0, 1, 7, 8, 63, 64, LENGTH - 2, LENGTH - 1])
def test_a_logit_knows_only_the_codes_before_it(config: ModelConfig, changed: int) -> None:
    network = build(config)
    codes, conditioning = inputs(config)
    before, _ = network(codes, conditioning, network.initial_state(2))
    codes[:, config.history_length + changed] ^= 129
    after, _ = network(codes, conditioning, network.initial_state(2))
    torch.testing.assert_close(after[:, : changed + 1], before[:, : changed + 1], rtol=0, atol=0)
    if changed + 1 < LENGTH:
        assert (after[:, changed + 1] != before[:, changed + 1]).any()


@every_config
def test_the_oldest_code_of_the_history_reaches_the_first_sample(config: ModelConfig) -> None:
    network = build(config)
    codes, conditioning = inputs(config)
    before, _ = network(codes, conditioning, network.initial_state(2))
    codes[:, 0] ^= 129
    after, _ = network(codes, conditioning, network.initial_state(2))
    assert (after[:, 0] != before[:, 0]).any()


@every_config
def test_conditioning_reaches_the_samples_it_covers_and_later_ones(config: ModelConfig) -> None:
    network = build(config)
    codes, conditioning = inputs(config)
    before, _ = network(codes, conditioning, network.initial_state(2))
    conditioning[:, 1] += 1
    after, _ = network(codes, conditioning, network.initial_state(2))
    start = config.conditioning_length
    torch.testing.assert_close(after[:, :start], before[:, :start], rtol=0, atol=0)
    assert (after[:, start] != before[:, start]).any()


@every_config
@pytest.mark.parametrize("vectors", [[1, 1, 1, 1], [1, 3], [2, 1, 1]])
def test_pieces_with_carried_state_are_the_whole(config: ModelConfig, vectors: list[int]) -> None:
    network, history, each = build(config), config.history_length, config.conditioning_length
    codes, conditioning = inputs(config)
    whole, wanted = network(codes, conditioning, network.initial_state(2))
    state, logits, first = network.initial_state(2), [], 0
    for count in vectors:
        window = codes[:, first * each : (first + count) * each + history]
        made, state = network(window, conditioning[:, first : first + count], state)
        logits.append(made)
        first += count
    torch.testing.assert_close(torch.cat(logits, dim=1), whole, rtol=0, atol=1e-5)
    torch.testing.assert_close(TierState(*state), wanted, rtol=0, atol=1e-5)


@every_config
def test_a_last_piece_may_use_its_vector_partly(config: ModelConfig) -> None:
    network, length = build(config), 256 + 64
    codes, conditioning = inputs(config)
    whole, _ = network(codes, conditioning, network.initial_state(2))
    part, _ = network(codes[:, : config.history_length + length], conditioning[:, :2], network.initial_state(2))
    torch.testing.assert_close(part, whole[:, :length], rtol=0, atol=1e-5)


@every_config
def test_rows_do_not_mix(config: ModelConfig) -> None:
    network = build(config)
    codes, conditioning = inputs(config, rows=3)
    together, _ = network(codes, conditioning, network.initial_state(3))
    alone, _ = network(codes[1:2], conditioning[1:2], network.initial_state(1))
    torch.testing.assert_close(alone, together[1:2], rtol=0, atol=1e-5)


def test_every_parameter_is_trained() -> None:
    config = CONFIGS["(2,8)"]
    network = build(config).requires_grad_(True)
    codes, conditioning = inputs(config)
    logits, _ = network(codes, conditioning, network.initial_state(2))
    targets = codes[:, config.history_length :]
    torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_weight_norm_changes_the_parameters_but_not_the_function() -> None:
    config = CONFIGS["(2,8)"]
    plain = build(config)
    normed = SampleRNN(ModelConfig.from_json(config.to_json() | {"weight_norm": True})).requires_grad_(False)
    lengths = [name for name, _ in normed.named_parameters() if name.endswith("original0")]
    assert len(lengths) == 7 + 2 * 2  # seven linear layers, two matrices in each of two GRUs
    codes, conditioning = inputs(config)
    without_weight_norm(normed).load_state_dict(plain.state_dict())
    wanted, _ = plain(codes, conditioning, plain.initial_state(2))
    got, _ = normed(codes, conditioning, normed.initial_state(2))
    torch.testing.assert_close(got, wanted)


def test_weight_norm_of_a_gru_matrix_is_per_output() -> None:
    """Twice the length of one output's weights is twice that row of the matrix, and no other."""
    network = build(CONFIGS["mu-law off, weight norm"])
    gru = network.mid_gru
    before = gru.weight_hh_l0.clone()
    gru.parametrizations.weight_hh_l0.original0[5] *= 2
    torch.testing.assert_close(gru.weight_hh_l0[5], 2 * before[5])
    torch.testing.assert_close(gru.weight_hh_l0[6:], before[6:])


def test_the_gru_is_pytorchs() -> None:
    torch.manual_seed(0)
    theirs, ours = torch.nn.GRU(5, 7, batch_first=True), Gru(5, 7)
    ours.load_state_dict(theirs.state_dict())
    inputs, state = torch.randn(3, 11, 5), torch.randn(3, 7)
    wanted, last = theirs(inputs, state[None])
    got, got_last = ours(inputs, state)
    torch.testing.assert_close(got, wanted, rtol=0, atol=0)
    torch.testing.assert_close(got_last, last[0], rtol=0, atol=0)


def test_silence_is_zero_and_full_scale_is_two() -> None:
    assert scaled_amplitudes(torch.tensor([0, 64, 128, 192])).tolist() == [-2, -1, 0, 1]
