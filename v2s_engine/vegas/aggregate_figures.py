"""What `aggregate` found, as figures: kept in the project as a fact, so that the statistics can tell them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.vegas.questions import Modality
from v2s_engine.vegas.store import PIECE_LENGTH

AGGREGATE_FACT = "aggregate"
"""Name of the fact that holds `AggregateFigures.to_json`."""

Method = Literal["majority", "dawid-skene"]
"""What decides: the most votes, or votes weighted by how reliable those who gave them are."""

VOTES_WANTED = 3
"""Votes that a piece needs in a modality before they decide anything (paper, section 3)."""

PAPER_LABELLED, PAPER_REMOVED = 132_209, 34_392
"""Pieces that the paper's annotators labelled, and those of them that were removed."""


@dataclass(frozen=True)
class PieceCounts:
    """Pieces, counted as the paper counts them."""

    pieces: int
    """All there are."""
    labelled: int
    """Those decided in both modalities, by votes or as gold."""
    kept: int
    """Those of them in which what is asked for is both seen and heard."""

    @property
    def removed(self) -> int:
        """Labelled and not kept."""
        return self.labelled - self.kept

    @property
    def undecided(self) -> int:
        """Not labelled: fewer than three votes in a modality that is no gold. They are not kept."""
        return self.pieces - self.labelled

    @property
    def kept_hours(self) -> float:
        """Kept pieces x 2 s, in hours: the paper's arithmetic, which counts a slightly short last piece as 2 s."""
        return self.kept * PIECE_LENGTH / SAMPLE_RATE / 3600

    def to_json(self) -> dict[str, Any]:
        """As a plain dictionary, with what follows from the counts."""
        derived = {"removed": self.removed, "undecided": self.undecided, "kept_hours": self.kept_hours}
        return dataclasses.asdict(self) | derived


PAPER_COUNTS = PieceCounts(PAPER_LABELLED, PAPER_LABELLED, PAPER_LABELLED - PAPER_REMOVED)
"""The paper's own: 97,817 kept, 54.3 h."""


@dataclass(frozen=True)
class AgreementRow:
    """How far annotators agree on the pieces of a category in a modality; None stands for all of them."""

    category: str | None
    modality: Modality | None
    questions: int
    answers: int
    agreement: float | None
    kappa: float | None


@dataclass(frozen=True)
class AnnotatorRow:
    """One annotator. Rates are None where nothing tells them."""

    name: str
    votes: int
    gold_right: int
    gold_answers: int
    accuracy: float | None
    """Share of gold questions answered right."""
    low: float | None
    """Its 95 % interval (Wilson)."""
    high: float | None
    sensitivity: float | None
    """How likely they say present where it is, as Dawid-Skene sees it, pictures and sounds together by votes; None
    for those left out."""
    specificity: float | None
    left_out: bool
    """Whether their votes do not count, because too few of their gold answers are right."""


@dataclass(frozen=True)
class AggregateFigures:
    """All that one `aggregate` found but the verdicts themselves."""

    method: Method
    min_gold_accuracy: float | None
    min_gold_answers: int
    counts: PieceCounts
    """By the method that decides."""
    kept_by: dict[Method, int]
    """Pieces kept by each method: both are always reckoned."""
    differing: int
    """Labelled pieces that the one keeps and the other does not."""
    begun: int
    """Undecided pieces that have votes, but fewer than three in a modality."""
    conflicts: int
    """Pieces that are worth a second look."""
    votes: int
    """All there are."""
    votes_counted: int
    """Those of them by annotators that are not left out."""
    extra_votes: int
    """Votes that count beyond three for a piece in a modality, on pieces that are no gold."""
    agreement: tuple[AgreementRow, ...]
    """Overall, per modality, per category, and per category and modality."""
    annotators: tuple[AnnotatorRow, ...]
    """Those with most votes first."""
    settled: bool
    """Whether Dawid-Skene came to rest in both modalities."""

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it, inverse of `from_json`."""
        return dataclasses.asdict(self) | {"counts": self.counts.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AggregateFigures:
        """What `to_json` made of it."""
        counts = {name: data["counts"][name] for name in ("pieces", "labelled", "kept")}
        return cls(
            **{
                **data,
                "counts": PieceCounts(**counts),
                "agreement": tuple(AgreementRow(**row) for row in data["agreement"]),
                "annotators": tuple(AnnotatorRow(**row) for row in data["annotators"]),
            }
        )
