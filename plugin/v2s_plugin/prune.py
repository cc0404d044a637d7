"""WAVs that an earlier run left and nothing uses any more: found, and deleted where that is asked for.

A file is ours where its name ends in a hash of what it holds, as `sound_files.py` names them. Nothing else is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from v2s_engine.digest import file_digest
from v2s_engine.errors import OutputError
from v2s_plugin.formats.timeline_format import FORMATS
from v2s_plugin.sounding.take_file import files_of
from v2s_plugin.timeline import companion_of

_NAME = re.compile(rb"[A-Za-z0-9_-]+_[0-9a-f]{10,64}\.wav")
_OURS = re.compile(r"[A-Za-z0-9_-]+_([0-9a-f]{10}|[0-9a-f]{20}|[0-9a-f]{40}|[0-9a-f]{64})\.wav")


def find_orphans(folder: Path, timelines: Iterable[Any], *, written: Path | None = None) -> tuple[Path, ...]:
    """The WAVs of ours in a media folder that no clip on the timelines uses, neither as a take nor as another one.

    Files count as used by their names, wherever the timelines say they lie. Those in other timeline files of the
    folder's name (`cut_scored.xml` beside `cut_scored.otio`) are used too. `written` is the file that is not asked: its
    timeline is among those given, or gone.
    """
    used = {name for timeline in timelines for name in files_of(timeline.find_clips())} | _names_beside(folder, written)
    try:
        files = sorted(path for path in folder.iterdir() if path.name not in used)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(path for path in files if _is_ours(path))


def delete(files: Iterable[Path]) -> None:
    """Delete files. Raises `OutputError` where the disk does not let one go."""
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot delete {path}: {error.strerror or error}; delete it by hand") from error


def _is_ours(path: Path) -> bool:
    named = _OURS.fullmatch(path.name)
    return named is not None and not path.is_symlink() and path.is_file() and file_digest(path).startswith(named[1])


def _names_beside(folder: Path, written: Path | None) -> set[str]:
    """Names of WAVs that stand in the other timeline files which share a media folder, whatever their format."""
    files = []
    for each in (each for each in FORMATS if not each.is_bundle):
        path = folder.with_suffix(each.suffixes[0])
        if path.is_file() and (written is None or path.absolute() != written.absolute()):
            files += [path] if each.holds_facts else [path, companion_of(path)]
    texts = (path.read_bytes() for path in files if path.is_file())
    # An AAF holds texts of two bytes a letter.
    return {name.decode() for text in texts for name in _NAME.findall(text) + _NAME.findall(text.replace(b"\0", b""))}
