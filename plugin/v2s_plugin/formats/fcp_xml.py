"""Final Cut Pro 7 XML, which Premiere, Resolve and many others read and write.

A timeline that came from such a file goes back into that very file: our tracks are put into its document, and all else
stays as the editing program wrote it. Any other timeline is written by OpenTimelineIO's adapter, which is helped where
it fails: unique names (equal clips become empty references to each other), ranges that are always there, switched-off
clips, and a `<format>` with which Resolve opens it.

What V2S notes on its clips stands in their `comments/clipcommenta`, as JSON after `v2s `.
"""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, indent, tostring

import opentimelineio as otio

from v2s_plugin.formats.adapters import load_adapter, quiet
from v2s_plugin.formats.fcp_xml_retimes import keep_switches, move_markers, retime
from v2s_plugin.formats.known_media import add_available_ranges
from v2s_plugin.formats.native import plain_json
from v2s_plugin.formats.sound_tracks import (
    FramedTracks,
    framed_tracks,
    make_urls_absolute,
    moved_message,
    timeline_rate,
)
from v2s_plugin.formats.spare_takes import folded_takes, with_spare_takes
from v2s_plugin.timing.rates import exact_rate, exact_span
from v2s_plugin.tracks.writeback import without_sound_tracks

NAME, TITLE = "fcp_xml", "Final Cut Pro 7 XML"

_NOTE = "v2s "
_SEQUENCES = ("./sequence", ".//children/sequence")  # as the adapter looks for them
_SIZE = (1920, 1080)


def read_fcp_xml(path: Path) -> Any:
    """What stands in a file; raises what the adapter or the XML parser raises."""
    adapter = load_adapter(NAME, TITLE)
    root = fromstring(path.read_text(encoding="utf-8-sig"))  # noqa: S314  (the adapter reads the same text)
    _open_nests(root)
    keep_switches(root)
    with quiet():
        found = adapter.read_from_string(tostring(root, encoding="unicode"))
    if not isinstance(found, otio.schema.Timeline):
        return found
    for track in found.tracks:
        kept = track.metadata.get(NAME, {})
        track.enabled = kept.get("enabled") != "FALSE"
        track.name = track.name or kept.get("@MZ.TrackName", "")
    for item in found.find_children():
        kept = item.metadata.get(NAME, {})
        if isinstance(item, otio.core.Item) and kept.get("enabled") == "FALSE":
            item.enabled = False
        if isinstance(item, otio.schema.Clip):
            move_markers(item, _media_start(item))  # they count from the first picture, the source range in timecode
        if isinstance(item, otio.schema.Clip | otio.schema.Stack):
            retime(item)
    for track in found.tracks:
        _recognise(track)
    return folded_takes(found)


def write_fcp_xml(
    timeline: Any, draft: Path, *, folder: Path, media_folder: Path, source: Path | None
) -> tuple[str, ...]:
    """Write a scored timeline; returns warnings.

    Relative media of ours count from `folder`, all others from `media_folder`; `source` is the FCP 7 XML file that the
    timeline was read from, if it was. Raises `OSError`, and what the adapter raises.
    """
    warnings: list[str] = []
    if source is not None:
        text = source.read_text(encoding="utf-8-sig")
        root = fromstring(text)  # noqa: S314  (the adapter has read it already)
    else:
        cut = _fit_for_adapter(without_sound_tracks(timeline), media_folder)
        make_urls_absolute(cut, media_folder)
        with quiet():
            root = fromstring(load_adapter(NAME, TITLE).write_to_string(cut))  # noqa: S314  (made here)
        warnings += _add_format(root, cut)
    sequence = _sequence(root)
    audio = _audio(sequence)
    _remove_ours(audio)
    rate = _rate_of(sequence) or timeline_rate(timeline)
    framed = framed_tracks(with_spare_takes(timeline), rate, folder)
    for number, element in enumerate(_track_elements(framed, rate)):
        audio.append(_with_own_ids(element, number))
    if moved := framed_tracks(timeline, rate, folder).moved:  # without spare takes
        warnings.append(moved_message(moved, rate))
    indent(root)
    body = tostring(root, encoding="unicode")
    draft.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n{body}\n', encoding="utf-8")
    return tuple(warnings)


def _open_nests(root: Element) -> None:
    """The adapter looks for the tracks of a nested sequence right below it, not in its `<media>`, and finds none."""
    for sequence in root.iterfind(".//clipitem/sequence"):
        if (media := sequence.find("media")) is not None:
            sequence.remove(media)
            sequence.extend(list(media))


def _recognise(track: Any) -> None:
    """Give clips and track back what V2S noted on them."""
    for clip in track:
        note = (clip.metadata.get(NAME, {}).get("comments") or {}).get("clipcommenta") or ""
        if not isinstance(clip, otio.schema.Clip) or not note.startswith(_NOTE):
            continue
        try:
            facts = json.loads(note.removeprefix(_NOTE))
        except ValueError:
            continue
        if isinstance(facts, dict) and isinstance(facts.get("clip"), dict) and isinstance(facts.get("track"), dict):
            clip.metadata["v2s"] = facts["clip"]
            track.metadata["v2s"] = facts["track"]
            track.name = str(facts.get("name", track.name))


