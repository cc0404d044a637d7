"""Filters of MLT XML as effects: which of them freeze the picture, and which let what lies below their clip be seen.

Known to make a picture smaller or see-through are `affine` and `qtblend` (size and place), `crop`, `brightness` with
`alpha` (opacity), keys and masks. Any other filter is taken for one that leaves it as large and as dense as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio

from v2s_plugin.formats.mlt_document import MltDocument
from v2s_plugin.formats.mlt_elements import is_on, property_of

SHOWS_BELOW = "shows_below"
"""Key below `mlt` of an effect's metadata: whether what lies below the clip is seen."""

_KEYS_AND_MASKS = (
    "chroma", "lumakey", "shape", "rotoscoping", "mask_start", "frei0r.bluescreen0r", "frei0r.select0r",
    "frei0r.alpha0ps", "frei0r.alphaspot", "frei0r.alphagrad", "frei0r.transparency", "movit.opacity",
)  # fmt: skip
_RECTANGLES = ("transition.rect", "transition.geometry", "rect")
_TURNS = ("transition.fix_rotate_x", "rotation")
_NUMBER = re.compile(r"([+-]?\d{1,9}(?:\.\d{0,12})?)(%?)")


def effects_of(element: Element, document: MltDocument) -> Iterator[Any]:
    """A filter as an effect; none where it is switched off or one of an editing program's own."""
    service = property_of(element, "mlt_service")
    if not service or is_on(element, "disable") or is_on(element, "internal_added"):
        return
    if service == "freeze":
        yield otio.schema.TimeEffect("freeze", "freeze")
        return
    name = property_of(element, "kdenlive_id") or property_of(element, "shotcut:filter") or service
    yield otio.schema.Effect(name, name, {"mlt": {SHOWS_BELOW: _shows_below(element, service, document)}})


def _shows_below(element: Element, service: str, document: MltDocument) -> bool:
    match service:
        case "affine" | "qtblend":
            rectangles = [part for name in _RECTANGLES for part in _key_frames(property_of(element, name))]
            turned = any(float(number) for name in _TURNS for part in _key_frames(property_of(element, name))
                         for number, _ in _NUMBER.findall(part))  # fmt: skip
            return turned or any(not _fills(each, document) for each in rectangles)
        case "brightness":
            alphas = [_NUMBER.search(part) for part in _key_frames(property_of(element, "alpha"))]
            return any(0 <= float(each[1]) < 1 for each in alphas if each)
        case "crop":
            return any(is_on(element, side) for side in ("left", "right", "top", "bottom"))
        case _:
            return service in _KEYS_AND_MASKS


def _key_frames(text: str) -> list[str]:
    """The values of an animation, without their times."""
    return [part.rpartition("=")[2] for part in text.split(";") if part.strip()]


def _fills(rectangle: str, document: MltDocument) -> bool:
    """Whether a rectangle (`x y w h opacity`, or of old `x/y:wxh:opacity`) takes the whole picture, and opaquely."""
    profile = document.root.find("profile")
    said = [profile.get(name, "") if profile is not None else "" for name in ("width", "height")]
    sizes = [float(text) if text.isdecimal() else 0.0 for text in said]
    numbers = _NUMBER.findall(rectangle)
    if len(numbers) < 4:
        return True
    x, y, width, height = (
        float(number) * (size / 100 if percent else 1)
        for (number, percent), size in zip(numbers, sizes * 2, strict=False)
    )
    opacity = float(numbers[4][0]) / (100 if ":" in rectangle or numbers[4][1] else 1) if len(numbers) > 4 else 1.0
    whole = x <= 0.5 and y <= 0.5 and x + width >= sizes[0] - 0.5 and y + height >= sizes[1] - 0.5
    return whole and opacity >= 1
