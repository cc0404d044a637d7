"""Image sequences: one file a picture, numbered.

ImageSequence(Path("/plates"), "shot.", ".exr", padding=4, first=1001, count=48, rate=Fraction(24))

picture    0                1                ...
file       shot.1001.exr    shot.1002.exr
on screen  0 s              1/24 s
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from v2s_engine.errors import UsageError

MissingPolicy = Literal["error", "hold", "black"]
"""What is on screen where a file is missing: nothing (the clip cannot be sounded), the picture before it, black."""


@dataclass(frozen=True)
class ImageSequence:
    """Numbered picture files in one folder. Raises `UsageError` for values that cannot be."""

    folder: Path
    prefix: str
    """The files' name before the number."""
    suffix: str
    """The files' name after it, e.g. `.exr`."""
    first: int
    """Number of the first file."""
    count: int
    """Pictures from the first file to the last, with those that are missing."""
    rate: Fraction
    """Frames per second; with a `step` of 2, a picture stays for two frames."""
    padding: int = 0
    """Digits of a number at least, filled up with zeros."""
    step: int = 1
    """From one file's number to the next one's."""
    missing: MissingPolicy = "hold"

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.count < 1 or self.step < 1:
            raise UsageError(
                f"{self}: an image sequence wants a rate, a count and a step above 0; "
                f"got {self.rate}, {self.count} and {self.step}"
            )
        if self.missing not in get_args(MissingPolicy):
            raise UsageError(f"{self}: missing pictures go by {', '.join(get_args(MissingPolicy))}; got {self.missing}")

    def __str__(self) -> str:
        return str(self.folder / self.name)

    @property
    def name(self) -> str:
        """The files' common name with `#` for the number's digits, for messages."""
        return f"{self.prefix}{'#' * max(1, self.padding)}{self.suffix}"

    @property
    def duration(self) -> Fraction:
        """Seconds from the first picture's start to the last one's end."""
        return self.count * self.step / self.rate

    def index_at(self, time: Fraction) -> int:
        """Which picture is on screen `time` seconds after the first one's start; held at the two ends."""
        return min(max(int(time * self.rate // self.step), 0), self.count - 1)

    def path_at(self, index: int) -> Path:
        """The file of a picture, counted from 0; it need not be there."""
        return self.folder / f"{self.prefix}{numeral(self.first + index * self.step, self.padding)}{self.suffix}"


Pictures: TypeAlias = Path | ImageSequence
"""Where the pictures of a clip are: one file, or many."""


def numeral(number: int, padding: int) -> str:
    """A number as sequences write it: the sign stands before the zeros and is not counted (as in OpenTimelineIO)."""
    return f"{'-' if number < 0 else ''}{abs(number):0{padding}d}"
