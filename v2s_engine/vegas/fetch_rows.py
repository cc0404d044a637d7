"""The table `fetches`: which videos are to be fetched, what became of them, and which have the same content."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.vegas.normal_form import NormalForm
from v2s_engine.vegas.sources import BroughtFile, Section
from v2s_engine.vegas.store import Project

_ORDERED = "FROM videos v JOIN categories c ON c.name = v.category LEFT JOIN fetches f USING (video_id)"


@dataclass(frozen=True)
class CategoryFetches:
    """What became of the videos of one category."""

    name: str
    selected: int
    fetched: int
    duplicate: int
    failed: int
    """For good."""
    later: int
    """Failed for now: the next run tries them again."""

    @property
    def waiting(self) -> int:
        """Not tried yet."""
        return self.selected - self.fetched - self.duplicate - self.failed - self.later


def sections_to_fetch(
    connection: sqlite3.Connection,
    project: Project,
    *,
    categories: tuple[str, ...] = (),
    limit: int | None = None,
    retry_failed: bool = False,
) -> list[Section]:
    """What is to be fetched, all categories alike from their first videos on.

    Videos not tried yet, those that failed for now, those whose file is gone, and with `retry_failed` all that failed.
    `limit`: only the first so many of each category.
    """
    rows = connection.execute(
        "SELECT v.video_id, v.begin_ms, v.end_ms, v.category, v.position, f.state, f.retry "
        f"{_ORDERED} ORDER BY v.position, c.position"
    )
    found: list[Section] = []
    for video_id, begin, end, category, position, state, retry in rows:
        if (categories and category not in categories) or (limit is not None and position >= limit):
            continue
        again = state == "failed" and (retry or retry_failed)
        gone = state == "fetched" and not project.media_path(video_id).is_file()
        if state is None or again or gone:
            found.append(Section(video_id, begin, end))
    return found


def record_failure(connection: sqlite3.Connection, video_id: str, reason: str, *, lasting: bool) -> None:
    """Note that a video could not be had."""
    with connection:
        _write(connection, video_id, state="failed", reason=reason, retry=int(not lasting))


def record_fetched(
    connection: sqlite3.Connection,
    project: Project,
    video_id: str,
    *,
    draft: Path,
    brought: BroughtFile,
    form: NormalForm,
) -> None:
    """Put a normalised file in its place and note it, unless another video has the same content.

    Of several the first keeps it, in the order of categories and of drawing, whichever came first: but for one that is
    cut into pieces already. Raises `OSError` and `sqlite3.Error`.
    """
    target = project.media_path(video_id)
    columns: dict[str, str | int | None] = {
        "origin": brought.origin,
        "sha256": form.sha256,
        "content": form.content,
        "length": form.length,
        "width": form.width,
        "height": form.height,
        "licence": brought.licence,
        "attribution": brought.attribution,
    }
    twin = _twin(connection, video_id, form.content)
    if twin is not None and not _takes_over(connection, video_id, twin):
        with connection:
            _write(connection, video_id, state="duplicate", reason=twin, **columns)
        draft.unlink()
        return
    draft.replace(target)  # the file first, then its row: a kill in between leaves a file that the next run replaces
    with connection:
        _write(connection, video_id, state="fetched", **columns)
        if twin is not None:
            connection.execute(
                "UPDATE fetches SET state = 'duplicate', reason = ?1 "
                "WHERE video_id = ?2 OR (state = 'duplicate' AND reason = ?2)",
                (video_id, twin),
            )
    if twin is not None:
        project.media_path(twin).unlink(missing_ok=True)


def count_fetches(connection: sqlite3.Connection) -> tuple[CategoryFetches, ...]:
    """What became of the videos of each category, in the categories' order."""
    rows = connection.execute(
        "SELECT v.category, count(*), total(f.state = 'fetched'), total(f.state = 'duplicate'), "
        "total(f.state = 'failed' AND NOT f.retry), total(f.state = 'failed' AND f.retry) "
        f"{_ORDERED} GROUP BY v.category ORDER BY c.position"
    )
    return tuple(CategoryFetches(name, *map(int, counts)) for name, *counts in rows)


def count_reasons(connection: sqlite3.Connection) -> tuple[tuple[str, int], ...]:
    """Kinds of failures and how many videos each has, most first."""
    reasons = connection.execute("SELECT reason FROM fetches WHERE state = 'failed'")
    kinds = Counter(str(reason).partition(": ")[0] for (reason,) in reasons)
    return tuple(sorted(kinds.items(), key=lambda each: (-each[1], each[0])))


def fetched_ids(connection: sqlite3.Connection) -> set[str]:
    """The videos that are there."""
    return {video_id for (video_id,) in connection.execute("SELECT video_id FROM fetches WHERE state = 'fetched'")}


def _write(connection: sqlite3.Connection, video_id: str, **columns: str | int | None) -> None:
    """The row of a video anew, with one more attempt, within the caller's transaction."""
    before = connection.execute("SELECT attempts FROM fetches WHERE video_id = ?", (video_id,)).fetchone()
    values = {"video_id": video_id, "attempts": 1 + (before[0] if before else 0), **columns}
    names, gaps = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(
        f"INSERT OR REPLACE INTO fetches ({names}) VALUES ({gaps})",  # noqa: S608 - names are this module's
        tuple(values.values()),
    )


def _twin(connection: sqlite3.Connection, video_id: str, content: str) -> str | None:
    row = connection.execute(
        "SELECT video_id FROM fetches WHERE content = ? AND state = 'fetched' AND video_id <> ?", (content, video_id)
    ).fetchone()
    return None if row is None else str(row[0])


def _takes_over(connection: sqlite3.Connection, video_id: str, twin: str) -> bool:
    if connection.execute("SELECT 1 FROM pieces WHERE video_id = ?", (twin,)).fetchone():
        return False
    (first,) = connection.execute(
        "SELECT v.video_id FROM videos v JOIN categories c ON c.name = v.category WHERE v.video_id IN (?, ?) "
        "ORDER BY c.position, v.position LIMIT 1",
        (video_id, twin),
    ).fetchone()
    return bool(first == video_id)
