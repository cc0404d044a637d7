"""Rows in lockstep, with a sampler whose codes say what it was asked."""

from collections.abc import Sequence

import numpy as np
import pytest

from v2s_engine.errors import CancelledError
from v2s_engine.grid import ENVELOPE_LENGTH, FRAME_LENGTH
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.lockstep import RowJob, sample_lockstep
from v2s_engine.sampling.pace import PIECE_LENGTH
from v2s_engine.sampling.sampler import Codes, Floats, Row, SamplerState, check_call

CONFIG = ModelConfig(("dog",), hidden_size=1, mlp_size=1)


class EchoSampler:
    """Code t is the first number of the vector that covers sample t."""

    name = "echo"
    config = CONFIG

    def __init__(self) -> None:
        self.most_rows = self.calls = 0
        self.phases: list[list[int]] = []

    def start(self, rows: Sequence[Row]) -> SamplerState:
        count = len(rows)
        return SamplerState(
            tuple(rows),
            np.zeros(count, np.int64),
            np.zeros((count, 1), np.float32),
            np.zeros((count, 1), np.float32),
            np.full((count, CONFIG.history_length), 128, np.uint8),
        )

    def generate(self, state: SamplerState, conditioning: Floats, length: int) -> tuple[Codes, SamplerState]:
        check_call(CONFIG, state, conditioning, length)
        self.most_rows = max(self.most_rows, len(state))
        self.calls += 1
        self.phases.append((state.position % FRAME_LENGTH).tolist())
        phase = state.position % ENVELOPE_LENGTH
        indices = (phase[:, None] + np.arange(length)) // ENVELOPE_LENGTH
        codes = np.take_along_axis(conditioning[:, :, 0], indices, axis=1).astype(np.uint8)
        after = SamplerState(state.rows, state.position + length, state.coarse, state.mid, state.history)
        return codes, after

    def logits(self, state: SamplerState, codes: Codes, conditioning: Floats) -> tuple[Floats, SamplerState]:
        raise NotImplementedError


def job(length: int) -> RowJob:
    vectors = np.zeros((-(-length // ENVELOPE_LENGTH), CONFIG.conditioning_size), np.float32)
    vectors[:, 0] = np.arange(len(vectors)) % 251
    return RowJob(Row(1, 1), vectors, length)


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_every_row_gets_its_own_vectors_and_length(rows: int) -> None:
    lengths = [1, 255, 257, 5_000, PIECE_LENGTH, PIECE_LENGTH + 1, 3 * PIECE_LENGTH + 77, 40_000]
    waiting = iter([(length, job(length)) for length in lengths])
    sampler = EchoSampler()
    finished = dict(sample_lockstep(sampler, lambda wait: next(waiting, None), rows, lambda tag, done: None))
    assert sorted(finished) == lengths
    for length, codes in finished.items():
        np.testing.assert_array_equal(codes, np.arange(length) // ENVELOPE_LENGTH % 251)
    assert sampler.most_rows == min(rows, len(lengths))


def test_rows_at_hand_are_not_held_up_by_jobs_that_are_not_ready() -> None:
    asked: list[bool] = []
    late = [(1, job(3 * PIECE_LENGTH)), None, None, (2, job(100)), None]

    def draw(wait: bool) -> tuple[int, RowJob] | None:
        asked.append(wait)
        return late.pop(0) if late else None

    order = [tag for tag, _ in sample_lockstep(EchoSampler(), draw, 4, lambda tag, done: None)]
    assert order == [2, 1]
    assert asked[0] is True
    assert asked[1] is False


def test_progress_counts_up_and_can_stop_the_work() -> None:
    seen: list[int] = []

    def on_piece(tag: int, done: int) -> None:
        seen.append(done)
        if len(seen) == 4:
            raise CancelledError("stop")

    sampler = EchoSampler()
    waiting = iter([(1, job(5 * PIECE_LENGTH))])
    with pytest.raises(CancelledError):
        list(sample_lockstep(sampler, lambda wait: next(waiting, None), 1, on_piece))
    assert seen == sorted(set(seen))
    assert len(seen) == 4 == sampler.calls
    assert seen[0] < FRAME_LENGTH  # nothing is known of its speed yet


def test_rows_join_at_the_edge_of_a_frame_where_they_share_a_phase() -> None:
    """A sampler takes rows at one phase together: a job that comes late waits for the frame's end, not for more."""
    late = [(1, job(40_000)), None, (2, job(5_000)), (3, job(700)), *[None] * 9]
    sampler = EchoSampler()
    finished = dict(sample_lockstep(sampler, lambda wait: late.pop(0) if late else None, 4, lambda tag, done: None))
    assert sorted(finished) == [1, 2, 3]
    assert sampler.most_rows == 3
    assert all(len(set(phases)) == 1 for phases in sampler.phases)
