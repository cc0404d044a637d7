"""From a project to its statistics: counting, and nothing else."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable

from v2s_engine.vegas.aggregate_figures import (
    AGGREGATE_FACT,
    PAPER_COUNTS,
    VOTES_WANTED,
    AggregateFigures,
    AnnotatorRow,
)
from v2s_engine.vegas.categories import DRAWN_IN_PAPER, VEGAS_CATEGORIES
from v2s_engine.vegas.stats.figures import (
    CLIP_SECONDS,
    PAPER_CLIPS,
    PAPER_HOURS,
    AgreementFigures,
    CategoryRow,
    FunnelRow,
    LengthRow,
    NumberedAnnotator,
    ProjectStatistics,
    SampleRow,
)
from v2s_engine.vegas.status import Status
from v2s_engine.vegas.store import read_fact

_SPLITS = ("train", "validation", "test")
_PIECE_S = CLIP_SECONDS[0]

# A modality is decided by three votes that count, or as gold.
_LABELLED = """
    SELECT category, count(*) FROM verdicts d JOIN pieces p ON p.id = d.piece_id JOIN videos USING (video_id)
    LEFT JOIN gold seen ON seen.piece_id = p.id AND seen.modality = 'picture'
    LEFT JOIN gold heard ON heard.piece_id = p.id AND heard.modality = 'sound'
    WHERE (d.picture_votes >= ?1 OR seen.present IS NOT NULL) AND (d.sound_votes >= ?1 OR heard.present IS NOT NULL)
    GROUP BY category
