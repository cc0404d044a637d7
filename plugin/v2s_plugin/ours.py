"""What on a timeline V2S made: known by `metadata["v2s"]["generated"]` alone, whatever its name and place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import opentimelineio as otio


def is_ours(item: Any) -> bool:
    """Whether V2S made a track, clip or transition: it says so in its metadata, whatever its name."""
    ours = item.metadata.get("v2s")
    return hasattr(ours, "get") and ours.get("generated") is True


def our_clips(timeline: Any) -> Iterator[Any]:
    """The clips that V2S made, wherever an editor has put them, in order of their tracks."""
    for clip in timeline.tracks.find_children(otio.schema.Clip):
        if is_ours(clip) and text_of(facts_of(clip), "key"):
            yield clip


def facts_of(item: Any) -> Mapping[str, Any]:
    """What V2S wrote about an item of ours; empty where that is damaged. Every value may be anything."""
    ours = item.metadata.get("v2s")
    return ours if hasattr(ours, "get") else {}


def take_facts_of(clip: Any) -> Mapping[str, Any]:
    """What V2S wrote about a clip's takes, by reference key, as far as it can be read."""
    takes: Any = facts_of(clip).get("takes")
    return {key: fact for key, fact in entries_of(takes) if hasattr(fact, "get")}


def entries_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The entries of a dictionary in metadata; none where it is something else.

    OpenTimelineIO lists keys with a NUL in them, and then does not find them.
    """
    for key in value if hasattr(value, "keys") else ():
        with contextlib.suppress(KeyError):
            yield str(key), value[key]


def text_of(facts: Mapping[str, Any], key: str) -> str:
    """A text that V2S wrote; empty where there is none."""
    found = facts.get(key)
    return found if isinstance(found, str) else ""


def foreign_urls(timeline: Any) -> list[str]:
    """Every `target_url` on a timeline that is not ours."""
    return [
        url
        for clip in timeline.find_clips()
        if not is_ours(clip)
        for reference in clip.media_references().values()
        if (url := getattr(reference, "target_url", None))
    ]
