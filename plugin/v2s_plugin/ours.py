"""What on a timeline V2S made: known by `metadata["v2s"]["generated"]` alone, whatever its name and place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import opentimelineio as otio


def is_ours(item: Any) -> bool:
    """Whether V2S made a track or clip: it says so in its metadata, whatever its name."""
    ours = item.metadata.get("v2s")
    return hasattr(ours, "get") and ours.get("generated") is True


def our_clips(timeline: Any) -> Iterator[Any]:
    """The clips that V2S made, on its tracks."""
    for track in timeline.tracks:
        if isinstance(track, otio.schema.Track) and is_ours(track):
            for item in track:
                if isinstance(item, otio.schema.Clip) and is_ours(item) and "key" in item.metadata["v2s"]:
                    yield item


def devices_of(clip: Any) -> Iterator[str]:
    """The devices on which the takes of a clip of ours were made, as far as it says."""
    takes = clip.metadata["v2s"].get("takes")
    for fact in takes.values() if hasattr(takes, "values") else ():
        device = fact.get("device") if hasattr(fact, "get") else None
        if isinstance(device, str) and device:
            yield device
