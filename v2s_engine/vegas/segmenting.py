"""`v2s vegas segment`: fetched sections become pieces of 2 s, with previews that annotators are shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from v2s_engine.errors import MediaError, UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.progress import Progress
from v2s_engine.vegas.cutting import open_section
from v2s_engine.vegas.one_run import one_run
from v2s_engine.vegas.previews import delete_previews, previews_stand, write_previews
from v2s_engine.vegas.store import PIECE_LENGTH, SHORTEST_PIECE, Note, Project, write_notes

_OTHER_SOUND = (
    "it was fetched again and sounds otherwise than what annotators were asked about, so no clip is made of it; fetch "
    "the earlier file again, or leave the video out"
)


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
    cut_sha256: str | None
    """Of the file that they were cut from."""
    sound: str | None
    """Digest of what they sound like; None where nothing was cut yet."""


class _Outcome(NamedTuple):
    """What became of a section whose previews were to be made."""

    reason: str | None
    """Why they were not; None where they are there."""
    sound: str = ""
    """Digest of the section's samples."""


def piece_lengths(length: int) -> list[int]:
    """The lengths of the pieces of a section of `length` samples, the first first.

    All have 32,000 samples but the last, which may lack up to 0.1 s; what is left after it belongs to no piece.
    """
    whole, rest = divmod(length, PIECE_LENGTH)
    return [PIECE_LENGTH] * whole + ([rest] if rest >= SHORTEST_PIECE else [])


def segment_videos(project: Project, options: SegmentOptions, progress: Progress) -> SegmentResult:
    """Cut all fetched videos into pieces: rows of `pieces`, and three files for each.

    Goes on where an earlier run stopped; previews that are missing are made again. A section that is missing or
    damaged is noted and left out, and tried again by the next run. So is one that was fetched again and sounds
    otherwise, where somebody was asked about its pieces; else they are made anew.

    Raises `UsageError` where nothing is fetched, and `OutputError` where the previews cannot be written, or another
    run is at work.
    """
    left_out: list[LeftOut] = []
    with project.connect() as connection, one_run(project, "segment"):
        sections = _fetched(connection)
        if not sections:
            raise UsageError(f"no fetched videos in {project.folder}; run v2s vegas fetch first")
        waiting = [each for each in sections if not _done(project, each)]
        with connection:  # what is not fetched any more, or well again, is no matter of ours
            noted = {about for (about,) in connection.execute("SELECT about FROM notes WHERE step = 'segment'")}
            gone = noted - {each.video_id for each in waiting}
            connection.executemany("DELETE FROM notes WHERE step = 'segment' AND about = ?", ((each,) for each in gone))
        with ThreadPoolExecutor(options.jobs) as pool:
            cuts = pool.map(partial(_cut, project, progress, _asked(connection)), waiting)
            try:
                for done, (section, cut) in enumerate(zip(waiting, cuts, strict=True), start=1):
                    with connection:
                        reason = _note_outcome(connection, project, section, cut)
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
        "SELECT video_id, length, fetches.sha256, (SELECT count(*) FROM pieces WHERE pieces.video_id = "
        "fetches.video_id), cuts.sha256, sound FROM fetches LEFT JOIN cut_sections AS cuts USING (video_id) "
        "WHERE state = 'fetched' ORDER BY video_id"
    )
    return [_Section(*row) for row in rows]


def _asked(connection: sqlite3.Connection) -> set[str]:
    """Videos about whose pieces somebody was asked, or said something: these pieces are not made anew."""
    rows = connection.execute(
        "SELECT DISTINCT video_id FROM pieces WHERE id IN (SELECT piece_id FROM votes UNION SELECT piece_id FROM gold "
        "UNION SELECT piece_id FROM page_answers UNION SELECT piece_id FROM mturk_questions)"
    )
    return {video_id for (video_id,) in rows}


def _done(project: Project, section: _Section) -> bool:
    current = section.sound is not None and section.cut_sha256 == section.sha256
    return current and section.pieces > 0 and previews_stand(project, section.video_id, section.pieces)


def _cut(project: Project, progress: Progress, asked: Collection[str], section: _Section) -> _Outcome:
    """Makes a section's previews where they are missing, or are those of another sound."""
    progress.check()
    lengths = piece_lengths(section.length)
    if not lengths:
        wanted = SHORTEST_PIECE / SAMPLE_RATE
        return _Outcome(
            f"it lasts {section.length / SAMPLE_RATE:.2f} s; a piece wants {wanted:g} s: nothing can be done"
        )
    media = project.media_path(section.video_id)
    try:
        with open_section(media, section.sha256) as opened:
            if len(opened.samples) != section.length:
                return _Outcome(
                    f"{media} holds {len(opened.samples)} samples; wanted the {section.length} that were fetched: run "
                    "v2s vegas fetch again"
                )
            sound = opened.sound
            same = section.sound in (None, sound)
            if not same and section.video_id in asked:
                return _Outcome(_OTHER_SOUND)
            # Previews without rows may be those of an earlier file, left by a run that was killed.
            stand = section.pieces > 0 and previews_stand(project, section.video_id, len(lengths))
            if not (same and stand):
                write_previews(project, section.video_id, opened, lengths)
    except MediaError as error:
        return _Outcome(str(error))
    return _Outcome(None, sound)


def _note_outcome(connection: sqlite3.Connection, project: Project, section: _Section, cut: _Outcome) -> str | None:
    """The rows of a section whose files are there, or why they are not, which is returned.

    Within the caller's transaction, which the first statement begins: nobody fetches or votes in between.
    """
    video_id, lengths = section.video_id, piece_lengths(section.length)
    connection.execute("DELETE FROM notes WHERE step = 'segment' AND about = ?", (video_id,))
    now = connection.execute("SELECT state, sha256 FROM fetches WHERE video_id = ?", (video_id,)).fetchone()
    if now is None or now["state"] != "fetched":
        if not section.pieces:
            delete_previews(project, video_id, range(len(lengths)))
        return f"it is no longer fetched but {now['state'] if now else 'gone'}, since another command was at work"
    reason = cut.reason
    if now["sha256"] != section.sha256:
        reason = "it was fetched again while it was cut; run v2s vegas segment again"
    elif reason is None and section.sound not in (None, cut.sound) and video_id in _asked(connection):
        reason = _OTHER_SOUND
    if reason is not None:
        write_notes(connection, "segment", [Note("", None, video_id, reason)])
        return reason
    if section.sound != cut.sound:
        _write_pieces(connection, video_id, lengths, anew=section.sound is not None)
        delete_previews(project, video_id, range(len(lengths), section.pieces))
    connection.execute("INSERT OR REPLACE INTO cut_sections VALUES (?, ?, ?)", (video_id, section.sha256, cut.sound))
    return None


def _write_pieces(connection: sqlite3.Connection, video_id: str, lengths: Sequence[int], *, anew: bool) -> None:
    """The rows of a video's pieces; `anew`: in place of others, about which nobody was asked."""
    connection.executemany(
        "INSERT INTO pieces (video_id, ordinal, length) VALUES (?, ?, ?) "
        "ON CONFLICT (video_id, ordinal) DO UPDATE SET length = excluded.length",
        ((video_id, ordinal, length) for ordinal, length in enumerate(lengths)),
    )
    if not anew:
        return
    for table in ("verdicts", "claims"):
        connection.execute(
            f"DELETE FROM {table} WHERE piece_id IN (SELECT id FROM pieces WHERE video_id = ?)",  # noqa: S608
            (video_id,),
        )
    connection.execute("DELETE FROM pieces WHERE video_id = ? AND ordinal >= ?", (video_id, len(lengths)))
