"""A trained network's weights as plain arrays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from v2s_engine.model.samplernn import SampleRNN

_PARAMETRISED = ".parametrizations."


def numpy_parameters(model: SampleRNN) -> dict[str, NDArray[np.float32]]:
    """The parameters that `SampleRNN` names, as float32 arrays with weight norm multiplied out."""
    return {name: tensor.detach().cpu().float().numpy().copy() for name, tensor in _plain_parameters(model)}


def _plain_parameters(model: SampleRNN) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        if _PARAMETRISED not in name:
            yield name, parameter
        elif name.endswith(".original0"):  # there are two, the lengths and the directions; the module has the product
            place, of_module = name.removesuffix(".original0").split(_PARAMETRISED)
            yield f"{place}.{of_module}", getattr(model.get_submodule(place), of_module)


def parameter_count(model: SampleRNN) -> int:
    """How many numbers the model holds, the lengths of weight norm not counted: they add nothing to what it can be."""
    return sum(tensor.numel() for _, tensor in _plain_parameters(model))
