"""Numba's decorator with a type: for loops in which each sample needs the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

Function = Callable[..., Any]

_njit: Function = njit

compiled: Callable[[Function], Function] = _njit(nogil=True, cache=True)
"""Compiled at the first call and kept on disk; without `fastmath`, so that the same numbers give the same bits."""
