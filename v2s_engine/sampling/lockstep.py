"""Many sounds side by side: rows of a batch that leave when they are done and are refilled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from v2s_engine.arrays import FloatArray, joined
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.sampling.pace import PIECE_LENGTH, Pace
from v2s_engine.sampling.sampler import Codes, Floats, Row, Sampler, SamplerState, generate_codes
from v2s_engine.timbre.timbre import Timbre

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class RowJob:
    """One sound to sample."""

    row: Row
    conditioning: FloatArray
    """`[N, C]`, all vectors of the sound; on a GPU only for a sampler there (`DeviceSampler`)."""
    length: int
    """Samples to make, at least 1."""
    starts: Floats | None = None
    """`[W, d]`: what the coarsest tier starts each window of `config.encoder_window_length` samples from; None where it
    just goes on."""
    timbre: Timbre | None = None
    """What its codes are decoded with, for a source-filter model; the sampler does not look at it."""


@dataclass
class _Active(Generic[T]):
    tag: T
    job: RowJob
    state: SamplerState
    pieces: list[Codes]
    done: int = 0


def sample_lockstep(
    sampler: Sampler,
    draw: Callable[[bool], tuple[T, RowJob] | None],
    rows: int,
    on_piece: Callable[[T, int], None],
) -> Iterator[tuple[T, Codes]]:
    """Sample all jobs, at most `rows` at a time; yields each job's tag with its codes `[length]` as it is finished.

    `draw(wait)` gives the next job with its tag. With `wait` false it gives None where no job is ready yet, so that
    rows at hand are not held up; with `wait` true it gives None only at the end. `on_piece(tag, samples made)` is
    called after each piece of a job; what it raises ends the sampling.
    """
    active: list[_Active[T]] = []
    pace = Pace(sampler)
    while True:
        # Only where those at hand stand at the edge of a frame: rows at the same phase go through a sampler together.
        if not active or active[0].done % FRAME_LENGTH == 0:
            while len(active) < rows and (drawn := draw(not active)) is not None:
                tag, job = drawn
                active.append(_Active(tag, job, sampler.start([job.row]), []))
        if not active:
            return
        _advance(sampler, active, pace, on_piece)
        for finished in [each for each in active if each.done >= each.job.length]:
            active.remove(finished)
            yield finished.tag, np.concatenate(finished.pieces)[: finished.job.length]


def _advance(sampler: Sampler, active: list[_Active[T]], pace: Pace, on_piece: Callable[[T, int], None]) -> None:
    # Whole conditioning vectors at a row's end, even beyond it: see above.
    step = sampler.config.conditioning_length
    length = pace.length(active[0].done, len(active))
    length = min(length, *(steps_covering(each.job.length, step) * step - each.done for each in active))
    for each in active:
        length = min(length, _enter_window(each, sampler.config.encoder_window_length))
    conditioning = joined([_vectors(step, each, length)[None] for each in active])
    state = SamplerState.join([each.state for each in active])
    with pace.timed(length, len(active)):
        codes, state = generate_codes(sampler, state, conditioning, length)
    for index, each in enumerate(active):
        each.state = state.select([index])
        each.pieces.append(codes[index])
        each.done += length
        on_piece(each.tag, min(each.done, each.job.length))


def _enter_window(each: _Active[T], window_length: int) -> int:
    """Give a row that stands at the start of a window its state; returns the samples that remain of its window."""
    starts = each.job.starts
    if starts is None:
        return PIECE_LENGTH
    window, inside = divmod(each.done, window_length)
    if inside == 0:
        each.state = each.state.with_coarse(starts[window : window + 1])
    return window_length - inside


def _vectors(step: int, each: _Active[T], length: int) -> FloatArray:
    """The vectors that cover the next piece."""
    return each.job.conditioning[each.done // step : steps_covering(each.done + length, step)]
