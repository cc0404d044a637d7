"""The one place where an ONNX model is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from v2s_engine.errors import BundleDamagedError, BundleNotFoundError, DeviceError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CPU = ("CPUExecutionProvider",)
"""Execution providers of a machine without a GPU."""

_ONLY_ERRORS = 3


def available_providers() -> tuple[str, ...]:
    """Execution providers that the installed ONNX Runtime was built with; whether they start is another matter."""
    import onnxruntime  # noqa: PLC0415 - heavy, and not needed to import this package

    return tuple(onnxruntime.get_available_providers())


def open_session(path: Path, providers: Sequence[str] = CPU, threads: int = 1) -> InferenceSession:
    """Open an ONNX model on exactly the execution providers asked for.

    `threads` is how many threads one operation may use; 0 leaves it to ONNX Runtime. Raises `DeviceError` where a
    provider is not there or does not start, `BundleNotFoundError` and `BundleDamagedError` for the file.
    """
    import onnxruntime  # noqa: PLC0415 - heavy, and not needed to import this package

    known = available_providers()
    if missing := [name for name in providers if name not in known]:
        raise DeviceError(
            f"ONNX Runtime has no {', '.join(missing)} here; it has: {', '.join(known)}. "
            "Choose another device, or install the onnxruntime package for this one"
        )
    if not path.is_file():
        raise BundleNotFoundError(f"no encoder at {path}; wanted a bundle's {path.name}: export it again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's own classes share no base but Exception
        raise BundleDamagedError(f"{path} is not a model that ONNX Runtime reads: {error}") from error
    given = session.get_providers()
    if refused := [name for name in providers if name not in given]:
        raise DeviceError(
            f"{', '.join(refused)} was asked for and did not start; ONNX Runtime runs on {', '.join(given)}. "
            "Check the driver and its libraries, or choose another device"
        )
    return session
