"""Reads mixed down sound: where it clicks, where it sounds, which tone."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 48_000


def read_mix(path: str | Path) -> NDArray[np.float64]:
    """A 16 or 24 bit WAV at 48 kHz as mono `[samples]` in [-1, 1)."""
    with wave.open(str(path), "rb") as sound:
        assert sound.getframerate() == RATE
        width, channels = sound.getsampwidth(), sound.getnchannels()
        data = np.frombuffer(sound.readframes(sound.getnframes()), np.uint8).reshape(-1, width)
    padded = np.zeros((len(data), 4), np.uint8)
    padded[:, 4 - width :] = data
    return padded.view("<i4")[:, 0].reshape(-1, channels).mean(axis=1) / 2**31


def clicks(sound: NDArray[np.float64]) -> list[float]:
    """Seconds at which a click starts."""
    loud = np.flatnonzero(np.abs(sound) > 0.3)
    starts = loud[np.diff(loud, prepend=-RATE) > RATE // 50]
    return [float(start) / RATE for start in starts]


def sounding(sound: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Stretches (start, end in seconds) in which anything is heard; pauses below 10 ms do not part them."""
    heard = np.flatnonzero(np.abs(sound) > 1e-4)
    if not len(heard):
        return []
    breaks = np.flatnonzero(np.diff(heard) > RATE // 100)
    starts, ends = np.r_[heard[0], heard[breaks + 1]], np.r_[heard[breaks], heard[-1]]
    return [(float(start) / RATE, float(end + 1) / RATE) for start, end in zip(starts, ends, strict=True)]


def tone(sound: NDArray[np.float64], start: float, end: float) -> float:
    """The strongest frequency between two seconds, in Hz."""
    part = sound[round(start * RATE) : round(end * RATE)]
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part))))) * RATE / len(part))


def found_at(sound: NDArray[np.float64], part: NDArray[np.float64]) -> int:
    """The sample of `sound` at which `part` fits best."""
    length = 1 << (len(sound) + len(part)).bit_length()
    fit = np.fft.irfft(np.fft.rfft(sound, length) * np.conj(np.fft.rfft(part, length)), length)
    return int(np.argmax(fit[: len(sound)]))
