"""From jobs to sounds: rows of the sampler turned into samples as they are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from v2s_engine.model.hearing import decode_sound
from v2s_engine.sampling.lockstep import RowJob, sample_lockstep
from v2s_engine.sampling.sampler import Sampler

T = TypeVar("T")


def sampled_sounds(
    sampler: Sampler, jobs: Iterable[tuple[T, RowJob]], on_piece: Callable[[T, int], None] = lambda tag, done: None
) -> Iterator[tuple[T, NDArray[np.float32]]]:
    """Each job's tag with its sound `[length]` at 16 kHz, before any gain, as they are finished.

    `on_piece(tag, samples made)` is called after every call of the sampler (about a tenth of a second); what it raises
    ends the sampling.
    """
    waiting = (((tag, job.timbre), job) for tag, job in jobs)
    finished = sample_lockstep(
        sampler, lambda wait: next(waiting, None), sampler.most_rows, lambda made, done: on_piece(made[0], done)
    )
    for (tag, timbre), codes in finished:
        yield tag, decode_sound(codes, sampler.config, timbre)
