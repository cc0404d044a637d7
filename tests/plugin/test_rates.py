"""Exact time: whatever way a rate is written, it means one fraction."""

import math
import struct
from fractions import Fraction

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import span, time
from v2s_plugin.timing.rates import Span, exact_rate, exact_seconds, exact_span, rational_time, timecode_seconds

NTSC = [24, 30, 48, 60, 90, 96, 120, 240]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (24000 / 1001, Fraction(24000, 1001)),
        (23.976024627685547, Fraction(24000, 1001)),  # a float32, as Hiero writes it
        (29.97, Fraction(30000, 1001)),
        (30000 / 1001, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (59.9401, Fraction(60000, 1001)),
        (119.88, Fraction(120000, 1001)),
        (24.0, Fraction(24)),
        (25.0, Fraction(25)),
        (30.0, Fraction(30)),
        (60.0, Fraction(60)),
        (44100.0, Fraction(44100)),
        (48000.0, Fraction(48000)),
        (12.5, Fraction(25, 2)),
        (10.505, Fraction(2101, 200)),
        (59.999, Fraction(59999, 1000)),  # a variable rate's average: not 60, which is 1.2 s away after 20 hours
    ],
)
def test_a_rate_means_what_was_meant(written: float, meant: Fraction) -> None:
    assert exact_rate(written) == meant


@pytest.mark.parametrize("rate", [0.0, -24.0, math.nan, math.inf, -math.inf])
def test_a_rate_that_gives_no_time_is_none(rate: float) -> None:
    assert exact_rate(rate) is None
    assert exact_seconds(time(10, rate)) is None
    assert exact_span(span(0, 10, rate)) is None


def test_missing_times_and_values_that_are_no_numbers_are_none() -> None:
    assert exact_seconds(None) is None
    assert exact_span(None) is None
    assert exact_seconds(time(math.nan, 24)) is None
    assert exact_span(span(0, -1, 24)) is None


@pytest.mark.parametrize("written", [23.976, 23.98, 29.97, 47.952, 59.94, 119.88, 24, 25, 30, 50, 60, 100, 120, 12.5])
def test_a_rate_kept_as_a_float32_means_the_same(written: float) -> None:
    (single,) = struct.unpack("f", struct.pack("f", written))
    assert exact_rate(single) == exact_rate(written)


# ---- timecode


@pytest.mark.parametrize(
    ("timecode", "rate", "frames"),
    [
        ("01:00:00:02", Fraction(24), 86402),
        ("01:00:00:02", Fraction(24000, 1001), 86402),
        ("01:00:00:02", Fraction(30000, 1001), 108002),
        ("01:00:00;02", Fraction(30000, 1001), 107894),
        ("01:00:00;02", Fraction(2997, 100), 107894),
        ("01:00:00.02", Fraction(60000, 1001), 215786),
        ("00:01:00;02", Fraction(30000, 1001), 1800),
        ("00:10:00;00", Fraction(30000, 1001), 17982),
        ("00:00:01:99", Fraction(100), 199),
        ("00:00:01:119", Fraction(120000, 1001), 239),
        ("00:00:02:11", Fraction(25, 2), 35),
    ],
)
def test_timecode_in_seconds(timecode: str, rate: Fraction, frames: int) -> None:
    exact = exact_rate(float(rate))
    assert exact is not None
    assert timecode_seconds(timecode, rate) == frames / exact


@pytest.mark.parametrize("timecode", ["", "01:00:00", "01:00:00:24", "01:60:00:00", "01:00:00;00", "a:b:c:d"])
def test_what_is_no_timecode_at_its_rate_is_none(timecode: str) -> None:
    assert timecode_seconds(timecode, Fraction(24)) is None


@settings(deadline=None)
@given(st.integers(0, 24 * 3600 * 60 - 1), st.sampled_from([23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0]))
def test_timecode_agrees_with_otio_where_otio_can_tell(frame: int, rate: float) -> None:
    exact = exact_rate(rate)
    assert exact is not None
    value = otio.opentime.RationalTime(frame % int(24 * 3600 * exact), rate)
    for drop in [False, True] if rate in (29.97, 59.94) else [False]:
        written = otio.opentime.to_timecode(value, rate, drop)
        assert timecode_seconds(written, exact) == Fraction(value.value) / exact


@settings(deadline=None)
@given(st.sampled_from(NTSC), st.integers(3, 12))
def test_ntsc_rates_survive_any_number_of_decimals(nominal: int, digits: int) -> None:
    exact = Fraction(nominal * 1000, 1001)
    assert exact_rate(round(float(exact), digits)) == exact


@settings(deadline=None)
@given(st.integers(1, 400_000))
def test_whole_rates_stay_whole(rate: int) -> None:
    assert exact_rate(float(rate)) == rate


@settings(deadline=None)
@given(st.integers(-(10**9), 10**9), st.sampled_from([23.976, 24.0, 25.0, 29.97, 30.0, 59.94, 60.0, 48000.0]))
def test_frames_come_back_from_seconds(frames: int, rate: float) -> None:
    seconds = exact_seconds(time(frames, rate))
    assert seconds is not None
    assert rational_time(seconds, rate) == otio.opentime.RationalTime(frames, rate)


@settings(deadline=None)
@given(st.fractions(0, 10**4, max_denominator=1001), st.sampled_from([24.0, 29.97, 48000.0]))
def test_seconds_come_back_from_times_that_are_no_whole_frame(seconds: Fraction, rate: float) -> None:
    back = exact_seconds(rational_time(seconds, rate))
    assert back is not None
    assert abs(back - seconds) < Fraction(1, 10**9)


@settings(deadline=None)
@given(*[st.fractions(0, 100) for _ in range(4)])
def test_what_two_stretches_have_in_common_lies_in_both(a: Fraction, b: Fraction, c: Fraction, d: Fraction) -> None:
    first, second = Span(min(a, b), max(a, b)), Span(min(c, d), max(c, d))
    both = first.overlap(second)
    if both is None:
        assert first.end <= second.start or second.end <= first.start or not first.duration or not second.duration
    else:
        assert max(first.start, second.start) == both.start < both.end == min(first.end, second.end)


def test_a_time_at_no_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="positive rate; got 0"):
        rational_time(Fraction(1), 0.0)


@pytest.mark.parametrize("rate", [5e-4, 1e-4, 1e-9])
def test_a_rate_far_below_one_is_never_taken_for_none_a_second(rate: float) -> None:
    assert exact_rate(rate) in (Fraction(rate).limit_denominator(10**6), None)
    assert exact_rate(rate) != 0
