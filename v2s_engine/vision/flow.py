"""How the picture moves: dense optical flow between successive pictures.

Two methods behind one interface: OpenCV's DIS (Kroeger et al. 2016), fast and here always, and torchvision's RAFT
(`raft.py`), better, slow without a GPU, and in need of PyTorch and of weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import MissingExtraError, UsageError
from v2s_engine.options import FlowMethod


class Flow(Protocol):
    """Measures one clip's flow, picture after picture."""

    @property
    def digest(self) -> str:
        """What decides the result: the method, its settings, and its weights where it has some."""

    def step(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Flow `[H, W, 2]` from the picture given last to this one, `[H, W, 3]`; 0 for the first.

        In parts of the picture's width to the right and of its height downwards. Raises `UsageError` if the size
        changes.
        """

    def restarted(self) -> Flow:
        """The same method for another clip; the two share nothing that changes."""


def open_flow(method: FlowMethod, weights: str = "default", device: str = "cpu") -> Flow:
    """The method of that name.

    `weights` are RAFT's: `default` (torchvision's), `random[:SEED]` or a path; and so is `device`, as PyTorch names it.
    Raises `MissingExtraError` where RAFT wants packages that are not installed, and the errors of `load_weights`.
    """
    if method == "dis":
        return FlowMeter()
    try:
        from v2s_engine.vision.raft import open_raft  # noqa: PLC0415 - PyTorch, which DIS does without
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("v2s"):
            raise
        raise MissingExtraError("optical flow by RAFT", "train") from error
    return open_raft(weights, device)


class FlowMeter:
    """Flow from each picture to the next. The same pictures give the same flow: fixed preset, one thread.

    Flow is in parts of the picture's width (first value, to the right) and height (second, downwards) per step, so it
    does not depend on the size of the pictures.
    """

    digest = "dis fast"

    def __init__(self) -> None:
        self._method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._before: NDArray[np.uint8] | None = None

    def step(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Flow `[H, W, 2]` from the picture given last to this one, `[H, W, 3]`; 0 for the first.

        Raises `UsageError` if the size changes.
        """
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        before, self._before = self._before, grey
        if before is None:
            return np.zeros((*grey.shape, 2), np.float32)
        if before.shape != grey.shape:
            raise UsageError(f"pictures must keep their size for flow; got {grey.shape} after {before.shape}")
        with one_thread():
            pixels = self._method.calc(before, grey, np.zeros((*grey.shape, 2), np.float32))
        height, width = grey.shape
        return np.asarray(pixels / np.array([width, height], np.float32), np.float32)

    def restarted(self) -> FlowMeter:
        """A new one."""
        return FlowMeter()


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV on one thread meanwhile: how the work is divided must not show in the result.

    The setting is the process's: who measures flow in several threads holds this around them all.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
