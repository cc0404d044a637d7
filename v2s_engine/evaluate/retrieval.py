"""Retrieval: which of many sounds belongs to these pictures? A proxy for "does the model use the video" (paper, 5c).

A query is a clip's pictures; the database is all clips' sounds; a sound's score is its teacher-forced loss given the
query's pictures, lower being better. A *category* hit finds a sound of the query's category, an *instance* hit the
very sound recorded with the pictures; in the first place or among the first five.

Two choices are ours, since the paper's are not known:

- The query's model scores all sounds: with one model per category it is the query category's, and a model of several
  classes is told the query's class. Such a method knows the category beside the pictures, and its category hits show
  only that it does; a model that was trained on all clips as one class has the pictures alone.
- Beside the plain loss there is a second ranking, by how much these pictures lower the sound's loss against its mean
  over all queries. By plain loss, a quiet sound comes first whatever is shown.

Whether hits are more than chance gives: had the pictures nothing to do with the sounds, the queries' pictures could be
exchanged among the clips and would hit as often.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import encode_codes
from v2s_engine.evaluate.clips import HeardClip, clip_conditioning
from v2s_engine.evaluate.losses import BATCH, ForcedRow, cross_entropies
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.statistics import RESAMPLES, Mean, bootstrap_mean, resample_blocks
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.model.conditioning import Conditioning
from v2s_engine.progress import Progress

TOP = 5
"""How many first places are looked at."""


_KINDS = ("category_top1", "category_top5", "instance_top1", "instance_top5")


@dataclass(frozen=True)
class ChanceShares:
    """Expected shares of queries with a hit; None without clips."""

    category_top1: float | None
    category_top5: float | None
    instance_top1: float | None
    instance_top5: float | None


@dataclass(frozen=True)
class HitShare:
    """A share of queries with a hit, and whether chance gives as much."""

    share: Mean
    """With its 95 % bootstrap interval over the queries."""
    p_value: float | None
    """Permutation test, one-sided: the share of the ways to exchange the queries' pictures among the clips that hit as
    often. All ways are tried for up to 7 clips, else 10,000. None without clips."""


@dataclass(frozen=True)
class RetrievalScores:
    """What one ranking hits."""

    category_top1: HitShare
    category_top5: HitShare
    instance_top1: HitShare
    instance_top5: HitShare


@dataclass(frozen=True)
class RetrievalResult:
    """Retrieval by one method."""

    n: int
    """Clips: each is a query, and its sound is in the database."""
    longest: int
    """Samples of the longest sound scored."""
    class_told: bool
    """Whether the method knows the query's category beside its pictures."""
    by_loss: RetrievalScores
    """Ranked by plain loss, as in the paper."""
    by_gain: RetrievalScores
    """Ranked by the loss minus that sound's mean over all queries."""
    chance: ChanceShares
    """Expected where all orders are equally likely, computed from these clips."""


def retrieve(
    method: Method, clips: Sequence[HeardClip], *, seed: int = 0, progress: Progress | None = None
) -> RetrievalResult:
    """Rank all clips' sounds for every clip's pictures. n clips are n² scorings: give excerpts of a subset.

    `seed` is of intervals and tests.
    """
    categories = [clip.category for clip in clips]
    scores = pair_losses(method, clips, progress)
    gains = scores - scores.mean(axis=0, keepdims=True) if len(clips) else scores
    return RetrievalResult(
        n=len(clips),
        longest=max((clip.length for clip in clips), default=0),
        class_told=method.tells_class,
        by_loss=hit_shares(scores, categories, seed=seed),
        by_gain=hit_shares(gains, categories, seed=seed),
        chance=chance_shares(categories),
    )


