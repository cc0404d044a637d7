"""The GPU as the CUDA sampler uses it: streams, captured graphs, codes on their way back; and what is missing.

Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import DeviceError, MissingExtraError

OLDEST_CAPABILITY = (8, 0)
"""Compute capability from which on the kernels are compiled in tests (Ampere)."""


class Machine(Protocol):
    """Where launches run and codes come from."""

    @property
    def device(self) -> Any:
        """The `torch.device` of all tensors."""

    def running(self) -> Any:
        """A context in which tensor operations and launches go where this machine wants them.

        They come after what the calling thread has queued on the device before; the context waits at its end.
        """

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """A function that does again what `run` launches. `run` must have run before, so that it compiles nothing."""

    def fetch(self, codes: Any, out: NDArray[np.uint8]) -> None:
        """Copy codes to host memory while the next launches run; `out` is filled when the context ends."""


def check_cuda() -> None:
    """Raise where the CUDA sampler cannot run: what is missing, and what to do.

    `MissingExtraError` without PyTorch; `DeviceError` without Triton, without CUDA in PyTorch, without a driver,
    without a GPU, or with one older than the kernels are made for.
    """
    if find_spec("torch") is None:
        raise MissingExtraError("the CUDA sampler", "cuda")
    if find_spec("triton") is None:
        raise DeviceError(
            "the CUDA sampler's kernels need Triton, which is not installed (PyTorch brings it on Linux only); "
            "pip install triton where there is one for this system, or use --device cpu"
        )
    import torch  # noqa: PLC0415 (only whoever asks for a GPU loads it)

    if torch.version.cuda is None:
        raise DeviceError(
            f"PyTorch {torch.__version__} is built without CUDA, which the CUDA sampler needs; "
            "install one with CUDA (https://pytorch.org/get-started) or use --device cpu"
        )
    if not torch.cuda.is_available():
        raise DeviceError(
            "no NVIDIA GPU can be used: none is visible to this process, or its driver is missing or older than "
            f"CUDA {torch.version.cuda} wants (nvidia-smi tells); install or update the driver, or use --device cpu"
        )
    capability = torch.cuda.get_device_capability()
    if capability < OLDEST_CAPABILITY:
        raise DeviceError(
            f"{torch.cuda.get_device_name()} has compute capability {capability[0]}.{capability[1]}; the CUDA sampler "
            f"wants {OLDEST_CAPABILITY[0]}.{OLDEST_CAPABILITY[1]} or newer: use --device cpu"
        )


class Gpu:
    """The current NVIDIA GPU. Raises as `check_cuda`."""

    def __init__(self) -> None:
        check_cuda()
        import torch  # noqa: PLC0415

        self._torch = torch
        self.device = torch.device("cuda", torch.cuda.current_device())
        stream: Any = torch.cuda.Stream
        self._compute, self._copies = stream(self.device), stream(self.device)
        self._pool: Any = None
        self._slots: list[_Slot] = []
        self._fetched = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """See `Machine.running`. Raises `DeviceError` where the GPU's memory does not suffice."""
        torch = self._torch
        try:
            self._compute.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.device(self.device), torch.cuda.stream(self._compute):
                yield
                for slot in self._slots:
                    slot.finish()
                self._compute.synchronize()
        except torch.cuda.OutOfMemoryError as error:
            free, total = torch.cuda.mem_get_info(self.device)
            raise DeviceError(
                f"{torch.cuda.get_device_name(self.device)} has too little memory left for these rows: "
                f"{free >> 20} of {total >> 20} MiB are free ({error}); close other programs on it, make fewer sounds "
                "at once, or use --device cpu"
            ) from error
        finally:
            for slot in self._slots:
                slot.out = None

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """See `Machine.capture`. Raises `DeviceError` where CUDA refuses."""
        torch = self._torch
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        try:
            # Thread-local: what other threads do on the GPU meanwhile (training, encoders) must not end the capture.
            with torch.cuda.graph(graph, self._pool, self._compute, capture_error_mode="thread_local"):
                run()
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise DeviceError(
                f"the frame's CUDA graph could not be captured ({error}); the driver may be too old for PyTorch's "
                f"CUDA {torch.version.cuda}: update it, or use --device cpu"
            ) from error
        replay: Callable[[], None] = graph.replay
        return replay

    def fetch(self, codes: Any, out: NDArray[np.uint8]) -> None:
        """See `Machine.fetch`: two pinned slots in turn, on a stream of their own."""
        torch = self._torch
        index, self._fetched = self._fetched % 2, self._fetched + 1
        if len(self._slots) <= index:
            self._slots.append(_Slot(torch.cuda.Event(), torch.cuda.Event()))
        slot = self._slots[index]
        slot.finish()
        if slot.device is None or slot.device.numel() < codes.numel():
            slot.device = torch.empty(codes.numel(), dtype=torch.uint8, device=self.device)
            slot.host = torch.empty(codes.numel(), dtype=torch.uint8, pin_memory=True)
        there = slot.device[: codes.numel()].view(codes.shape)
        there.copy_(codes)  # the next frame writes over `codes` before the host has them
        slot.ready.record()
        with torch.cuda.stream(self._copies):
            slot.ready.wait()
            slot.host[: codes.numel()].copy_(there.view(-1), non_blocking=True)
            slot.done.record()
        slot.out = out


@dataclass
class _Slot:
    """Codes of one part on their way to the host."""

    ready: Any
    done: Any
    device: Any = None
    host: Any = None
    out: NDArray[np.uint8] | None = None

    def finish(self) -> None:
        """Wait for the codes and hand them over."""
        if self.out is not None:
            self.done.synchronize()
            self.out[...] = self.host[: self.out.size].view(self.out.shape).numpy()
            self.out = None


class Interpreter:
    """Triton's interpreter on CPU tensors, for tests: TRITON_INTERPRET=1 must be set before Triton is imported."""

    def __init__(self) -> None:
        import torch  # noqa: PLC0415

        self.device = torch.device("cpu")

    @contextmanager
    def running(self) -> Iterator[None]:
        """See `Machine.running`."""
        yield

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """See `Machine.capture`: there are no graphs, so it is done again one by one."""
        return run

    def fetch(self, codes: Any, out: NDArray[np.uint8]) -> None:
        """See `Machine.fetch`."""
        out[...] = codes.numpy()
