"""What a recipe is, and what all of them share: from a bare sound to an excerpt that could have been recorded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""`[L]` at 16 kHz, full scale 1."""

Signal = NDArray[np.float64]
"""`[L]` at 16 kHz of any scale: what recipes work with until they are done."""

Recipe = Callable[[np.random.Generator, int], Samples]
"""`(draw, length)` -> a natural excerpt of one sound class: `[length]` at 16 kHz (64,000 samples, 4 s, or more), in
[-1, 1], never silent throughout.

With the dynamics that such recordings have: silences between events, peaks from about -35 to -6 dBFS, at times a room,
at times a faint floor of noise (-70 to -50 dBFS). Each call is another animal, instrument, distance and room. Whatever
is random comes from `draw`: on one machine, the same draw gives the same bits.
"""