def pair_losses(method: Method, clips: Sequence[HeardClip], progress: Progress | None = None) -> NDArray[np.float64]:
    """Nats per sample `[query, sound]` of every sound given every query's pictures, looped or cut to the sound."""
    progress = progress or Progress()
    scores = np.zeros((len(clips), len(clips)))
    told: dict[int, Conditioning] = {}
    queries: dict[int, list[int]] = {}
    for query, clip in enumerate(clips):
        queries.setdefault(id(method.model_of(clip.category)[0]), []).append(query)
    covered = 0
    for done, sound in enumerate(sorted(range(len(clips)), key=lambda index: clips[index].length)):
        heard = clips[sound]
        pictures_length = steps_covering(heard.length, FRAME_LENGTH) * FRAME_LENGTH
        if pictures_length != covered:  # what the queries tell is worked out once for all sounds of one length
            covered = pictures_length
            told.clear()
        for group in queries.values():
            model = method.model_of(clips[group[0]].category)[0]
            codes = encode_codes(heard.samples, model.config)
            for first in range(0, len(group), BATCH):
                batch = group[first : first + BATCH]
                for query in batch:
                    if query not in told:
                        class_index = method.model_of(clips[query].category)[1]
                        told[query] = clip_conditioning(model, clips[query], covered, class_index)
                rows = [ForcedRow(codes, told[query]) for query in batch]
                scores[batch, sound] = cross_entropies(model, rows, progress.check)
        progress.step(f"{method.name}, retrieval", done + 1, len(clips))
    return scores


def hit_shares(scores: NDArray[np.float64], categories: Sequence[str], *, seed: int = 0) -> RetrievalScores:
    """Shares of queries with a hit for scores `[query, sound]`, lower being better; equal scores in order of index."""
    n = len(categories)
    if not n:
        return RetrievalScores(*[HitShare(Mean(0, None, None, None), None)] * len(_KINDS))
    first = first_places(scores)
    seen = hits(first, categories, np.arange(n))
    as_often, tried = np.zeros(len(_KINDS)), 0
    for orders in _orders(n, seed):
        as_often += (hits(first, categories, orders).sum(axis=-1) >= seen.sum(axis=-1)).sum(axis=0)
        tried += len(orders)
    # What was seen is one of the ways: among all of them it is there, beside drawn ones it counts in addition.
    extra = 0 if math.factorial(n) == tried else 1
    p_values = (as_often + extra) / (tried + extra)
    shares = [bootstrap_mean(row.astype(np.float64).tolist(), seed=seed) for row in seen]
    return RetrievalScores(*(HitShare(share, float(p)) for share, p in zip(shares, p_values, strict=True)))


def first_places(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The sounds `[query, place]` in the first places."""
    return np.argsort(scores, axis=1, kind="stable")[:, :TOP]


def hits(first: NDArray[np.int64], categories: Sequence[str], shown: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each query hits `[.., kind, query]`, kinds as in `RetrievalScores`, if query i shows `shown[.., i]`."""
    names = np.unique(categories, return_inverse=True)[1]
    same = names[first] == names[shown][..., None]
    own = first == shown[..., None]
    return np.stack([same[..., 0], same.any(axis=-1), own[..., 0], own.any(axis=-1)], axis=-2)


def _orders(n: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """All orders of n clips in blocks `[R, n]`, or, where they are too many, drawn ones."""
    if math.factorial(n) <= RESAMPLES:
        yield np.array(list(permutations(range(n))), np.int64)
        return
    rng = np.random.default_rng(seed)
    for count in resample_blocks(n * TOP):
        yield rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1)


def chance_shares(categories: Sequence[str]) -> ChanceShares:
    """What any ranking that ignores the pictures gives on average, exactly."""
    n = len(categories)
    if not n:
        return ChanceShares(None, None, None, None)
    places = min(TOP, n)
    members = [categories.count(name) for name in categories]
    missed = [math.comb(n - count, places) / math.comb(n, places) for count in members]
    return ChanceShares(
        category_top1=sum(members) / n**2,
        category_top5=1 - sum(missed) / n,
        instance_top1=1 / n,
        instance_top5=places / n,
    )
