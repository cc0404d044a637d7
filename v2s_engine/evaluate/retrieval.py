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
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import encode_codes
from v2s_engine.evaluate.clips import HeardClip, clip_conditioning
from v2s_engine.evaluate.losses import BATCH, ForcedRow, cross_entropies
from v2s_engine.evaluate.methods import Method
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.model.conditioning import Conditioning
from v2s_engine.progress import Progress

TOP = 5
"""How many first places are looked at."""


@dataclass(frozen=True)
class RetrievalScores:
    """Shares of queries with a hit; None without clips."""

    category_top1: float | None
    category_top5: float | None
    instance_top1: float | None
    instance_top5: float | None


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
    chance: RetrievalScores
    """Expected where all orders are equally likely, computed from these clips."""


def retrieve(
    method: Method, clips: Sequence[HeardClip], *, class_told: bool, progress: Progress | None = None
) -> RetrievalResult:
    """Rank all clips' sounds for every clip's pictures. n clips are n² scorings: give excerpts of a subset."""
    categories = [clip.category for clip in clips]
    scores = pair_losses(method, clips, progress)
    gains = scores - scores.mean(axis=0, keepdims=True) if len(clips) else scores
    return RetrievalResult(
        n=len(clips),
        longest=max((clip.length for clip in clips), default=0),
        class_told=class_told,
        by_loss=hit_shares(scores, categories),
        by_gain=hit_shares(gains, categories),
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
                scores[batch, sound] = cross_entropies(model, rows)
        progress.step(f"{method.name}, retrieval", done + 1, len(clips))
    return scores


def hit_shares(scores: NDArray[np.float64], categories: Sequence[str]) -> RetrievalScores:
    """Shares of queries with a hit for scores `[query, sound]`, lower being better; equal scores in order of index."""
    if not len(categories):
        return RetrievalScores(None, None, None, None)
    first = np.argsort(scores, axis=1, kind="stable")[:, :TOP]
    names = np.array(categories)
    same = names[first] == names[:, None]
    own = first == np.arange(len(names))[:, None]
    return RetrievalScores(
        float(same[:, 0].mean()), float(same.any(axis=1).mean()), float(own[:, 0].mean()), float(own.any(axis=1).mean())
    )


def chance_shares(categories: Sequence[str]) -> RetrievalScores:
    """What any ranking that ignores the pictures gives on average, exactly."""
    n = len(categories)
    if not n:
        return RetrievalScores(None, None, None, None)
    places = min(TOP, n)
    members = [categories.count(name) for name in categories]
    missed = [math.comb(n - count, places) / math.comb(n, places) for count in members]
    return RetrievalScores(
        category_top1=sum(members) / n**2,
        category_top5=1 - sum(missed) / n,
        instance_top1=1 / n,
        instance_top5=places / n,
    )
