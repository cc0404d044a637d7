"""Files that `build` wrote whole, noted in the project: the next build makes only what is missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from v2s_engine.digest import file_digest
from v2s_engine.errors import OutputError
from v2s_engine.vegas.dataset_files import MARK


class BuiltFile(NamedTuple):
    """A file as it was when it was written."""

    made_of: str
    """Digest of all that decides its bytes."""
    size: int
    """Bytes."""
    mtime_ns: int
    sha256: str


class BuiltFiles:
    """Clips and shards of one built set; see `built_files` in schema.sql. To be used by one thread."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._name = str(folder.resolve())
        rows = connection.execute(
            "SELECT file, made_of, bytes, mtime_ns, sha256 FROM built_files WHERE folder = ? AND file <> ?",
            (self._name, MARK),
        )
        self._files = {file: BuiltFile(*rest) for file, *rest in rows}

    def __getitem__(self, file: str) -> BuiltFile:
        return self._files[file]

    def stands(self, file: str, made_of: str) -> bool:
        """Whether a file is there as it was written, and would be made of the same now."""
        known = self._files.get(file)
        if known is None or known.made_of != made_of:
            return False
        try:
            status = (self._folder / file).stat()
        except OSError:
            return False
        return (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns)

    def add(self, file: str, built: BuiltFile) -> None:
        """Note a file that was just written, in a transaction of its own."""
        with self._connection as connection:
            connection.execute(
                "INSERT OR REPLACE INTO built_files VALUES (?, ?, ?, ?, ?, ?)", (self._name, file, *built)
            )
        self._files[file] = built

    def keep_only(self, files: Collection[str]) -> int:
        """Delete clips and shards of earlier builds that are not among `files`; how many there were.

        Only what `build` writes is looked at: files by other names stay. Raises `OutputError`.
        """
        patterns = ("clips/*/*.mkv", "shards/*.tar")
        others = [
            path
            for pattern in patterns
            for path in self._folder.glob(pattern)
            if path.relative_to(self._folder).as_posix() not in files
        ]
        drafts = [*self._folder.glob("clips/*/.*.part"), *self._folder.glob("shards/.*.part")]
        try:
            for path in [*others, *drafts]:
                path.unlink(missing_ok=True)
            for folder in [*self._folder.glob("clips/*"), self._folder / "shards"]:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
        except OSError as error:
            raise OutputError(
                f"cannot delete what an earlier build left: {error}; delete it, or give a new folder"
            ) from error
        gone = [file for file in self._files if file not in files]
        with self._connection as connection:
            connection.executemany(
                "DELETE FROM built_files WHERE folder = ? AND file = ?", ((self._name, file) for file in gone)
            )
        for file in gone:
            del self._files[file]
        return len(others)


def describe_file(path: Path, made_of: str) -> BuiltFile:
    """What to note of a file that was just written. Raises `OSError`."""
    status = path.stat()
    return BuiltFile(made_of, status.st_size, status.st_mtime_ns, file_digest(path))
