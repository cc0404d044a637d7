"""Bundles: a timeline together with its media, as one zip file (`.otioz`) or as a folder (`.otiod`).

    cut.otioz ── content.otio      the timeline; its media are relative: media/a.mov
              ── version.txt       often missing in real bundles
              ── media/a.mov       stored, never compressed; may lie in folders of its own

OpenTimelineIO's own writers refuse equal names, leave out image sequences and media that are not active, and resolve
relative paths against the current folder; so bundles are read and written here.
"""

from __future__ import annotations

import calendar
import contextlib
import os
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from v2s_engine.errors import TimelineNotFoundError, TimelineUnreadableError
from v2s_plugin.formats.native import one_line

CONTENT = "content.otio"
VERSION = "version.txt"
MEDIA = "media"

_VERSION_TEXT = "1.0.0"
_MOST_CONTENT = 2**30  # bytes of JSON; longer ones are no timelines
_FIRST_YEAR = 1980  # zip knows no earlier date


@contextlib.contextmanager
def unpacked(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Path]:
    """A temporary folder with what a zip bundle holds, gone when the block ends; TMPDIR says where it lies.

    `wanted` says which media are needed, by their names in the zip; the timeline always is. Times of files are those in
    the zip, so they are the same at every run.

    Raises `TimelineNotFoundError`, and `TimelineUnreadableError` for what is no bundle, is damaged, or holds names that
    lead out of it.
    """
    with tempfile.TemporaryDirectory(prefix="v2s-bundle-") as folder:
        target = Path(folder)
        try:
            with zipfile.ZipFile(path) as packed:
                entries = [each for each in packed.infolist() if not each.is_dir()]
                _check(entries, path)
                needed = [each for each in entries if each.filename == CONTENT or wanted(each.filename)]
                _check_room(needed, target, path)
                for entry in needed:
                    _extract(packed, entry, target)
        except (FileNotFoundError, NotADirectoryError):
            raise TimelineNotFoundError(f"no timeline at {path}; check the path") from None
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
            raise TimelineUnreadableError(
                f"{path} is not a bundle that can be read ({one_line(error)}); export it again"
            ) from error
        yield target


def folder_content(path: Path) -> Path:
    """The timeline file of a folder bundle; raises `TimelineNotFoundError`, `TimelineUnreadableError`."""
    if not path.exists():
        raise TimelineNotFoundError(f"no timeline at {path}; check the path")
    if not (path / CONTENT).is_file():
        raise TimelineUnreadableError(f"{path} is not a bundle: there is no {CONTENT} in it; export it again")
    return path / CONTENT


def bundle_names(folder: Path) -> list[str]:
    """Names of all files in a folder bundle (or an unpacked one) but the timeline and its version, sorted."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if name not in (CONTENT, VERSION) and not name.endswith((".part", ".lock")))


def pack(files: dict[str, Path], content: str, draft: Path) -> None:
    """Write a zip bundle: the timeline's JSON and `files` by their names in the zip. Raises `OSError`."""
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
        packed.writestr(CONTENT, content.encode(), zipfile.ZIP_DEFLATED)
        packed.writestr(VERSION, _VERSION_TEXT)
        for name, path in files.items():
            moment = time.gmtime(path.stat().st_mtime)
            entry = zipfile.ZipInfo(name, max(moment[:6], (_FIRST_YEAR, 1, 1, 0, 0, 0)))
            entry.external_attr = 0o644 << 16
            entry.file_size = path.stat().st_size
            with path.open("rb") as source, packed.open(entry, "w") as target:
                shutil.copyfileobj(source, target, 2**20)


def lay_out(files: dict[str, Path], content: str, folder: Path) -> None:
    """Write a folder bundle into an empty folder. Raises `OSError`."""
    for name, path in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    (folder / MEDIA).mkdir(exist_ok=True)
    (folder / VERSION).write_text(_VERSION_TEXT, encoding="utf-8")
    (folder / CONTENT).write_text(content, encoding="utf-8")


def _check(entries: list[zipfile.ZipInfo], path: Path) -> None:
    names = {entry.filename for entry in entries}
    if CONTENT not in names:
        raise TimelineUnreadableError(f"{path} is not a bundle: there is no {CONTENT} in it; export it again")
    for entry in entries:
        name = PurePosixPath(entry.filename)
        leads_out = name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in name.parts[0]
        if leads_out or stat.S_ISLNK(entry.external_attr >> 16):
            raise TimelineUnreadableError(
                f"{path} holds {entry.filename!r}, which leads out of the bundle: it is not safe to unpack; "
                "get the bundle again from where it came"
            )
        if entry.filename == CONTENT and entry.file_size > _MOST_CONTENT:
            raise TimelineUnreadableError(f"the timeline in {path} is {entry.file_size} bytes long; export it again")
    if len(names) < len(entries):
        raise TimelineUnreadableError(f"{path} holds two files of one name; export it again")


def _check_room(entries: list[zipfile.ZipInfo], target: Path, path: Path) -> None:
    needed, free = sum(entry.file_size for entry in entries), shutil.disk_usage(target).free
    if needed > free:
        raise TimelineUnreadableError(
            f"{path} unpacks to {needed / 1e9:.1f} GB, and {target.parent} has {free / 1e9:.1f} GB left; "
            "free some space, or set TMPDIR to a folder on a larger disk"
        )


def _extract(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / entry.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(entry) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 2**20)
    moment = calendar.timegm((*entry.date_time, 0, 0, 0))
    os.utime(target, (moment, moment))
