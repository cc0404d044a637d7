"""Markers in MLT XML, as Kdenlive and Shotcut note them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio

from v2s_plugin.formats.mlt_document import MltDocument
from v2s_plugin.formats.mlt_elements import property_of

_COLOURS = ("PURPLE", "CYAN", "BLUE", "GREEN", "YELLOW", "ORANGE", "RED", "PINK", "MAGENTA")
"""Of Kdenlive's nine kinds of markers."""
_GUIDES = ("kdenlive:sequenceproperties.guides", "kdenlive:docproperties.guides")


def kdenlive_markers(text: str, rate: Fraction) -> Iterator[Any]:
    """`otio.schema.Marker`s from the JSON in which Kdenlive keeps them; what is damaged is left out."""
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return
    for each in found if isinstance(found, list) else ():
        position = each.get("pos") if isinstance(each, dict) else None
        if isinstance(position, int):
            kind = each.get("type")
            known = isinstance(kind, int) and 0 <= kind < len(_COLOURS)
            yield _marker(str(each.get("comment", "")), position, 0, rate, _COLOURS[kind] if known else "RED")


def timeline_markers(shown: Element, document: MltDocument) -> Iterator[Any]:
    """The markers of a whole timeline: Shotcut's, and Kdenlive's guides. Raises `ParseError` for no times."""
    for each in shown.findall("properties[@name='shotcut:markers']/properties"):
        start = document.frames(property_of(each, "start") or "0")
        end = document.frames(property_of(each, "end") or "0")
        yield _marker(property_of(each, "text"), start, max(0, end - start), document.rate, "GREEN")
    in_bin = document.root.find("playlist[@id='main_bin']")
    places = [shown] if in_bin is None else [shown, in_bin]
    texts = [text for place in places for name in _GUIDES if (text := property_of(place, name))]
    yield from kdenlive_markers(texts[0] if texts else "", document.rate)


def _marker(name: str, start: int, length: int, rate: Fraction, colour: str) -> Any:
    times = [otio.opentime.RationalTime(each, float(rate)) for each in (start, length)]
    return otio.schema.Marker(name=name, marked_range=otio.opentime.TimeRange(*times), color=colour)
