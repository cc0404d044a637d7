"""Moments as editors read them: the timecode of the picture that is on screen."""

from __future__ import annotations

from fractions import Fraction

from v2s_plugin.timing.rates import exact_rate, timecode_seconds


def timecode_at(seconds: Fraction, rate: Fraction, start: str | None = None) -> str:
    """The timecode of the picture on screen `seconds` (from 0 on) after the first one, whose timecode is `start`.

    Without a `start`, or with one that does not exist at this rate, the first picture has 00:00:00:00. A `start` with
    `;` or `.` before the frames drops frame numbers, and so does the result.
    """
    exact = exact_rate(float(rate)) or rate
    first = timecode_seconds(start, exact) if start else None
    nominal = round(exact)
    count = int(seconds * exact) + (0 if first is None else int(first * exact))
    separator = start.strip()[-3] if start and first is not None and exact < 100 else ":"
    if separator != ":":
        count = _with_dropped(count, nominal)
    width = max(2, len(str(nominal - 1)))
    seconds_shown, frames = divmod(count, nominal)
    minutes, second = divmod(seconds_shown, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{separator}{frames:0{width}}"


def _with_dropped(count: int, nominal: int) -> int:
    """The frame's number where 2 of 30 are left out at every minute but each tenth."""
    dropped = nominal // 15
    in_ten = 600 * nominal - 9 * dropped
    tens, rest = divmod(count, in_ten)
    minutes = 0 if rest < 60 * nominal else 1 + (rest - 60 * nominal) // (60 * nominal - dropped)
    return count + dropped * (9 * tens + minutes)
