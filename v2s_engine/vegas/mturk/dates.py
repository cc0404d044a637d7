"""Dates as Mechanical Turk's exports write them: `Mon Mar 02 10:06:00 PST 2026`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

# The exports are in English whatever the machine's locale, so no `strptime` with %b.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ZONES = {"PST": -8, "PDT": -7, "UTC": 0, "GMT": 0}
_DATE = re.compile(
    r"(?P<day>[A-Z][a-z]{2}) (?P<month>[A-Z][a-z]{2}) (?P<date>[0-9]{1,2}) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2}) (?P<zone>[A-Z]{1,5}) (?P<year>[0-9]{4})"
)


def utc_time(text: str) -> str:
    """A date of an export as ISO 8601 in UTC, e.g. `2026-03-02T18:06:00+00:00`.

    Raises `ValueError`, which says why, for what is no such date, for a day of the week that is not the date's, and
    for other zones than PST, PDT, UTC and GMT: abbreviations of others mean different things in different places.
    """
    found = _DATE.fullmatch(text.strip())
    if not found or found["month"] not in _MONTHS:
        raise ValueError(f"{text[:40]!r} is no date; wanted one such as 'Mon Mar 02 10:06:00 PST 2026'")
    if found["zone"] not in _ZONES:
        raise ValueError(f"{text[:40]!r} is in time zone {found['zone']}; wanted one of {', '.join(_ZONES)}")
    zone = timezone(timedelta(hours=_ZONES[found["zone"]]))
    date, hour, minute, second = (int(found[name]) for name in ("date", "hour", "minute", "second"))
    try:
        month = _MONTHS.index(found["month"]) + 1
        moment = datetime(int(found["year"]), month, date, hour, minute, second, tzinfo=zone)
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:40]!r} is no date: {error}") from error
    if _DAYS[moment.weekday()] != found["day"]:
        raise ValueError(f"{text[:40]!r} is no date: that day is a {_DAYS[moment.weekday()]}")
    return in_utc.isoformat()
