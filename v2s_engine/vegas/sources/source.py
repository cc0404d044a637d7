"""What every source of videos does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from v2s_engine.errors import MediaError

Holding = Literal["auto", "section", "video"]
"""What a file holds: its section alone, or the whole video. `auto`: a file (or URL) that is told apart by the section's
beginning holds the section alone, one that is told apart by the id alone holds the whole video.
"""


class FetchFailure(MediaError):  # noqa: N818 - it becomes a row, no error that anybody sees
    """One video cannot be had. `kind` is what many may share, `detail` is of this one."""

    def __init__(self, kind: str, detail: str = "", *, lasting: bool, stops: bool = False) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.lasting = lasting
        """Whether another try would meet the same: the video is gone, not the server busy."""
        self.stops = stops
        """Whether it would meet every other video too, as being locked out does, so that going on is of no use."""


@dataclass(frozen=True)
class Section:
    """What is asked for: a stretch of a video. Times are milliseconds in the video."""

    video_id: str
    begin_ms: int
    end_ms: int

    @property
    def begin(self) -> Fraction:
        """Seconds."""
        return Fraction(self.begin_ms, 1000)

    @property
    def duration(self) -> Fraction:
        """Seconds."""
        return Fraction(self.end_ms - self.begin_ms, 1000)


@dataclass(frozen=True)
class BroughtFile:
    """A file that holds the section."""

    path: Path
    begin: Fraction
    """Where in it the section begins, seconds from its first picture."""
    origin: str
    """URL or file that it came from."""
    licence: str | None = None
    """As the source states it; None where it does not."""
    attribution: str | None = None


class Source(Protocol):
    """Brings files. Safe to use from several threads at once."""

    def bring(self, section: Section, folder: Path, check: Callable[[], None]) -> BroughtFile:
        """The file that holds a section: one that lies somewhere already, or a new one in `folder`, which is there.

        `check` is called often, and ends the work by what it raises. Raises `FetchFailure` where the section cannot be
        had, `OutputError` where the disk does not take it.
        """


def before_section(what: str, begin: Fraction) -> FetchFailure:
    """The failure of a file whose pictures or sound end before the section begins, at `begin` seconds."""
    return FetchFailure(
        "too short",
        f"its {what} ends before the section begins, at {float(begin):g} s; where files hold sections alone, their "
        "names must tell the beginning, or say --files-hold section",
        lasting=True,
    )


def holds_section(holding: Holding, *, named_by_beginning: bool) -> bool:
    """Whether a file holds its section alone."""
    return named_by_beginning if holding == "auto" else holding == "section"
