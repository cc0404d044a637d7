"""The filters of a timbre: `whiten` takes its colour off a sound, `TimbreFilter` gives it to an excitation.

    excitation -> pitch: y[t] = √(1-b²) x[t] + b y[t - lag] -> envelope: s[t] = g y[t] + Σ a[k] s[t - k] -> sound

Together they have unit gain for white noise. The envelope's coefficients follow from its levels by linear prediction
(Levinson and Durbin; Makhoul, "Linear prediction: a tutorial review", 1975) and change every 64 samples, between the
levels at a step's two ends. Where they change, what rings on is handed over as in a normalised lattice (Gray and
Markel, "A normalized digital filter structure", 1975): its energy stays. Handed over as samples, it would grow without
end where a sharp peak moves. `whiten` is the exact inverse, whatever the timbre says: a poor one costs quality, never
the sound.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE, steps_covering
from v2s_engine.timbre.timbre import BANDS, MOST_LAG, Timbre

ORDER = 64
"""Past samples that the envelope's filter predicts from."""

BLOCK = 64
"""Samples for which the envelope's filter stays the same; as many as it predicts from."""

LOWEST_HZ, HIGHEST_HZ = 30.0, 7_900.0

_BLOCKS_PER_STEP = ENVELOPE_LENGTH // BLOCK
_SPECTRUM = 1_024  # points of the power spectrum that a filter is computed from
_LAG_WINDOW_HZ = 15.0  # widens peaks, so that no filter rings for long
_WHITE_FLOOR = 1.0003  # -35 dB of white noise, so that no filter is nearly singular
_LEAST_RESONANCE = 0.1  # -10 dB: where the envelope's peaks lie between the multiples of the pitch
_STEPS_AT_ONCE = 16
_STEPS_WHITENED_AT_ONCE = 256  # 4 s: ten minutes at once would take 5 GB
_SILENT = 1e-9  # what rings on more quietly ends: silence is exactly 0, and no denormals

Floats = NDArray[np.float64]


class Coefficients(NamedTuple):
    """Filters of the spectral envelope for M blocks."""

    past: Floats
    """`[M, ORDER]`: a, the weight of the sample k + 1 before."""
    gain: Floats
    """`[M]`: g, which makes both filters together as loud as their input for white noise."""
    given: Floats
    """`[M, ORDER, ORDER]`: from the last samples of a block, the latest first, to the filter's state: what a lattice's
    stages hold, each as large as in the mean."""
    likeness: Floats
    """`[M, 2 * ORDER - 1]`: autocorrelations of what the filter makes of noise, at lags -(ORDER - 1) to ORDER - 1."""

    def taken(self, states: Floats) -> Floats:
        """The inverse of `given`: for states `[M, ORDER]` the samples, latest first, that lead each filter there.

        The rows of `given`, B, are predictors backwards in time. With the matrix R of the autocorrelations B R B' = 1,
        so the inverse is R B'.
        """
        weights = (states[:, None, :] @ self.given)[:, 0]
        return np.stack([np.convolve(*each, "valid") for each in zip(self.likeness, weights, strict=True)])


def band_edges() -> Floats:
    """Frequencies in Hz `[BANDS + 2]`: band b is a triangle from edge b over edge b + 1 to edge b + 2 (mel scale)."""
    mels = np.linspace(_mel(np.float64(LOWEST_HZ)), _mel(np.float64(HIGHEST_HZ)), BANDS + 2)
    return np.asarray(700 * (10 ** (mels / 2595) - 1), np.float64)


