"""From votes to verdicts: which pieces show and sound what they should (paper, section 3)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.aggregate_figures import (
    AGGREGATE_FACT,
    VOTES_WANTED,
    AggregateFigures,
    AgreementRow,
    AnnotatorRow,
    Method,
    PieceCounts,
)
from v2s_engine.vegas.agreement import Answers, DawidSkene, dawid_skene, fleiss_kappa, majority, wilson_interval
from v2s_engine.vegas.conflicts import Tally, write_conflicts
from v2s_engine.vegas.questions import MODALITIES
from v2s_engine.vegas.store import Note, Project, write_fact, write_notes
from v2s_engine.vegas.votes import Ballots, read_ballots

CONFLICTS_FILE = "conflicts.csv"
"""Where the pieces for a second look are listed, in the project's folder."""

_STEP = "aggregate"


@dataclass(frozen=True)
class AggregateOptions:
    """What `aggregate_votes` is asked for. Raises `UsageError` for values out of range."""

    method: Method = "majority"
    """What decides; both methods are reckoned and reported."""
    min_gold_accuracy: float | None = None
    """Annotators that answer a smaller share of gold questions right are left out; None: nobody is."""
    min_gold_answers: int = 5
    """Gold answers that an annotator must have given before being left out."""
    conflicts: Path | None = None
    """The CSV for a second look; None: `conflicts.csv` in the project."""

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise UsageError(f"unknown method {self.method!r}; known: {', '.join(get_args(Method))}")
        if self.min_gold_accuracy is not None and not 0 <= self.min_gold_accuracy <= 1:
            raise UsageError(f"the least gold accuracy wants a share from 0 to 1; got {self.min_gold_accuracy}")
        if self.min_gold_answers < 1:
            raise UsageError(f"the least number of gold answers must be at least 1; got {self.min_gold_answers}")


@dataclass(frozen=True)
class _Counted:
    """Votes, what they come to, and who gave them."""

    ballots: Ballots
    answers: tuple[Answers, ...]
    """By modality: those that count."""
    weighed: tuple[DawidSkene, ...]
    """By modality."""
    tally: Tally
    gold_answers: NDArray[np.int64]
    """`[A, 2]`: gold answers that each annotator gave, and how many of them are right."""
    left_out: NDArray[np.bool_]
    """Which annotators `[A]` do not count."""


@dataclass(frozen=True)
class AggregateResult:
    """What came of it, and where the pieces for a second look are listed."""

    figures: AggregateFigures
    conflicts: Path


def aggregate_votes(project: Project, options: AggregateOptions, progress: Progress) -> AggregateResult:
    """Decide on all pieces from all votes that there are; what an earlier call decided is replaced, in one transaction.

    A piece is kept if what is asked for is there in both modalities. It needs three votes in each, or to be gold there:
    gold is as it is known, whatever was voted. More than three votes all count; an even number of them that is divided
    equally says no. Raises `UsageError` where there is nothing to decide on, or gold answers are asked for and there
    are none; `OutputError`.
    """
    with project.connect() as connection:
        ballots = read_ballots(connection, progress)
        _check(ballots, options)
        counted = _count(ballots, options, progress)
        figures = _figures(options, counted)
        kept = _kept(counted.tally, options.method)
        conflicts = options.conflicts or project.folder / CONFLICTS_FILE
        write_conflicts(conflicts, ballots, counted.tally, kept)
        progress.step("writing the verdicts", 0, 1)
        _write(connection, counted, kept, figures)
        progress.step("writing the verdicts", 1, 1)
    return AggregateResult(figures, conflicts)


def _check(ballots: Ballots, options: AggregateOptions) -> None:
    if not len(ballots.piece_ids):
        raise UsageError("there are no pieces to decide on; make them with: v2s vegas segment")
    if not ballots.votes and not ballots.is_gold.any():
        raise UsageError("there are no votes yet; collect them with: v2s vegas annotate")
    if options.min_gold_accuracy is not None and not ballots.is_gold.any():
        raise UsageError(
            "annotators cannot be left out by their gold answers, since no piece is gold; "
            "name some with: v2s vegas annotate --gold, or leave --min-gold-accuracy away"
        )


def _count(ballots: Ballots, options: AggregateOptions, progress: Progress) -> _Counted:
    gold_answers = _gold_answers(ballots)
    given, right = gold_answers.T
    left_out = np.zeros(len(ballots.annotators), np.bool_)
    if options.min_gold_accuracy is not None:
        # right / given < least, without dividing by 0.
        left_out = (given >= options.min_gold_answers) & (right < options.min_gold_accuracy * given)
    answers = tuple(each.only(~left_out[each.annotators]) for each in ballots.answers)
    weighed = []
    for number, each in enumerate(answers):
        progress.step("weighing the votes", number, len(answers))
        weighed.append(dawid_skene(each, groups=ballots.category, known=ballots.gold[number]))
    progress.step("weighing the votes", len(answers), len(answers))
    counts = np.stack([each.counts() for each in answers])
    gold, votes = ballots.gold >= 0, counts.sum(axis=2)
    tally = Tally(
        present_votes=counts[:, :, 1],
        votes=votes,
        chance=np.stack([each.chance for each in weighed]),
        by_majority=np.where(gold, ballots.gold == 1, np.stack([majority(each) for each in counts])),
        decided=gold | (votes >= VOTES_WANTED),
        gold=gold,
    )
    return _Counted(ballots, answers, tuple(weighed), tally, gold_answers, left_out)


