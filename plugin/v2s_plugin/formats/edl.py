"""CMX 3600 edit decision lists. They count frames and do not say at which rate, so that has to be told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

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
    return found