def envelope_filters(timbre: Timbre) -> Coefficients:
    """The filters of each block of a timbre, four for each of its N steps."""
    levels = timbre.levels_db()
    share = ((np.arange(_BLOCKS_PER_STEP) + 0.5) / _BLOCKS_PER_STEP)[:, None]
    blocks = levels[:-1, None] * (1 - share) + levels[1:, None] * share
    power = 10 ** (blocks.reshape(-1, BANDS) @ _interpolation() / 10)
    correlation = np.fft.irfft(power, axis=1)[:, : _SPECTRUM // 2]
    lags = np.arange(correlation.shape[1])
    correlation *= np.exp(-0.5 * (2 * np.pi * _LAG_WINDOW_HZ / SAMPLE_RATE * lags) ** 2)
    correlation[:, 0] *= _WHITE_FLOOR
    filters = _predictors(correlation[:, : ORDER + 1])
    return filters._replace(gain=filters.gain / _resonance(correlation, timbre))


def whiten(samples: NDArray[np.float32], timbre: Timbre) -> NDArray[np.float32]:
    """The excitation `[L]` from which `TimbreFilter` makes `samples` `[L]`. Raises `UsageError` for another length."""
    _check_length(len(samples), timbre)
    flat = without_envelope(samples, timbre)
    padded = np.concatenate([np.zeros(MOST_LAG), flat])
    steps = np.arange(len(flat)) // ENVELOPE_LENGTH
    gains = timbre.pitch_gains()[steps]
    before = padded[np.arange(len(flat)) + MOST_LAG - timbre.lags.astype(np.int64)[steps]]
    return np.asarray((flat - gains * before) / np.sqrt(1 - gains**2), np.float32)


def without_envelope(samples: NDArray[np.float32], timbre: Timbre) -> Floats:
    """Samples `[L]` without their spectral envelope, pitch still in them."""
    padded = np.zeros(ORDER + len(timbre) * ENVELOPE_LENGTH)
    padded[ORDER : ORDER + len(samples)] = samples
    flat = np.empty(len(timbre) * ENVELOPE_LENGTH)
    given = np.zeros((1, ORDER, ORDER))  # before the beginning there is silence
    for first in range(0, len(timbre), _STEPS_WHITENED_AT_ONCE):
        filters = envelope_filters(timbre[first : first + _STEPS_WHITENED_AT_ONCE])
        blocks = len(filters.gain)
        begin, end = first * ENVELOPE_LENGTH, first * ENVELOPE_LENGTH + blocks * BLOCK
        before = padded[begin:end].reshape(blocks, BLOCK)[:, ::-1]
        given = np.concatenate([given[-1:], filters.given])
        heard = filters.taken((given[:-1] @ before[:, :, None])[:, :, 0])[:, ::-1]
        here = padded[begin + ORDER : end + ORDER].reshape(blocks, BLOCK)
        windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([heard, here], axis=1), ORDER, axis=1)
        predicted = np.einsum("bnk,bk->bn", windows[:, :-1], filters.past[:, ::-1])
        flat[begin:end] = ((here - predicted) / filters.gain[:, None]).reshape(-1)
    return flat[: len(samples)]


class TimbreFilter:
    """Gives an excitation its timbre, in pieces of whole steps (the last may be shorter).

    The samples are the same, bit for bit, however it is cut.
    """

    def __init__(self) -> None:
        self._pitched = np.zeros(MOST_LAG)
        self._state = np.zeros(ORDER)

    def add(self, excitation: NDArray[np.float32], timbre: Timbre) -> NDArray[np.float32]:
        """The sound `[L]` of the next piece `[L]`, whose timbre has as many steps as cover it; else `UsageError`."""
        _check_length(len(excitation), timbre)
        padded = np.zeros(len(timbre) * ENVELOPE_LENGTH)
        padded[: len(excitation)] = excitation
        sound = np.empty(len(padded))
        for first in range(0, len(timbre), _STEPS_AT_ONCE):
            here = timbre[first : first + _STEPS_AT_ONCE]
            span = slice(first * ENVELOPE_LENGTH, (first + len(here)) * ENVELOPE_LENGTH)
            sound[span] = self._coloured(self._repeated(padded[span], here), here)
        return sound[: len(excitation)].astype(np.float32)

    def _repeated(self, excitation: Floats, timbre: Timbre) -> Floats:
        """The pitch filter, a step at a time: what rings on may end after every step, however a sound is cut."""
        pitched = np.empty(len(excitation))
        for step, (lag, gain) in enumerate(zip(timbre.lags.astype(int), timbre.pitch_gains(), strict=True)):
            span = slice(step * ENVELOPE_LENGTH, (step + 1) * ENVELOPE_LENGTH)
            held = np.concatenate([self._pitched, excitation[span]])
            if gain:
                _repeat(held, lag, gain)
            pitched[span] = held[MOST_LAG:]
            self._pitched = held[-MOST_LAG:]
            if np.abs(self._pitched).max() < _SILENT:
                self._pitched = np.zeros(MOST_LAG)
        return pitched

    def _coloured(self, pitched: Floats, timbre: Timbre) -> Floats:
        """The envelope's filter, a block at a time: a matrix for what comes in, another for what rings on."""
        filters = envelope_filters(timbre)
        driven, ringing = _block_matrices(filters.past)
        blocks = pitched.reshape(-1, BLOCK) * filters.gain[:, None]
        for block, drive, ring, given, likeness in zip(
            blocks, driven, ringing, filters.given, filters.likeness, strict=True
        ):
            before = np.convolve(likeness, self._state @ given, "valid")[::-1]
            block[:] = drive @ block + ring @ before
            if np.abs(block).max() < _SILENT:
                block[:] = 0.0
            self._state = given @ block[::-1]
        return np.asarray(blocks.reshape(-1), np.float64)


