import math

import torch

from v2s_engine.model.gru import Gru


def test_square_matrices_start_orthogonal_gate_by_gate_and_others_within_lecuns_bound() -> None:
    torch.manual_seed(0)
    square, wide = Gru(24, 24), Gru(96, 24)
    for matrix in (square.weight_ih_l0, square.weight_hh_l0, wide.weight_hh_l0):
        for gate in matrix.detach().chunk(3):
            torch.testing.assert_close(gate @ gate.T, torch.eye(24), atol=1e-5, rtol=0)
    largest = float(wide.weight_ih_l0.abs().max().detach())
    assert 0.95 * (3 / 96) ** 0.5 < largest <= (3 / 96) ** 0.5
    for bias in (square.bias_ih_l0, square.bias_hh_l0):
        assert not bias.any()


def test_a_gru_told_to_remember_keeps_its_first_state_for_as_long_as_that() -> None:
    torch.manual_seed(0)
    forgets, keeps = Gru(3, 64), Gru(3, 64)
    keeps.remember(1000)
    first, nothing = torch.rand(2, 64), torch.zeros(2, 200, 3)
    with torch.no_grad():
        for gru, heard in ((forgets, False), (keeps, True)):
            _, last = gru(nothing, first)
            assert bool((last[0] - last[1]).abs().max() > 1e-2) is heard
    update = keeps.bias_ih_l0.detach()[64:128]
    assert 0 <= float(update.min()) < 4
    assert 6 < float(update.max()) <= math.log(999)
    assert not keeps.bias_ih_l0[:64].any()
    assert not keeps.bias_ih_l0[128:].any()


def test_a_gru_told_to_remember_nothing_is_as_before() -> None:
    gru = Gru(3, 8)
    gru.remember(1)
    assert not gru.bias_ih_l0.any()
