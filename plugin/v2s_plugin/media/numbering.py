"""Image sequences as timelines name them, to the files on disk.

ImageSequenceReference      folder, prefix, first number, step, suffix: OpenTimelineIO's own
frame.%04d.exr              a pattern in an ExternalReference's name (AYON)
frame.####.exr              the same

How far a sequence goes is looked up on disk: an `available_range` may say anything.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import MediaError, MediaNotFoundError
from v2s_engine.video import ImageSequence, MissingPolicy
from v2s_engine.video.sequence import numeral
from v2s_plugin.media.urls import base_name, find_on_disk, is_windows_path, paths_of_url
from v2s_plugin.timing.rates import exact_rate, exact_seconds

_PATTERN = re.compile(r"%0?(\d)?d(?![A-Za-z0-9])|(#{2,})")  # not `100%done`, not `a%20d.mov`
_NUMBER = "\0"  # stands for the number in a URL: no file's name holds it


@dataclass(frozen=True)
class Numbering:
    """How the files of an image sequence are named, and when each is on screen."""

    before: str
    """The URL before the number."""
    after: str
    first: int | None
    """Number of the first file; None: `likely`, or the lowest on disk."""
    rate: Fraction
    padding: int
    likely: int | None = None
    step: int = 1
    missing: MissingPolicy = "hold"

    @property
    def url(self) -> str:
        """The sequence's URL, with `#` for the number's digits."""
        return f"{self.before}{'#' * max(1, self.padding)}{self.after}"

    @property
    def first_url(self) -> str:
        """The first file's URL; that of the sequence where the number is not known."""
        first = self.likely if self.first is None else self.first
        return self.url if first is None else f"{self.before}{numeral(first, self.padding)}{self.after}"

    def find(self, folder: Path) -> ImageSequence:
        """The files on disk; `folder` is the timeline's own.

        Raises `MediaNotFoundError` with the paths tried where the first one is not there.
        """
        for path in self._paths(folder):
            foreign = os.name != "nt" and is_windows_path(str(path))
            if not foreign and (found := self._in_folder(path.parent, path)) is not None:
                return found
        find_on_disk(self.first_url, folder)
        raise MediaNotFoundError(f"{self.first_url} is not the first picture of a sequence; relink the clip")

    def find_in(self, folder: Path) -> ImageSequence | None:
        """The files in another folder than the timeline says; None where the first one is not there."""
        return self._in_folder(folder, self._paths(folder)[0])

    def _paths(self, folder: Path) -> tuple[Path, ...]:
        return paths_of_url(f"{self.before}{_NUMBER}{self.after}", folder)

    def _in_folder(self, folder: Path, named: Path) -> ImageSequence | None:
        prefix, _, suffix = base_name(named).partition(_NUMBER)
        numbers = _numbers_in(folder, prefix, suffix, self.padding)
        first = self.first
        if first is None:
            first = self.likely if self.likely in numbers else min(numbers, default=None)
        if first is None or first not in numbers:
            return None
        last = max(number for number in numbers if number >= first and (number - first) % self.step == 0)
        return ImageSequence(
            folder=folder,
            prefix=prefix,
            suffix=suffix,
            first=first,
            count=(last - first) // self.step + 1,
            rate=self.rate,
            padding=self.padding,
            step=self.step,
            missing=self.missing,
        )


def has_pattern(url: str) -> bool:
    """Whether a URL stands for many numbered files, as `frame.%04d.exr` does."""
    return _last_pattern(url) is not None


def numbering_of(reference: Any, clip: Any) -> Numbering:
    """How an `ImageSequenceReference`, or an `ExternalReference` whose URL is a pattern, numbers its files.

    Raises `MediaError` where its rate is not known.
    """
    if isinstance(reference, otio.schema.ImageSequenceReference):
        base = reference.target_url_base
        joint = "" if not base or base.endswith(("/", "\\")) else "/"
        return Numbering(
            before=f"{base}{joint}{reference.name_prefix}",
            after=reference.name_suffix,
            first=reference.start_frame,
            rate=_rate_of(reference, clip, reference.rate),
            padding=reference.frame_zero_padding,
            step=max(1, reference.frame_step),
            missing=reference.missing_frame_policy.name,
        )
    url, found = reference.target_url, _last_pattern(reference.target_url)
    if found is None:
        raise MediaError(f"{url} names no image sequence; relink the clip")
    padding = len(found[2]) if found[2] else int(found[1] or 0)
    rate = _rate_of(reference, clip)
    start = exact_seconds(reference.available_range.start_time) if reference.available_range else None
    likely = int(start * rate) if start is not None else None  # programs that write patterns count frames from there
    return Numbering(url[: found.start()], url[found.end() :], None, rate, padding, likely)


def _last_pattern(url: str) -> re.Match[str] | None:
    name = max(url.rfind("/"), url.rfind("\\")) + 1
    return max(_PATTERN.finditer(url, name), key=lambda found: found.start(), default=None)


def _rate_of(reference: Any, clip: Any, rate: float = 0.0) -> Fraction:
    """The rate that the reference says, else that of its available range, else of the clip's own range."""
    ranges = (reference.available_range, clip.source_range)
    said = [rate, *(each.duration.rate for each in ranges if each is not None)]
    known = [exact for each in said if (exact := exact_rate(each)) is not None]
    if not known:
        raise MediaError(
            "the rate of its image sequence is not known; "
            "export the timeline with it, or render the clip to a video file"
        )
    return known[0]


def _numbers_in(folder: Path, prefix: str, suffix: str, padding: int) -> frozenset[int]:
    """The numbers of the files in a folder that are named so; none where it cannot be read."""
    pattern = re.compile(f"{re.escape(prefix)}(-?[0-9]+){re.escape(suffix)}")
    try:
        with os.scandir(folder) as entries:
            found = [match[1] for entry in entries if (match := pattern.fullmatch(entry.name))]
    except (OSError, ValueError):
        return frozenset()
    return frozenset(int(text) for text in found if text == numeral(int(text), padding))
