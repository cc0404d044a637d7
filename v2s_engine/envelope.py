"""The envelope: how loud a sound is, and where it starts, at 62.5 values per second.

It is measured from recordings in training, predicted from pictures in use, and can be drawn by an editor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH

SILENCE_DBFS = -80.0
"""Loudness of silence; nothing is quieter."""

ONSET_RISE_DB = 24.0
"""Rise within `_RISE_STEPS` steps that counts as an onset of full strength."""

_RISE_STEPS = 3
_RISE_FLOOR_DBFS = -60.0  # below this a rise is a rise of the noise floor, not of a sound

CUE_PEAK_DBFS = -14.0
CUE_DECAY_DB_PER_STEP = 1.6  # 100 dB/s: gone after half a second


@dataclass(frozen=True, eq=False)
class Envelope:
    """Loudness and onset strength for N steps of 256 samples (16 ms).

    Attributes
    ----------
    loudness
        `[N]` float32, dBFS of the RMS over the step, in [-80, 0].
    onset
        `[N]` float32, strength with which a sound starts in this step, in [0, 1].
    """

    loudness: NDArray[np.float32]
    onset: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.loudness.ndim != 1 or self.loudness.shape != self.onset.shape:
            raise UsageError(
                f"an envelope wants loudness and onset of one length [N]; got {self.loudness.shape} "
                f"and {self.onset.shape}"
            )
        if not (np.isfinite(self.loudness).all() and np.isfinite(self.onset).all()):
            raise UsageError("an envelope must be finite throughout; got NaN or infinity")

    def __len__(self) -> int:
        return len(self.loudness)

    @classmethod
    def from_loudness(cls, loudness: NDArray[np.float32]) -> Envelope:
        """An envelope whose onsets follow from its loudness curve (dBFS, clipped to [-80, 0])."""
        clipped = np.clip(loudness, SILENCE_DBFS, 0.0).astype(np.float32)
        return cls(clipped, onset_strength(clipped))

    @classmethod
    def silence(cls, steps: int) -> Envelope:
        """`steps` steps of silence."""
        return cls(np.full(steps, SILENCE_DBFS, np.float32), np.zeros(steps, np.float32))

    @classmethod
    def join(cls, parts: Iterable[Envelope]) -> Envelope:
        """One envelope of parts that follow each other; of none, no steps."""
        held = [cls.silence(0), *parts]
        return cls(np.concatenate([part.loudness for part in held]), np.concatenate([part.onset for part in held]))

    def with_cues(self, cues: Iterable[int]) -> Envelope:
        """The same envelope with a sound event starting at each cue (sample position at 16 kHz from the clip's start).

        The loudness rises to at least -14 dBFS in the cue's step and falls by 100 dB/s from there; the quarter second
        before the cue is quieted so that the event can be heard to start. Cues outside the envelope raise `UsageError`.
        """
        loudness = self.loudness.copy()
        steps = []
        for cue in cues:
            step = cue // ENVELOPE_LENGTH
            if not 0 <= step < len(self):
                raise UsageError(
                    f"a cue must lie inside its clip of {len(self) * ENVELOPE_LENGTH} samples; got sample {cue}"
                )
            steps.append(step)
        for step in steps:
            before = slice(max(0, step - 16), step)
            loudness[before] = np.minimum(loudness[before], CUE_PEAK_DBFS - ONSET_RISE_DB)
        for step in steps:
            decay = CUE_PEAK_DBFS - CUE_DECAY_DB_PER_STEP * np.arange(len(self) - step, dtype=np.float32)
            loudness[step:] = np.maximum(loudness[step:], decay)
        cued = Envelope.from_loudness(loudness)
        onset = np.maximum(cued.onset, self.onset)
        onset[steps] = 1.0
        return Envelope(cued.loudness, onset)


def measure_envelope(samples: NDArray[np.float32]) -> Envelope:
    """The envelope of a sound at 16 kHz, samples `[L]` in [-1, 1]; a last partial step is filled up with silence."""
    steps = -(-len(samples) // ENVELOPE_LENGTH)
    padded = np.zeros(steps * ENVELOPE_LENGTH, np.float64)
    padded[: len(samples)] = samples
    power = np.mean(padded.reshape(steps, ENVELOPE_LENGTH) ** 2, axis=1)
    loudness = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DBFS / 10)))
    return Envelope.from_loudness(loudness.astype(np.float32))


def onset_strength(loudness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Onset strength `[N]` in [0, 1] of a loudness curve `[N]` in dBFS.

    The rise over the mean of the three steps before, 24 dB being 1; rises that stay under -60 dBFS do not count.
    """
    floored = np.maximum(loudness, _RISE_FLOOR_DBFS)
    padded = np.concatenate([np.full(_RISE_STEPS, _RISE_FLOOR_DBFS, np.float32), floored])
    before = np.mean([padded[shift : shift + len(floored)] for shift in range(_RISE_STEPS)], axis=0)
    rise = (floored - before) / ONSET_RISE_DB
    return np.asarray(np.clip(rise, 0.0, 1.0), np.float32)


def rank_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of two series `[N]`, in [-1, 1]; equal values share their mean rank.

    0 where a series is constant.
    """
    ranks = [_mean_ranks(series) for series in (first, second)]
    centred = [rank - rank.mean() for rank in ranks]
    scale = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / scale) if scale else 0.0


def _mean_ranks(series: NDArray[np.floating]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(series, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)
