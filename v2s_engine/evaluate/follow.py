"""Does the sound follow the envelope that was asked for?

Envelopes are taken from recordings that the model never heard; the sound is measured as the sampler made it, before any
gain. Noise shaped by the same envelopes stands beside it: it follows perfectly and sounds like nothing, so the figure
counts only together with what the sound is like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.recordings import Recording
from v2s_engine.envelope import Envelope, measure_envelope, rank_correlation
from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH
from v2s_engine.sampling.envelope_sound import EnvelopeRequest, sound_envelopes
from v2s_engine.sampling.sampler import Row, Sampler
from v2s_engine.timbre.palette import Palette

AUDIBLE_DBFS = -55.0
"""Steps at or below this are not compared."""

LEAST_RANGE_DB = 10.0
"""Envelopes whose audible steps span less (5th to 95th percentile) say nothing about following."""

LEAST_STEPS = 12


@dataclass(frozen=True)
class FollowResult:
    """One recording's envelope, asked for and produced."""

    name: str
    sound_class: str
    steps: int
    """Audible steps compared."""
    range_db: float
    model: float
    """Spearman's rank correlation of the model's sound with the request."""
    noise: float
    """The same for shaped noise."""


def usable_envelope(samples: NDArray[np.float32]) -> Envelope | None:
    """The envelope of a recording, or None where it is too flat or too short to tell whether it is followed."""
    envelope = measure_envelope(samples)
    return envelope if tells_following(envelope) else None


def tells_following(envelope: Envelope) -> bool:
    """Whether enough of an envelope is audible and varies, so that it can be told whether a sound follows it."""
    audible = envelope.loudness[envelope.loudness > AUDIBLE_DBFS]
    return len(audible) >= LEAST_STEPS and _range_db(audible) >= LEAST_RANGE_DB


def measure_following(
    sampler: Sampler,
    recordings: Sequence[Recording],
    *,
    palette: Palette | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> list[FollowResult]:
    """Ask for each usable recording's envelope and compare. Raises `UsageError` where no recording is usable."""
    usable = [(each, envelope) for each in recordings if (envelope := usable_envelope(each.samples))]
    if not usable:
        raise UsageError(
            f"none of {len(recordings)} recordings has {LEAST_STEPS} steps above {AUDIBLE_DBFS:.0f} dBFS that span "
            f"{LEAST_RANGE_DB:.0f} dB; give recordings whose loudness varies"
        )
    requests = [
        EnvelopeRequest(envelope, each.material.sound_class, Row(seed, take, temperature))
        for take, (each, envelope) in enumerate(usable, start=1)
    ]
    sounds = sound_envelopes(sampler, requests, palette)
    results = []
    for (each, envelope), sound in zip(usable, sounds, strict=True):
        audible = envelope.loudness > AUDIBLE_DBFS
        wanted = envelope.loudness[audible]
        noise = shaped_noise(envelope, seed)
        results.append(
            FollowResult(
                name=each.material.file,
                sound_class=each.material.sound_class,
                steps=int(audible.sum()),
                range_db=_range_db(wanted),
                model=rank_correlation(wanted, measure_envelope(sound).loudness[audible]),
                noise=rank_correlation(wanted, measure_envelope(noise).loudness[audible]),
            )
        )
    return results


def _range_db(loudness: NDArray[np.float32]) -> float:
    """From the 5th to the 95th percentile."""
    return float(np.ptp(np.percentile(loudness, (5, 95))))


def shaped_noise(envelope: Envelope, seed: int) -> NDArray[np.float32]:
    """White noise `[N · 256]` whose loudness follows an envelope, interpolated between the middles of its steps."""
    length = len(envelope) * ENVELOPE_LENGTH
    middles = (np.arange(len(envelope)) + 0.5) * ENVELOPE_LENGTH
    gain = np.interp(np.arange(length), middles, 10 ** (envelope.loudness / 20))
    noise = np.random.default_rng(seed).standard_normal(length)
    return np.asarray(gain * noise, np.float32)
