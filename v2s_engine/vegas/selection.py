"""Which videos of AudioSet are tried: for each category, some of those whose labels fit it, drawn by seed.

A video belongs to one category at most. Where its labels fit several, that with the fewest fitting videos has it; of
two with as many, the one named first. Drawn are the first by SHA-256 of `seed/video id`, so that a larger number adds
to a draw, and what is drawn of one category depends on no other's number.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from v2s_engine.errors import UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.progress import Progress
from v2s_engine.vegas.label_rules import LabelRules, label_rules
from v2s_engine.vegas.ontology import read_ontology
from v2s_engine.vegas.segment_rows import REPEATED, SegmentRow, read_rows
from v2s_engine.vegas.selection_options import (
    FACT,
    Choice,
    SegmentFile,
    SelectOptions,
    Standing,
    project_standing,
    read_standing,
    settle,
)
from v2s_engine.vegas.store import SHORTEST_PIECE, Note, Project, write_fact, write_notes

STEP = "select"
SHORTEST_MS = SHORTEST_PIECE * 1000 // SAMPLE_RATE
"""A section that is shorter gives no piece of 2 s, not even a slightly short one."""


@dataclass(frozen=True)
class CategoryCount:
    """What was found of one category."""

    name: str
    candidates: int
    """Videos that could have been drawn."""
    drawn: int
    """Videos that are drawn, those of earlier runs included."""
    paper_clips: int | None
    """Clips that VEGAS had of it in the end, where that is known."""


@dataclass(frozen=True)
class SelectResult:
    """What a draw came to."""

    categories: tuple[CategoryCount, ...]
    rows: int
    """Good rows in all files, of whatever category."""
    left_out: int
    """Rows that could not be used, or are too short for a piece; the store's notes have each with file and line."""
    added: int
    """Videos that were not drawn before."""
    warnings: tuple[str, ...]


class _Candidate(NamedTuple):
    """A row that fits a category; as small as may be, since there may be a million."""

    video_id: str
    begin_ms: int
    end_ms: int
    labels: str
    """With commas between them."""
    file: int
    line: int


@dataclass(frozen=True)
class _Found:
    """What the segment files hold."""

    candidates: dict[int, list[_Candidate]]
    """By the categories that they fit, as bits (see `LabelRules`)."""
    notes: list[Note]
    rows: int


@dataclass(frozen=True)
class _Draw:
    """One category's draw."""

    candidates: int
    kept: int
    """Videos drawn before that stay."""
    added: Sequence[_Candidate]
    """In the order of drawing."""


def select_videos(project: Project, options: SelectOptions, progress: Progress | None = None) -> SelectResult:
    """Draw videos for each category and keep them in the project, which is made where there is none.

    The same options give the same videos, in one transaction: a run that is stopped leaves what was there. As long as
    nothing is fetched, other options draw anew. After that, what is drawn stays: larger numbers, more files and more
    categories add to it, anything else is refused. Raises `UsageError` for that, and for options or files that cannot
    be used; `OutputError` where the project cannot be written.
    """
    progress = progress or Progress()
    standing = project_standing(project)
    choice = settle(options, standing)
    rules = label_rules(read_ontology(choice.ontology), choice.categories, choice.without)
    found = _read_segments(choice.segments, rules, progress)
    progress.check()
    with project.connect(create=True) as connection, connection:
        draws, added = _replace(connection, standing, choice, rules, found)
    return SelectResult(
        categories=tuple(
            CategoryCount(category.name, draw.candidates, draw.kept + len(draw.added), category.paper_clips)
            for category, draw in zip(choice.categories, draws, strict=True)
        ),
        rows=found.rows,
        left_out=len(found.notes),
        added=added,
        warnings=tuple(_warnings(choice, rules, draws)),
    )


def _replace(
    connection: sqlite3.Connection, standing: Standing, choice: Choice, rules: LabelRules, found: _Found
) -> tuple[list[_Draw], int]:
    """Put a new draw in the place of the old one, as far as that may go, within the caller's transaction.

    Returns also how many videos were not there before.
    """
    connection.execute("BEGIN IMMEDIATE")
    if read_standing(connection) != standing:
        raise UsageError("another run changed the project while this one read; run this again")
    before = _drawn_before(connection)
    if not standing.fetching_begun:
        connection.execute("DELETE FROM videos")
        connection.execute("DELETE FROM categories")
    draws = _draw(choice, found, before if standing.fetching_begun else {})
    _write(connection, choice, rules, found, draws)
    known = set(chain.from_iterable(before.values()))
    return draws, sum(each.video_id not in known for draw in draws for each in draw.added)


def _read_segments(files: Sequence[SegmentFile], rules: LabelRules, progress: Progress) -> _Found:
    """All rows that fit a category, by the categories that they fit."""
    found = _Found({}, [], 0)
    seen: set[str] = set()
    sizes = [each.path.stat().st_size for each in files]
    for number, file in enumerate(files):
        report = _report(progress, sum(sizes[:number]), sum(sizes), file.path.name)
        rows, notes = len(seen), len(found.notes)
        for row in read_rows(file.path, rules.fits, seen, report):
            if isinstance(row, Note):
                found.notes.append(row)
            elif fitting := rules.categories_of(row.labels):
                _take(found, row, number, file, fitting)
        _check_rows(file, len(seen) - rows, found.notes[notes:])
    return replace(found, rows=len(seen))


