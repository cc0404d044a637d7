"""What several answers to one question come to, and how far those who answered agree: plain functions on arrays.

A question is one piece in one modality; its answers are present (1) or absent (0). V answers stand in three arrays of
one length (`Answers`), so that 400,000 of them take moments.

- Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76 (1971): `fleiss_kappa`.
- Dawid and Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm", Applied Statistics 28
  (1979): `dawid_skene`.
- Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927): `wilson_interval`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError

CONFIDENCE_Z = 1.959964
"""Standard deviations of a 95 % interval."""

RIGHT_BEFORE, WRONG_BEFORE = 4.0, 1.0
"""Answers that `dawid_skene` credits each annotator with before the first: somebody with few answers is taken to be
right four times of five rather than always or never. Our choice."""

_PREVALENCE_BEFORE = 1.0
_MOST_ROUNDS = 500
_SETTLED = 1e-7


@dataclass(frozen=True)
class Answers:
    """V answers to Q questions by A annotators. Raises `UsageError` where the arrays do not fit together."""

    questions: NDArray[np.int64]
    """`[V]`, 0 to Q - 1."""
    annotators: NDArray[np.int64]
    """`[V]`, 0 to A - 1."""
    present: NDArray[np.int64]
    """`[V]`, 0 or 1."""
    question_count: int
    annotator_count: int

    def __post_init__(self) -> None:
        if not len(self.questions) == len(self.annotators) == len(self.present):
            lengths = len(self.questions), len(self.annotators), len(self.present)
            raise UsageError(f"answers want a question, an annotator and a word each; got {lengths} of them")
        for values, most in (
            (self.questions, self.question_count),
            (self.annotators, self.annotator_count),
            (self.present, 2),
        ):
            if len(values) and not (values.min() >= 0 and values.max() < most):
                raise UsageError(f"answers want numbers from 0 to {most - 1}; got {values.min()} to {values.max()}")

    def counts(self) -> NDArray[np.int64]:
        """How often each question was answered with absent and with present: `[Q, 2]`."""
        both = np.bincount(2 * self.questions + self.present, minlength=2 * self.question_count)
        return both.reshape(self.question_count, 2)

    def only(self, chosen: NDArray[np.bool_]) -> Answers:
        """The answers `[V]` that are chosen; questions and annotators keep their numbers."""
        return Answers(
            self.questions[chosen],
            self.annotators[chosen],
            self.present[chosen],
            self.question_count,
            self.annotator_count,
        )


class Agreement(NamedTuple):
    """How far annotators agree over some questions."""

    questions: int
    """Those with two answers or more: nothing else says anything of agreement."""
    answers: int
    """To these questions."""
    agreement: float | None
    """Mean over questions of the share of pairs of answers that are alike, 0 to 1; None without a question."""
    kappa: float | None
    """How far that lies above what chance gives, as a share of what was possible; None where all answers are alike,
    since chance then gives 1 as well and nothing was to be told apart."""


class Interval(NamedTuple):
    """A share and its 95 % interval, 0 to 1."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class DawidSkene:
    """What `dawid_skene` finds."""

    chance: NDArray[np.float64]
    """Probability that it is present, `[Q]`; 0 or 1 where it was known before."""
    prevalence: NDArray[np.float64]
    """How often it is present, `[G]`."""
    sensitivity: NDArray[np.float64]
    """How likely each annotator says present where it is, `[A]`."""
    specificity: NDArray[np.float64]
    """How likely each annotator says absent where it is, `[A]`."""
    rounds: int
    settled: bool
    """Whether the last round changed no chance by more than 1e-7."""


