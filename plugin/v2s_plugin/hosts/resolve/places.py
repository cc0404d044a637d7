"""Where sounds stand on Resolve's timeline: `clip` messages of the worker as whole frames on named tracks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

TRACK_PREFIX = "V2S "
"""Tracks of ours are known by this alone: Resolve keeps no metadata of ours on its tracks and clips."""


@dataclass(frozen=True)
class Place:
    """One WAV and where it is to stand."""

    path: str
    start: int
    """Frames from the start of the timeline."""
    length: int
    """Frames, at least 1; Resolve takes the file at its own length, this is held against what it made of it."""
    family: str
    """Name of its track. Where that is taken, `family 2`, `family 3`, ... are."""
    heard: bool
    """False for takes that wait on a track that is switched off."""


def frame_rate(setting: Any) -> Fraction:
    """The exact rate of Resolve's setting `timelineFrameRate`: "23.976", "29.97 DF", 25.0.

    Raises `ValueError` for what is no rate.
    """
    words = str(setting).split()
    try:
        rate = Fraction(words[0])
    except (IndexError, ValueError) as error:
        raise ValueError(f"Resolve gives the timeline's frame rate as {setting!r}, which is no number") from error
    nominal = round(rate)
    if nominal <= 0:
        raise ValueError(f"Resolve gives the timeline's frame rate as {setting!r}; it must be above 0")
    # 23.976 and 29.97 stand for 24000/1001 and 30000/1001.
    return Fraction(nominal * 1000, 1001) if abs(rate - nominal) > Fraction(1, 1000) else Fraction(nominal)


def places(clips: Iterable[Mapping[str, Any]], rate: Fraction) -> tuple[Place, ...]:
    """The worker's `clip` messages as places, in the order of their starts.

    The first take of a sound is heard. Ends are rounded from the timeline's start, so that roundings never add up.
    """
    placed = []
    for clip in clips:
        start, duration = Fraction(clip["timeline_start"]), Fraction(clip["duration"])
        first, end = nearest_frame(start, rate), nearest_frame(start + duration, rate)
        heard = clip["take"] == 1
        family = f"{TRACK_PREFIX}{clip['sound']}" + ("" if heard else f" take {clip['take']}")
        placed.append(Place(clip["path"], first, max(1, end - first), family, heard))
    return tuple(sorted(placed, key=lambda place: (place.start, not place.heard, place.family)))


def nearest_frame(seconds: Fraction, rate: Fraction) -> int:
    """The frame nearest to a time, halves up; never a fraction, which Resolve refuses."""
    return (2 * seconds * rate + 1).__floor__() // 2


def belongs(track_name: str, family: str) -> bool:
    """Whether a track is the family's first or one of its further ones (`V2S dog`, `V2S dog 2`)."""
    return track_name == family or (track_name.startswith(f"{family} ") and track_name[len(family) + 1 :].isdecimal())


def range_selector(first: int, last: int, rate: Fraction) -> str:
    """`--only` selector for the frames `first` to `last`, both included, counted from the timeline's start.

    A quarter of a frame is left out at each end: a clip that only touches the range is not meant, and decimals round.
    """
    start, end = (first + Fraction(1, 4)) / rate, (last + Fraction(3, 4)) / rate
    return f"range={_decimal(start)}s-{_decimal(end)}s"


def name_selector(name: str) -> str:
    """`--only` selector for a clip of exactly this name."""
    return "clip=" + "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _decimal(seconds: Fraction) -> str:
    thousandths = round(seconds * 1_000_000)
    return f"{thousandths // 1_000_000}.{thousandths % 1_000_000:06d}"
