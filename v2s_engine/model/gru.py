"""A one-layer GRU whose input matrix may be put together at each call."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class Gru(nn.Module):
    """As `torch.nn.GRU` with one layer, batch first: same equations, same names and shapes of parameters.

    `torch.nn.GRU` keeps a list of its own weights, so that neither weight norm nor another input matrix reaches it.
    Here they are looked up at each call. The reset gate acts after the recurrent product.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(3 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(3 * hidden_size))
        self.initialise()

    def forward(
        self, inputs: Tensor, state: Tensor, input_weight: Tensor | None = None, input_bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """States `[B, S, d]` after each input `[B, S, I]`, from `state` `[B, d]`, and the last one `[B, d]`.

        `input_weight` `[3d, I]` and `input_bias` `[3d]`, where given, take the place of the GRU's own.
        """
        weights = [
            self.weight_ih_l0 if input_weight is None else input_weight,
            self.weight_hh_l0,
            self.bias_ih_l0 if input_bias is None else input_bias,
            self.bias_hh_l0,
        ]
        states, last = torch.gru(
            inputs,
            state.unsqueeze(0).contiguous(),
            weights,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=True,
        )
        return states, last[0]

    def normalise_weights(self) -> None:
        """Reparametrise both matrices by weight norm, one length per output (SampleRNN's reference code)."""
        for name in ("weight_ih_l0", "weight_hh_l0"):
            weight_norm(self, name)

    def initialise(self) -> None:
        """Orthogonal recurrent and square input matrices, LeCun-uniform other input ones, zero biases.

        As the reference code (`lib/ops.py`), gate by gate. That one has no biases on the recurrent side; those here are
        PyTorch's, and start at 0.
        """
        hidden_size, input_size = self.weight_hh_l0.shape[1], self.weight_ih_l0.shape[1]
        bound = (3.0 / input_size) ** 0.5
        nn.init.uniform_(self.weight_ih_l0, -bound, bound)
        square = [self.weight_hh_l0, self.weight_ih_l0] if input_size == hidden_size else [self.weight_hh_l0]
        for matrix in square:
            for gate in matrix.data.chunk(3):
                nn.init.orthogonal_(gate)

    def remember(self, steps: int) -> None:
        """Let the state last: memories of 1 to `steps` steps, evenly spread on a logarithmic scale, to start from.

        "Chrono initialisation": the update gate's bias is the logarithm of a uniform number in 1 .. `steps` - 1
        (Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018). A gate without bias forgets half at
        every step, and what the first state says is gone before a gradient could make use of it.
        """
        hidden_size = self.weight_hh_l0.shape[1]
        with torch.no_grad():
            update = self.bias_ih_l0[hidden_size : 2 * hidden_size]
            update.uniform_(1, max(2, steps) - 1).log_()
