"""Speeds that change within a clip: the key frames of MLT's `timeremap` link, frame by frame.

    time_map    00:00:00.000=0;00:00:04.000=2     at frame 100 (of 25 a second) the media's second 2 is shown
    speed_map   0=1;100=0.5                       each frame goes on from the one before by its speed

Between key frames values run straight; before the first and after the last they stay. Curves are not followed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate
from xml.etree.ElementTree import Element, ParseError

from v2s_plugin.formats.mlt_document import MltDocument
from v2s_plugin.formats.mlt_elements import property_of

_KEY = re.compile(r"([^=|~]+?)(\|?)=([+-]?\d{1,9}(?:\.\d{0,12})?)")  # `|=` holds; `~=` and letters are curves
_VALUE = re.compile(r"[+-]?\d{1,9}(?:\.\d{0,12})?")

_Keys = list[tuple[int, Fraction, bool]]
"""Frame, value, and whether it holds up to the next key frame."""


def map_of(link: Element, document: MltDocument, first: int, count: int) -> list[Fraction] | None:
    """The frames of the media (which may lie between two) that so many frames of a chain show, from `first` on.

    None where the map is not a straight one. Raises `ParseError` for times that are none.
    """
    start = document.frames(link.get("in") or "0")
    speeds = property_of(link, "speed_map")
    times = property_of(link, "time_map") or property_of(link, "map")
    keys = _keys(speeds or times, document)
    if not keys:
        return None
    if speeds:
        until = max(0, first - start)
        passed = accumulate(_values(keys, 0, until + count), initial=Fraction(0))
        return [start + each for number, each in enumerate(passed) if until <= number < until + count]
    return [start + each * document.rate for each in _values(keys, first - start, count)]


def _keys(text: str, document: MltDocument) -> _Keys:
    """The key frames of an animation, the first one first; none where one of them is a curve."""
    if _VALUE.fullmatch(text.strip()):
        return [(0, Fraction(text.strip()), True)]
    found = []
    for part in text.split(";"):
        key = _KEY.fullmatch(part.strip())
        if key is None:
            return []
        try:
            found.append((document.frames(key[1]), Fraction(key[3]), bool(key[2])))
        except ParseError:  # a letter before the `=` names a curve
            return []
    return sorted(found)


def _values(keys: _Keys, first: int, count: int) -> list[Fraction]:
    frames = [frame for frame, _, _ in keys]
    return [_value(keys, frames, number) for number in range(first, first + count)]


def _value(keys: _Keys, frames: list[int], number: int) -> Fraction:
    after = bisect_right(frames, number)
    if after in (0, len(keys)):
        return keys[min(after, len(keys) - 1)][1]
    (left, value, holds), (right, following, _) = keys[after - 1], keys[after]
    if holds:
        return value
    return value + (following - value) * Fraction(number - left, right - left)
