"""`v2s vegas fetch`: brings the drawn sections, in one form, each content once.

Several threads bring and normalise; one writes rows and puts files in place, so that what comes out does not depend on
which thread was first. What is found to be the same is what decodes to the same: the same upload under two ids, a copy
in another container. An upload that its site coded anew, or that begins elsewhere, is not found.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.fetch_rows import (
    CategoryFetches,
    count_fetches,
    count_reasons,
    fetched_ids,
    record_failure,
    record_fetched,
    sections_to_fetch,
)
from v2s_engine.vegas.normal_form import NormalForm, write_normal_form
from v2s_engine.vegas.one_run import one_run
from v2s_engine.vegas.sources import BroughtFile, FetchFailure, Section, Source
from v2s_engine.vegas.sources.choice import SourceOptions, open_sources
from v2s_engine.vegas.store import Project

_INCOMING = "incoming"
"""Folder in a project for what is brought and not yet normalised; emptied by every run."""

_LOOK = 0.1
"""Seconds between two looks at whether to stop."""


@dataclass(frozen=True)
class FetchOptions:
    """What `fetch_videos` is asked for."""

    sources: SourceOptions
    jobs: int | None = None
    """Videos brought and normalised at the same time; None for 1 with yt-dlp, 4 otherwise."""
    limit: int | None = None
    """Only the first so many videos of each category."""
    categories: tuple[str, ...] = ()
    """Only these; empty for all."""
    retry_failed: bool = False
    """Whether to try again also what failed for good."""

    def __post_init__(self) -> None:
        for name, number in (("jobs", self.jobs), ("limit", self.limit)):
            if number is not None and number < 1:
                raise UsageError(f"{name} is {number}; wanted 1 or more")


@dataclass(frozen=True)
class FetchResult:
    """Where a project stands after a run."""

    tried: int
    """Videos of this run."""
    categories: tuple[CategoryFetches, ...]
    reasons: tuple[tuple[str, int], ...]
    """Kinds of failures among all videos and how many have them, most first."""
    stopped: str | None = None
    """Why the run ended early: what would meet every video, such as being asked to wait."""

    @property
    def missing(self) -> int:
        """Videos that are not there: failed for good, for now, or not tried yet."""
        return sum(each.failed + each.later + each.waiting for each in self.categories)


@dataclass(frozen=True)
class _Brought:
    section: Section
    draft: Path
    file: BroughtFile
    form: NormalForm


@dataclass(frozen=True)
class _Failed:
    section: Section
    reason: str
    lasting: bool
    stops: bool


def fetch_videos(project: Project, options: FetchOptions, progress: Progress | None = None) -> FetchResult:
    """Fetch what is not there yet. A run that is stopped or killed leaves whole files and rows; the next goes on.

    Raises `UsageError` (no project, an unknown category, sources that cannot be), `MissingExtraError` and `DeviceError`
    (packages or ffmpeg are missing), `OutputError` (the disk is full, another run is at work) and `CancelledError`.
    """
    progress = progress or Progress()
    with project.connect() as connection, one_run(project, "fetch"), open_sources(options.sources) as sources:
        _check_categories(connection, options.categories)
        _sweep(project, connection)
        todo = sections_to_fetch(
            connection,
            project,
            categories=options.categories,
            limit=options.limit,
            retry_failed=options.retry_failed,
        )
        jobs = options.jobs or (1 if options.sources.yt_dlp else 4)
        stopped: str | None = None
        done = 0
        try:
            with _outcomes(project, sources, todo, jobs, progress.check) as outcomes:
                for outcome in outcomes:
                    _record(connection, project, outcome)
                    done += 1
                    progress.step("fetch", done, len(todo), outcome.section.video_id)
                    if isinstance(outcome, _Failed) and outcome.stops:
                        stopped = outcome.reason
                        break
        finally:
            _sweep_unfinished(project)
        return FetchResult(done, count_fetches(connection), count_reasons(connection), stopped)


@contextlib.contextmanager
def _outcomes(
    project: Project, sources: Sequence[Source], todo: Sequence[Section], jobs: int, check: Callable[[], None]
) -> Iterator[Iterator[_Brought | _Failed]]:
    """What became of the sections, as they are done; leaving the block stops those under way."""
    left = threading.Event()

    def go_on() -> None:
        check()
        if left.is_set():
            raise CancelledError("stopped with the run")

    def results(pool: ThreadPoolExecutor) -> Iterator[_Brought | _Failed]:
        waiting = iter(todo)
        running: set[Future[_Brought | _Failed]] = set()
        while True:
            check()
            while len(running) < 2 * jobs and (section := next(waiting, None)) is not None:
                running.add(pool.submit(_fetch_one, project, sources, section, go_on))
            if not running:
                return
            done, running = wait_for(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="v2s-fetch")
    try:
        yield results(pool)
    finally:
        left.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _fetch_one(
    project: Project, sources: Sequence[Source], section: Section, check: Callable[[], None]
) -> _Brought | _Failed:
    """Bring a section from the first source that has it whole, and normalise it beside its place."""
    check()
    target = project.media_path(section.video_id)
    folder = project.folder / _INCOMING / target.stem
    draft = _draft(target)
    failures: list[FetchFailure] = []
    for source in sources:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
            file = source.bring(section, folder, check)
            form = write_normal_form(file.path, file.begin, section.duration, draft, check)
            return _Brought(section, draft, file, form)
        except FetchFailure as failure:
            failures.append(failure)
        except OSError as error:
            raise _cannot_write(project, error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    last = failures[-1]  # its kind counts: where a folder lacks a video, the server's answer is what is to be known
    reason = "; before: ".join(str(failure) for failure in reversed(failures))
    return _Failed(section, reason, last.lasting, last.stops)


def _record(connection: sqlite3.Connection, project: Project, outcome: _Brought | _Failed) -> None:
    video_id = outcome.section.video_id
    try:
        if isinstance(outcome, _Failed):
            record_failure(connection, video_id, outcome.reason, lasting=outcome.lasting)
        else:
            record_fetched(connection, project, video_id, draft=outcome.draft, brought=outcome.file, form=outcome.form)
    except (OSError, sqlite3.Error) as error:
        raise _cannot_write(project, error) from error


def _check_categories(connection: sqlite3.Connection, asked: Sequence[str]) -> None:
    known = [name for (name,) in connection.execute("SELECT name FROM categories ORDER BY position")]
    if not known:
        raise UsageError("no videos are drawn yet; run v2s vegas select first")
    if unknown := [name for name in asked if name not in known]:
        raise UsageError(f"no category {', '.join(unknown)}; there are: {', '.join(known)}")


def _sweep(project: Project, connection: sqlite3.Connection) -> None:
    """Delete what killed runs left: files that are not whole, and files whose row was never written."""
    _sweep_unfinished(project)
    kept = {project.media_path(video_id) for video_id in fetched_ids(connection)}
    for path in (project.folder / "media").glob("??/*.mkv"):
        if path not in kept:
            path.unlink(missing_ok=True)


def _sweep_unfinished(project: Project) -> None:
    shutil.rmtree(project.folder / _INCOMING, ignore_errors=True)
    for path in (project.folder / "media").glob("??/.*.part"):
        path.unlink(missing_ok=True)


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _cannot_write(project: Project, error: Exception) -> OutputError:
    return OutputError(
        f"cannot write to {project.folder}: {error}; free some space and start again: what is fetched is kept"
    )
