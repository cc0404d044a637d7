"""Kdenlive projects: our tracks are put into the document itself, and all else stays as Kdenlive wrote it.

Takes that were not chosen stand in the bin only. Put onto the track instead of the chosen one, such a take is the
chosen one from then on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring, tostring

import opentimelineio as otio

from v2s_engine.errors import OutputError
from v2s_plugin.formats.adapters import load_adapter, quiet
from v2s_plugin.formats.kdenlive_project import (
    SILENT,
    add_tracks,
    notes_of,
    property_of,
    rate_of,
    remove_ours,
    sequence_of,
    set_property,
    track_tractors,
)
from v2s_plugin.formats.native import plain_json
from v2s_plugin.formats.sound_tracks import framed_tracks, moved_message, path_on_disk
from v2s_plugin.formats.spare_takes import SPARE, folded_takes, with_spare_takes
from v2s_plugin.media.urls import is_absolute_url
from v2s_plugin.ours import is_ours

NAME, TITLE = "kdenlive", "Kdenlive project"

_MARK = "v2s "


def read_kdenlive(path: Path) -> Any:
    """What stands in a project; raises what the adapter or the XML parser raises.

    Media of a project count from its `root`, where that folder is there, else from the project's own.
    """
    adapter = load_adapter(NAME, TITLE)
    root = fromstring(path.read_text(encoding="utf-8"))  # noqa: S314  (the adapter reads the same text)
    notes = notes_of(root)
    for chain in root:
        if chain.get("id") in notes:  # all that the adapter keeps of a chain is its name
            set_property(chain, "kdenlive:clipname", f"{_MARK}{chain.get('id')}")
    with quiet():
        found = adapter.read_from_string(tostring(root, encoding="unicode"))
    folder = Path(root.get("root") or ".")
    for clip in found.find_clips():
        url = getattr(clip.media_reference, "target_url", None)
        if url and not is_absolute_url(url) and folder.is_absolute() and (folder / url).exists():
            clip.media_reference.target_url = str(folder / url)
        clip.name = clip.name or (Path(url).name if url else "")
    return _recognised(found, root, notes) if notes else found


def write_kdenlive(
    timeline: Any, draft: Path, *, folder: Path, media_folder: Path, source: Path | None
) -> tuple[str, ...]:
    """Write a scored timeline into the project `source` that it was read from; returns warnings.

    Relative media of ours count from `folder`, all others from `media_folder`. Raises `OutputError` without a `source`,
    `OSError`, `ParseError`.
    """
    if source is None:
        raise OutputError(
            "V2S puts its tracks into a Kdenlive project and makes no new one; give the .kdenlive as the timeline, or "
            "write OpenTimelineIO, which Kdenlive 25.04 and newer read: --format otio"
        )
    adapter = load_adapter(NAME, TITLE)
    root = fromstring(source.read_text(encoding="utf-8"))  # noqa: S314  (the adapter has read it already)
    sequence = sequence_of(root)
    rate = rate_of(root)
    remove_ours(root, sequence, lambda time: int(adapter.time(time, float(rate)).value))
    framed = framed_tracks(with_spare_takes(timeline), float(rate), folder)
    add_tracks(root, sequence, _noted(framed.tracks, folder))
    if folder != media_folder and not Path(root.get("root") or ".").is_absolute():
        root.set("root", str(media_folder))
    body = tostring(root, encoding="unicode")
    draft.write_text(f"<?xml version='1.0' encoding='utf-8'?>\n{body}\n", encoding="utf-8")
    moved = framed_tracks(timeline, float(rate), folder).moved  # without spare takes
    return (moved_message(moved, float(rate)),) if moved else ()


def _noted(tracks: tuple[Any, ...], folder: Path) -> list[tuple[Any, list[Any]]]:
    """Our tracks as `add_tracks` takes them: with their notes, each with its takes that were not chosen."""
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


def _recognised(found: Any, root: Element, notes: dict[str, dict[str, Any]]) -> Any:
    """The timeline with what V2S noted on its clips and tracks, each clip with all its takes."""
    chains = {each.get("id", ""): each for each in root}
    spares = dict(notes)
    for track, tractor in zip(found.tracks, track_tractors(root, sequence_of(root)), strict=True):
        for clip in track.find_clips():
            name = clip.name.removeprefix(_MARK)
            if name not in notes or clip.name == name:
                continue
            spares.pop(name, None)
            _recognise(clip, notes[name])
            clip.enabled = property_of(chains[name], SILENT) != "1"
            if track.name == notes[name].get("name"):  # else an editor has moved it to a track of their own
                track.metadata["v2s"] = notes[name]["track"]
        if is_ours(track):
            track.enabled = any(each.get("hide") != "both" for each in tractor.findall("track"))
    found.tracks.append(_bin_takes([(chains[name], note) for name, note in spares.items()], float(rate_of(root))))
    return folded_takes(found)


def _bin_takes(takes: list[tuple[Element, dict[str, Any]]], rate: float) -> Any:
    """Takes that stand in the bin only, as `folded_takes` looks for them."""
    track = otio.schema.Track("bin", kind=otio.schema.TrackKind.Audio)
    track.metadata["v2s"] = {"generated": True, SPARE: "bin"}
    for chain, note in takes:
        length = otio.opentime.RationalTime(int(property_of(chain, "length") or 0), rate)
        whole = otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), length)
        clip = otio.schema.Clip(source_range=whole)
        clip.media_reference = otio.schema.ExternalReference(property_of(chain, "resource"), whole)
        _recognise(clip, note)
        clip.enabled = False
        track.append(clip)
    return track


def _recognise(clip: Any, note: dict[str, Any]) -> None:
    clip.name = str(note.get("title", clip.name))
    clip.metadata["v2s"] = note["clip"]
