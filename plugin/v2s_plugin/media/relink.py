"""Media that are not where the timeline says, found again in folders that the user names (`--search DIR`).

A file is known by its name: as it stands, else but for upper and lower case. Where several have that name, the one is
taken that fits best what the timeline says of it: size of the file and of the picture, start timecode, length. Where
two fit equally well, none is taken: it would be a guess.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2s_engine.errors import UsageError
from v2s_plugin.timing.rates import Span, exact_span, timecode_seconds

if TYPE_CHECKING:
    from v2s_engine.video import Pictures, VideoInfo

MAX_FILES = 500_000
"""Files looked through at most."""

OWN_SUFFIX = ".media"
"""Of the folders that V2S writes its sounds to."""

_WIDTH_KEYS = ("ayon.source.width", "openpype.source.width", "foundry.source.width")
_HEIGHT_KEYS = ("ayon.source.height", "openpype.source.height", "foundry.source.height")
_SIZE_KEYS = ("foundry.source.filesize",)


@dataclass(frozen=True)
class Relinked:
    """Media that were found elsewhere; the timeline's own URL stays as it is."""

    url: str
    media: Pictures

    def __str__(self) -> str:
        return f"{self.url} was found at {self.media}"


class MediaSearch:
    """The files in some folders by name; looked through once, when first asked."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Raises `UsageError` for what is not a folder."""
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"--search {folder}: there is no such folder; name one that holds the media")
        self._folders = folders
        self._found: dict[str, list[str]] | None = None

    def files(self, names: Iterable[str]) -> tuple[Path, ...]:
        """The files that have one of these names; only where there are none, those that differ in case.

        Raises `UsageError` where there are too many files to look through.
        """
        if self._found is None:
            self._found = self._look_through()
        wanted = set(names)
        alike = sorted({path for name in wanted for path in self._found.get(name.casefold(), ())})
        exact = [path for path in alike if Path(path).name in wanted]
        return tuple(Path(path) for path in exact or alike)

    def _look_through(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        seen: set[str] = set()
        for folder in self._folders:
            for path in _files_below(os.path.realpath(folder)):
                if path not in seen:
                    seen.add(path)
                    found.setdefault(Path(path).name.casefold(), []).append(path)
                if len(seen) > MAX_FILES:
                    raise UsageError(f"--search {folder} holds more than {MAX_FILES} files; name a folder further down")
        return found


def best_fits(candidates: Sequence[VideoInfo], reference: Any, clip: Any) -> list[VideoInfo]:
    """Those of several media that fit best what a timeline says of them: one, or more that it cannot tell apart."""
    fits = [_fit(each, reference, clip) for each in candidates]
    return [each for each, fit in zip(candidates, fits, strict=True) if fit == max(fits)]


def _files_below(folder: str) -> Iterator[str]:
    """The files in a folder and those below; hidden folders, links to folders and our own sounds are left out."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(OWN_SUFFIX))
        yield from (os.path.join(here, name) for name in files)  # noqa: PTH118  (a Path for each costs a second)


def _fit(info: VideoInfo, reference: Any, clip: Any) -> tuple[bool, ...]:
    """What fits, weightiest first."""
    said = exact_span(reference.available_range)
    used = exact_span(clip.source_range) or said
    start = timecode_seconds(info.start_timecode, info.rate) if info.start_timecode else None
    frame = 1 / info.rate
    return (
        _said(reference, _SIZE_KEYS) == _file_size(info.media),
        _said(reference, _WIDTH_KEYS) == info.width and _said(reference, _HEIGHT_KEYS) == info.height,
        said is not None and abs(said.start - (start or 0)) < frame,
        used is not None and _holds(info.duration, used, (start, said.start if said else Fraction(0))),
        said is not None and abs(said.duration - info.duration) < frame,
    )


def _holds(duration: Fraction, used: Span, starts: Iterable[Fraction | None]) -> bool:
    """Whether media of some length hold what a clip uses, counted from one of these starts."""
    return any(start <= used.start and used.end <= start + duration for start in starts if start is not None)


def _said(reference: Any, keys: Sequence[str]) -> int | None:
    """A whole number that an editing program noted on a reference."""
    values = (str(reference.metadata.get(key, "")) for key in keys)
    return next((int(value) for value in values if value.isascii() and value.isdigit()), None)


def _file_size(media: Pictures) -> int:
    return media.stat().st_size if isinstance(media, Path) else -1
