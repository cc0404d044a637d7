"""A mono sound between two loudspeakers, with the same power wherever it stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE

WIDEST = 0.7
"""How far out something at the picture's very edge is heard; 1 would be one loudspeaker alone."""

_BLOCK_DURATION = 10  # seconds panned at once, so that memory does not grow with the length


def panned(samples: NDArray[np.float32], places: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Mono samples `[L]` as left and right `[2, L]`; `places` `[T]` in [-1, 1] stand 64 ms apart from the first sample.

    The squares of the two gains add up to 1, so the loudness by BS.1770 stays what it was as mono, and no channel is
    louder than the mono sound. In the middle each has -3 dB.
    """
    stereo = np.empty((2, len(samples)), np.float32)
    moments = np.arange(len(places)) * (FRAME_LENGTH / SAMPLE_RATE)
    for first in range(0, len(samples), _BLOCK_DURATION * rate):
        block = samples[first : first + _BLOCK_DURATION * rate]
        place = np.interp((first + np.arange(len(block))) / rate, moments, places)
        angle = (1 + WIDEST * place) * (np.pi / 4)
        stereo[0, first : first + len(block)] = block * np.cos(angle)
        stereo[1, first : first + len(block)] = block * np.sin(angle)
    return stereo
