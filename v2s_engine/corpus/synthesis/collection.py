"""Made excerpts as files, with a manifest that `v2s train --manifest` reads.

<folder>/<class>/<class>_<seed>_<number>.wav     16 kHz mono, 4 to 12 s each
<folder>/manifest.csv                            one row per file
"""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from v2s_engine import __version__
from v2s_engine.audio import write_wav
from v2s_engine.corpus.manifest import manifest_rows
from v2s_engine.corpus.recordings import COLUMNS, SYNTHETIC
from v2s_engine.corpus.synthesis.recipe import Recipe
from v2s_engine.corpus.synthesis.recipes import RECIPES
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.progress import Progress

MANIFEST = "manifest.csv"

_MAKER = f"v2s {__version__}"
_COLUMNS = (*COLUMNS, "category", "duration_s", "origin", "made_by")
_SHORTEST, _LONGEST = 4 * SAMPLE_RATE, 12 * SAMPLE_RATE
_HELD = 20
"""Every so many excerpts one is held back for testing."""


@dataclass(frozen=True)
class CollectionOptions:
    """What to make."""

    output: Path
    """Folder; made where it is missing. What it holds from an earlier run is kept, and gone on from."""
    classes: tuple[str, ...] = ()
    """Sound classes; none given: all that there are recipes for."""
    duration: int = 600
    """Seconds of sound per class, at least; the last excerpt may go beyond."""
    seed: int = 0
    """The same seed gives the same excerpts; a longer `duration` only adds some."""

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.classes) - set(RECIPES)):
            raise UsageError(f"no recipe for {', '.join(unknown)}; there are {', '.join(RECIPES)}")
        if self.duration < 1:
            raise UsageError(f"--duration wants at least 1 second per class; got {self.duration}")
        if self.seed < 0:
            raise UsageError(f"--seed wants 0 or more; got {self.seed}")


@dataclass(frozen=True)
class Excerpt:
    """One excerpt, made or to be made."""

    sound_class: str
    seed: int
    number: int
    length: int
    """Samples at 16 kHz."""

    @property
    def file(self) -> str:
        """Below the folder, with `/`."""
        return f"{self.sound_class}/{self.sound_class}_{self.seed}_{self.number:05d}.wav"

    @property
    def split(self) -> str:
        """`test` for every twentieth, else `train`."""
        return "test" if self.number % _HELD == _HELD - 1 else "train"

    def write(self, path: Path, recipe: Recipe) -> None:
        """Make it and write it whole or not at all; raises `OutputError` where the disk cannot take it."""
        draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(draft, recipe(_draw(self.sound_class, self.seed, self.number, 1), self.length), SAMPLE_RATE)
            draft.replace(path)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error}; free some space or choose another folder") from error
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()

    def row(self) -> dict[str, str]:
        """What the manifest says of it."""
        return {
            "file": self.file,
            "licence": "none needed (synthetic)",
            "attribution": f"made by {_MAKER}",
            "may_ship_trained": "1",
            "split": self.split,
            "category": self.sound_class,
            "duration_s": f"{self.length / SAMPLE_RATE:.3f}",
            "origin": SYNTHETIC,
            "made_by": _MAKER,
        }


@dataclass(frozen=True)
class Collection:
    """What a folder holds after a run."""

    manifest: Path
    made: int
    """Excerpts made by this run."""
    kept: int
    """Excerpts that were there already."""
    durations: dict[str, float]
    """Seconds of sound per class asked for; information only."""


def make_collection(options: CollectionOptions, progress: Progress | None = None) -> Collection:
    """Make what is missing, file by file, and a manifest of all that the folder holds.

    May be stopped at any moment and run again. Raises `UsageError` where the folder holds sounds of another version of
    V2S (its recipes may differ), `OutputError` where the disk cannot take them, `CancelledError` when stopped.
    """
    progress = progress or Progress()
    manifest = options.output / MANIFEST
    rows = _known_rows(manifest)
    classes = options.classes or tuple(RECIPES)
    wanted = {name: list(_excerpts(name, options)) for name in classes}
    total, done, made = sum(len(excerpts) for excerpts in wanted.values()), 0, 0
    for name, excerpts in wanted.items():
        for excerpt in excerpts:
            progress.step("synthesise", done, total, excerpt.file)
            path = options.output / excerpt.file
            if not path.is_file():
                excerpt.write(path, RECIPES[name])
                made += 1
            done += 1
        rows.update({excerpt.file: excerpt.row() for excerpt in excerpts})
        _write_manifest(manifest, rows)
    progress.step("synthesise", total, total)
    durations = {name: sum(each.length for each in excerpts) / SAMPLE_RATE for name, excerpts in wanted.items()}
    return Collection(manifest, made, total - made, durations)


def _excerpts(name: str, options: CollectionOptions) -> Iterator[Excerpt]:
    """Excerpts of one class until they last as long as asked."""
    number, missing = 0, options.duration * SAMPLE_RATE
    while missing > 0:
        length = int(_draw(name, options.seed, number, 0).integers(_SHORTEST, _LONGEST + 1))
        yield Excerpt(name, options.seed, number, length)
        number, missing = number + 1, missing - length


def _draw(name: str, seed: int, number: int, purpose: int) -> np.random.Generator:
    """Random numbers of one excerpt; none depends on which others are made."""
    return np.random.default_rng((seed, number, purpose, *name.encode()))


def _known_rows(manifest: Path) -> dict[str, dict[str, str]]:
    if not manifest.is_file():
        return {}
    rows = {row["file"]: row for _, row in manifest_rows(manifest, _COLUMNS)}
    if others := sorted({row["made_by"] for row in rows.values()} - {_MAKER}):
        raise UsageError(
            f"{manifest.parent} holds sounds made by {', '.join(others)}, this is {_MAKER} and its recipes may differ; "
            "delete that folder or choose another"
        )
    return rows


def _write_manifest(manifest: Path, rows: dict[str, dict[str, str]]) -> None:
    draft = manifest.with_name(f".{manifest.name}.{os.getpid()}.part")
    try:
        with draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[name] for name in sorted(rows))
        draft.replace(manifest)
    except OSError as error:
        raise OutputError(f"cannot write {manifest}: {error}; free some space or choose another folder") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
