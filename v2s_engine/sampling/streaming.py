"""One sound frame by frame, while what it is told is still coming."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from v2s_engine.arrays import FloatArray, joined
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.model.conditioning import Conditioning
from v2s_engine.sampling.pace import Pace
from v2s_engine.sampling.sampler import Codes, Row, Sampler, SamplerState, generate_codes


def stream_codes(
    sampler: Sampler, row: Row, told: Iterable[Conditioning], length: int, check: Callable[[], None]
) -> Iterator[Codes]:
    """The codes of one sound in pieces `[1024]`, the last one as long as what is left: `length` in all.

    `told` gives the sound's conditioning in parts, each with the vectors that follow those of the part before it. A
    part may begin a window, and then holds the state to start it from, `[1, d]`. No more of it is asked for than the
    next piece wants, and nothing is kept. The codes are those of `sample_lockstep`, bit for bit. `check` is called
    between calls of the sampler; what it raises ends the sampling.
    """
    state, pace, step = sampler.start([row]), Pace(sampler), sampler.config.conditioning_length
    parts = iter(told)
    held: FloatArray = np.empty((0, sampler.config.conditioning_size), np.float32)
    done = 0
    while done < length:
        size = min(FRAME_LENGTH, length - done)
        while len(held) < steps_covering(size, step):
            part = next(parts)
            if part.starts is not None:
                state = state.with_coarse(part.starts)
            held = joined([held, part.vectors]) if len(held) else part.vectors
        codes, state = _frame(sampler, state, held, size, pace=pace, check=check)
        yield codes
        held = held[FRAME_LENGTH // step :]
        done += size


def _frame(
    sampler: Sampler, state: SamplerState, vectors: FloatArray, size: int, *, pace: Pace, check: Callable[[], None]
) -> tuple[Codes, SamplerState]:
    """A frame's codes `[size]` and the state after it, in as many calls as it takes to be stopped in time."""
    pieces, done, step = [], 0, sampler.config.conditioning_length
    while done < size:
        length = min(pace.length(done, 1), size - done)
        with pace.timed(length, 1):
            here = vectors[None, done // step : steps_covering(done + length, step)]
            codes, state = generate_codes(sampler, state, here, length)
        pieces.append(codes[0])
        done += length
        check()
    return np.concatenate(pieces), state
