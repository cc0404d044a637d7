"""What V2S notes in MLT XML: JSON at the producer of each of its sounds, from which a later run knows them.

Takes that were not chosen stand in the bin only. Put onto the track instead of the chosen one, such a take is the
chosen one from then on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import opentimelineio as otio

from v2s_plugin.formats.mlt_clips import METADATA
from v2s_plugin.formats.mlt_document import PRODUCERS, MltDocument
from v2s_plugin.formats.mlt_elements import is_on, property_of
from v2s_plugin.formats.native import plain_json
from v2s_plugin.formats.sound_tracks import path_on_disk
from v2s_plugin.formats.spare_takes import SPARE, folded_takes

KDENLIVE_NOTE, MLT_NOTE = "kdenlive:v2s", "v2s"
"""Properties of a producer; Kdenlive keeps only those that it could have written itself."""
SILENT = "set.test_audio"
"""Property of a producer that is not heard: its clip is switched off."""


def notes_of(root: Element) -> dict[str, dict[str, Any]]:
    """What V2S noted on producers, by their ids; what is damaged is left out."""
    found = {}
    for producer in root:
        text = property_of(producer, KDENLIVE_NOTE) or property_of(producer, MLT_NOTE)
        try:
            note = json.loads(text) if text and producer.tag in PRODUCERS else None
        except ValueError:
            continue
        if isinstance(note, dict) and all(isinstance(note.get(key), dict) for key in ("clip", "track")):
            found[producer.get("id", "")] = note
    return found


def noted(tracks: tuple[Any, ...], folder: Path) -> list[tuple[Any, list[Any]]]:
    """Our tracks (with spare ones) with their notes, each with its takes that were not chosen.

    A clip's metadata say `"path"`, its WAV, which counts from `folder`, and `"note"`, the JSON.
    """
    found: list[tuple[Any, list[Any]]] = []
    for track in (each.deepcopy() for each in tracks):
        spare = SPARE in track.metadata["v2s"]
        main = found[-1][0] if spare else track  # they follow their track
        note = {"track": plain_json(main.metadata["v2s"]), "name": main.name}
        for clip in track.find_clips():
            text = json.dumps(note | {"clip": plain_json(clip.metadata["v2s"]), "title": clip.name}, sort_keys=True)
            clip.metadata["note"] = text
            clip.metadata["path"] = str(path_on_disk(clip.media_reference.target_url, folder))
            clip.enabled = clip.enabled or spare
        if spare:
            found[-1][1].extend(track.find_clips())
        else:
            found.append((track, []))
    return found


def recognised(found: Any, document: MltDocument) -> Any:
    """A timeline read from a document with what V2S noted on its clips and tracks, each clip with all its takes."""
    notes = notes_of(document.root)
    if not notes:
        return found
    spares = dict(notes)
    for track in found.tracks:
        for clip in track.find_clips():
            name = clip.metadata[METADATA]["producer"]
            if name not in notes:
                continue
            spares.pop(name, None)
            _recognise(clip, notes[name])
            clip.enabled = not is_on(document.by_id[name], SILENT)
            if track.name == notes[name].get("name"):  # else an editor has moved it to a track of their own
                track.metadata["v2s"] = notes[name]["track"]
    if spares:
        found.tracks.append(_bin_takes(document, spares))
    return folded_takes(found)


def _bin_takes(document: MltDocument, notes: dict[str, dict[str, Any]]) -> Any:
    """Takes that stand in the bin only, as `folded_takes` looks for them."""
    rate = float(document.rate)
    track = otio.schema.Track("bin", kind=otio.schema.TrackKind.Audio)
    track.metadata["v2s"] = {"generated": True, SPARE: "bin"}
    for name, note in notes.items():
        producer = document.by_id[name]
        length = otio.opentime.RationalTime(document.frames(property_of(producer, "length") or "0"), rate)
        whole = otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), length)
        clip = otio.schema.Clip(source_range=whole)
        clip.media_reference = otio.schema.ExternalReference(property_of(producer, "resource"), whole)
        _recognise(clip, note)
        clip.enabled = False
        track.append(clip)
    return track


def _recognise(clip: Any, note: dict[str, Any]) -> None:
    clip.name = str(note.get("title", clip.name))
    clip.metadata["v2s"] = note["clip"]
    clip.markers.clear()
