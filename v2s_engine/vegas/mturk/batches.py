"""What is uploaded to Mechanical Turk: batch CSVs with one row per HIT, the HITs' templates, and previews of them.

    DIR/picture_0001.csv            rows of HITs in one modality
        picture_5_pieces.html       the template that goes with HITs of five pieces
        picture_preview.html        the first HIT as a worker sees it, with the project's own files

A row's columns: hit, modality, category, question, present_example, absent_example, and for each piece `piece_1`, an
opaque token, and `url_1`. A HIT that has fewer pieces than the others has `none` there. Nothing tells gold pieces
from others.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from v2s_engine.errors import OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.mturk.hits import ASSIGNMENTS, Hit, HitOptions, Piece, waiting_hits
from v2s_engine.vegas.mturk.template import hit_template, preview_page
from v2s_engine.vegas.one_run import one_run
from v2s_engine.vegas.questions import MODALITIES, Modality, question_for, words
from v2s_engine.vegas.store import Project
from v2s_engine.vegas.whole_file import whole_file

NOBODY = "none"
"""Token and URL where a HIT has no piece in a place: the requester's page wants a value in every field."""

_SUFFIXES = {"picture": ".mp4", "sound": ".flac"}


@dataclass(frozen=True)
class BatchOptions:
    """What to write, and where workers' browsers will find the pieces."""

    output: Path
    """Folder for the batches; made where it is not there."""
    media_url: str
    """https URL of a copy of the project's folder; `pieces/...` is looked for below it."""
    hits: HitOptions = field(default_factory=HitOptions)
    rows: int = 500
    """HITs per batch file at most."""

    def __post_init__(self) -> None:
        """Raises `UsageError` for a URL that cannot be a folder that workers see, or a number of rows below 1."""
        if not _is_https_folder(self.media_url):
            raise UsageError(
                f"--media-url {self.media_url!r}; wanted the https URL of a folder, without ?, # and passwords: "
                "workers' browsers load nothing else into Mechanical Turk's page"
            )
        if any(character in self.media_url for character in " \"'<>\\^`{|}") or not self.media_url.isprintable():
            raise UsageError(f"--media-url {self.media_url!r} holds characters that no URL may hold; write them as %XX")
        if self.rows < 1:
            raise UsageError(f"{self.rows} rows per batch; wanted 1 or more")


@dataclass(frozen=True)
class BatchesWritten:
    """What was written."""

    batches: tuple[Path, ...]
    templates: tuple[Path, ...]
    previews: tuple[Path, ...]
    hits: dict[Modality, int]
    pieces: dict[Modality, int]
    """Pieces asked about, without gold ones."""
    gold: int
    """Gold questions in all."""

    @property
    def assignments(self) -> int:
        """What will be paid: three workers per HIT."""
        return ASSIGNMENTS * sum(self.hits.values())


def write_batches(project: Project, options: BatchOptions, progress: Progress) -> BatchesWritten:
    """Write batches for all pieces that still need votes and are not out already, and keep what went out.

    After a kill the same call writes what is missing. Raises `UsageError` without pieces, `OutputError` where a batch
    of that name but with other contents lies there, or nothing can be written.
    """
    batches: list[Path] = []
    previews: list[Path] = []
    asked: dict[Modality, tuple[Hit, ...]] = {}
    with project.connect() as connection, one_run(project, "batches"):
        if not connection.execute("SELECT 1 FROM pieces").fetchone():
            raise UsageError(f"{project.folder} has no pieces yet; run v2s vegas segment first")
        for modality in MODALITIES:  # before anything is written: one may refuse
            asked[modality] = tuple(waiting_hits(connection, modality, options.hits))
        templates = tuple(_write_template(options, modality) for modality in MODALITIES)
        for modality, hits in asked.items():
            if hits:
                previews.append(_write_preview(project, options, modality, hits[0]))
            for first in range(0, len(hits), options.rows):
                progress.step(f"batches: {modality}", first, len(hits))
                batches.append(_write_batch(project, connection, options, modality, hits[first : first + options.rows]))
            progress.step(f"batches: {modality}", len(hits), len(hits))
    return BatchesWritten(
        batches=tuple(batches),
        templates=templates,
        previews=tuple(previews),
        hits={modality: len(hits) for modality, hits in asked.items()},
        pieces={modality: sum(len(hit.pieces) - hit.gold for hit in hits) for modality, hits in asked.items()},
        gold=sum(hit.gold for hits in asked.values() for hit in hits),
    )


