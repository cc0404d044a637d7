"""Guides: what a whole timeline's sounds are to follow instead of the pictures, as loudness over time.

    guide = read_guide(Path("claps.wav"))       recorded over the cut: the editor claps, hums, taps
    guide = read_guide(Path("drawn.csv"))       an envelope as `envelope_file` writes it
    guide.part(Fraction(7, 2), 125)             what it says of the two seconds from 3.5 s on

Time 0 of a guide is the start of the timeline; outside it there is silence.

A recording counts by its contour, not by its level. Its floor is the power that its quietest tenth stays under, digital
silence left out, or what lies 20 dB below its peak where that is less. Four times the floor (6 dB above it) is taken
from the power of every step of 16 ms, so that what is no louder than that is silence; what is left is turned up or down
until its loudest 16 ms have the level of a cue, -14 dBFS. Onsets follow from this loudness.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import sound_pieces
from v2s_engine.digest import file_digest
from v2s_engine.envelope import CUE_PEAK_DBFS, SILENCE_DBFS, Envelope
from v2s_engine.envelope_file import LONGEST_STEPS, envelope_kind, read_envelope
from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError, UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, ENVELOPE_RATE, SAMPLE_RATE, round_half_up

FLOOR_SHARE = 0.1
"""Part of a recording, its quietest, that is its floor."""
FLOOR_MARGIN = 4.0
"""How many times the floor's power still is silence: 6 dB."""
LEAST_RANGE = 10 ** (20 / 10)
"""The floor lies at least this much below the peak: a recording without pauses sounds throughout."""
FAINTEST_DBFS = -60.0
"""A recording whose peak is below this says nothing."""

_BLOCK = 16  # samples: 1 ms, to which a guide's time is exact wherever a clip starts
_BLOCKS = ENVELOPE_LENGTH // _BLOCK
_BEFORE = 3  # steps before a stretch that decide whether a sound starts in it or goes on
_SILENT_POWER = 10 ** (SILENCE_DBFS / 10)


class Curve(Protocol):
    """Loudness over a timeline, from its start on."""

    @property
    def duration(self) -> Fraction:
        """Seconds."""

    def part(self, start: Fraction, steps: int) -> Envelope:
        """The envelope of `steps` steps from `start` seconds on; silence outside the curve."""


@dataclass(frozen=True, eq=False)
class DrawnCurve:
    """An envelope as it was written, step by step: a stretch takes the steps that lie nearest to its own."""

    envelope: Envelope

    @property
    def duration(self) -> Fraction:
        """See `Curve`."""
        return len(self.envelope) / ENVELOPE_RATE

    def part(self, start: Fraction, steps: int) -> Envelope:
        """See `Curve`; off by half a step (8 ms) at most."""
        first = round_half_up(start * ENVELOPE_RATE)
        loudness = _stretch(self.envelope.loudness, first, steps, SILENCE_DBFS)
        return Envelope(loudness, _stretch(self.envelope.onset, first, steps, 0.0))


@dataclass(frozen=True, eq=False)
class HeardCurve:
    """What was heard in a recording; see the module on how its level counts."""

    power: NDArray[np.float32]
    """`[M]`, mean square of every millisecond."""
    floor: float
    """Mean square up to which a step is silent."""
    gain: float
    """What the power above the floor is multiplied by."""

    @classmethod
    def of(cls, power: NDArray[np.float32], name: str) -> HeardCurve:
        """The curve of a recording. Raises `UsageError` where nothing is heard in it."""
        whole = np.cumsum(np.pad(power, (1, _BLOCKS)), dtype=np.float64)
        windows = np.maximum(whole[_BLOCKS:] - whole[:-_BLOCKS], 0.0) / _BLOCKS
        peak = float(windows.max(initial=0.0))
        if peak < 10 ** (FAINTEST_DBFS / 10):
            level = f"{10 * np.log10(max(peak, _SILENT_POWER)):.0f} dBFS"
            raise UsageError(
                f"nothing is heard in the guide {name}: its loudest 16 ms have {level}, and {FAINTEST_DBFS:.0f} dBFS "
                "is wanted; record it louder, or turn it up"
            )
        sounding = windows[::_BLOCKS][windows[::_BLOCKS] > _SILENT_POWER]
        quiet = float(np.quantile(sounding, FLOOR_SHARE)) if len(sounding) else 0.0
        floor = FLOOR_MARGIN * min(quiet, peak / LEAST_RANGE)
        return cls(power, floor, 10 ** (CUE_PEAK_DBFS / 10) / (peak - floor))

    @property
    def duration(self) -> Fraction:
        """See `Curve`."""
        return Fraction(len(self.power) * _BLOCK, SAMPLE_RATE)

    def part(self, start: Fraction, steps: int) -> Envelope:
        """See `Curve`; off by half a millisecond at most."""
        first = round_half_up(start * SAMPLE_RATE / _BLOCK) - _BEFORE * _BLOCKS
        blocks = _stretch(self.power, first, (_BEFORE + steps) * _BLOCKS, 0.0)
        power = blocks.reshape(-1, _BLOCKS).mean(axis=1, dtype=np.float64)
        left = np.maximum((power - self.floor) * self.gain, _SILENT_POWER)
        heard = Envelope.from_loudness((10 * np.log10(left)).astype(np.float32))
        return Envelope(heard.loudness[_BEFORE:].copy(), heard.onset[_BEFORE:].copy())


