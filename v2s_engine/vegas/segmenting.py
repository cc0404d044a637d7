"""`v2s vegas segment`: fetched sections become pieces of 2 s, with previews that annotators are shown."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from v2s_engine.errors import MediaError, UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.progress import Progress
from v2s_engine.vegas.one_run import one_run
from v2s_engine.vegas.previews import previews_stand, write_previews
from v2s_engine.vegas.store import PIECE_LENGTH, Note, Project, write_notes

SHORTEST_PIECE = PIECE_LENGTH - SAMPLE_RATE // 10
"""Samples that a section's last piece must have: many sections end a few pictures early, and 0.1 s is not missed."""


@dataclass(frozen=True)
class SegmentOptions:
    """How sections are cut. Raises `UsageError`."""

    jobs: int = 1
    """Sections that are worked on at once; the result does not depend on it."""

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise UsageError(f"segment wants at least 1 job; got {self.jobs}")


class LeftOut(NamedTuple):
    """A fetched video without pieces."""

    video_id: str
    reason: str


@dataclass(frozen=True)
class SegmentResult:
    """What stands after the run."""

    videos: int
    """Fetched videos that have pieces."""
    pieces: int
    made: int
    """Videos whose previews were made in this run."""
    left_out: tuple[LeftOut, ...]


class _Section(NamedTuple):
    video_id: str
    length: int
    sha256: str | None
    pieces: int
    """How many of its pieces are in the store."""


def piece_lengths(length: int) -> list[int]:
    """The lengths of the pieces of a section of `length` samples, the first first.

    All have 32,000 samples but the last, which may lack up to 0.1 s; what is left after it belongs to no piece.
    """
    whole, rest = divmod(length, PIECE_LENGTH)
    return [PIECE_LENGTH] * whole + ([rest] if rest >= SHORTEST_PIECE else [])


def segment_videos(project: Project, options: SegmentOptions, progress: Progress) -> SegmentResult:
    """Cut all fetched videos into pieces: rows of `pieces`, and three files for each.

    Goes on where an earlier run stopped; previews that are missing are made again. A section that is missing or
    damaged is noted and left out, and tried again by the next run. Raises `UsageError` where nothing is fetched, and
    `OutputError` where the previews cannot be written, or another run is at work.
    """
    left_out: list[LeftOut] = []
    with project.connect() as connection, one_run(project, "segment"):
        sections = _fetched(connection)
        if not sections:
            raise UsageError(f"no fetched videos in {project.folder}; run v2s vegas fetch first")
        with connection:  # what is not fetched any more is no matter of ours
            connection.execute(
                "DELETE FROM notes WHERE step = 'segment' AND about NOT IN "
                "(SELECT video_id FROM fetches WHERE state = 'fetched')"
            )
        waiting = [each for each in sections if not _done(project, each)]
        with ThreadPoolExecutor(options.jobs) as pool:
            reasons = pool.map(partial(_cut, project, progress), waiting)
            try:
                for done, (section, reason) in enumerate(zip(waiting, reasons, strict=True), start=1):
                    with connection:
                        _note_outcome(connection, section, reason)
                    if reason is not None:
                        left_out.append(LeftOut(section.video_id, reason))
                    progress.step("segment", done, len(waiting), section.video_id)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        videos, pieces = connection.execute(
            "SELECT count(DISTINCT video_id), count(*) FROM pieces JOIN fetches USING (video_id) "
            "WHERE state = 'fetched'"
        ).fetchone()
    return SegmentResult(videos, pieces, len(waiting) - len(left_out), tuple(left_out))


def _fetched(connection: sqlite3.Connection) -> list[_Section]:
    """By id, so that pieces are numbered alike however the work is spread."""
    rows = connection.execute(
        "SELECT video_id, length, sha256, (SELECT count(*) FROM pieces WHERE pieces.video_id = fetches.video_id) "
        "FROM fetches WHERE state = 'fetched' ORDER BY video_id"
    )
    return [_Section(*row) for row in rows]


def _done(project: Project, section: _Section) -> bool:
    return section.pieces > 0 and previews_stand(project, section.video_id, section.pieces)


def _cut(project: Project, progress: Progress, section: _Section) -> str | None:
    """Makes a section's previews; why that cannot be, None where it went well."""
    progress.check()
    lengths = piece_lengths(section.length)
    if not lengths:
        wanted = SHORTEST_PIECE / SAMPLE_RATE
        return f"it lasts {section.length / SAMPLE_RATE:.2f} s; a piece wants {wanted:g} s: nothing can be done"
    try:
        write_previews(project, section.video_id, section.length, lengths, section.sha256)
    except MediaError as error:
        return str(error)
    return None


def _note_outcome(connection: sqlite3.Connection, section: _Section, reason: str | None) -> None:
    """The rows of a section whose files are there, or why they are not."""
    connection.execute("DELETE FROM notes WHERE step = 'segment' AND about = ?", (section.video_id,))
    if reason is not None:
        write_notes(connection, "segment", [Note("", None, section.video_id, reason)])
    elif not section.pieces:
        connection.executemany(
            "INSERT INTO pieces (video_id, ordinal, length) VALUES (?, ?, ?)",
            ((section.video_id, ordinal, length) for ordinal, length in enumerate(piece_lengths(section.length))),
        )
