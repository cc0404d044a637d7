"""Which samplers can be had on this machine, found out without loading what they need."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

_DRIVERS: Final = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


@dataclass(frozen=True)
class DeviceStatus:
    """Whether a sampler can be had here. What only shows on opening it (memory, broken packages) is not known yet."""

    name: str
    """`cpu`, `cuda`, `onnx` or `reference`."""
    missing: tuple[str, ...] = ()
    """What it lacks and how to get that, in words; empty where it can be had."""

    @property
    def usable(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


def device_status(name: str) -> DeviceStatus:
    """The status of one device by name."""
    return DeviceStatus(name, tuple(why for find in _WANTED[name] if (why := find()) is not None))


def devices() -> tuple[DeviceStatus, ...]:
    """All devices and what they lack, those that `auto` may choose first."""
    return tuple(device_status(name) for name in _WANTED)


def _package(name: str, advice: str) -> Callable[[], str | None]:
    return lambda: None if find_spec(name) else f"the package {name} is not installed: {advice}"


def _driver() -> str | None:
    """What the NVIDIA driver lacks. Asks the driver itself: a graphics card without one, or hidden from this process,
    is of no use. No context is made, no memory taken.
    """
    name = _DRIVERS.get(sys.platform)
    if name is None:
        return f"CUDA does not exist on {sys.platform}"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return f"no NVIDIA driver is installed ({name} is not found): install one, and an NVIDIA graphics card"
    count = ctypes.c_int(0)
    if (failed := driver.cuInit(0)) or (failed := driver.cuDeviceGetCount(ctypes.byref(count))):
        return f"the NVIDIA driver does not start (CUDA error {failed}): check it with nvidia-smi"
    return None if count.value else "the NVIDIA driver sees no graphics card: check CUDA_VISIBLE_DEVICES"


_WANTED: Final[dict[str, tuple[Callable[[], str | None], ...]]] = {
    "cuda": (
        _driver,
        _package("torch", "pip install 'v2s[cuda]'"),
        _package("triton", "PyTorch brings it on Linux only; pip install triton where there is one for this system"),
    ),
    "cpu": (_package("numba", "pip install numba, or use --device onnx, which is slower and does without it"),),
    "onnx": (_package("onnxruntime", "pip install v2s"), _package("onnx", "pip install 'v2s[onnx]'")),
    "reference": (_package("torch", "pip install 'v2s[train]'"),),
}
