"""Timecodes as editors read them: of every picture the one that `timecode_seconds` reads back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2s_plugin.timing.rates import timecode_seconds
from v2s_plugin.timing.timecodes import timecode_at

NTSC = Fraction(30_000, 1001)


@pytest.mark.parametrize(
    "rate", [Fraction(24_000, 1001), Fraction(24), Fraction(25), NTSC, Fraction(60), Fraction(120)]
)
@given(frame=st.integers(0, 24 * 3600 * 23))
def test_what_is_written_is_read(rate: Fraction, frame: int) -> None:
    assert timecode_seconds(timecode_at(frame / rate, rate), rate) == frame / rate


@pytest.mark.parametrize("rate", [NTSC, 2 * NTSC])
@given(frame=st.integers(0, 24 * 3600 * 29))
def test_dropped_numbers_are_dropped(rate: Fraction, frame: int) -> None:
    written = timecode_at(frame / rate, rate, "00:00:00;00")
    assert ";" in written
    assert timecode_seconds(written, rate) == frame / rate


@pytest.mark.parametrize(
    ("seconds", "rate", "start", "wanted"),
    [
        (Fraction(0), Fraction(25), None, "00:00:00:00"),
        (Fraction(159, 100), Fraction(25), None, "00:00:01:14"),  # the picture that is on screen, not the next one
        (Fraction(1, 2), Fraction(24), "01:00:10:20", "01:00:11:08"),
        (1800 / NTSC, NTSC, "00:00:00;00", "00:01:00;02"),
        (Fraction(1), Fraction(750_000, 71_393), None, "00:00:00:10"),  # an average rate
        (Fraction(1), Fraction(25), "99", "00:00:01:00"),  # a tag that is no timecode
    ],
)
def test_moments(seconds: Fraction, rate: Fraction, start: str | None, wanted: str) -> None:
    assert timecode_at(seconds, rate, start) == wanted
