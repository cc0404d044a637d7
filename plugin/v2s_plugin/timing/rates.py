"""Exact time: OpenTimelineIO's floating-point rates and times as fractions, and back.

Editing programs write one and the same rate as 23.976, 23.98, 23.976023976023978 or 23.976024627685547. At one hour
these differ by milliseconds, so every rate is first brought to the fraction that was meant (24000/1001).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

NTSC_SLOWDOWN = Fraction(1000, 1001)

_WHOLE_TOLERANCE = 1e-7  # relative; a float32 of a whole rate is exact, so only arithmetic noise is forgiven
_SINGLE_TOLERANCE = 1e-7  # relative; what a float32 loses, as in 23.979999542236328
_NTSC_TOLERANCE = 5e-4  # absolute; three decimals, as in 23.976 or 59.940
_DROP_FRAME_RATES = (30 * NTSC_SLOWDOWN, 60 * NTSC_SLOWDOWN)
_TIMECODE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.])(\d{2,3})")
_MAX_DENOMINATOR = 10**6  # of values that are not whole, e.g. 312.312 frames


@dataclass(frozen=True)
class Span:
    """A stretch of time in exact seconds; `end` is not part of it."""

    start: Fraction
    end: Fraction

    @property
    def duration(self) -> Fraction:
        """Seconds from start to end."""
        return self.end - self.start

    def overlap(self, other: Span) -> Span | None:
        """What both have in common; None where that is nothing."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None

    def shifted(self, seconds: Fraction) -> Span:
        """The same stretch `seconds` later."""
        return Span(self.start + seconds, self.end + seconds)


def joined(spans: Iterable[Span], pause: Fraction = Fraction(0)) -> list[Span]:
    """The same time in rising stretches: those that overlap, touch, or are at most `pause` seconds apart are one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if found and span.start - found[-1].end <= pause:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def exact_rate(rate: float) -> Fraction | None:
    """The rate that was meant, per second; None for a rate that gives no time (0, negative, NaN, infinite).

    Whole rates stay whole, NTSC rates become n·1000/1001 however many decimals were written, all others are taken as
    they stand. Kdenlive 26.08 writes rate 0.0 for sound files, so None must be expected in real timelines.
    """
    if not math.isfinite(rate) or rate <= 0:
        return None
    whole = round(rate)
    if whole and abs(rate - whole) <= _WHOLE_TOLERANCE * rate:
        return Fraction(whole)
    ntsc = round(rate * 1.001) * NTSC_SLOWDOWN
    # Two decimals are too coarse to be taken for NTSC by distance alone: only what the rate itself rounds to.
    near = abs(rate - float(ntsc)) <= _NTSC_TOLERANCE or abs(rate - round(float(ntsc), 2)) <= _SINGLE_TOLERANCE * rate
    if ntsc and near:
        return ntsc
    return Fraction(rate).limit_denominator(_MAX_DENOMINATOR) or None


def exact_seconds(time: Any) -> Fraction | None:
    """A `RationalTime` in seconds; None where it is missing or its rate or value gives no time."""
    if time is None or not math.isfinite(time.value):
        return None
    rate = exact_rate(time.rate)
    return None if rate is None else Fraction(time.value).limit_denominator(_MAX_DENOMINATOR) / rate


def timecode_seconds(timecode: str, rate: Fraction) -> Fraction | None:
    """A timecode such as `01:00:00:02` in seconds at a picture rate; None where it is no timecode at that rate.

    With `;` or `.` before the frames it drops frame numbers (2 of 30, 4 of 60 a minute, but not in every tenth), as
    only 29.97 and 59.94 do. OpenTimelineIO knows broadcast rates only and takes 100 for 60.
    """
    found = _TIMECODE.fullmatch(timecode.strip())
    exact = exact_rate(float(rate))
    if found is None or exact is None:
        return None
    hours, minutes, seconds, frames = (int(found[part]) for part in (1, 2, 3, 5))
    nominal = round(exact)
    if minutes >= 60 or seconds >= 60 or frames >= nominal:
        return None
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    if found[4] != ":":
        if exact not in _DROP_FRAME_RATES:
            return None
        passed = hours * 60 + minutes
        count -= (passed - passed // 10) * nominal // 15
    return count / exact


def exact_span(time_range: Any) -> Span | None:
    """A `TimeRange` in seconds; None where it is missing, gives no time, or ends before it starts."""
    if time_range is None:
        return None
    start, duration = exact_seconds(time_range.start_time), exact_seconds(time_range.duration)
    if start is None or duration is None or duration < 0:
        return None
    return Span(start, start + duration)


def rational_time(seconds: Fraction, rate: float) -> Any:
    """Seconds as a `RationalTime` at a rate as some timeline writes it; whole where it falls on a frame.

    The value counts frames of the rate that was meant, so 1.001 s are 24 frames at 23.976 and at 24000/1001 alike.
    """
    exact = exact_rate(rate)
    if exact is None:
        raise ValueError(f"a time needs a positive rate; got {rate}")
    return otio.opentime.RationalTime(float(seconds * exact), rate)
