"""A code is drawn by inverting the running sum of softmax terms, in NumPy and compiled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import njit
from numpy.typing import NDArray

from v2s_engine.options import LEVELS
from v2s_engine.sampling.cpu_draw import draw_codes
from v2s_engine.sampling.draw import draw_code

Draw = Callable[[NDArray[np.float32], float, float], int]

LAST = 1 - 2.0**-24
"""The largest uniform number."""

LOGITS = arrays(np.float32, LEVELS, elements=st.floats(-50, 50, width=32))
UNIFORMS = st.integers(0, 2**24 - 1).map(lambda number: number / 2**24)
TEMPERATURES = st.floats(0.05, 20)


def by_definition(logits: NDArray[np.float32], uniform: float, temperature: float) -> int:
    return draw_code(logits, np.float32(uniform), temperature)


@njit  # type: ignore[untyped-decorator]
def draw_by_kernel(logits, uniforms, temperatures, running, codes):  # type: ignore[no-untyped-def]
    draw_codes(logits, uniforms, temperatures, running, codes, 1)


def by_kernel(logits: NDArray[np.float32], uniform: float, temperature: float) -> int:
    """All ways through the kernel, with other rows around that must not matter: four rows at once, and a single one."""
    drawn = set()
    for rows, row in ((1, 0), (2, 1), (4, 3), (7, 2), (7, 5)):
        batch = np.full((rows, LEVELS), 9, dtype=np.float32)
        batch[row] = logits
        uniforms, temperatures = np.full(rows, uniform, np.float32), np.full(rows, temperature, np.float32)
        codes = np.zeros((rows, 3), dtype=np.uint8)
        draw_by_kernel(batch, uniforms, temperatures, np.empty_like(batch), codes)
        drawn.add(int(codes[row, 1]))
    (code,) = drawn
    return code


both = pytest.mark.parametrize("draw", [by_definition, by_kernel])


@both
@settings(deadline=None)  # the first call may compile
@given(logits=LOGITS, uniform=UNIFORMS, temperature=TEMPERATURES)
def test_the_code_is_where_the_running_sum_passes_the_uniform(
    draw: Draw, logits: NDArray[np.float32], uniform: float, temperature: float
) -> None:
    wide = logits.astype(np.float64) / temperature
    probabilities = np.exp(wide - wide.max())
    running = np.cumsum(probabilities) / probabilities.sum()
    code = draw(logits, uniform, temperature)
    before = running[code - 1] if code else 0.0
    assert before - 1e-4 <= uniform <= running[code] + 1e-4


@both
@settings(deadline=None)  # the first call may compile
@given(logits=LOGITS, uniform=st.sampled_from([0.0, 2.0**-24, 0.5, LAST]), temperature=TEMPERATURES)
def test_a_code_of_probability_zero_is_never_drawn(
    draw: Draw, logits: NDArray[np.float32], uniform: float, temperature: float
) -> None:
    code = draw(logits, uniform, temperature)
    assert (logits[code] - logits.max()) / np.float32(temperature) >= -87


@both
@pytest.mark.parametrize("code", [0, 1, 128, 254, 255])
@pytest.mark.parametrize("uniform", [0.0, 0.5, LAST])
def test_one_certain_code_is_always_drawn(draw: Draw, code: int, uniform: float) -> None:
    logits = np.full(LEVELS, -1000, dtype=np.float32)
    logits[code] = 1000
    assert draw(logits, uniform, 1.0) == code


@both
def test_equal_logits_share_the_interval_equally(draw: Draw) -> None:
    logits = np.full(LEVELS, 3.25, dtype=np.float32)
    for code in range(LEVELS):
        assert draw(logits, code / LEVELS, 1.0) == code
        assert draw(logits, (code + 1) / LEVELS - 2.0**-24, 1.0) == code


@both
def test_temperature_flattens(draw: Draw) -> None:
    logits = np.zeros(LEVELS, dtype=np.float32)
    logits[200] = 5
    drawn = {
        temperature: sum(draw(logits, uniform, temperature) == 200 for uniform in np.arange(1000) / 1000)
        for temperature in (0.5, 1.0, 10.0)
    }
    for temperature, count in drawn.items():
        share = np.exp(5 / temperature) / (np.exp(5 / temperature) + 255)
        assert count == pytest.approx(1000 * share, abs=2)