@dataclass(frozen=True, eq=False)
class Guide:
    """A guide and the file that it was read from."""

    path: Path
    sha256: str
    """Of the file, in hex."""
    curve: Curve

    @property
    def duration(self) -> Fraction:
        """Seconds from the start of the timeline to the guide's end."""
        return self.curve.duration

    def part(self, start: Fraction, length: int) -> Envelope:
        """The envelope of a sound of `length` samples at 16 kHz that starts `start` seconds into the timeline."""
        return self.curve.part(start, -(-length // ENVELOPE_LENGTH))

    def digest(self, start: Fraction, length: int) -> str:
        """SHA-256 in hex over what `part` gives: two stretches with one digest sound the same."""
        envelope = self.part(start, length)
        return hashlib.sha256(envelope.loudness.tobytes() + envelope.onset.tobytes()).hexdigest()


def read_guide(path: Path) -> Guide:
    """A guide from an envelope file (.json, .csv) or from any file with sound that FFmpeg reads.

    Raises as `read_envelope` and `read_sound`, and `UsageError` for a recording in which nothing is heard or that is
    longer than 10 hours.
    """
    if not path.is_file():
        raise MediaNotFoundError(f"no guide at {path}; name a recording, or an envelope as .json or .csv")
    drawn = envelope_kind(path) is not None
    curve: Curve = DrawnCurve(read_envelope(path)) if drawn else HeardCurve.of(_power(path), path.name)
    return Guide(path.absolute(), file_digest(path), curve)


def _power(path: Path) -> NDArray[np.float32]:
    """The mean square of every millisecond of a file's sound, `[M]`, without ever holding the sound as a whole."""
    parts: list[NDArray[np.float32]] = []
    left, blocks = np.zeros(0, np.float32), 0
    for piece in sound_pieces(path):
        samples = np.concatenate([left, piece.mean(axis=0)])
        whole = len(samples) // _BLOCK * _BLOCK
        left = samples[whole:]
        parts.append(_mean_squares(samples[:whole]))
        blocks += len(parts[-1])
        if blocks > LONGEST_STEPS * _BLOCKS:
            raise UsageError(f"the guide {path.name} is longer than 10 hours; give the part that the timeline needs")
    parts.append(_mean_squares(np.pad(left, (0, -len(left) % _BLOCK))))
    power = np.concatenate(parts)
    if not np.isfinite(power).all():
        raise MediaUnreadableError(f"{path} holds samples that are not numbers; export the guide again")
    return power


def _mean_squares(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    squares = np.mean(samples.reshape(-1, _BLOCK).astype(np.float64) ** 2, axis=1)
    return np.asarray(squares, np.float32)


def _stretch(curve: NDArray[np.float32], first: int, count: int, outside: float) -> NDArray[np.float32]:
    """`count` values of a curve `[N]` from index `first` on, which may lie outside it."""
    values = np.full(count, outside, np.float32)
    begin, end = max(first, 0), min(first + count, len(curve))
    if begin < end:
        values[begin - first : end - first] = curve[begin:end]
    return values
