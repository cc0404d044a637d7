"""An index of clips that come with their own sound: what the paper's models are trained and measured on.

Either a folder, or a CSV:

    <folder>/<category>/<clip>.mp4          a category per sub-folder; the split follows from a hash of the name
    file,category[,split,start_s,duration_s,licence,attribution]       files relative to the CSV's folder

Nothing is decoded here: an index of 28,000 clips is read in a moment. What cannot be used for reasons that only
decoding tells is left out by `v2s_engine.corpus.clip_material`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from v2s_engine.corpus.manifest import manifest_rows
from v2s_engine.errors import MediaNotFoundError, UsageError

Split = Literal["train", "validation", "test"]
"""What a clip is for: learning; deciding when to stop; measuring, and nothing else."""

COLUMNS = ("file", "category")
"""What a CSV must have."""

TEST_PERCENT = 10
"""Share of the clips without a split of their own that is for testing."""

VALIDATION_PERCENT = 5
"""Share of the clips without a split of their own that is for validation."""


@dataclass(frozen=True)
class Clip:
    """One stretch of a file with pictures and sound."""

    path: Path
    category: str
    """What sounds; the sound class that a model learns."""
    split: Split
    name: str
    """What it is called in lists: its path below the index's folder, with `/`, and its beginning where it has one."""
    begin: Fraction | None = None
    """Seconds from the file's first picture; None for the file's beginning."""
    duration: Fraction | None = None
    """Seconds; None for all up to the file's end."""
    licence: str = "not stated"
    attribution: str = "not stated"


@dataclass(frozen=True)
class ClipIndex:
    """Clips, and what was left out with the reason."""

    clips: tuple[Clip, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that have clips, sorted."""
        return tuple(sorted({clip.category for clip in self.clips}))

    def of_split(self, split: Split) -> tuple[Clip, ...]:
        """The clips of one split, in the index's order."""
        return tuple(clip for clip in self.clips if clip.split == split)

    def of_categories(self, categories: Sequence[str]) -> ClipIndex:
        """Only the clips of these categories. Raises `UsageError` for one that has none."""
        if unknown := sorted(set(categories) - set(self.categories)):
            raise UsageError(f"no clips of {', '.join(unknown)}; there are clips of: {', '.join(self.categories)}")
        return replace(self, clips=tuple(clip for clip in self.clips if clip.category in categories))

    def merged(self, category: str) -> ClipIndex:
        """The same clips as one category: the pictures alone then say what sounds.

        Raises `UsageError` for a name that no category of an index may have.
        """
        if fault := _category_fault(category):
            raise UsageError(f"clips cannot be merged as {category!r}: {fault}")
        return replace(self, clips=tuple(replace(clip, category=category) for clip in self.clips))


def read_clips(index: Path) -> ClipIndex:
    """The clips of a folder `<category>/<clip>` or of a CSV with the columns file and category.

    A CSV may also have `split` (train, validation or test), `start_s` and `duration_s` (seconds as decimals or
    fractions, read exactly), `licence` and `attribution`. Where a clip has no split, a hash of its category and file
    name decides: 10 % test, 5 % validation, the rest train; a clip keeps its split whatever is added later.

    Rows that name a missing file, no category or one that cannot name a folder, an unknown split or impossible times
    are left out and listed; so are those that repeat a stretch of a file, whatever their split or category. Raises
    `MediaNotFoundError` without an index and `UsageError` where it holds no clips or lacks a column.
    """
    if index.is_dir():
        found = _collect(_folder_clips(index))
    elif index.exists():
        found = _collect(_row_clip(path, row) for path, row in manifest_rows(index, COLUMNS))
    else:
        raise MediaNotFoundError(f"no index of clips at {index}; wanted a CSV, or a folder <category>/<clip>")
    if not found.clips:
        why = "; ".join(f"{name}: {reason}" for name, reason in found.left_out[:5])
        raise UsageError(f"{index} holds no clips ({why or 'nothing is listed'}); wanted <category>/<clip> or a CSV")
    return found


def hashed_split(category: str, name: str) -> Split:
    """The split of a clip that has none of its own: the same for ever, on every machine."""
    digest = hashlib.sha256(f"{category}/{name}".encode()).digest()
    percent = int.from_bytes(digest[:8], "big") % 100
    if percent < TEST_PERCENT:
        return "test"
    return "validation" if percent < TEST_PERCENT + VALIDATION_PERCENT else "train"


def _folder_clips(folder: Path) -> Iterable[Clip | tuple[str, str]]:
    for sub in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        for path in sorted(sub.glob("**/*")):
            if path.is_file() and not path.name.startswith("."):
                name = path.relative_to(folder).as_posix()
                if fault := _category_fault(sub.name):
                    yield name, fault
                else:
                    yield Clip(path, sub.name, hashed_split(sub.name, path.name), name)


def _collect(rows: Iterable[Clip | tuple[str, str]]) -> ClipIndex:
    clips: list[Clip] = []
    left_out: list[tuple[str, str]] = []
    stretches: dict[tuple[Path, Fraction, Fraction | None], Clip] = {}
    for each in rows:
        if not isinstance(each, Clip):
            left_out.append(each)
            continue
        first = stretches.setdefault((each.path.resolve(), each.begin or Fraction(0), each.duration), each)
        if first is each:
            clips.append(each)
        else:
            left_out.append((each.name, f"the same stretch is listed before, as {first.category} for {first.split}"))
    return ClipIndex(tuple(clips), tuple(left_out))


def _row_clip(path: Path, row: dict[str, str]) -> Clip | tuple[str, str]:
    """The clip of a row of a CSV, or its file and why it is left out."""
    file, category = row["file"] or "", (row["category"] or "").strip()
    if not file or not path.is_file():
        return file or "(no file)", f"there is no file {path}"
    if fault := _category_fault(category):
        return file, fault
    split = next((known for known in get_args(Split) if known == row.get("split")), None)
    if row.get("split") and split is None:
        return file, f"unknown split {row['split']!r}; known: {', '.join(get_args(Split))}"
    try:
        begin, duration = _seconds(row, "start_s"), _seconds(row, "duration_s")
    except ValueError as error:
        return file, str(error)
    if (begin is not None and begin < 0) or (duration is not None and duration <= 0):
        return file, f"start_s {begin} and duration_s {duration} do not say a stretch of it"
    return Clip(
        path=path,
        category=category,
        split=split or hashed_split(category, path.name),
        name=file if begin is None else f"{file}@{float(begin):g}s",
        begin=begin,
        duration=duration,
        licence=row.get("licence") or "not stated",
        attribution=row.get("attribution") or "not stated",
    )


def _category_fault(category: str) -> str | None:
    """Why a category cannot be the name of a folder or file; None where it can."""
    if not category:
        return "it has no category"
    if category.startswith(".") or not category.isprintable() or {"/", "\\"} & set(category):
        return (
            f"the category {category!r} cannot name a folder; wanted no / or \\, no control characters, no dot in front"
        )
    return None


def _seconds(row: dict[str, str], column: str) -> Fraction | None:
    text = (row.get(column) or "").strip()
    try:
        return Fraction(text) if text else None
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{column} is {text!r}; wanted seconds, e.g. 2.5") from error
