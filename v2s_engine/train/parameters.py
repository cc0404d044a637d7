"""A trained network's weights as plain arrays, out and in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.parametrize import is_parametrized

from v2s_engine.model.samplernn import SampleRNN

_PARAMETRISED = ".parametrizations."


def numpy_parameters(model: SampleRNN) -> dict[str, NDArray[np.float32]]:
    """The parameters that `SampleRNN` names, as float32 arrays with weight norm multiplied out."""
    return {name: tensor.detach().cpu().float().numpy().copy() for name, tensor in _plain_parameters(model)}


@torch.no_grad()
def set_parameters(model: SampleRNN, values: Mapping[str, NDArray[np.float32]]) -> None:
    """Write plain arrays, named as `numpy_parameters` names them, into the model; the rest of it stays.

    The parameters remain the same objects, so an optimiser keeps hold of them. Shapes must be the model's.
    """
    for name, value in values.items():
        place, _, attribute = name.rpartition(".")
        module = model.get_submodule(place)
        parameter: Tensor = getattr(module, attribute)
        given = torch.from_numpy(np.ascontiguousarray(value)).to(parameter)
        if is_parametrized(module, attribute):
            setattr(module, attribute, given)  # weight norm splits it into lengths and directions
        else:
            parameter.copy_(given)


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
