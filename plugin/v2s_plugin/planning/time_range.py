"""A stretch of the timeline as a user types it: timecodes or seconds.

01:00:10:00-01:00:20:12     as the timeline counts: from its start timecode, in its rate; ; for drop frame
12.5s-20s                   seconds from its start
-20s, 01:00:10:00-          open ends
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from v2s_engine.errors import UsageError
from v2s_plugin.planning.clip_job import frame_rate_of
from v2s_plugin.timing.rates import Span, exact_rate, exact_seconds, timecode_seconds

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")
_TIMECODE = re.compile(r"\d+:\d+:\d+[:;]\d+")
_FOREVER = Fraction(10**9)
_HOW = "write HH:MM:SS:FF-HH:MM:SS:FF or 12.5s-20s, where one end may be left out"


@dataclass(frozen=True)
class TimeRangeText:
    """Two ends as typed; None: open."""

    text: str
    start: str | None
    end: str | None

    @classmethod
    def parse(cls, text: str) -> TimeRangeText:
        """Read a range. Raises `UsageError` for one that is not understood."""
        start, dash, end = (part.strip() for part in text.partition("-"))
        if not dash or not (start or end):
            raise UsageError(f"the range {text!r} is not understood; {_HOW}")
        for side in (start, end):
            if side and not (_SECONDS.fullmatch(side) or _TIMECODE.fullmatch(side)):
                raise UsageError(f"{side!r} in the range {text!r} is no time; {_HOW}")
        return cls(text, start or None, end or None)

    def on(self, timeline: Any, clips: Sequence[Any]) -> Span:
        """The range in seconds from the timeline's start.

        The rate of its timecodes is the start timecode's, else that of the first of `clips`. Raises `UsageError` for a
        timecode that this rate does not have, and for an end that is not after the start.
        """
        first = timeline.global_start_time
        rate = exact_rate(first.rate) if first is not None else None
        if rate is None and clips:
            rate = exact_rate(frame_rate_of(clips[0]))
        zero = exact_seconds(first) or Fraction(0)
        start = _seconds(self.start, rate, zero) if self.start else -_FOREVER
        end = _seconds(self.end, rate, zero) if self.end else _FOREVER
        if end <= start:
            raise UsageError(f"the range {self.text!r} ends before it starts; {_HOW}")
        return Span(start, end)


def _seconds(side: str, rate: Fraction | None, zero: Fraction) -> Fraction:
    if found := _SECONDS.fullmatch(side):
        return Fraction(found[1])
    rate = rate or Fraction(24)
    seconds = timecode_seconds(side, rate)
    if seconds is None:
        drop = "; 29.97 and 59.94 alone have drop frame (;)" if ";" in side else ""
        raise UsageError(f"there is no timecode {side} at {float(rate):g} frames a second{drop}")
    return seconds - zero