def _gold_answers(ballots: Ballots) -> NDArray[np.int64]:
    """See `_Counted.gold_answers`."""
    counts = np.zeros((len(ballots.annotators), 2), np.int64)
    for answers, gold in zip(ballots.answers, ballots.gold, strict=True):
        truth = gold[answers.questions]
        for column, chosen in enumerate((truth >= 0, truth == answers.present)):
            counts[:, column] += np.bincount(answers.annotators[chosen], minlength=len(counts))
    return counts


def _kept(tally: Tally, method: Method) -> NDArray[np.bool_]:
    """Which pieces `[P]` are kept."""
    there = tally.by_majority if method == "majority" else tally.by_dawid_skene
    return np.asarray(tally.labelled & there.all(axis=0))


def _figures(options: AggregateOptions, counted: _Counted) -> AggregateFigures:
    ballots, tally = counted.ballots, counted.tally
    kept = {method: _kept(tally, method) for method in get_args(Method)}
    no_gold = tally.votes[:, ~ballots.is_gold]
    return AggregateFigures(
        method=options.method,
        min_gold_accuracy=options.min_gold_accuracy,
        min_gold_answers=options.min_gold_answers,
        counts=PieceCounts(len(ballots.piece_ids), int(tally.labelled.sum()), int(kept[options.method].sum())),
        kept_by={method: int(each.sum()) for method, each in kept.items()},
        differing=int((kept["majority"] != kept["dawid-skene"]).sum()),
        begun=int(tally.begun.sum()),
        conflicts=int(tally.contested.any(axis=0).sum()),
        votes=ballots.votes,
        votes_counted=sum(len(answers.present) for answers in counted.answers),
        extra_votes=int(np.maximum(no_gold - VOTES_WANTED, 0).sum()),
        agreement=_agreement(ballots, counted.answers),
        annotators=_annotators(counted),
        settled=all(each.settled for each in counted.weighed),
    )


def _agreement(ballots: Ballots, answers: tuple[Answers, ...]) -> tuple[AgreementRow, ...]:
    """Of votes that count, on pieces that are gold in no modality: many people answer those."""
    counts = np.stack([each.counts() for each in answers])
    rows = []
    for number, category in [(None, None), *enumerate(ballots.categories)]:
        pieces = ~ballots.is_gold if number is None else ~ballots.is_gold & (ballots.category == number)
        rows.append(AgreementRow(category, None, *fleiss_kappa(counts[:, pieces].reshape(-1, 2))))
        rows += [
            AgreementRow(category, modality, *fleiss_kappa(counts[index, pieces]))
            for index, modality in enumerate(MODALITIES)
        ]
    return tuple(rows)


def _annotators(counted: _Counted) -> tuple[AnnotatorRow, ...]:
    names = counted.ballots.annotators
    votes = np.stack([np.bincount(each.annotators, minlength=len(names)) for each in counted.ballots.answers])
    total = votes.sum(axis=0)
    sensitivity, specificity = (
        (votes * np.stack(rates)).sum(axis=0) / total
        for rates in (
            [each.sensitivity for each in counted.weighed],
            [each.specificity for each in counted.weighed],
        )
    )
    rows = []
    for index, name in enumerate(names):
        given, right = counted.gold_answers[index].tolist()
        interval = wilson_interval(right, given)
        share, low, high = interval or (None, None, None)
        left_out = bool(counted.left_out[index])
        hits, passes = (None, None) if left_out else (float(sensitivity[index]), float(specificity[index]))
        rows.append(AnnotatorRow(name, int(total[index]), right, given, share, low, high, hits, passes, left_out))
    return tuple(sorted(rows, key=lambda row: (-row.votes, row.name)))


def _write(
    connection: sqlite3.Connection, counted: _Counted, kept: NDArray[np.bool_], figures: AggregateFigures
) -> None:
    """Verdicts, figures and notes in the place of what was there, in one transaction."""
    ballots, tally = counted.ballots, counted.tally
    chosen = np.flatnonzero(tally.decided.any(axis=0) | tally.begun)
    # What has no vote in a modality: nothing speaks for it or against it.
    share = np.where(tally.votes > 0, tally.present_votes / np.maximum(tally.votes, 1), 0.5)
    chance = np.where(tally.gold, ballots.gold == 1, share) if figures.method == "majority" else tally.chance
    columns = [
        ballots.piece_ids,
        *(
            part[number]
            for number in range(len(MODALITIES))
            for part in (tally.present_votes, tally.votes, chance.astype(np.float64))
        ),
        kept.astype(np.int64),
        tally.contested.any(axis=0).astype(np.int64),
    ]
    rows = zip(*(column[chosen].tolist() for column in columns), strict=True)
    notes = [
        Note(
            "",
            None,
            row.name,
            f"left out: {row.gold_right} of {row.gold_answers} gold answers are right, fewer than the share of "
            f"{figures.min_gold_accuracy} that was asked for; have their pieces annotated again",
        )
        for row in figures.annotators
        if row.left_out
    ]
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM verdicts")
        connection.executemany("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("DELETE FROM notes WHERE step = ?", (_STEP,))
        write_notes(connection, _STEP, notes)
        write_fact(connection, AGGREGATE_FACT, figures.to_json())
