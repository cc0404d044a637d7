"""The document of a Kdenlive project: where its tracks, clips and bin stand, and how our tracks get in and out.

Kdenlive keeps a sequence as a tractor. Below it lie a black producer and the tracks, sound first; each track is a
tractor of two playlists. A clip is an entry that names a chain, which stands in the bin too (`main_bin`).

    <chain id="v2s0">               one WAV, with what V2S notes as JSON in `kdenlive:v2s`
    <playlist id="v2s1"/>           blanks and entries
    <tractor id="v2s3"/>            the track
    <tractor id="{uuid}">           the sequence: <track producer="v2s3"/> and a `mix` transition for it

The note is on the chain as Kdenlive keeps what stands there; of tracks it keeps only what it knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, ParseError, SubElement

from v2s_plugin.formats.mlt_elements import (
    add_property,
    blank_out,
    free_ids,
    insert,
    insert_at_level,
    place_after,
    property_of,
    remove,
    services_of,
    set_property,
)
from v2s_plugin.formats.mlt_notes import KDENLIVE_NOTE, SILENT, notes_of

_INTERNAL = {"internal_added": "237"}  # by which Kdenlive knows what it added itself
_FILTERS = (
    {"window": "75", "max_gain": "20dB", "channel_mask": "-1", "mlt_service": "volume"},
    {"channel": "-1", "mlt_service": "panner", "start": "0.5"},
    {"iec_scale": "0", "prefix": "meta.media.audio_level.", "mlt_service": "audiolevel", "dbpeak": "1"},
)
"""What stands on every sound track for the mixer, switched off."""

_MIX = {"mlt_service": "mix", "kdenlive_id": "mix", "always_active": "1", "accepts_blanks": "1", "sum": "1"}
_OLDEST = 1.1
"""Version of the document since sequences stand in the bin (Kdenlive 23.04)."""


def bin_of(root: Element) -> Element:
    """The bin. Raises `ParseError` where there is none."""
    found = root.find("playlist[@id='main_bin']")
    if found is None:
        raise ParseError("it holds no bin")
    return found


def sequence_of(root: Element) -> Element:
    """The sequence that is shown. Raises `ParseError` for a project without, or of a Kdenlive before 23.04."""
    version = property_of(bin_of(root), "kdenlive:docproperties.version")
    if not version or float(version) < _OLDEST:
        raise ParseError("it is of a Kdenlive before 23.04; save it with a newer one")
    wrap = root.findall("tractor")[-1:]
    shown = wrap[0].find("track") if wrap else None
    found = services_of(root).get(shown.get("producer", "")) if shown is not None else None
    if found is None:
        raise ParseError("it holds no sequence")
    return found


def track_tractors(root: Element, sequence: Element) -> list[Element]:
    """The tracks of a sequence without the black one, the lowest first."""
    by_id = services_of(root)
    found = [by_id[each.get("producer", "")] for each in sequence.findall("track")]
    black = "black_track"
    return [each for each in found if black not in (each.get("id"), property_of(each, "kdenlive:playlistid"))]


def used_in(root: Element, sequence: Element) -> set[str]:
    """Ids of the chains that stand on a sequence's tracks."""
    tracks = track_tractors(root, sequence)
    return {entry.get("producer", "") for each in tracks for entry in _entries(root, each)}


def remove_ours(root: Element, sequence: Element, frames_of: Callable[[str], int]) -> None:
    """Take our clips out of a sequence and the bin, and the tracks that held nothing else.

    Other clips stay where they stand. `frames_of` reads a time of the document. Our clips of other sequences stay.
    """
    notes = notes_of(root)
    elsewhere = _used_elsewhere(root, sequence)
    kept = {notes[each]["clip"].get("key") for each in elsewhere & notes.keys()}
    here = used_in(root, sequence) & notes.keys()
    spare = {each for each in notes.keys() - here - elsewhere if notes[each]["clip"].get("key") not in kept}
    emptied = []
    for index, tractor in enumerate(track_tractors(root, sequence), start=1):
        entries = _entries(root, tractor)
        ours = [entry for entry in entries if entry.get("producer") in here]
        if ours and len(ours) == len(entries):
            emptied.append(index)
        for entry in ours:
            length = frames_of(entry.get("out", "0")) - frames_of(entry.get("in", "0")) + 1
            blank_out(entry, str(length))
    _remove_tracks(root, sequence, emptied)
    for chain in [each for each in root if each.get("id") in (here - elsewhere) | spare]:
        for entry in bin_of(root).findall(f"entry[@producer='{chain.get('id')}']"):
            remove(bin_of(root), entry)
        remove(root, chain)


