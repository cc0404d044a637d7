"""Our sound tracks in an MLT document, as Shotcut adds tracks: behind all others, each with a `mix` of its own.

<producer id="v2s0">                one WAV, with what V2S notes in its property `v2s`
<playlist id="v2s1"/>               blanks and entries; the track
<playlist id="main_bin"/>           Shotcut's bin: every take stands there
<tractor><track producer="v2s1" hide="video"/> ... <transition/></tractor>
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from v2s_engine.errors import OutputError
from v2s_plugin.formats.mlt_document import BIN, MltDocument
from v2s_plugin.formats.mlt_elements import (
    add_property,
    blank_out,
    free_ids,
    insert,
    insert_at_level,
    is_on,
    place_after,
    property_of,
    remove,
    set_property,
)
from v2s_plugin.formats.mlt_notes import MLT_NOTE, SILENT, notes_of

_MADE = "v2s:made"
"""Property of a bin that was not there before."""

_MIX = {"mlt_service": "mix", "always_active": "1", "sum": "1"}


def add_tracks(document: MltDocument, tracks: list[tuple[Any, list[Any]]]) -> None:
    """Put sound tracks behind all others, as `mlt_notes.noted` gives them. Raises `OutputError` without a tractor."""
    tractor, root = _tractor_of(document), document.root
    ids = free_ids(root)
    if tracks and root.find(f"playlist[@id='{BIN}']") is None:
        _add_bin(root, tractor)
    for track, spares in tracks:
        playlist = Element("playlist", id=next(ids))
        for name, value in {"shotcut:audio": "1", "shotcut:name": track.name}.items():
            add_property(playlist, name, value)
        for item in track:
            frames = int(item.source_range.duration.value)
            if "note" not in item.metadata:
                SubElement(playlist, "blank", length=str(frames))
                continue
            producer = _producer(item, next(ids))
            _add_to_bin(root, producer)
            first = int(item.source_range.start_time.value)
            span = {"in": str(first), "out": str(first + frames - 1)}
            SubElement(playlist, "entry", {"producer": producer.get("id", "")} | span)
        for clip in spares:
            _add_to_bin(root, _producer(clip, next(ids)))
        insert_at_level(root, root, list(root).index(tractor), playlist, 1)
        _add_track(root, tractor, playlist, enabled=track.enabled)


def remove_ours(document: MltDocument) -> None:
    """Take our clips out of the timeline and the bin, and the tracks that held nothing else.

    Other clips stay where they stand. Raises `OutputError` without a tractor.
    """
    tractor, root = _tractor_of(document), document.root
    ours = notes_of(root).keys()
    emptied = []
    for number, (_, element) in enumerate(_tracks(tractor)):
        playlist = document.service(element) if element.tag == "track" else element
        entries = playlist.findall("entry")
        mine = [each for each in entries if each.get("producer") in ours]
        if mine and len(mine) == len(entries):
            emptied.append((number, playlist))
        for each in mine:
            ends = [document.frames(each.get(name, "0")) for name in ("in", "out")]
            blank_out(each, str(ends[1] - ends[0] + 1))
    _remove_tracks(root, tractor, emptied)
    in_bin = root.find(f"playlist[@id='{BIN}']")
    for entry in [] if in_bin is None else in_bin.findall("entry"):
        if in_bin is not None and entry.get("producer") in ours:
            remove(in_bin, entry)
    if in_bin is not None and is_on(in_bin, _MADE) and in_bin.find("entry") is None:
        remove(root, in_bin)
    used = {each.get("producer") for tag in ("entry", "track") for each in root.iter(tag)}
    for producer in [each for each in root if each.get("id") in ours - used]:
        remove(root, producer)


def _tractor_of(document: MltDocument) -> Element:
    tractor = document.shown
    if tractor.tag != "tractor" or tractor not in list(document.root):
        raise OutputError(
            "it holds no tractor to which tracks could be added; open it in Shotcut and save it, or write "
            "OpenTimelineIO: --format otio"
        )
    return tractor


def _tracks(tractor: Element) -> Iterator[tuple[Element, Element]]:
    """The tracks of a tractor in their order, each with its parent."""
    for each in tractor:
        if each.tag == "track":
            yield tractor, each
        elif each.tag == "multitrack":
            yield from ((each, one) for one in each if one.tag not in ("property", "properties"))


def _producer(clip: Any, name: str) -> Element:
    length = int(clip.media_reference.available_range.duration.value)
    producer = Element("producer", {"id": name, "in": "0", "out": str(length - 1)})
    properties = {
        "resource": str(clip.metadata["path"]),
        "length": str(length),
        "eof": "pause",
        "mlt_service": "avformat",
        "video_index": "-1",
        "shotcut:caption": clip.name,
        MLT_NOTE: str(clip.metadata["note"]),
    }
    if not clip.enabled:
        properties |= {SILENT: "1", "set.test_image": "1"}
    for key, value in properties.items():
        add_property(producer, key, value)
    return producer


def _add_bin(root: Element, tractor: Element) -> None:
    made = Element("playlist", id=BIN)
    for name in ("xml_retain", _MADE):
        add_property(made, name, "1")
    insert_at_level(root, root, list(root).index(tractor), made, 1)


def _add_to_bin(root: Element, producer: Element) -> None:
    """Put a producer before the bin, and an entry for it into the bin."""
    in_bin = next(each for each in root if each.get("id") == BIN)
    insert_at_level(root, root, list(root).index(in_bin), producer, 1)
    entry = Element("entry", {"producer": producer.get("id", ""), "in": "0", "out": producer.get("out", "")})
    insert(in_bin, place_after(in_bin, "entry"), entry)


def _add_track(root: Element, tractor: Element, playlist: Element, *, enabled: bool) -> None:
    tracks = list(_tracks(tractor))
    parent = tracks[-1][0] if tracks else tractor
    element = Element("track", producer=playlist.get("id", ""), hide="video" if enabled else "both")
    insert(parent, place_after(parent, "track"), element)
    mix = Element("transition")
    for name, value in ({"a_track": "0", "b_track": str(len(tracks))} | _MIX).items():
        add_property(mix, name, value)
    last = "transition" if tractor.find("transition") is not None else "track" if parent is tractor else "multitrack"
    insert_at_level(root, tractor, place_after(tractor, last), mix, 2)


def _remove_tracks(root: Element, tractor: Element, gone: list[tuple[int, Element]]) -> None:
    """Remove tracks by their numbers, with what names them; all that names other tracks goes on naming them."""
    numbers = [number for number, _ in gone]
    tracks = list(_tracks(tractor))
    for number, playlist in gone:
        remove(*tracks[number])
        if playlist in list(root):
            remove(root, playlist)
    for each in [*tractor.findall("transition"), *tractor.findall("filter")]:
        said = {name: text for name in ("a_track", "b_track", "track") if (text := property_of(each, name)).isdecimal()}
        if any(int(text) in numbers for text in said.values()):
            remove(tractor, each)
            continue
        for name, text in said.items():
            set_property(each, name, str(int(text) - sum(number < int(text) for number in numbers)))
