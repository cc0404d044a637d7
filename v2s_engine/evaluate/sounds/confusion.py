"""Which class was taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Confusion:
    """Counts of verdicts by true class."""

    counts: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Confusion:
        """From pairs (true class, verdict)."""
        counts: dict[str, Counter[str]] = {}
        for true, verdict in pairs:
            counts.setdefault(true, Counter())[verdict] += 1
        return cls({name: dict(counts[name]) for name in sorted(counts)})

    def only(self, classes: Iterable[str]) -> Confusion:
        """The rows of some of the true classes."""
        wanted = set(classes)
        return Confusion({name: row for name, row in self.counts.items() if name in wanted})

    def number(self, true: str) -> int:
        """How many of a class were judged."""
        return sum(self.counts.get(true, {}).values())

    def right(self, true: str) -> int:
        """How many of them were judged right."""
        return self.counts.get(true, {}).get(true, 0)

    def share(self, true: str) -> float | None:
        """Their share, 0..1; None where none was judged."""
        return self.right(true) / self.number(true) if self.number(true) else None

    @property
    def overall(self) -> float | None:
        """Share of all that was judged; None for nothing."""
        total = sum(self.number(name) for name in self.counts)
        return sum(self.right(name) for name in self.counts) / total if total else None

    @property
    def balanced(self) -> float | None:
        """Mean of the classes' shares, so that a class with many recordings counts no more than one with few."""
        return fmean(self.right(name) / self.number(name) for name in self.counts) if self.counts else None