def add_tracks(root: Element, sequence: Element, tracks: list[tuple[Any, list[Any]]]) -> None:
    """Put sound tracks below all others of a sequence, as Kdenlive adds them.

    Each is an `otio.schema.Track` of gaps and clips in frames of the project, with the clips that are to stand
    in the bin only. A clip's metadata say `"path"`, its WAV, and `"note"`, the JSON for `NOTE`.
    """
    ids = free_ids(root)
    bin_ids = _free_bin_ids(root)
    made = []
    for track, spares in tracks:
        playlist = Element("playlist", id=next(ids))
        for item in track:
            frames = int(item.source_range.duration.value)
            if "note" not in item.metadata:
                SubElement(playlist, "blank", length=str(frames))
                continue
            chain = _chain(item, next(ids), next(bin_ids))
            _add_clip(root, sequence, chain)
            first = int(item.source_range.start_time.value)
            span = {"in": str(first), "out": str(first + frames - 1)}
            entry = SubElement(playlist, "entry", {"producer": chain.get("id", "")} | span)
            add_property(entry, "kdenlive:id", property_of(chain, "kdenlive:id"))
        for clip in spares:
            _add_clip(root, sequence, _chain(clip, next(ids), next(bin_ids)))
        made.append(_tractor(root, sequence, track, playlist, ids))
    _renumber(sequence, lambda index: index + len(made) if index else 0, len(made))
    for number, tractor in enumerate(made, start=1):
        insert(sequence, place_after(sequence, "track", number), Element("track", producer=tractor.get("id", "")))
        mix = Element("transition", id=next(ids))
        for name, value in ({"a_track": "0", "b_track": str(number)} | _MIX | _INTERNAL).items():
            add_property(mix, name, value)
        insert_at_level(root, sequence, place_after(sequence, "track") + number - 1, mix, 2)


def _chain(clip: Any, chain_id: str, bin_id: str) -> Element:
    length = int(clip.media_reference.available_range.duration.value)
    path = str(clip.metadata["path"])
    chain = Element("chain", id=chain_id, out=str(length - 1))
    properties = {
        "length": str(length),
        "eof": "pause",
        "resource": path,
        "mlt_service": "avformat",
        "audio_index": "0",
        "video_index": "-1",
        "kdenlive:clipname": clip.name,
        "kdenlive:folderid": "-1",
        "kdenlive:id": bin_id,
        "kdenlive:control_uuid": f"{{{uuid5(NAMESPACE_URL, f'{bin_id} {path}')}}}",
        "kdenlive:clip_type": "1",
        KDENLIVE_NOTE: str(clip.metadata["note"]),
    }
    if not clip.enabled:
        properties |= {SILENT: "1", "set.test_image": "1"}
    for name, value in properties.items():
        add_property(chain, name, value)
    return chain


def _add_clip(root: Element, sequence: Element, chain: Element) -> None:
    insert_at_level(root, root, list(root).index(sequence), chain, 1)
    entry = Element("entry", {"in": "0", "out": chain.get("out", ""), "producer": chain.get("id", "")})
    insert(bin_of(root), place_after(bin_of(root), "entry"), entry)