def _track_elements(framed: FramedTracks, rate: float) -> list[Element]:
    """Our tracks as the adapter writes them, with notes and switches."""
    cut = otio.schema.Timeline("V2S", global_start_time=otio.opentime.RationalTime(0, rate))
    for track in framed.tracks:
        made = track.deepcopy()
        note = {"track": plain_json(track.metadata["v2s"]), "name": track.name}
        made.metadata[NAME] = {"enabled": _truth(track.enabled), "@MZ.TrackName": track.name}
        for clip in made.find_clips():
            text = _NOTE + json.dumps(note | {"clip": plain_json(clip.metadata["v2s"])}, sort_keys=True)
            clip.metadata[NAME] = {"enabled": _truth(clip.enabled), "comments": {"clipcommenta": text}}
        cut.tracks.append(made)
    if not framed.tracks:
        return []
    _make_names_unique(cut)
    with quiet():
        root = fromstring(load_adapter(NAME, TITLE).write_to_string(cut))  # noqa: S314  (made here)
    return root.findall(".//children/sequence/media/audio/track")


def _with_own_ids(track: Element, number: int) -> Element:
    """Ids of ours must not mean something of the document they are put into."""
    for element in track.iter():
        if "id" in element.attrib:
            element.set("id", f"v2s-{number}-{element.get('id')}")
    return track


def _fit_for_adapter(cut: Any, media_folder: Path) -> Any:
    """A copy that the adapter can write: every range there, names unique, switches as it keeps them."""
    result = cut.deepcopy()
    add_available_ranges(result, media_folder)
    rate = timeline_rate(result)
    if result.global_start_time is None:
        result.global_start_time = otio.opentime.RationalTime(0, rate)
    for item in [*result.tracks, *result.find_children()]:
        if isinstance(item, otio.core.Item) and not isinstance(item, otio.schema.Gap) and not item.enabled:
            item.metadata.setdefault(NAME, {})["enabled"] = "FALSE"
        if isinstance(item, otio.schema.Clip):
            _fit_clip(item)
    _make_names_unique(result)
    return result


def _fit_clip(clip: Any) -> None:
    if clip.source_range is None:
        clip.source_range = clip.available_range()
    reference = clip.media_reference
    sequence = isinstance(reference, otio.schema.ImageSequenceReference)
    if sequence or isinstance(reference, otio.schema.GeneratorReference):  # of either the adapter makes nothing
        name = reference.name or (reference.name_prefix if sequence else reference.generator_kind)
        missing = otio.schema.MissingReference(name=name, available_range=clip.source_range)
        clip.set_media_references({clip.DEFAULT_MEDIA_KEY: missing}, clip.DEFAULT_MEDIA_KEY)
    elif reference.available_range is None or exact_rate(reference.available_range.duration.rate) is None:
        reference.available_range = clip.source_range
    move_markers(clip, -_media_start(clip))


def _media_start(clip: Any) -> Any:
    """What a clip's media count at their first picture, as the adapter takes it off the in-point."""
    available = clip.media_reference.available_range
    return otio.opentime.RationalTime() if exact_span(available) is None else available.start_time


def _make_names_unique(cut: Any) -> None:
    """The adapter writes an equal clip as an empty reference to the first one, which it cannot always read back."""
    seen: dict[str, int] = {}
    for clip in cut.find_clips():
        count = seen[clip.name] = seen.get(clip.name, 0) + 1
        if count > 1:
            clip.name = f"{clip.name} ({count})"


def _sequence(root: Element) -> Element:
    for where in _SEQUENCES:
        if (found := root.find(where)) is not None:
            return found
    raise ParseError("it holds no sequence")


def _audio(sequence: Element) -> Element:
    media = sequence.find("media")
    if media is None:
        media = SubElement(sequence, "media")
    audio = media.find("audio")
    return SubElement(media, "audio") if audio is None else audio


def _remove_ours(audio: Element) -> None:
    """Take out our clips that stand there, and the tracks that held nothing else."""
    for track in audio.findall("track"):
        clips = track.findall("clipitem")
        ours = [clip for clip in clips if (clip.findtext("comments/clipcommenta") or "").startswith(_NOTE)]
        for clip in ours:
            track.remove(clip)
        if ours and len(ours) == len(clips):
            audio.remove(track)


def _rate_of(element: Element) -> float | None:
    try:
        timebase = int(element.findtext("rate/timebase") or "")
    except ValueError:
        return None
    ntsc = (element.findtext("rate/ntsc") or "").strip().upper() == "TRUE"
    return float(Fraction(timebase) * Fraction(1000, 1001)) if ntsc else float(timebase)


def _add_format(root: Element, cut: Any) -> list[str]:
    """Say how large pictures are and how often they come: Resolve does not open a sequence that does not."""
    video = _sequence(root).find("media/video")
    if video is None:
        return []
    found = video.find("format")
    video_format = SubElement(video, "format") if found is None else found
    if video_format.find("samplecharacteristics") is not None:
        return []
    rate = timeline_rate(cut)
    what = SubElement(video_format, "samplecharacteristics")
    pace = SubElement(what, "rate")
    SubElement(pace, "timebase").text = str(math.ceil(rate))
    SubElement(pace, "ntsc").text = _truth(math.ceil(rate) != rate)
    for tag, value in zip(("width", "height"), _SIZE, strict=True):
        SubElement(what, tag).text = str(value)
    return [
        f"the timeline does not say how large its pictures are: {_SIZE[0]} × {_SIZE[1]} was written, "
        "set the size in the editing program"
    ]


def _truth(value: bool) -> str:
    return "TRUE" if value else "FALSE"
