"""Recordings that models are trained and measured on: a folder per sound class, with their licences where known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import read_sound
from v2s_engine.corpus.manifest import manifest_rows
from v2s_engine.digest import file_digest
from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import MediaError, UsageError
from v2s_engine.grid import SAMPLE_RATE

COLUMNS = ("file", "licence", "attribution", "may_ship_trained", "split")
"""What a manifest of recordings must say."""

SYNTHETIC = "synthetic"
"""What a manifest's column `origin` says of sounds that were made by rule (`v2s corpus sounds`)."""

AUDIBLE_DBFS = -55.0
"""A step louder than this counts as sound, not as background."""


@dataclass(frozen=True)
class Material:
    """What is said of one recording in the model's `bundle.json`."""

    file: str
    """Path below the folder of recordings, with `/`."""
    sound_class: str
    duration: float
    """Seconds; information only."""
    licence: str
    attribution: str
    sha256: str
    synthetic: bool = False
    """Made by rule and not recorded: its manifest says origin = synthetic."""


@dataclass(frozen=True)
class Recording:
    """One recording in memory: samples `[L]` float32 at 16 kHz, as recorded (no normalising)."""

    material: Material
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class Library:
    """All recordings for one training, and the files that were left out with the reason."""

    recordings: tuple[Recording, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def sound_classes(self) -> tuple[str, ...]:
        """The classes that have recordings, sorted."""
        return tuple(sorted({recording.material.sound_class for recording in self.recordings}))

    def credits(self) -> list[dict[str, Any]]:
        """One plain dictionary per recording, for `bundle.json`."""
        return [asdict(recording.material) for recording in self.recordings]


def read_library(
    folder: Path, *, classes: Sequence[str] = (), manifest: Path | None = None, split: str = "train"
) -> Library:
    """Read `<folder>/<class>/<file>` for the given classes (none given: every sub-folder).

    With a `manifest` (CSV with columns file, licence, attribution, may_ship_trained, split; paths relative to the
    manifest's folder) only files are read that it lists with may_ship_trained = 1 and the given `split`. Files that
    cannot be decoded, are silent or shorter than a tenth of a second are left out and listed. Raises `UsageError` where
    nothing remains for a class, and as `manifest_rows`.
    """
    if not folder.is_dir():
        raise UsageError(f"--sounds wants a folder with one sub-folder per sound class; {folder} is no folder")
    names = tuple(classes) or tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    rows = {file.resolve(): row for file, row in manifest_rows(manifest, COLUMNS)} if manifest else None
    recordings: list[Recording] = []
    left_out: list[tuple[str, str]] = []
    for name in names:
        for path in sorted((folder / name).glob("**/*")):
            if not path.is_file():
                continue
            row = rows.get(path.resolve()) if rows is not None else {}
            relative = path.relative_to(folder).as_posix()
            if row is None:
                left_out.append((relative, "not in the manifest"))
            elif rows is not None and row["may_ship_trained"] != "1":
                left_out.append((relative, "the manifest does not allow training on it"))
            elif rows is None or row["split"] == split:
                recording = _read_one(path, relative, name, row)
                if isinstance(recording, str):
                    left_out.append((relative, recording))
                else:
                    recordings.append(recording)
    library = Library(tuple(recordings), tuple(left_out))
    for name in names:
        if name not in library.sound_classes:
            reasons = "; ".join(f"{file}: {why}" for file, why in left_out if file.startswith(f"{name}/"))
            raise UsageError(f"no usable recording for class {name!r} in {folder / name} ({reasons or 'no files'})")
    if not names:
        raise UsageError(f"--sounds wants sub-folders named after the sound classes; {folder} has none")
    return library


def read_held(folder: Path, classes: Sequence[str], manifest: Path) -> tuple[Recording, ...]:
    """What a manifest holds back for testing (split = test), for those of the classes that have some."""
    held: list[Recording] = []
    for name in classes:
        try:
            held += read_library(folder, classes=(name,), manifest=manifest, split="test").recordings
        except UsageError:  # too little sound to hold any back, or no folder: not measured
            continue
    return tuple(held)


def _read_one(path: Path, relative: str, sound_class: str, row: dict[str, str]) -> Recording | str:
    """The recording, or why it is left out."""
    try:
        samples = read_sound(path)
    except MediaError as error:
        return str(error)
    if len(samples) < SAMPLE_RATE // 10:
        return f"only {len(samples) / SAMPLE_RATE:.3f} s long; at least 0.1 s is wanted"
    if not (measure_envelope(samples).loudness > AUDIBLE_DBFS).any():
        return f"silent throughout (below {AUDIBLE_DBFS:.0f} dBFS)"
    material = Material(
        file=relative,
        sound_class=sound_class,
        duration=round(len(samples) / SAMPLE_RATE, 3),
        licence=row.get("licence", "not stated"),
        attribution=row.get("attribution", "not stated"),
        sha256=file_digest(path),
        synthetic=row.get("origin") == SYNTHETIC,
    )
    return Recording(material, samples)
