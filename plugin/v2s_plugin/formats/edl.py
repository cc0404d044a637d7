"""CMX 3600 edit decision lists. They count frames and do not say at which rate, so that has to be told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import TimelineUnreadableError, UsageError
from v2s_plugin.formats.adapters import load_adapter, quiet
from v2s_plugin.formats.native import one_line

NAME, TITLE = "edl", "CMX 3600 edit decision list"

RATES = ("23.976", "24", "25", "29.97", "30", "50", "59.94", "60")
"""What `--edl-rate` may be: the rates that timecode knows."""


def check_edl_rate(rate: str) -> None:
    """Raise `UsageError` for a rate that timecode does not know."""
    if rate not in RATES:
        raise UsageError(f"--edl-rate must be one of {', '.join(RATES)}; got {rate!r}")


def refuse_edl_rate(rate: str | None, name: str, title: str) -> None:
    """Raise `UsageError` where a rate is given for a file that is no edit decision list; `title` is what it is."""
    if rate is not None:
        raise UsageError(
            f"--edl-rate {rate} was given for {name}, but it is for edit decision lists (.edl) alone: {title} says its "
            "rate itself; leave --edl-rate out"
        )


def read_edl(path: Path, rate: str | None) -> Any:
    """What stands in a file that counts frames at `rate` (one of `RATES`).

    Raises `UsageError` where no rate is given, `TimelineUnreadableError` where the timecodes do not fit it, and what
    the adapter raises.
    """
    if rate is None:
        raise UsageError(
            f"{path.name} is an edit decision list, which does not say its frame rate; "
            f"give it with --edl-rate (one of {', '.join(RATES)})"
        )
    check_edl_rate(rate)
    adapter = load_adapter(NAME, TITLE)
    exact = round(Fraction(rate))
    frames = float(rate) if Fraction(rate) == exact else float(exact * Fraction(1000, 1001))
    try:
        with quiet():
            found = adapter.read_from_string(path.read_text(encoding="utf-8", errors="replace"), rate=frames)
    except ValueError as error:
        if "rate" not in str(error):
            raise
        raise TimelineUnreadableError(
            f"{path} does not fit {rate} frames per second ({one_line(error)}); give its true rate with --edl-rate"
        ) from error
    if not len(found.tracks):
        raise TimelineUnreadableError(f"{path} holds no events; export it again")
    _start_at_first_event(found, frames)
    return found


def _start_at_first_event(timeline: Any, rate: float) -> None:
    """Let the timeline start where its first event stands, and the tracks stand to each other as they are recorded.

    The adapter notes where a track's first event is recorded as a negative start of the track's own range, which
    then shows none of its clips.
    """
    starts = [-track.source_range.start_time.value if track.source_range else 0.0 for track in timeline.tracks]
    first = min(starts)
    timeline.global_start_time = otio.opentime.RationalTime(first, rate)
    for track, start in zip(timeline.tracks, starts, strict=True):
        track.source_range = None
        if start > first:
            track.insert(0, otio.schema.Gap(duration=otio.opentime.RationalTime(start - first, rate)))
