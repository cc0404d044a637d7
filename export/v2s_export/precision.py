"""In which precision the sampler's weights are shipped: the fastest one that keeps what is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

from v2s_engine.errors import UsageError
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.weights import FoldedWeights, Precision
from v2s_export.calibration import calibrated
from v2s_export.divergence import Divergence, measure_divergences
from v2s_export.passages import EncoderFiles, heard_passages, made_passages

FASTEST_FIRST: Final[tuple[Precision, ...]] = ("int8", "bf16", "fp16")
"""What `auto` tries; where none is good enough it is fp32. int4 is to be asked for: only large models gain by it."""

MAX_DIVERGENCE: Final = 1e-3
"""Nats per sample that rounding may cost. An ideal observer who hears a sound of the full model then needs a thousand
samples, 62 ms, to gain one nat of evidence against the rounded one."""


_CALIBRATION_SEED = 1  # of the sounds that levels are calibrated on; those that it is measured on have another


@dataclass(frozen=True)
class PrecisionOptions:
    """How the sampler's weights are to be stored, and what that may cost. Raises `UsageError`."""

    precision: str = "auto"
    """One of `Precision`, or `auto`: the first of `FASTEST_FIRST` that stays within `max_divergence`, else fp32."""
    max_divergence: float = MAX_DIVERGENCE
    """Mean Kullback-Leibler divergence, nats per sample, that is allowed."""
    sounds: Path | None = None
    """Recordings `<folder>/<class>/` to measure it on; None: sounds that the model makes itself."""
    manifest: Path | None = None
    """Take only what it holds for testing (split = test)."""

    def __post_init__(self) -> None:
        known = ("auto", *get_args(Precision))
        if self.precision not in known:
            raise UsageError(f"--precision must be one of {', '.join(known)}; got {self.precision!r}")
        if not 0 < self.max_divergence < math.inf:
            raise UsageError(f"--max-kl wants nats per sample above 0; got {self.max_divergence:g}")
        if self.manifest and not self.sounds:
            raise UsageError("--check-manifest says which recordings of --check-sounds to take; give both")


@dataclass(frozen=True)
class PrecisionChoice:
    """Weights as they are to be shipped, and what was measured before they were chosen."""

    weights: FoldedWeights
    measured: dict[Precision, Divergence] = field(default_factory=dict)
    """What each one that was tried costs."""
    max_divergence: float = MAX_DIVERGENCE
    source: str = ""
    """On which sounds."""
    samples: int = 0
    """How many samples these have."""
    temperature: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """For bundle.json; empty where nothing was to be measured."""
        if not self.measured:
            return {}
        return {
            "measured_on": self.source,
            "samples": self.samples,
            "temperature": self.temperature,
            "max_nats_per_sample": self.max_divergence,
            # Three digits: the last ones differ from machine to machine.
            "nats_per_sample": {
                precision: {"mean": float(f"{found.mean:.3g}"), "worst": float(f"{found.max:.3g}")}
                for precision, found in self.measured.items()
            },
        }


def choose_precision(
    weights: FoldedWeights, options: PrecisionOptions, encoder: EncoderFiles, temperature: float
) -> PrecisionChoice:
    """The precision that is asked for, or the one found; measured by how far it moves what samples are drawn from.

    Parameters
    ----------
    weights
        Full ones, fp32.
    options
        What is asked for.
    encoder
        What the model looks at pictures with; not read for `envelope`.
    temperature
        What the bundle is sampled at.

    Raises
    ------
    UsageError
        The precision asked for costs more than is allowed, a weight is too large for it, or the recordings cannot be
        had.
    """
    known: tuple[Precision, ...] = get_args(Precision)
    asked = FASTEST_FIRST if options.precision == "auto" else tuple(each for each in known if each == options.precision)
    if "fp32" in asked:
        return PrecisionChoice(weights)
    sampler = open_sampler(weights, "cpu")
    if options.sounds is None:
        passages = made_passages(sampler, encoder, temperature)
    else:
        passages = heard_passages(weights.config, options.sounds, options.manifest)

    def candidates() -> Iterator[FoldedWeights]:
        for precision in asked:
            if precision in ("int8", "int4"):
                others = made_passages(sampler, encoder, temperature, seed=_CALIBRATION_SEED)
                yield calibrated(weights, precision, others)
            else:
                yield weights.rounded(precision)

    measured: dict[Precision, Divergence] = {}
    chosen = weights
    for rounded, found in measure_divergences(weights, candidates(), passages, temperature):
        measured[rounded.precision] = found
        if found.mean <= options.max_divergence:  # false for NaN
            chosen = rounded
            break
    samples = int(passages.lengths.sum())
    if options.precision not in ("auto", chosen.precision):
        raise UsageError(
            f"weights in {options.precision} move what a sample is drawn from by {measured[asked[0]].mean:.2g} nats "
            f"(Kullback-Leibler divergence from fp32, mean over {samples:,} samples: {passages.source}); at most "
            f"{options.max_divergence:g} is allowed. Take --precision auto, which finds the fastest one that is good "
            "enough, or allow more with --max-kl"
        )
    return PrecisionChoice(chosen, measured, options.max_divergence, passages.source, samples, temperature)
