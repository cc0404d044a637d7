"""A step that writes files runs once at a time on a project."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from v2s_engine.errors import OutputError
from v2s_engine.vegas.store import Project


@contextlib.contextmanager
def one_run(project: Project, step: str) -> Iterator[None]:
    """Held while a step runs. The system lets go of it where the run is killed.

    Raises `OutputError` where another run of the step is at work on the project, or its folder cannot be written to.
    """
    # SQLite's lock on a file of its own: the same on all systems, unlike what they offer themselves.
    file = project.folder / f".{step}.lock"
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(contextlib.closing(sqlite3.connect(file, timeout=0, isolation_level=None)))
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise OutputError(
                    f"{project.folder} is in use by another v2s vegas {step} ({error}); wait for it to end, or stop it"
                ) from error
            raise OutputError(f"cannot write {file}: {error}; make the folder writable, or free some space") from error
        yield
