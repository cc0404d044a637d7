"""From a clip's pictures to the state that its sound starts from: the video encoder of `sequence` and `flow`."""

from __future__ import annotations

from torch import Tensor, nn

from v2s_engine.model.gru import Gru
from v2s_engine.options import ModelConfig


class PictureState(nn.Module):
    """A one-layer GRU over a window's features; its last state starts the coarsest tier ("Visual to Sound", 4b and 4c).

    As wide as the coarsest tier, so nothing stands between them. There is no visual input after that: how picture and
    sound go together in time is for the network to learn.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gru = Gru(config.feature_size, config.hidden_size)

    def forward(self, features: Tensor, state: Tensor | None = None) -> Tensor:
        """The state `[B, d]` after features `[B, T, V]`, from `state` `[B, d]` or, at a window's start, from zero."""
        if state is None:
            state = features.new_zeros(len(features), self.gru.weight_hh_l0.shape[1])
        last: Tensor = self.gru(features, state)[1]
        return last
