"""Which sampler runs where."""

from __future__ import annotations

from typing import Literal, get_args

from v2s_engine.errors import DeviceError, MissingExtraError, UsageError
from v2s_engine.sampling.sampler import Sampler
from v2s_engine.sampling.weights import FoldedWeights

Device = Literal["auto", "cpu", "cuda", "reference"]


def open_sampler(weights: FoldedWeights, device: Device = "auto") -> Sampler:
    """A sampler for these weights.

    `auto` takes the fastest that this version and machine have (now always `cpu`). `reference` is slow and there to
    judge the others by. Raises `DeviceError` where the device asked for cannot be had (never another one instead),
    `MissingExtraError` where `reference` lacks PyTorch, `UsageError` for an unknown name.
    """
    # PLC0415: numba and PyTorch are loaded by whoever runs a sampler, not by whoever mentions one.
    if device in ("auto", "cpu"):
        try:
            from v2s_engine.sampling.cpu import CpuSampler  # noqa: PLC0415
        except RuntimeError as error:  # Numba found no folder for the code that it compiles
            raise DeviceError(
                f"the CPU sampler cannot keep its compiled code ({error}); "
                "set NUMBA_CACHE_DIR to a folder that can be written"
            ) from error
        return CpuSampler(weights)
    if device == "reference":
        try:
            from v2s_engine.sampling.reference import ReferenceSampler  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingExtraError("the reference sampler", "train") from error
        return ReferenceSampler(weights)
    if device == "cuda":
        raise DeviceError("the CUDA sampler is not part of this version yet; use --device cpu")
    raise UsageError(f"unknown device {device!r}; known: {', '.join(get_args(Device))}")
