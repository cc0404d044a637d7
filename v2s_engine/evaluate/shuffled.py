"""Does the model use the pictures? The loss with the wrong pictures minus the loss with the right ones.

The cheapest proof there is (paper, 5b: the losses of methods hardly differ, so loss alone shows nothing). Two shuffles:
pictures of another class ask whether the model sees what is there; pictures of the same class, whether it sees when
things happen and how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from v2s_engine.evaluate.clips import HeardClip
from v2s_engine.evaluate.losses import clip_losses
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.statistics import PairedDifference, derangement, paired_difference
from v2s_engine.progress import Progress

ShuffleKind = Literal["across classes", "within a class"]


@dataclass(frozen=True)
class ShuffleResult:
    """One shuffle of one method."""

    kind: ShuffleKind
    difference: PairedDifference
    """Nats per sample, wrong minus right pictures: above 0 where the pictures help."""
    helped: float | None
    """Share of the clips whose own pictures gave the lower loss."""
    reason: str | None
    """Why clips are missing from it, or all of it; None where none are."""


def shuffle_pictures(
    method: Method,
    clips: Sequence[HeardClip],
    right: NDArray[np.float64],
    kind: ShuffleKind,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> ShuffleResult:
    """Give every clip another clip's pictures (each used once, seeded) and compare with the losses `right` `[n]`.

    Clips for which no other pictures are left (a class of one; a class with more than half of all clips) are not in it.
    """
    partner = derangement([clip.category for clip in clips], within=kind == "within a class", seed=seed)
    used = np.flatnonzero(partner >= 0).tolist()
    missing = len(clips) - len(used)
    where = "its own class" if kind == "within a class" else "another class"
    reason = f"{missing} of {len(clips)} clips have no pictures of {where} to be exchanged with" if missing else None
    if not len(used):
        nothing = reason or "there are no clips"
        return ShuffleResult(kind, PairedDifference(0, None, None, None, None), None, nothing)
    wrong = clip_losses(
        method,
        [clips[index] for index in used],
        [clips[index] for index in partner[used].tolist()],
        stage=f"{method.name}, pictures shuffled {kind}",
        progress=progress,
    )
    difference = paired_difference(wrong.tolist(), right[used].tolist(), seed=seed)
    return ShuffleResult(kind, difference, float((wrong > right[used]).mean()), reason)