def _tractor(root: Element, sequence: Element, track: Any, playlist: Element, ids: Iterator[str]) -> Element:
    end = sum(int(item.source_range.duration.value) for item in track)
    tractor = Element("tractor", {"id": next(ids), "in": "0", "out": str(max(end, 1) - 1)})
    known = {"track_name": track.name, "audio_track": "1", "trackheight": "75", "timeline_active": "1"}
    for name, value in known.items():
        add_property(tractor, f"kdenlive:{name}", value)
    second = Element("playlist", id=next(ids))
    for each in (playlist, second):
        SubElement(tractor, "track", hide="video" if track.enabled else "both", producer=each.get("id", ""))
    for known in _FILTERS:
        made = SubElement(tractor, "filter", id=next(ids))
        for name, value in (known | _INTERNAL | {"disable": "1"}).items():
            add_property(made, name, value)
    for each in (playlist, second, tractor):
        insert_at_level(root, root, list(root).index(sequence), each, 1)
    return tractor


def _remove_tracks(root: Element, sequence: Element, gone: list[int]) -> None:
    """Remove tracks by their numbers (black is 0), with all that is theirs alone."""
    elements = sequence.findall("track")
    by_id = services_of(root)
    for index in gone:
        tractor = by_id[elements[index].get("producer", "")]
        for each in tractor.findall("track"):
            remove(root, by_id[each.get("producer", "")])
        remove(root, tractor)
        remove(sequence, elements[index])
    for mix in sequence.findall("transition"):
        if {property_of(mix, "a_track"), property_of(mix, "b_track")} & {str(index) for index in gone}:
            remove(sequence, mix)
    _renumber(sequence, lambda old: None if old in gone else old - sum(each < old for each in gone), -len(gone))


def _renumber(sequence: Element, moved: Callable[[int], int | None], more: int) -> None:
    """Have everything that names tracks by their numbers name the same ones; `more` is how many came."""
    if not more:
        return
    for transition in sequence.findall("transition"):
        for name in ("a_track", "b_track"):
            if (number := property_of(transition, name)).isdigit():
                set_property(transition, name, str(moved(int(number))))
    known = "kdenlive:sequenceproperties."
    for name in ("activeTrack", "audioTarget", "videoTarget"):  # these count without the black one
        if (number := property_of(sequence, known + name)).isdigit():
            set_property(sequence, known + name, str((moved(int(number) + 1) or 0) - 1))
    for name in ("tracks", "tracksCount"):
        if (number := property_of(sequence, known + name)).isdigit():
            set_property(sequence, known + name, str(int(number) + more))
    groups = json.loads(property_of(sequence, known + "groups") or "[]")
    if groups:
        text = json.dumps([each for each in (_regrouped(one, moved) for one in groups) if each], indent=4)
        set_property(sequence, known + "groups", f"{text}\n")


def _regrouped(group: dict[str, Any], moved: Callable[[int], int | None]) -> dict[str, Any] | None:
    """A group of clips with the new numbers of their tracks; None where none is left."""
    if "children" in group:
        children = [each for each in (_regrouped(child, moved) for child in group["children"]) if each]
        return group | {"children": children} if children else None
    number, colon, rest = str(group.get("data", "")).partition(":")
    new = moved(int(number) + 1) if number.isdigit() else None
    return group | {"data": f"{new - 1}{colon}{rest}"} if new else None


def _used_elsewhere(root: Element, sequence: Element) -> set[str]:
    own = {each.get("producer") for tractor in track_tractors(root, sequence) for each in tractor.findall("track")}
    others = [each for each in root.findall("playlist") if each.get("id") not in own | {"main_bin"}]
    return {entry.get("producer", "") for playlist in others for entry in playlist.findall("entry")}


def _entries(root: Element, tractor: Element) -> list[Element]:
    by_id = services_of(root)
    playlists = [by_id[each.get("producer", "")] for each in tractor.findall("track")]
    return [entry for playlist in playlists for entry in playlist.findall("entry")]


def _free_bin_ids(root: Element) -> Iterator[str]:
    """Numbers that no clip and no folder of the bin has."""
    clips = [each.text or "" for each in root.iterfind(".//property[@name='kdenlive:id']")]
    folders = [each.get("name", "").rpartition(".")[2] for each in bin_of(root).findall("property")]
    return map(str, count(1 + max([0, *(int(each) for each in [*clips, *folders] if each.isdigit())])))
