"""Videos that lie in folders already, named by their ids.

    ID.mp4                      the whole video
    ID_30.mp4, ID_000030.mp4, ID_30.000.mp4          the section that begins at 30 s, alone (as VGGSound names them)
    ID_30_40.mp4, ID_30000_40000.mp4                 the same, with its end; in seconds or milliseconds

In any sub-folder. With `holding` all files are taken to hold sections, or whole videos, whatever their names say.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from v2s_engine.errors import UsageError
from v2s_engine.vegas.sources.source import BroughtFile, FetchFailure, Holding, Section, holds_section
from v2s_engine.vegas.sources.template import seconds

SUFFIXES = (".mkv", ".mp4", ".webm", ".mov", ".m4v", ".avi", ".flv", ".3gp", ".mpg", ".mpeg", ".ts", ".wmv", ".ogv")
"""What is taken for a video by its name; where a name has several, the first of these."""


class FolderSource:
    """See `Source`. Folders are looked through once, in the order given; the first that has a video gives it.

    A name with the section's times goes before one with the id alone. Beside a file, yt-dlp's `NAME.info.json` is read
    for licence and attribution where it is there. Raises `UsageError` for a folder that is not there.
    """

    def __init__(self, folders: Sequence[Path], holding: Holding = "auto") -> None:
        self._holding = holding
        self._folders = folders
        self._files: dict[str, Path] = {}
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"no folder {folder}; give one that holds videos named by their ids")
            for path in sorted(_videos(folder), key=_rank):
                self._files.setdefault(path.stem, path)

    def bring(self, section: Section, folder: Path, check: Callable[[], None]) -> BroughtFile:
        """See `Source`. Nothing is copied; what is not there may be there the next time."""
        for name, by_beginning in _names(section):
            if (path := self._files.get(name)) is not None:
                alone = holds_section(self._holding, named_by_beginning=by_beginning)
                licence, attribution = stated_rights(_read_info(path.with_suffix(".info.json")))
                return BroughtFile(path, Fraction(0) if alone else section.begin, str(path), licence, attribution)
        folders = ", ".join(str(folder) for folder in self._folders)
        names = f"{section.video_id}.mp4 or {section.video_id}_{seconds(section.begin_ms)}.mp4"
        raise FetchFailure("not in the folder", f"no {names} or the like in {folders}", lasting=False)


def stated_rights(info: dict[str, Any]) -> tuple[str | None, str | None]:
    """Licence and attribution as yt-dlp's description of a video states them; None for what it does not."""
    licence = info.get("license") or None
    who = info.get("uploader") or info.get("channel") or info.get("creator")
    parts = [info.get("title"), who, info.get("webpage_url")]
    return licence, ", ".join(str(part) for part in parts if part) if who else None


def _names(section: Section) -> Iterator[tuple[str, bool]]:
    """Names without suffix that a section may have, and whether they tell its beginning."""
    begin, end = section.begin_ms, section.end_ms
    first, last = seconds(begin), seconds(end)
    times = [
        f"{begin}_{end}",
        f"{first}_{last}",
        f"{begin / 1000:.3f}_{end / 1000:.3f}",
        f"{first}",
        f"{begin / 1000:.3f}",
    ]
    if isinstance(first, int):
        times += [f"{first:06d}_{last:06d}"] if isinstance(last, int) else []
        times.append(f"{first:06d}")
    for text in times:
        yield f"{section.video_id}_{text}", True
    yield section.video_id, False


def _videos(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(where, name)


def _rank(path: Path) -> tuple[int, str]:
    return SUFFIXES.index(path.suffix.lower()), path.as_posix()


def _read_info(path: Path) -> dict[str, Any]:
    try:
        info = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # it is only asked for what it can tell
        return {}
    return info if isinstance(info, dict) else {}
