"""Holds an exported encoder against the network that it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import BundleDamagedError
from v2s_engine.vision.encoder import FEATURES, LOUDNESS, ONSET
from v2s_engine.vision.session import open_session

if TYPE_CHECKING:
    from v2s_engine.vision.timing_network import TimingNetwork

LOUDNESS_TOLERANCE = 0.01
"""dB that ONNX Runtime may differ from PyTorch; sums are rounded in another order, nothing else."""

ONSET_TOLERANCE = 0.001
"""The same for onset strength, which lies within [0, 1]."""


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime is from PyTorch on the same features."""

    loudness: float
    """Greatest difference in dB."""
    onset: float
    """Greatest difference in strength."""
    relative: float
    """Greatest difference of either, relative to its range over these features."""
    pictures: int
    """How many pictures it was measured on."""


def measure_parity(network: TimingNetwork, onnx_path: Path, features: NDArray[np.float32]) -> Parity:
    """Run both on `features` `[T, 8, 64, 64]` (take real ones) and compare. The network is left as it was."""
    import torch  # noqa: PLC0415 - extra `train`

    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            wanted = [told[0].numpy() for told in network(torch.from_numpy(features)[None])]
    finally:
        network.train(training)
    got = open_session(onnx_path).run([LOUDNESS, ONSET], {FEATURES: features})
    apart = [float(np.abs(one - other).max()) for one, other in zip(got, wanted, strict=True)]
    ranges = [max(float(np.ptp(told)), 1e-6) for told in wanted]
    relative = max(difference / width for difference, width in zip(apart, ranges, strict=True))
    return Parity(loudness=apart[0], onset=apart[1], relative=relative, pictures=len(features))


def require_parity(network: TimingNetwork, onnx_path: Path, features: NDArray[np.float32]) -> Parity:
    """`measure_parity`; raises `BundleDamagedError` where a tolerance is exceeded (or a value is not finite)."""
    parity = measure_parity(network, onnx_path, features)
    if not (parity.loudness <= LOUDNESS_TOLERANCE and parity.onset <= ONSET_TOLERANCE):
        raise BundleDamagedError(
            f"{onnx_path} does not compute what its network computes: loudness is off by {parity.loudness:.4g} dB "
            f"(at most {LOUDNESS_TOLERANCE}), onsets by {parity.onset:.4g} (at most {ONSET_TOLERANCE}) "
            f"on {parity.pictures} pictures; export it again, with other versions of torch or onnxruntime if need be"
        )
    return parity
