"""How a code is drawn from logits: the definition that every sampler follows, in NumPy."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

EXPONENT_FLOOR: Final = -87.0
"""Exponents below this count as probability 0; e^-87 is just above float32's smallest normal number."""


def draw_code(logits: NDArray[np.float32], uniform: np.float32, temperature: float) -> int:
    """The code at which the running sum of softmax terms first exceeds `uniform` of their total.

    Inverse transform sampling with one uniform number in [0, 1) per sample. All in float32, terms added in rising
    order of code and never normalised. With `uniform` a multiple of 2^-24 below 1, a code of probability 0 is never
    drawn.

    Parameters
    ----------
    logits
        `[256]`.
    uniform
        From `philox.uniforms`.
    temperature
        Divides the logits; above 0.
    """
    exponents = (logits - logits.max()) / np.float32(temperature)
    terms = np.where(exponents < np.float32(EXPONENT_FLOOR), np.float32(0), np.exp(exponents))
    running = np.cumsum(terms, dtype=np.float32)
    code = int(np.searchsorted(running, uniform * running[-1], side="right"))
    return min(code, len(logits) - 1)
