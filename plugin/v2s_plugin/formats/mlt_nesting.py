"""How sequences of an MLT document nest: seen through before any of them is read, so that none can blow up."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from v2s_plugin.formats.mlt_document import NESTS, PRODUCERS, MltDocument

_MOST_CLIPS = 50_000
_DEEPEST = 50


def check_nesting(document: MltDocument) -> None:
    """Raise `ParseError` where what a document shows contains itself, nests too deep, or holds too many clips."""
    clips, _ = _measured(document, document.shown, {}, 1)
    if clips > _MOST_CLIPS:
        raise ParseError(f"it holds more than {_MOST_CLIPS} clips, those of nested sequences counted each time")


def track_elements(tractor: Element) -> Iterator[Element]:
    """What stands for the tracks of a tractor: it names services, or they stand in it."""
    for each in tractor:
        if each.tag == "multitrack":
            yield from (one for one in each if one.tag in ("track", *PRODUCERS, *NESTS))
        elif each.tag == "track":
            yield each


def entry_elements(playlist: Element) -> Iterator[Element]:
    """What stands on a playlist but blanks: it names services, or they stand on it."""
    yield from (each for each in playlist if each.tag in ("entry", *PRODUCERS, *NESTS))


def repeats_of(document: MltDocument, entry: Element) -> int:
    """How often an entry is played."""
    return 1 + max(0, document.frames(entry.get("repeat", "0")))


def _measured(
    document: MltDocument, service: Element, known: dict[Element, tuple[int, int] | None], depth: int
) -> tuple[int, int]:
    """The clips in a service, and how deep it nests."""
    if service.tag in PRODUCERS:
        return 1, 0
    found = known.get(service, (0, 0))
    if found is None:
        raise ParseError(f"{service.tag} {service.get('id')!r} contains itself")
    if service in known:
        return found
    known[service] = None
    clips = height = 0
    for each in entry_elements(service) if service.tag == "playlist" else track_elements(service):
        held = document.service(each) if each.tag in ("entry", "track") else each
        if depth > 2 * _DEEPEST:  # a playlist and a tractor a nest
            height = depth
            break
        inside, below = _measured(document, held, known, depth + 1)
        clips += inside * (repeats_of(document, each) if each.tag == "entry" else 1)
        height = max(height, below + 1)
    if height > 2 * _DEEPEST:
        raise ParseError(f"sequences in it are nested more than {_DEEPEST} deep")
    known[service] = clips, height
    return clips, height
