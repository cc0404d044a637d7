"""The clips of a data set, decided from the verdicts alone: no media are looked at, nothing is written."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from v2s_engine.corpus.clips import Split
from v2s_engine.errors import UsageError
from v2s_engine.vegas.aggregate_figures import AGGREGATE_FACT
from v2s_engine.vegas.cutting import CUTTER, Stretch
from v2s_engine.vegas.merging import KeptPiece, merge_pieces
from v2s_engine.vegas.splitting import SplitOptions, split_videos
from v2s_engine.vegas.store import PIECE_LENGTH, Project, read_fact

NOT_STATED = "not stated"


@dataclass(frozen=True)
class DatasetClip:
    """One clip: what it is called, where it comes from, what may be done with it."""

    key: str
    """What it is called in shards: no dots, unique in the set."""
    video_id: str
    category: str
    split: Split
    first: int
    """Ordinal of its first piece."""
    last: int
    """And of its last."""
    length: int
    """Samples."""
    section_begin_ms: int
    """Where the fetched section begins in the source video."""
    section_sha256: str
    """Of the section's file in the normal form."""
    licence: str
    attribution: str

    @property
    def file(self) -> str:
        """Its path below the set's folder."""
        return f"clips/{self.category}/{self.key}.mkv"

    @property
    def stretch(self) -> Stretch:
        """Which part of the section it is."""
        return Stretch(self.first * PIECE_LENGTH, self.length)

    @property
    def begin_s(self) -> str:
        """Seconds at which it begins in the source video, as exact decimals."""
        seconds, rest = divmod(self.section_begin_ms + self.first * 2000, 1000)
        return f"{seconds}.{rest:03d}"

    @property
    def made_of(self) -> str:
        """Digest of all that decides the bytes of its file."""
        told = (CUTTER, self.section_sha256, *self.stretch)
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


class KeptPieces(NamedTuple):
    """What the verdicts say."""

    pieces: list[KeptPiece]
    judged: int
    """Pieces with a verdict, kept or not."""
    method: str | None
    """By which `aggregate` decided; None where it did not say."""
    outdated: list[str]
    """Videos of which pieces are kept by verdicts on what was there before; they are not among `pieces`."""


class _Video(NamedTuple):
    category: str
    begin_ms: int
    sha256: str
    licence: str
    attribution: str


def check_categories(connection: sqlite3.Connection, asked: Collection[str]) -> list[str]:
    """The categories that are asked for, all where none is, in their order. Raises `UsageError`."""
    known = [name for (name,) in connection.execute("SELECT name FROM categories ORDER BY position")]
    if unknown := [name for name in asked if name not in known]:
        raise UsageError(f"no category {', '.join(unknown)}; there are: {', '.join(known)}")
    return [name for name in known if not asked or name in asked]


def read_kept(connection: sqlite3.Connection, categories: Collection[str]) -> KeptPieces:
    """The kept pieces of fetched videos. Raises `UsageError` where there are no verdicts, or nothing is kept."""
    rows = connection.execute(
        "SELECT category, kept AND state IS 'fetched', cuts.video_id IS NULL OR cuts.sha256 IS fetches.sha256, "
        "video_id, ordinal, pieces.length FROM verdicts JOIN pieces ON pieces.id = piece_id JOIN videos USING "
        "(video_id) LEFT JOIN fetches USING (video_id) LEFT JOIN cut_sections AS cuts USING (video_id)"
    )
    judged, pieces, outdated = 0, [], set[str]()
    for category, kept, current, *piece in rows:
        if category not in categories:
            continue
        judged += 1
        if kept and current:
            pieces.append(KeptPiece(*piece))
        elif kept:
            outdated.add(piece[0])
    if not judged:
        raise UsageError("no piece has a verdict yet; run v2s vegas aggregate first")
    if not pieces:
        raise UsageError(f"none of {judged} pieces is kept; see v2s vegas aggregate for how the votes went")
    figures = read_fact(connection, AGGREGATE_FACT) or {}
    return KeptPieces(pieces, judged, figures.get("method"), sorted(outdated))


def decide_clips(
    connection: sqlite3.Connection,
    project: Project,
    pieces: Iterable[KeptPiece],
    options: SplitOptions,
    categories: Collection[str],
) -> list[DatasetClip]:
    """The clips of the kept pieces, by video and beginning, each in its split; all `categories` must have some.

    Raises as `split_videos`.
    """
    merged = merge_pieces(pieces)
    videos = _videos(connection)
    splits = split_videos({each.video_id: videos[each.video_id].category for each in merged}, options, categories)
    return [
        DatasetClip(
            key=project.piece_path(each.video_id, each.first, "").name,
            video_id=each.video_id,
            category=videos[each.video_id].category,
            split=splits[each.video_id],
            first=each.first,
            last=each.last,
            length=each.length,
            section_begin_ms=videos[each.video_id].begin_ms,
            section_sha256=videos[each.video_id].sha256,
            licence=videos[each.video_id].licence,
            attribution=videos[each.video_id].attribution,
        )
        for each in merged
    ]


def write_clip_rows(connection: sqlite3.Connection, clips: Iterable[DatasetClip]) -> None:
    """Put these clips in place of all that were in the store, within the caller's transaction."""
    connection.execute("DELETE FROM clips")
    connection.executemany(
        "INSERT INTO clips (id, video_id, first, last, length, split, file) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (number, clip.video_id, clip.first, clip.last, clip.length, clip.split, clip.file)
            for number, clip in enumerate(clips, start=1)
        ),
    )


def _videos(connection: sqlite3.Connection) -> dict[str, _Video]:
    rows = connection.execute(
        "SELECT video_id, category, begin_ms, sha256, licence, attribution "
        "FROM videos JOIN fetches USING (video_id) WHERE state = 'fetched'"
    )
    return {
        video_id: _Video(category, begin_ms, sha256 or "", _one_line(licence), _one_line(attribution))
        for video_id, category, begin_ms, sha256, licence, attribution in rows
    }


def _one_line(text: str | None) -> str:
    """What a stranger wrote, without line breaks and control characters."""
    words = "".join(sign if sign.isprintable() else " " for sign in text or "").split()
    return " ".join(words) or NOT_STATED