def majority(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which questions strictly more than half of the answers call present, `[Q]` from `[Q, 2]`; not those even."""
    return np.asarray(counts[:, 1] > counts[:, 0])


def fleiss_kappa(counts: NDArray[np.int64]) -> Agreement:
    """Agreement and Fleiss' kappa from how often each question `[Q, K]` was given each of K answers.

    Questions may have different numbers of answers n_i. Those with fewer than two are left out; observed agreement is
    the mean of (sum_j n_ij^2 - n_i) / (n_i (n_i - 1)) over the others, chance agreement the sum of the squared shares
    of all their answers. With one n for all these are exactly Fleiss' own formulas.
    """
    rated = counts[counts.sum(axis=1) >= 2].astype(np.float64)
    if not len(rated):
        return Agreement(0, 0, None, None)
    answers = rated.sum(axis=1)
    alike = ((rated**2).sum(axis=1) - answers) / (answers * (answers - 1))
    observed = float(alike.mean())
    totals = rated.sum(axis=0)
    total = float(totals.sum())
    kappa = None
    if np.count_nonzero(totals) > 1:
        by_chance = float(((totals / total) ** 2).sum())
        kappa = (observed - by_chance) / (1 - by_chance)
    return Agreement(len(rated), int(total), observed, kappa)


def dawid_skene(
    answers: Answers,
    *,
    groups: NDArray[np.int64] | None = None,
    known: NDArray[np.int64] | None = None,
) -> DawidSkene:
    """Answers weighted by how reliable their annotators are, by Dawid and Skene's EM for two answers.

    Each annotator has a sensitivity and a specificity, each group of questions (`groups`, `[Q]` from 0 on; one group
    where None) a prevalence. `known` `[Q]` holds 0 or 1 where the truth is known (gold) and -1 elsewhere: those
    questions tell of annotators, but not of prevalence, since somebody picked them.

    Starts from the share of answers that say present, so that "present" keeps its meaning, and from
    `RIGHT_BEFORE`, `WRONG_BEFORE` (maximum a posteriori under beta priors, so every round is at least as likely as the
    one before). No random numbers. A question without answers has its group's prevalence. Without questions or
    annotators there is nothing to find, and the arrays are empty.
    """
    group = np.zeros(answers.question_count, np.int64) if groups is None else groups
    truth = np.full(answers.question_count, -1) if known is None else known
    free = truth < 0
    counts = answers.counts()
    # Those without an answer tell nothing of prevalence: they have it.
    telling = free & (counts.sum(axis=1) > 0)
    chance = np.where(free, (counts[:, 1] + 0.5) / (counts.sum(axis=1) + 1.0), truth)
    group_count = int(group.max(initial=-1)) + 1
    rounds, change = 0, math.inf
    prevalence = np.zeros(group_count)
    sensitivity = specificity = np.zeros(answers.annotator_count)
    while change > _SETTLED and rounds < _MOST_ROUNDS:
        sensitivity, specificity = _reliability(answers, chance)
        weight = np.bincount(group[telling], chance[telling], group_count)
        size = np.bincount(group[telling], minlength=group_count)
        prevalence = (weight + _PREVALENCE_BEFORE) / (size + 2 * _PREVALENCE_BEFORE)
        found = np.where(free, _chance(answers, prevalence[group], sensitivity, specificity), chance)
        change = float(np.abs(found - chance).max(initial=0.0))
        chance, rounds = found, rounds + 1
    return DawidSkene(chance, prevalence, sensitivity, specificity, rounds, change <= _SETTLED)


def wilson_interval(right: int, answers: int) -> Interval | None:
    """Share of right answers with its 95 % score interval; None without answers."""
    if not answers:
        return None
    share, z2 = right / answers, CONFIDENCE_Z**2
    middle = (share + z2 / (2 * answers)) / (1 + z2 / answers)
    half = CONFIDENCE_Z * math.sqrt(share * (1 - share) / answers + z2 / (4 * answers**2)) / (1 + z2 / answers)
    # All or none right: the interval ends there, whatever rounding makes of it.
    low = 0.0 if right == 0 else middle - half
    return Interval(share, low, 1.0 if right == answers else middle + half)


def _reliability(answers: Answers, chance: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sensitivity and specificity of each annotator, `[A]` each, if the truth is as likely as `chance` `[Q]` says."""
    there = chance[answers.questions]
    every = RIGHT_BEFORE + WRONG_BEFORE

    def share(weight: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
        of_all = np.bincount(answers.annotators, weight, answers.annotator_count)
        of_right = np.bincount(answers.annotators, weight * right, answers.annotator_count)
        return np.asarray((of_right + RIGHT_BEFORE) / (of_all + every))

    return share(there, answers.present == 1), share(1.0 - there, answers.present == 0)


def _chance(
    answers: Answers,
    prevalence: NDArray[np.float64],
    sensitivity: NDArray[np.float64],
    specificity: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Probability that each question is present, `[Q]`, from its prevalence `[Q]` and the annotators' rates `[A]`."""
    said_present = np.log(sensitivity) - np.log1p(-specificity)
    said_absent = np.log1p(-sensitivity) - np.log(specificity)
    told = np.where(answers.present == 1, said_present[answers.annotators], said_absent[answers.annotators])
    odds = np.log(prevalence) - np.log1p(-prevalence)
    odds = odds + np.bincount(answers.questions, told, answers.question_count)
    # The logistic function, without overflow on either side.
    small = np.exp(-np.abs(odds))
    return np.asarray(np.where(odds >= 0, 1.0, small) / (1.0 + small))