def _repeat(held: Floats, lag: int, gain: float) -> None:
    """The pitch filter on what stands behind `MOST_LAG` samples; a lag's worth needs only what is before it."""
    held[MOST_LAG:] *= np.sqrt(1 - gain**2)
    for at in range(MOST_LAG, len(held), lag):
        to = min(at + lag, len(held))
        held[at:to] += gain * held[at - lag : to - lag]


def _block_matrices(past: Floats) -> tuple[Floats, Floats]:
    """For M filters: what a block makes `[M, BLOCK, BLOCK]`, and what the samples before it add `[M, BLOCK, ORDER]`."""
    count = len(past)
    response = np.zeros((count, BLOCK))
    response[:, 0] = 1.0
    for at in range(1, BLOCK):
        reach = min(at, ORDER)
        response[:, at] = np.einsum("mk,mk->m", past[:, :reach], response[:, at - reach : at][:, ::-1])
    shift = np.arange(BLOCK)[:, None] - np.arange(BLOCK)[None, :]
    driven = np.where(shift >= 0, response[:, np.maximum(shift, 0)], 0.0)
    # Sample n of the block hears the sample j of the ORDER before it through past[n + ORDER - j - 1].
    back = np.arange(ORDER)[:, None] + ORDER - np.arange(ORDER)[None, :] - 1
    heard = np.where(back < ORDER, past[:, np.minimum(back, ORDER - 1)], 0.0)
    return driven, driven[:, :, :ORDER] @ heard


def _resonance(correlation: Floats, timbre: Timbre) -> Floats:
    """How much louder white noise gets `[M]` where peaks of the envelope meet multiples of the pitch.

    The pitch filter's autocorrelation is b^k at k lags, so the power behind both filters is 1 + 2 Σ b^k r[k lag], with
    the autocorrelations r `[M, lags]` of the envelope. At lags beyond those that are known, nothing is left of it.
    """
    power = np.ones(len(timbre) * _BLOCKS_PER_STEP)
    gains, known = timbre.pitch_gains(), correlation / correlation[:, :1]
    for step in np.flatnonzero(gains):
        lags = np.arange(int(timbre.lags[step]), known.shape[1], int(timbre.lags[step]))
        blocks = slice(step * _BLOCKS_PER_STEP, (step + 1) * _BLOCKS_PER_STEP)
        power[blocks] += 2 * known[blocks][:, lags] @ gains[step] ** np.arange(1, len(lags) + 1)
    return np.sqrt(np.maximum(power, _LEAST_RESONANCE))


def _predictors(correlation: Floats) -> Coefficients:
    """Levinson and Durbin's recursion for autocorrelations `[M, ORDER + 1]`."""
    count = len(correlation)
    known = correlation / correlation[:, :1]
    filters = np.zeros((count, ORDER + 1))
    filters[:, 0] = 1.0
    error = np.ones(count)
    backward, sizes = np.zeros((count, ORDER, ORDER)), np.empty((count, ORDER))
    for order in range(1, ORDER + 1):
        backward[:, order - 1, :order] = filters[:, order - 1 :: -1]
        sizes[:, order - 1] = np.sqrt(error)
        reflection = -np.einsum("mk,mk->m", filters[:, :order], known[:, order:0:-1]) / error
        filters[:, 1 : order + 1] += reflection[:, None] * filters[:, order - 1 :: -1][:, :order]
        error *= 1 - reflection**2
    likeness = np.concatenate([known[:, ORDER - 1 : 0 : -1], known[:, :ORDER]], axis=1)
    return Coefficients(-filters[:, 1:], np.sqrt(error), backward / sizes[:, :, None], likeness)


@cache
def _interpolation() -> Floats:
    """From levels of bands to those of the spectrum's points `[BANDS, 257]`: straight lines in dB on the mel scale."""
    points = _mel(np.fft.rfftfreq(_SPECTRUM, 1 / SAMPLE_RATE))
    middles = _mel(band_edges()[1:-1])
    matrix = np.array([np.interp(points, middles, row) for row in np.eye(BANDS)])
    matrix.setflags(write=False)
    return matrix


def _mel(frequency: NDArray[np.floating] | np.float64) -> Floats:
    return np.asarray(2595 * np.log10(1 + frequency / 700), np.float64)


def _check_length(length: int, timbre: Timbre) -> None:
    if steps_covering(length, ENVELOPE_LENGTH) != len(timbre):
        raise UsageError(
            f"{length} samples want a timbre of {steps_covering(length, ENVELOPE_LENGTH)} steps; got {len(timbre)}"
        )