def _is_https_folder(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that is not closed
        return False
    return parts.scheme == "https" and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)


def _write_batch(
    project: Project, connection: sqlite3.Connection, options: BatchOptions, modality: Modality, hits: Sequence[Hit]
) -> Path:
    """One CSV, then what is in it as rows; a kill between leaves a file that the next call writes again."""
    (batch,) = connection.execute("SELECT coalesce(max(batch), 0) + 1 FROM mturk_hits").fetchone()
    file = options.output / f"{modality}_{batch:04d}.csv"
    named = [_named(hit, f"{options.hits.seed}/{batch}/{index}/{modality}") for index, hit in enumerate(hits)]
    rows = [_row(project, options, modality, *each) for each in zip(hits, named, strict=True)]
    _put(file, _csv_text(rows), replace=False)
    with connection:
        connection.executemany(
            "INSERT INTO mturk_hits VALUES (?, ?, ?, ?, ?, ?)",
            (
                (token, batch, modality, hit.category, file.name, line)
                for line, (hit, (token, _)) in enumerate(zip(hits, named, strict=True), 2)
            ),
        )
        connection.executemany(
            "INSERT INTO mturk_questions VALUES (?, ?, ?)",
            (
                (token, name, piece.id)
                for hit, (name, tokens) in zip(hits, named, strict=True)
                for token, piece in zip(tokens, hit.pieces, strict=True)
            ),
        )
    return file


def _named(hit: Hit, key: str) -> tuple[str, list[str]]:
    """The HIT's opaque name and its pieces' tokens; hashed with the pieces, so that projects differ."""
    pieces = ",".join(f"{piece.video_id}:{piece.ordinal}" for piece in hit.pieces)
    names = [
        hashlib.sha256(f"{key}/{place}/{pieces}".encode()).hexdigest()[:20] for place in range(len(hit.pieces) + 1)
    ]
    return names[0], names[1:]


def _row(
    project: Project, options: BatchOptions, modality: Modality, hit: Hit, named: tuple[str, list[str]]
) -> dict[str, str]:
    """One HIT's row. Texts are HTML: the requester's page puts them into the template as they are."""
    question = question_for(hit.category, modality)
    texts = {
        "category": words(hit.category),
        "question": question.text,
        "present_example": question.present,
        "absent_example": question.absent,
    }
    row = {"hit": named[0], "modality": modality} | {name: _as_html(text) for name, text in texts.items()}
    base = options.media_url.rstrip("/")
    for place in range(options.hits.pieces):
        there = place < len(hit.pieces)
        row[f"piece_{place + 1}"] = named[1][place] if there else NOBODY
        url = f"{base}/{_relative(project, hit.pieces[place], modality)}" if there else NOBODY
        row[f"url_{place + 1}"] = _as_html(url)
    return row


def _relative(project: Project, piece: Piece, modality: Modality) -> str:
    return project.piece_path(piece.video_id, piece.ordinal, _SUFFIXES[modality]).relative_to(project.folder).as_posix()


def _as_html(text: str) -> str:
    """ASCII HTML: the requester's page refuses some characters beyond it (emoji)."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _csv_text(rows: Sequence[dict[str, str]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _write_template(options: BatchOptions, modality: Modality) -> Path:
    file = options.output / f"{modality}_{options.hits.pieces}_pieces.html"
    _put(file, hit_template(modality, options.hits.pieces), replace=True)
    return file


def _write_preview(project: Project, options: BatchOptions, modality: Modality, hit: Hit) -> Path:
    """The HIT with the project's own files instead of URLs."""
    row = _row(project, options, modality, hit, ("preview", ["preview"] * len(hit.pieces)))
    for place, piece in enumerate(hit.pieces, 1):
        row[f"url_{place}"] = (project.folder.resolve() / _relative(project, piece, modality)).as_uri()
    file = options.output / f"{modality}_preview.html"
    _put(file, preview_page(hit_template(modality, options.hits.pieces), row), replace=True)
    return file


def _put(file: Path, text: str, *, replace: bool) -> None:
    """A file, whole or not at all. Without `replace` one with other contents is refused: it may be uploaded already."""
    contents = text.encode()
    if not replace and file.exists() and file.read_bytes() != contents:
        raise OutputError(
            f"{file} is there and is not what this project would write; give another folder, or remove it "
            "if it never went to Mechanical Turk"
        )
    with whole_file(file) as draft:
        draft.write_bytes(contents)