def _report(progress: Progress, before: int, total: int, item: str) -> Callable[[int], None]:
    return lambda position: progress.step("segments", before + position, total, item)


def _take(found: _Found, row: SegmentRow, number: int, file: SegmentFile, fitting: int) -> None:
    """Add a row that fits some categories, where it is long enough."""
    duration_ms = row.end_ms - row.begin_ms
    if duration_ms < SHORTEST_MS:
        reason = f"lasts {duration_ms} ms; wanted at least {SHORTEST_MS}, since no piece of 2 s fits in"
        found.notes.append(Note(file.path.name, row.line, row.video_id, reason))
        return
    candidate = _Candidate(row.video_id, row.begin_ms, row.end_ms, ",".join(row.labels), number, row.line)
    found.candidates.setdefault(fitting, []).append(candidate)


def _check_rows(file: SegmentFile, rows: int, notes: Sequence[Note]) -> None:
    """Raise `UsageError` for a file of another kind, in which no line is a row."""
    if rows or any(each.reason == REPEATED for each in notes):
        return
    why = f"line {notes[0].line}: {notes[0].reason}" if notes else "it is empty"
    raise UsageError(f"no row of {file.path} can be used ({why}); wanted AudioSet's segments")


def _drawn_before(connection: sqlite3.Connection) -> Mapping[str, set[str]]:
    """Ids of the videos that earlier runs drew, by category."""
    kept: dict[str, set[str]] = {}
    for video_id, category in connection.execute("SELECT video_id, category FROM videos"):
        kept.setdefault(category, set()).add(video_id)
    return kept


def _draw(choice: Choice, found: _Found, kept: Mapping[str, set[str]]) -> list[_Draw]:
    """The draw of each category. Raises `UsageError` where fewer are wanted than have to stay."""
    fitting = [
        sum(len(each) for bits, each in found.candidates.items() if bits >> number & 1)
        for number in range(len(choice.categories))
    ]
    owned: list[list[Sequence[_Candidate]]] = [[] for _ in choice.categories]
    for bits, candidates in found.candidates.items():
        owner = min((number for number in range(len(owned)) if bits >> number & 1), key=lambda each: fitting[each])
        owned[owner].append(candidates)
    taken = set(chain.from_iterable(kept.values()))
    draws = []
    for category, groups in zip(choice.categories, owned, strict=True):
        stay = len(kept.get(category.name, ()))
        if stay > choice.videos_per_category:
            raise UsageError(
                f"{stay} videos of {category.name} are drawn and fetching has begun; wanted now at most "
                f"{choice.videos_per_category}; ask for no fewer than {stay}, or start another project"
            )
        free = [each for each in chain.from_iterable(groups) if each.video_id not in taken]
        lot = _lots(choice.seed)
        added = heapq.nsmallest(choice.videos_per_category - stay, free, key=lambda each: lot(each.video_id))
        draws.append(_Draw(stay + len(free), stay, added))
    return draws


def _lots(seed: int) -> Callable[[str], bytes]:
    """By what a draw is ordered: the same on every machine, and for ever."""
    return lambda video_id: hashlib.sha256(f"{seed}/{video_id}".encode()).digest()


def _write(
    connection: sqlite3.Connection, choice: Choice, rules: LabelRules, found: _Found, draws: Sequence[_Draw]
) -> None:
    """Everything that was chosen and found, within the caller's transaction."""
    connection.executemany(
        "INSERT INTO categories (name, position, audioset, mids, candidates) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) "
        "DO UPDATE SET audioset = excluded.audioset, mids = excluded.mids, candidates = excluded.candidates",
        (
            (category.name, position, json.dumps(category.audioset), json.dumps(sorted(mids)), draw.candidates)
            for position, (category, mids, draw) in enumerate(zip(choice.categories, rules.mids, draws, strict=True))
        ),
    )
    connection.executemany(
        "INSERT INTO videos (video_id, category, begin_ms, end_ms, labels, source, line, position) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        _video_rows(choice, draws),
    )
    connection.execute("DELETE FROM notes WHERE step = ?", (STEP,))
    write_notes(connection, STEP, found.notes)
    write_fact(connection, FACT, choice.as_fact())


def _video_rows(choice: Choice, draws: Sequence[_Draw]) -> Iterator[tuple[str | int, ...]]:
    for category, draw in zip(choice.categories, draws, strict=True):
        for position, each in enumerate(draw.added, draw.kept):
            labels, source = json.dumps(each.labels.split(",")), choice.segments[each.file].path.name
            yield each.video_id, category.name, each.begin_ms, each.end_ms, labels, source, each.line, position


def _warnings(choice: Choice, rules: LabelRules, draws: Sequence[_Draw]) -> Iterator[str]:
    wanted = min(choice.at_least, choice.videos_per_category)
    for category, draw in zip(choice.categories, draws, strict=True):
        if (drawn := draw.kept + len(draw.added)) < wanted:
            yield f"{category.name}: {drawn} drawn, at least {wanted} wanted; more segment files may have more"
    for name, categories in rules.spared.items():
        yield (
            f"without {name!r}: classes below it that {', '.join(categories)} is made of, and those above these, "
            f"leave nothing out there; the label {name!r} itself does"
        )
