"""The queue behind the page: one thread of its own with one database connection, asked from the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from v2s_engine.errors import UsageError
from v2s_engine.vegas.page.annotators import annotator_id, checked_name, known_names
from v2s_engine.vegas.page.options import PageOptions
from v2s_engine.vegas.page.piece_queue import PieceQueue
from v2s_engine.vegas.page.standing import GroupStanding, everybodys_standing, own_count, own_votes
from v2s_engine.vegas.store import Project

_T = TypeVar("_T")

_STANDING_S = 20.0
"""How old everybody's figures may be. They are late on purpose, too: none of them tells gold from other pieces."""

_SUFFIXES = {"picture": ".mp4", "sound": ".flac"}


@dataclass
class Counter:
    """What the desk's thread works with."""

    connection: sqlite3.Connection
    queue: PieceQueue
    wanted: int
    standing: tuple[GroupStanding, ...] = ()
    standing_until: float = float("-inf")

    def names(self) -> list[str]:
        """People who answered before."""
        return known_names(self.connection)

    def enter(self, name: str) -> str:
        """The annotator's id for a name that was typed. Raises `UsageError`."""
        return annotator_id(self.connection, name)

    def own(self, annotator: str) -> int:
        """Votes of one person."""
        return own_count(self.connection, annotator)

    def own_groups(self, annotator: str) -> dict[tuple[str, str], int]:
        """Votes of one person by (category, modality)."""
        return own_votes(self.connection, annotator)

    def everybody(self) -> tuple[GroupStanding, ...]:
        """All groups, at most some seconds old."""
        if time.monotonic() >= self.standing_until:
            self.standing = everybodys_standing(self.connection, self.wanted)
            self.standing_until = time.monotonic() + _STANDING_S
        return self.standing

    def media(self, piece_id: int, modality: str) -> tuple[str, int] | None:
        """(video id, ordinal) of a piece that is asked about; None: there is none."""
        if not self.queue.is_question(piece_id, modality):
            return None
        row = self.connection.execute("SELECT video_id, ordinal FROM pieces WHERE id = ?", (piece_id,)).fetchone()
        return row["video_id"], row["ordinal"]


class Desk:
    """Runs what it is given in its thread, one after the other. Open it before, close it after."""

    def __init__(self, project: Project, options: PageOptions) -> None:
        self._project = project
        self._options = options
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="annotation-queue")
        self._stack = ExitStack()
        self._counter: Counter | None = None

    async def open(self) -> None:
        """Load the questions. Raises `UsageError` where there is no project."""
        await self._in_thread(self._open)

    async def close(self) -> None:
        """Wait for what is under way, and let go of the database."""
        await self._in_thread(self._stack.close)
        self._thread.shutdown()

    async def ask(self, work: Callable[[Counter], _T]) -> _T:
        """Run `work` in the thread. Raises what it raises."""
        counter = self._counter
        if counter is None:
            raise RuntimeError("the desk is not open")
        return await self._in_thread(lambda: work(counter))

    async def media_path(self, piece_id: int, modality: str) -> Path | None:
        """Where the picture or the sound of a piece lies; None where nobody is asked about it."""
        found = await self.ask(lambda counter: counter.media(piece_id, modality))
        return None if found is None else self._project.piece_path(*found, _SUFFIXES[modality])

    def _open(self) -> None:
        connection = self._stack.enter_context(self._project.connect())
        self._counter = Counter(connection, PieceQueue(connection, self._options), self._options.wanted)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def check_work(project: Project, options: PageOptions) -> PageOptions:
    """That there is something to ask, and the proposed name as it is known. Raises `UsageError` where there is not."""
    with project.connect() as connection:
        if options.conflicts is None and not _any(connection, "SELECT 1 FROM pieces LIMIT 1"):
            raise UsageError(f"no pieces in {project.folder} to ask about; make them with: v2s vegas segment")
        if options.conflicts is not None and not _any(connection, "SELECT 1 FROM verdicts WHERE conflict LIMIT 1"):
            raise UsageError(f"no conflicts in {project.folder} to look at again; find them with: v2s vegas aggregate")
        if options.annotator is None:
            return options
        return replace(options, annotator=annotator_id(connection, checked_name(options.annotator)).partition(":")[2])


def _any(connection: sqlite3.Connection, query: str) -> bool:
    return connection.execute(query).fetchone() is not None
