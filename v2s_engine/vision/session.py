"""The one place where an ONNX model is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import BundleDamagedError, BundleNotFoundError, DeviceError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue
    from torch import Tensor

CPU = ("CPUExecutionProvider",)
"""Execution providers of a machine without a GPU."""

CUDA = ("CUDAExecutionProvider",)
"""Execution providers of a machine with an NVIDIA GPU. Not yet run on a GPU."""

_OPTIONS = {CUDA[0]: {"cudnn_conv_algo_search": "HEURISTIC"}}
"""By provider. By default cuDNN's algorithms are timed and the fastest is taken: another one each time, other bits."""

_ONLY_ERRORS = 3


def available_providers() -> tuple[str, ...]:
    """Execution providers that the installed ONNX Runtime was built with; whether they start is another matter."""
    import onnxruntime  # noqa: PLC0415 - heavy, and not needed to import this package

    return tuple(onnxruntime.get_available_providers())


def open_session(model: Path | bytes, providers: Sequence[str] = CPU, threads: int = 1) -> InferenceSession:
    """Open an ONNX model, a file or its content, on exactly the execution providers asked for.

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
    if isinstance(model, Path) and not model.is_file():
        raise BundleNotFoundError(f"no encoder at {model}; wanted a bundle's {model.name}: export it again")
    what = model if isinstance(model, Path) else "a model made in memory"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = _ONLY_ERRORS
    try:
        given_as = str(model) if isinstance(model, Path) else model
        wanted = [(name, _OPTIONS.get(name, {})) for name in providers]
        session = onnxruntime.InferenceSession(given_as, options, providers=wanted)
    except Exception as error:  # ONNX Runtime's own classes share no base but Exception
        raise BundleDamagedError(f"{what} is not a model that ONNX Runtime reads: {error}") from error
    given = session.get_providers()
    if refused := [name for name in providers if name not in given]:
        raise DeviceError(
            f"{', '.join(refused)} was asked for and did not start; ONNX Runtime runs on {', '.join(given)}. "
            "Check the driver and its libraries, or choose another device"
        )
    return session


def run_bound(
    session: InferenceSession,
    inputs: Mapping[str, NDArray[np.generic] | Tensor],
    output: str,
    out: Tensor | None = None,
) -> OrtValue:
    """One output of a network, left on the device that the network runs on; `numpy()` of it brings it to host memory.

    By ONNX Runtime's I/O binding. Inputs may lie in host memory, or be tensors of float32 on that device, as `out` is,
    where it is given: then the output lies in it. It is whole when this returns: at the end of a run ONNX Runtime waits
    for its own stream. (The binding's `synchronize_outputs` would wait for the whole GPU, which is an error while
    another thread captures a CUDA graph.) Not yet run on a GPU.
    """
    # Bound as they lie, not copied: kept here until the run is over.
    held = {
        name: np.ascontiguousarray(array) if isinstance(array, np.ndarray) else array.contiguous()
        for name, array in inputs.items()
    }
    binding = session.io_binding()
    for name, array in held.items():
        if isinstance(array, np.ndarray):
            binding.bind_cpu_input(name, array)
        else:
            binding.bind_input(name, *_memory(array))
    if out is None:
        binding.bind_output(output, device_of(session))
    else:
        binding.bind_output(output, *_memory(out))
    session.run_with_iobinding(binding)
    return binding.get_outputs()[0]


def device_of(session: InferenceSession) -> str:
    """`cuda` or `cpu`: where a network runs and its outputs lie."""
    return "cuda" if CUDA[0] in session.get_providers() else "cpu"


def _memory(tensor: Tensor) -> tuple[str, int, type[np.float32], tuple[int, ...], int]:
    """A tensor's memory as ONNX Runtime binds it, after what this thread has queued for it is done.

    That goes for an output as well: memory that PyTorch gives out again may still be read by what was queued before.
    """
    if tensor.is_cuda:  # ONNX Runtime has a stream of its own
        import torch  # noqa: PLC0415 - loaded already: there is a tensor

        torch.cuda.current_stream(tensor.device).synchronize()
    return tensor.device.type, tensor.device.index or 0, np.float32, tuple(tensor.shape), tensor.data_ptr()
