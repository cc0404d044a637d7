"""How a sampler's speed is measured."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.sampling.networks import model
from v2s_engine.sampling.cpu import CpuSampler
from v2s_engine.sampling.probe import PROBE_DURATION, measured_speed
from v2s_engine.sampling.sampler import Codes, Floats, SamplerState


class TimedSampler(CpuSampler):
    """Of a known speed, on a clock of its own."""

    def __init__(self, speed: float, overhead: float = 0.0) -> None:
        super().__init__(model("frame").weights, threads=1)
        self.speed, self.overhead = speed, overhead
        self.now = 0.0
        self.calls: list[tuple[int, int]] = []

    def generate(self, state: SamplerState, conditioning: Floats, length: int) -> tuple[Codes, SamplerState]:
        self.calls.append((len(state), length))
        first = 5.0 if len(self.calls) == 1 else 0.0  # compiles
        self.now += first + self.overhead + len(state) * length / self.speed
        return np.zeros((len(state), length), np.uint8), state


@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("speed", [1_200.0, 170_000.0, 5_000_000.0])
def test_a_known_speed_is_found_in_time(speed: float, rows: int) -> None:
    sampler = TimedSampler(speed)
    assert measured_speed(sampler, rows, clock=lambda: sampler.now) == pytest.approx(speed)
    assert sampler.now - 5 - rows * 8 / speed <= 1.5 * PROBE_DURATION
    assert {count for count, _ in sampler.calls} == {rows}


def test_what_a_call_costs_beside_sampling_hardly_counts() -> None:
    sampler = TimedSampler(100_000.0, overhead=0.001)
    assert measured_speed(sampler, 1, clock=lambda: sampler.now) > 90_000


def test_a_real_sampler_is_measured() -> None:
    assert measured_speed(CpuSampler(model("frame").weights, threads=1), 2, duration=0.02) > 1000