"""
_CLIPS = "SELECT category, split, last - first + 1, clips.length FROM clips JOIN videos USING (video_id)"


def collect_statistics(
    connection: sqlite3.Connection, status: Status, samples: Iterable[SampleRow], *, samples_are_clips: bool
) -> ProjectStatistics:
    """Everything counted; the samples are whoever draws them's choice."""
    clips = [tuple(row) for row in connection.execute(_CLIPS)]
    categories = _categories(connection, status, clips)
    total = _total(categories)
    lengths = Counter(pieces for _, _, pieces, _ in clips)
    stored = read_fact(connection, AGGREGATE_FACT)
    aggregated = None if stored is None else AggregateFigures.from_json(stored)
    (votes,) = connection.execute("SELECT count(*) FROM votes").fetchone()
    return ProjectStatistics(
        funnel=_funnel(total, aggregated, len(categories)),
        categories=categories,
        total=total,
        lengths=tuple(
            LengthRow(seconds, lengths[seconds // _PIECE_S], lengths[seconds // _PIECE_S] / len(clips))
            for seconds in CLIP_SECONDS
        )
        if clips
        else (),
        agreement=None if aggregated is None else _agreement(aggregated),
        samples=tuple(samples),
        samples_are_clips=samples_are_clips,
        missing=tuple(_missing(total, status, aggregated, votes, sum(pieces for _, _, pieces, _ in clips))),
        notes=dict(sorted(status.notes.items())),
    )


def _categories(
    connection: sqlite3.Connection, status: Status, clips: list[tuple[str, str, int, int]]
) -> tuple[CategoryRow, ...]:
    labelled = dict(connection.execute(_LABELLED, (VOTES_WANTED,)).fetchall())
    # A category of the same name that is made of other classes is not the paper's.
    published = {(each.name, each.audioset): each.paper_clips for each in VEGAS_CATEGORIES}
    rows = connection.execute("SELECT name, audioset FROM categories")
    classes = {name: tuple(json.loads(text)) for name, text in rows}
    lengths: Counter[str] = Counter()
    splits: Counter[tuple[str, str]] = Counter()
    for category, split, _, length in clips:
        lengths[category] += length
        splits[category, split] += 1
    return tuple(
        CategoryRow(
            name=each.name,
            paper_clips=published.get((each.name, classes[each.name])),
            selected=each.selected,
            fetched=each.fetched,
            failed=each.failed,
            duplicates=each.duplicates,
            pieces=each.pieces,
            labelled=labelled.get(each.name, 0),
            kept=each.kept,
            clips=each.clips,
            length=lengths[each.name],
            splits={split: splits[each.name, split] for split in _SPLITS},
        )
        for each in status.categories
    )


def _total(rows: tuple[CategoryRow, ...]) -> CategoryRow:
    return CategoryRow(
        name="all",
        paper_clips=PAPER_CLIPS,
        selected=sum(row.selected for row in rows),
        fetched=sum(row.fetched for row in rows),
        failed=sum(row.failed for row in rows),
        duplicates=sum(row.duplicates for row in rows),
        pieces=sum(row.pieces for row in rows),
        labelled=sum(row.labelled for row in rows),
        kept=sum(row.kept for row in rows),
        clips=sum(row.clips for row in rows),
        length=sum(row.length for row in rows),
        splits={split: sum(row.splits[split] for row in rows) for split in _SPLITS},
    )


def _funnel(total: CategoryRow, aggregated: AggregateFigures | None, categories: int) -> tuple[FunnelRow, ...]:
    least, most = DRAWN_IN_PAPER
    gone = [f"{total.failed:,} failed"] * bool(total.failed) + [f"{total.duplicates:,} repeat others"] * bool(
        total.duplicates
    )
    removed = total.labelled - total.kept
    judged = aggregated is not None
    return (
        FunnelRow("videos selected", total.selected or None, None, f"the paper: {least:,} to {most:,} per category"),
        FunnelRow("videos fetched", total.fetched or None, None, ", ".join(gone)),
        FunnelRow("pieces of 2 s", total.pieces or None, None),
        FunnelRow("pieces labelled", total.labelled if judged else None, PAPER_COUNTS.labelled),
        FunnelRow(
            "pieces kept",
            total.kept if judged else None,
            PAPER_COUNTS.kept,
            f"{removed:,} removed (the paper: {PAPER_COUNTS.removed:,})" if judged else "",
        ),
        FunnelRow(
            "hours kept",
            total.kept * _PIECE_S / 3600 if judged else None,
            PAPER_COUNTS.kept_hours,
            f"kept pieces × {_PIECE_S} s",
        ),
        FunnelRow("clips", total.clips or None, PAPER_CLIPS, f"in {categories} categories (the paper: 10)"),
        FunnelRow("hours of clips", total.hours if total.clips else None, PAPER_HOURS),
    )


def _agreement(figures: AggregateFigures) -> AgreementFigures:
    return AgreementFigures(
        method=figures.method,
        kept_by=figures.kept_by,
        differing=figures.differing,
        conflicts=figures.conflicts,
        votes=figures.votes,
        votes_counted=figures.votes_counted,
        extra_votes=figures.extra_votes,
        rows=figures.agreement,
        annotators=tuple(
            NumberedAnnotator(
                number,
                row.votes,
                row.gold_right,
                row.gold_answers,
                row.accuracy,
                row.low,
                row.high,
                row.sensitivity,
                row.specificity,
                row.left_out,
            )
            for number, row in enumerate(sorted(figures.annotators, key=_order), 1)
        ),
    )


def _order(row: AnnotatorRow) -> tuple[int, str]:
    """Most votes first; among equals by a digest, since the order of names would tell something of them."""
    return -row.votes, hashlib.sha256(row.name.encode()).hexdigest()


def _missing(
    total: CategoryRow, status: Status, aggregated: AggregateFigures | None, votes: int, pieces_in_clips: int
) -> Iterable[str]:
    """What is not there yet, and what was made from something older, each with what to do."""
    waiting = sum(each.waiting for each in status.categories)
    if not total.selected:
        yield "no video is selected yet: v2s vegas select"
    elif waiting:
        yield f"videos that are not fetched yet: {waiting:,}: v2s vegas fetch"
    if total.fetched and not total.pieces:
        yield "no fetched video is cut into pieces yet: v2s vegas segment"
    if total.pieces and not votes:
        yield "there are no votes yet: v2s vegas annotate"
    elif votes and aggregated is None:
        yield f"votes that are not counted yet: {votes:,}: v2s vegas aggregate"
    elif aggregated is not None and aggregated.votes != votes:
        yield f"votes when they were counted: {aggregated.votes:,}, now: {votes:,}: v2s vegas aggregate"
    if aggregated is not None and total.pieces > total.labelled:
        yield f"pieces that are not labelled yet: {total.pieces - total.labelled:,}: v2s vegas annotate"
    if total.kept and not total.clips:
        yield "no clips are built yet: v2s vegas build"
    elif total.clips and pieces_in_clips != total.kept:
        yield f"pieces kept: {total.kept:,}, pieces in clips: {pieces_in_clips:,}: v2s vegas build"
