"""What the statistics say, as plain values: the same go into JSON and onto the page. No annotator has a name here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.vegas.aggregate_figures import AgreementRow, Method

PAPER_CLIPS, PAPER_HOURS, PAPER_MEAN_S = 28_109, 55, 7
"""Clips, hours in all and mean length of VEGAS as published."""

CLIP_SECONDS = (2, 4, 6, 8, 10)
"""Lengths of clips by whole pieces; a piece that is slightly short counts as one."""

_DIGITS = 6


@dataclass(frozen=True)
class CategoryRow:
    """One category, or all of them; counts are 0 for steps that are still to come."""

    name: str
    paper_clips: int | None
    """Clips that VEGAS had of it, where that is known."""
    selected: int
    fetched: int
    failed: int
    duplicates: int
    pieces: int
    labelled: int
    """Pieces decided in both modalities."""
    kept: int
    clips: int
    length: int
    """Samples of all its clips."""
    splits: Mapping[str, int]
    """Clips of each split."""

    @property
    def mean_s(self) -> float | None:
        """Mean length of its clips in seconds; None without clips."""
        return self.length / self.clips / SAMPLE_RATE if self.clips else None

    @property
    def hours(self) -> float:
        """Length of all its clips."""
        return self.length / SAMPLE_RATE / 3600


@dataclass(frozen=True)
class LengthRow:
    """Clips of one length."""

    seconds: int
    clips: int
    share: float
    """Of all clips, 0 to 1."""


@dataclass(frozen=True)
class FunnelRow:
    """What is left after a step."""

    name: str
    count: float | None
    """None where the step is still to come."""
    paper: float | None
    """The paper's own figure, where it is known."""
    remark: str = ""


@dataclass(frozen=True)
class NumberedAnnotator:
    """One annotator, by number. Fields as in `AnnotatorRow`."""

    number: int
    votes: int
    gold_right: int
    gold_answers: int
    accuracy: float | None
    low: float | None
    high: float | None
    sensitivity: float | None
    specificity: float | None
    left_out: bool


@dataclass(frozen=True)
class AgreementFigures:
    """What `aggregate` found of votes and those who gave them."""

    method: str
    kept_by: Mapping[Method, int]
    differing: int
    conflicts: int
    votes: int
    votes_counted: int
    extra_votes: int
    rows: tuple[AgreementRow, ...]
    annotators: tuple[NumberedAnnotator, ...]


@dataclass(frozen=True)
class SampleRow:
    """A clip on the sample sheet."""

    category: str
    video_id: str
    begin_s: float
    """In the fetched section."""
    duration_s: float
    moments_s: tuple[float, ...]
    """Of the frames shown, from the clip's beginning."""
    licence: str | None
    attribution: str | None


@dataclass(frozen=True)
class ProjectStatistics:
    """All that is told of a project."""

    funnel: tuple[FunnelRow, ...]
    categories: tuple[CategoryRow, ...]
    total: CategoryRow
    lengths: tuple[LengthRow, ...]
    """For 2, 4, 6, 8 and 10 s; empty without clips."""
    agreement: AgreementFigures | None
    """None before `aggregate`."""
    samples: tuple[SampleRow, ...]
    samples_are_clips: bool
    """Whether they are clips; whole fetched sections else."""
    missing: tuple[str, ...]
    """What is not there yet or does not fit together, and what to do."""
    notes: Mapping[str, int]
    """How many notes each step left."""

    def to_json(self) -> dict[str, Any]:
        """As JSON, with what follows from the counts; floats to six digits."""
        data = dataclasses.asdict(self)
        for row, values in zip((*self.categories, self.total), (*data["categories"], data["total"]), strict=True):
            values |= {"mean_s": row.mean_s, "hours": row.hours}
        rounded: dict[str, Any] = _rounded(data)
        return rounded


def _rounded(value: Any) -> Any:
    """The same with all floats rounded, so that the last bit of a machine changes no file."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
