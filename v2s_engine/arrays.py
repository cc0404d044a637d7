"""Numbers in host memory or on a GPU, NumPy's or PyTorch's: the few operations on both that conditioning takes.

Nobody loads PyTorch by this who holds none of its tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

FloatArray: TypeAlias = "NDArray[np.float32] | Tensor"
"""float32, in host memory or where PyTorch has it. Both are sliced alike and know their `shape`."""


def joined(arrays: Sequence[FloatArray], axis: int = 0) -> FloatArray:
    """One array of several that lie in the same place, behind each other. Raises `TypeError` where they do not."""
    if all(isinstance(array, np.ndarray) for array in arrays):
        return np.concatenate(cast("Sequence[NDArray[np.float32]]", arrays), axis)
    import torch  # noqa: PLC0415 - loaded already: there is a tensor

    return torch.cat(cast("list[Tensor]", list(arrays)), axis)


def beside(array: NDArray[np.float32], other: FloatArray) -> FloatArray:
    """`array` in the place where `other` lies."""
    if isinstance(other, np.ndarray):
        return array
    import torch  # noqa: PLC0415 - loaded already: there is a tensor

    return torch.from_numpy(array).to(other.device)


def on_host(array: FloatArray) -> NDArray[np.float32]:
    """`array` in host memory."""
    if isinstance(array, np.ndarray):
        return array
    host: NDArray[np.float32] = array.cpu().numpy()
    return host


def is_float32(array: FloatArray) -> bool:
    """Whether it is what its type says."""
    return str(array.dtype).removeprefix("torch.") == "float32"


def all_finite(array: FloatArray) -> bool:
    """Whether no number is infinite or none at all. On a GPU this waits for what makes them."""
    return bool(np.isfinite(array).all() if isinstance(array, np.ndarray) else array.isfinite().all())
