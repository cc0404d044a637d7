"""How the picture moves: dense optical flow between successive pictures (OpenCV's DIS, Kroeger et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError


class FlowMeter:
    """Flow from each picture to the next. The same pictures give the same flow: fixed preset, one thread.

    Flow is in parts of the picture's width (first value, to the right) and height (second, downwards) per step, so it
    does not depend on the size of the pictures.
    """

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
        with _one_thread():
            pixels = self._method.calc(before, grey, np.zeros((*grey.shape, 2), np.float32))
        height, width = grey.shape
        return np.asarray(pixels / np.array([width, height], np.float32), np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV on one thread meanwhile: how the work is divided must not show in the result."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
