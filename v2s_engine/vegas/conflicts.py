"""Pieces that are worth a second look, as arrays and as a CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2s_engine.vegas.aggregate_figures import VOTES_WANTED
from v2s_engine.vegas.questions import MODALITIES
from v2s_engine.vegas.votes import Ballots
from v2s_engine.vegas.whole_file import whole_file

CONFLICT_COLUMNS = (
    "video_id", "ordinal", "category",
    "picture_for", "picture_votes", "picture_dawid_skene",
    "sound_for", "sound_votes", "sound_dawid_skene",
    "kept", "decides", "reasons",
)  # fmt: skip
"""Of `conflicts.csv`. `decides` is 1 where the other answer to what is contested would change whether it is kept."""


@dataclass(frozen=True)
class Tally:
    """What is known of P pieces in both modalities, by both methods; all arrays are `[2, P]` by modality."""

    present_votes: NDArray[np.int64]
    votes: NDArray[np.int64]
    chance: NDArray[np.float64]
    """As Dawid-Skene sees it; gold as it is known."""
    by_majority: NDArray[np.bool_]
    """Whether it is there; gold as it is known."""
    decided: NDArray[np.bool_]
    """By three votes or more, or as gold."""
    gold: NDArray[np.bool_]

    @property
    def by_dawid_skene(self) -> NDArray[np.bool_]:
        """Whether it is there."""
        return np.asarray(self.chance > 0.5)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Pieces `[P]` that are decided in both modalities."""
        return np.asarray(self.decided.all(axis=0))

    @property
    def begun(self) -> NDArray[np.bool_]:
        """Pieces `[P]` with votes that do not suffice."""
        return np.asarray(~self.labelled & (self.votes > 0).any(axis=0))

    @property
    def contested(self) -> NDArray[np.bool_]:
        """Where the votes are even or one apart, or the two methods differ."""
        close = np.abs(2 * self.present_votes - self.votes) <= 1
        return np.asarray(self.decided & ~self.gold & (close | (self.by_majority != self.by_dawid_skene)))


def write_conflicts(path: Path, ballots: Ballots, tally: Tally, kept: NDArray[np.bool_]) -> None:
    """The CSV of what is worth a second look, and of pieces whose votes do not suffice. Raises `OutputError`."""
    with whole_file(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CONFLICT_COLUMNS)
        writer.writerows(_rows(ballots, tally, kept))


def _rows(ballots: Ballots, tally: Tally, kept: NDArray[np.bool_]) -> Iterator[tuple[Any, ...]]:
    contested = tally.contested
    unsure = contested | ~tally.decided
    best = (tally.by_majority | unsure).all(axis=0)
    worst = (tally.by_majority & ~unsure).all(axis=0)
    decides = np.asarray(best & ~worst)
    for piece in np.flatnonzero(contested.any(axis=0) | tally.begun).tolist():
        figures: list[Any] = []
        reasons: list[str] = []
        for number, modality in enumerate(MODALITIES):
            votes, agreed = int(tally.votes[number, piece]), int(tally.present_votes[number, piece])
            figures += [agreed, votes, f"{tally.chance[number, piece]:.4f}"]
            if not tally.decided[number, piece]:
                reasons.append(f"{modality} has {votes} of {VOTES_WANTED} votes")
            elif contested[number, piece]:
                reasons.append(f"{modality} {agreed}:{votes - agreed}")
                if tally.by_majority[number, piece] != tally.by_dawid_skene[number, piece]:
                    reasons.append(f"methods differ on {modality}")
        yield (
            ballots.video_ids[piece],
            int(ballots.ordinals[piece]),
            ballots.categories[ballots.category[piece]],
            *figures,
            int(kept[piece]),
            int(decides[piece]),
            "; ".join(reasons),
        )
