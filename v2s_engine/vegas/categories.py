"""What is collected: categories, each a name and the AudioSet classes that it is made of."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_NO_FOLDER = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]", re.IGNORECASE)  # on Windows, these are devices
_NAME_COLUMNS = ("category", "vegas_category")
_CLASS_COLUMNS = ("display_name", "audioset_display_name")

DRAWN_IN_PAPER = (1500, 3000)
"""Videos that the paper drew per category, from and to (its published description)."""


@dataclass(frozen=True)
class Category:
    """One category. Raises `UsageError` for a name that could not name a folder, and without classes."""

    name: str
    """1 to 64 letters, digits, `_` or `-`: built clips lie in a folder of this name, sound classes are called so."""
    audioset: tuple[str, ...]
    """Display names (or ids) of AudioSet classes; all below them belong to it, too, but for what a `-` in front takes
    out again, with all below: `("Water", "-Steam")`."""
    paper_clips: int | None = None
    """Clips that VEGAS had of it in the end, where that is known."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"{self.name!r} cannot name a category; wanted 1 to 64 letters, digits, _ or -")
        if _NO_FOLDER.fullmatch(self.name):
            raise UsageError(f"{self.name!r} cannot name a category: no folder on Windows may be called so; rename it")
        if not self.classes or not all((*self.classes, *self.not_meant)):
            raise UsageError(f"category {self.name} has no AudioSet class; give NAME=Display name;Display name")

    @property
    def classes(self) -> tuple[str, ...]:
        """What it is made of."""
        return tuple(each for each in self.audioset if not each.startswith("-"))

    @property
    def not_meant(self) -> tuple[str, ...]:
        """What is taken out of that again."""
        return tuple(each[1:] for each in self.audioset if each.startswith("-"))


VEGAS_CATEGORIES = (
    Category("baby_crying", ("Baby cry, infant cry",), 2061),
    Category("chainsaw", ("Chainsaw",)),
    Category("dog", ("Dog",), 2785),
    Category("drum", ("Drum",), 2606),
    Category("fireworks", ("Fireworks",), 3115),
    Category("helicopter", ("Helicopter",)),
    Category("printer", ("Printer",)),
    Category("rail_transport", ("Rail transport",)),
    Category("snoring", ("Snoring",)),
    Category("water_flowing", ("Stream", "Waterfall", "Water", "Gurgling")),
)
"""The ten categories of VEGAS. Names are those of the sound classes that the starter knows.

Which AudioSet classes the paper took is not known here; these are ours, by name. `water_flowing` has no class of its
own. Counts are of the VEGAS part of the VAS data set, whose lists are public (SpecVQGAN, `vas_train.txt` and
`vas_valid.txt`); they may differ from the paper's table by a few. Those of the other six categories are not known.
"""


def parse_category(text: str) -> Category:
    """A category as typed: `NAME=Display name;-Display name`, or a display name alone, which then names it, too.

    Raises `UsageError`.
    """
    name, equals, classes = text.partition("=")
    if not equals:
        return known_category(re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_"), (text.strip(),))
    return known_category(name.strip(), tuple(each.strip() for each in classes.split(";") if each.strip()))


def read_categories(path: Path) -> tuple[Category, ...]:
    """Categories of a CSV with the columns `category` and `display_name`, one row for each AudioSet class.

    `vegas_category` and `audioset_display_name` are understood, too; other columns are ignored. Raises `UsageError`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = reader.fieldnames or ()
            name_column = next((each for each in _NAME_COLUMNS if each in columns), None)
            class_column = next((each for each in _CLASS_COLUMNS if each in columns), None)
            if name_column is None or class_column is None:
                raise UsageError(f"{path} lacks a column; wanted category and display_name, got {', '.join(columns)}")
            classes: dict[str, list[str]] = {}
            for row in reader:
                name, sound_class = ((row[column] or "").strip() for column in (name_column, class_column))
                if not name or not sound_class:
                    raise UsageError(f"{path}, line {reader.line_num}: no {class_column if name else name_column}")
                classes.setdefault(name, []).append(sound_class)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a CSV of categories: {error}") from error
    if not classes:
        raise UsageError(f"{path} has no categories; wanted a row for each AudioSet class")
    return tuple(known_category(name, tuple(each)) for name, each in classes.items())


def known_category(name: str, audioset: tuple[str, ...]) -> Category:
    """A category, with the paper's count where it is one of the paper's; raises `UsageError`."""
    same = next((each for each in VEGAS_CATEGORIES if (each.name, each.audioset) == (name, audioset)), None)
    return same or Category(name, audioset)


def check_names(categories: Iterable[Category]) -> None:
    """Raise `UsageError` where two would share a folder, on file systems where capital letters do not count."""
    names: dict[str, str] = {}
    for each in categories:
        if (first := names.get(each.name.casefold())) is not None:
            raise UsageError(f"categories {first} and {each.name} would share a folder; rename one")
        names[each.name.casefold()] = each.name
