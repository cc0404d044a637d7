"""Holds an exported encoder against the networks that it was made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import BundleDamagedError
from v2s_engine.vision.encoder import FEATURES, LOUDNESS, ONSET
from v2s_engine.vision.session import available_providers, open_session
from v2s_export.onnx_file import OnnxPrecision

if TYPE_CHECKING:
    from v2s_engine.vision.timing_network import TimingNetwork

LOUDNESS_TOLERANCE = 0.01
"""dB that ONNX Runtime may differ from PyTorch; sums are rounded in another order, nothing else."""

ONSET_TOLERANCE = 0.001
"""The same for onset strength, which lies within [0, 1]."""

FEATURE_TOLERANCES: dict[OnnxPrecision, float] = {"fp32": 1e-4, "fp16": 2e-2}
"""The same for features, in parts of the largest one. fp32: sums in another order, over at most 25,088 numbers and 17
layers; measured are some 1e-6. fp16: each layer rounds to 1/2048, and 17 layers of such errors add up like a walk;
measured are some 1e-3."""

STATE_TOLERANCE = 1e-4
"""The same for the state of the coarsest tier, which lies within [-1, 1] and is always computed in fp32."""


@dataclass(frozen=True)
class Difference:
    """How far ONNX Runtime is from PyTorch in one output."""

    output: str
    absolute: float
    """Greatest difference, in the output's own unit; NaN where a value is."""
    relative: float
    """The same, in parts of the range that PyTorch's values span."""
    limit: float
    """What `absolute` may be at most."""
    varies: bool = True
    """Whether PyTorch's values differ from picture to picture; where they do not, agreeing with them shows nothing."""

    @property
    def within(self) -> bool:
        """Whether it is small enough."""
        return self.absolute <= self.limit  # false for NaN

    def __str__(self) -> str:
        return f"{self.output} within {self.absolute:.1e} ({self.relative:.1e} of their range; limit {self.limit:.1e})"


@dataclass(frozen=True)
class Parity:
    """A comparison on the same pictures."""

    differences: tuple[Difference, ...]
    pictures: int
    """How many pictures it was measured on."""
    source: str
    """Which ones."""
    providers: tuple[str, ...]
    """Execution providers of ONNX Runtime that were used."""
    available: tuple[str, ...]
    """Those that ONNX Runtime has here."""

    def of(self, output: str) -> Difference:
        """The difference in one output."""
        return next(each for each in self.differences if each.output == output)

    def require(self) -> Parity:
        """Itself; raises `BundleDamagedError` where a tolerance is exceeded (or a value is not finite).

        And where features are the same for all pictures: any two networks that see nothing agree.
        """
        if dead := [each.output for each in self.differences if not each.varies]:
            raise BundleDamagedError(
                f"the network's {' and '.join(dead)} are all the same on {self.pictures} pictures of {self.source}, so "
                "the export cannot be checked and the model would see nothing; give other weights, or other pictures "
                "with --parity-clip"
            )
        beyond = [each for each in self.differences if not each.within]
        if beyond:
            raise BundleDamagedError(
                f"ONNX Runtime ({', '.join(self.providers)}) does not compute what PyTorch computes on {self.pictures} "
                f"pictures of {self.source}: {'; '.join(map(str, beyond))}; export again with --encoder-precision "
                "fp32, or with other versions of torch or onnxruntime"
            )
        return self


def difference(output: str, got: NDArray[np.float32], wanted: NDArray[np.float32], limit: float) -> Difference:
    """Compare two arrays of one shape."""
    absolute = float(np.abs(got.astype(np.float64) - wanted).max())
    return Difference(output, absolute, absolute / max(float(np.ptp(wanted)), 1e-6), limit)


def feature_difference(
    output: str, got: NDArray[np.float32], wanted: NDArray[np.float32], precision: OnnxPrecision
) -> Difference:
    """Compare one network's features `[N, V]` of the same pictures; the limit is in parts of the largest."""
    found = difference(output, got, wanted, FEATURE_TOLERANCES[precision] * float(np.abs(wanted).max()))
    return replace(found, varies=bool(np.ptp(wanted, axis=0).any()))


def measure_parity(
    network: TimingNetwork, onnx_path: Path, features: NDArray[np.float32], source: str = "a clip"
) -> Parity:
    """Run the timing network and its export on `features` `[T, 8, 64, 64]` (take real ones) and compare.

    The network is left as it was.
    """
    import torch  # noqa: PLC0415 - extra `train`

    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            loudness, onset = [told[0].numpy() for told in network(torch.from_numpy(features)[None])]
    finally:
        network.train(training)
    session = open_session(onnx_path)
    heard, starts = session.run([LOUDNESS, ONSET], {FEATURES: features})
    return Parity(
        differences=(
            difference(LOUDNESS, heard, loudness, LOUDNESS_TOLERANCE),
            difference(ONSET, starts, onset, ONSET_TOLERANCE),
        ),
        pictures=len(features),
        source=source,
        providers=tuple(session.get_providers()),
        available=available_providers(),
    )
