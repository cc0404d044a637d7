"""Conditioning: what the coarsest tier is told, as vectors. NumPy only, so that sampling needs no PyTorch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import SILENCE_DBFS, Envelope
from v2s_engine.options import ENVELOPE_WINDOW, ModelConfig


def envelope_conditioning(envelope: Envelope, class_index: int, config: ModelConfig) -> NDArray[np.float32]:
    """Conditioning vectors `[N, C]` float32, one per envelope step, C = `config.conditioning_size`.

    Vector n holds the loudness of steps n-1, n, n+1, n+2 (0 for -80 dBFS, 1 for 0 dBFS), their onset strengths, and the
    sound class as one-hot (its embedding is a column of the network's input weights). The two steps to come let an
    attack be prepared; beyond the ends there is silence.

    The design feeds four loudness values once per video frame (64 ms). Given every 16 ms instead, a GRU need not count
    its steps to know which of the four is meant.
    """
    steps = len(envelope)
    vectors = np.zeros((steps, config.conditioning_size), np.float32)
    loudness = np.pad(1.0 - envelope.loudness / SILENCE_DBFS, (1, ENVELOPE_WINDOW - 2))
    onset = np.pad(envelope.onset, (1, ENVELOPE_WINDOW - 2))
    for offset in range(ENVELOPE_WINDOW):
        vectors[:, offset] = loudness[offset : offset + steps]
        vectors[:, ENVELOPE_WINDOW + offset] = onset[offset : offset + steps]
    vectors[:, 2 * ENVELOPE_WINDOW + class_index] = 1.0
    return vectors
