"""What a timeline holds that a format cannot hold, in words: losses are said, never silent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import opentimelineio as otio

from v2s_plugin.formats.timeline_format import TimelineFormat
from v2s_plugin.ours import is_ours

_WORDS = {
    "takes": "takes that were not chosen",
    "other media": "media references beside the active one",
    "pictures": "tracks with pictures",
    "other sounds": "sound tracks that V2S did not make",
    "retimes": "retimes (pictures play at their own speed)",
    "fades": "fades and transitions beside our clips",
    "transitions": "transitions (hard cuts instead)",
    "markers": "markers",
    "effects": "effects",
    "levels": "effects on our clips",
    "generators": "generated pictures (titles, bars, colours)",
    "image sequences": "image sequences",
    "nested sequences": "nested sequences",
    "disabled clips": "switched-off clips (left out)",
    "disabled sounds": "switched-off clips of ours (left out)",
    "start timecode": "the start timecode (counts from 0)",
}


_OURS = ("takes", "fades", "levels", "disabled sounds")


def losses(timeline: Any, target: TimelineFormat, *, ours_only: bool = False) -> tuple[str, ...]:
    """One line for each kind of thing that stands on a timeline and cannot be written to a format.

    `ours_only` is for a file into which our tracks are put, and which keeps all else as it is.
    """
    found = count_features(timeline)
    wanted = [name for name in target.loses if found[name] and (name in _OURS or not ours_only)]
    if ours_only:
        found["other media"] = 0
    if not target.several_references and found["other media"] and "pictures" not in target.loses:
        wanted.append("other media")
    if "takes" in wanted and target.says_disabled:
        wanted.remove("takes")  # they stand on spare tracks
    return tuple(f"{target.title} cannot hold {_WORDS[name]}: {found[name]} lost" for name in wanted)


def count_features(timeline: Any) -> Counter[str]:
    """How often a timeline holds what not every format can."""
    found: Counter[str] = Counter()
    ours = [track for track in timeline.tracks if isinstance(track, otio.schema.Track) and is_ours(track)]
    for track in timeline.tracks:
        if track not in ours:
            found["other sounds" if getattr(track, "kind", "") == otio.schema.TrackKind.Audio else "pictures"] += 1
    found["start timecode"] = int(bool(timeline.global_start_time and timeline.global_start_time.value))
    found["fades"] = sum(isinstance(item, otio.schema.Transition) for track in ours for item in track)
    found["markers"] = len(timeline.tracks.markers) + sum(len(track.markers) for track in timeline.tracks)
    for item in timeline.find_children():
        _count_item(item, found)
    return found


def _count_item(item: Any, found: Counter[str]) -> None:
    if isinstance(item, otio.schema.Transition):
        found["transitions"] += 1
        return
    if isinstance(item, otio.schema.Stack):
        found["nested sequences"] += 1
    if isinstance(item, otio.core.Item):
        found["retimes"] += sum(isinstance(each, otio.schema.TimeEffect) for each in item.effects)
        effects = sum(not isinstance(each, otio.schema.TimeEffect) for each in item.effects)
        found["levels" if is_ours(item) else "effects"] += effects
    if isinstance(item, otio.schema.Clip):
        found["markers"] += len(item.markers)
        _count_clip(item, found)


def _count_clip(clip: Any, found: Counter[str]) -> None:
    others = len(clip.media_references()) - 1
    found["takes" if is_ours(clip) else "other media"] += others
    if not clip.enabled:
        found["disabled clips"] += 1
        found["disabled sounds"] += is_ours(clip)
    if isinstance(clip.media_reference, otio.schema.GeneratorReference):
        found["generators"] += 1
    elif isinstance(clip.media_reference, otio.schema.ImageSequenceReference):
        found["image sequences"] += 1
