"""How long calls of a sampler last: short enough to be stopped in time, and never seen in the result."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest

from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.sampling.pace import CALL_DURATION, PIECE_LENGTH, Pace
from v2s_engine.sampling.sampler import Sampler


@dataclass
class FakeClock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def fake_sampler(name: str = "cpu", coarse_unit: int = 8) -> Sampler:
    return cast(Sampler, SimpleNamespace(name=name, config=SimpleNamespace(coarse_unit=coarse_unit)))


def run(pace: Pace, clock: FakeClock, speed: float, *, rows: int = 1, length: int = 200_000) -> list[tuple[int, float]]:
    """Length and duration of every call for a sound, by a sampler that makes so many samples of all rows a second."""
    calls, done = [], 0
    while done < length:
        piece = pace.length(done, rows)
        assert piece >= 1
        with pace.timed(piece, rows):
            clock.now += piece * rows / speed
        calls.append((piece, piece * rows / speed))
        done += piece
    return calls


@pytest.mark.parametrize("coarse_unit", [8, 64])
@pytest.mark.parametrize("speed", [1_200, 4_400, 20_000, 170_000, 5_000_000])
def test_calls_last_less_than_a_tenth_of_a_second_at_any_speed(speed: float, coarse_unit: int) -> None:
    clock = FakeClock()
    calls = run(Pace(fake_sampler(coarse_unit=coarse_unit), clock), clock, speed)
    assert max(took for _, took in calls) <= 0.1
    assert max(piece for piece, _ in calls) == (PIECE_LENGTH if speed > 150_000 else max(piece for piece, _ in calls))
    # As long as they may be: what a call costs beside sampling is not paid too often.
    middle = sorted(took for _, took in calls)[len(calls) // 2]
    assert middle >= min(CALL_DURATION / 5, PIECE_LENGTH / speed)


def test_pieces_of_a_frame_are_powers_of_two_and_end_with_it() -> None:
    clock = FakeClock()
    done = 0
    for piece, _ in run(Pace(fake_sampler(), clock), clock, 2_000):
        assert piece & (piece - 1) == 0 or (done + piece) % FRAME_LENGTH == 0
        assert piece <= FRAME_LENGTH - done % FRAME_LENGTH
        done += piece


def test_a_gpu_is_given_whole_frames() -> None:
    clock = FakeClock()
    calls = run(Pace(fake_sampler("cuda"), clock), clock, 1_000)
    assert {piece % FRAME_LENGTH for piece, _ in calls} == {0}


def test_more_rows_are_taken_to_be_slower() -> None:
    clock = FakeClock()
    pace = Pace(fake_sampler(), clock)
    run(pace, clock, 20_000)
    assert 8 * pace.length(0, 8) / 20_000 <= 0.1


def test_one_slow_call_is_forgotten() -> None:
    """The first call may wait for code to be compiled."""
    clock = FakeClock()
    pace = Pace(fake_sampler(), clock)
    with pace.timed(64, 1):
        clock.now += 3
    assert pace.length(0, 1) == 8
    calls = run(pace, clock, 170_000)
    assert calls[10][0] == PIECE_LENGTH
