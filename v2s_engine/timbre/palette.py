"""Palette: the timbres of recordings, class by class, from which the timbre of a new sound is put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from v2s_engine.envelope import SILENCE_DBFS, measure_envelope
from v2s_engine.errors import BundleDamagedError, UsageError
from v2s_engine.timbre.measure import measure_timbre
from v2s_engine.timbre.timbre import BANDS, Timbre

STEPS_PER_DB = 2
"""Loudness in a palette is in half dB above -80 dBFS."""


@dataclass(frozen=True, eq=False)
class Exemplars:
    """The recordings of one class one after the other, U steps of 256 samples in all."""

    timbre: Timbre
    """Of all U steps."""
    loudness: NDArray[np.uint8]
    """`[U]`, half dB above -80 dBFS."""
    lengths: NDArray[np.uint32]
    """`[R]`: steps of each recording."""

    def __post_init__(self) -> None:
        steps = len(self.timbre)
        together = int(self.lengths.sum(dtype=np.uint64))
        fits = self.loudness.shape == (steps,) and self.lengths.ndim == 1 and together == steps
        if not (steps and fits and self.lengths.all()):
            raise UsageError(
                f"exemplars of {steps} steps want a loudness for each and recordings of at least one step that are as "
                f"long together; got {list(self.loudness.shape)} and {together} in {list(self.lengths.shape)}"
            )

    @classmethod
    def measure(cls, recordings: Iterable[NDArray[np.float32]]) -> Exemplars:
        """Of recordings `[L]` at 16 kHz, at least one, none empty."""
        sounds = list(recordings)
        envelopes = [measure_envelope(samples) for samples in sounds]
        return cls(
            Timbre.join([measure_timbre(samples) for samples in sounds]),
            np.concatenate([loudness_steps(each.loudness) for each in envelopes]),
            np.array([len(each) for each in envelopes], np.uint32),
        )


@dataclass(frozen=True, eq=False)
class Palette:
    """Exemplars of every class that a model can sound like."""

    classes: Mapping[str, Exemplars]

    def of(self, sound_class: str) -> Exemplars:
        """Those of one class; `UsageError` for a class that has none."""
        if sound_class not in self.classes:
            raise UsageError(f"the palette has no {sound_class!r}; it has: {', '.join(self.classes)}")
        return self.classes[sound_class]


def loudness_steps(loudness: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A loudness curve in dBFS as whole half dB above -80 dBFS, 0 to 160."""
    return np.asarray(np.clip(np.rint((loudness - SILENCE_DBFS) * STEPS_PER_DB), 0, 160), np.uint8)


def write_palette(path: Path, palette: Palette) -> None:
    """Write a palette as safetensors: for each class its name and `/levels`, `/lags`, `/strengths`, `/loudness`,
    `/lengths`.
    """
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, each in palette.classes.items():
        tensors |= {
            f"{name}/levels": each.timbre.levels,
            f"{name}/lags": each.timbre.lags,
            f"{name}/strengths": each.timbre.strengths,
            f"{name}/loudness": each.loudness,
            f"{name}/lengths": each.lengths,
        }
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path)
    path.chmod(0o644)  # the library writes files that only their owner may read


def read_palette(path: Path, sound_classes: Iterable[str]) -> Palette:
    """Read what `write_palette` wrote. Raises `BundleDamagedError` where it lacks a class or does not fit together."""
    try:
        tensors = load_file(path)
        return Palette({name: _exemplars(tensors, name) for name in sound_classes})
    except (OSError, SafetensorError, KeyError, ValueError) as error:  # UsageError is a ValueError
        raise BundleDamagedError(f"{path} is not the palette of this bundle: {error}; install it again") from error


def _exemplars(tensors: Mapping[str, NDArray[np.generic]], name: str) -> Exemplars:
    parts = [tensors[f"{name}/{part}"] for part in ("levels", "lags", "strengths", "loudness", "lengths")]
    wanted = (np.uint8, np.uint16, np.uint8, np.uint8, np.uint32)
    if (
        parts[0].ndim != 2
        or parts[0].shape[1] != BANDS
        or any(part.dtype != kind for part, kind in zip(parts, wanted, strict=True))
    ):
        raise UsageError(f"{name!r} has levels {list(parts[0].shape)} of types {[str(part.dtype) for part in parts]}")
    levels, lags, strengths, loudness, lengths = parts
    return Exemplars(
        Timbre(levels.astype(np.uint8), lags.astype(np.uint16), strengths.astype(np.uint8)),
        loudness.astype(np.uint8),
        lengths.astype(np.uint32),
    )
