"""A trained network's weights as plain arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from v2s_engine.model.samplernn import SampleRNN


def numpy_parameters(model: SampleRNN) -> dict[str, NDArray[np.float32]]:
    """The parameters that `SampleRNN` names, as float32 arrays with weight norm multiplied out."""
    plain: dict[str, NDArray[np.float32]] = {}
    for name, parameter in model.named_parameters():
        if ".parametrizations." not in name:
            plain[name] = parameter.detach().cpu().float().numpy().copy()
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            plain[f"{name}.weight"] = module.weight.detach().cpu().float().numpy().copy()
    return plain
