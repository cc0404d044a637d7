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
