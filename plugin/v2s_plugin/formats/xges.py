"""GStreamer Editing Services, the projects of Pitivi."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_plugin.formats.adapters import load_adapter, quiet
from v2s_plugin.formats.known_media import count_from_first_picture
from v2s_plugin.formats.sound_tracks import framed_tracks, make_urls_absolute, moved_message, snap_rates, timeline_rate
from v2s_plugin.tracks.writeback import without_sound_tracks

NAME, TITLE = "xges", "GStreamer Editing Services"


def read_xges(path: Path) -> Any:
    """What stands in a file; raises what the adapter raises."""
    adapter = load_adapter(NAME, TITLE)
    with quiet():
        return adapter.read_from_string(path.read_text(encoding="utf-8"))


def write_xges(timeline: Any, draft: Path, *, folder: Path, media_folder: Path) -> tuple[str, ...]:
    """Write a scored timeline; returns warnings. Raises `OSError`, and what the adapter raises.

    Relative media of ours count from `folder`, all others from `media_folder`.
    """
    rate = timeline_rate(timeline)
    framed = framed_tracks(timeline, rate, folder)
    cut = without_sound_tracks(timeline)
    snap_rates(cut)
    count_from_first_picture(cut, media_folder)
    make_urls_absolute(cut, media_folder)
    for track in framed.tracks:
        made = track.deepcopy()
        made.metadata.clear()
        for clip in made.find_clips():
            clip.metadata.clear()
        cut.tracks.append(made)
    adapter = load_adapter(NAME, TITLE)
    with quiet():
        text = adapter.write_to_string(cut)
        hard_cuts = _holds_lost_transitions(adapter, text)
        if hard_cuts:
            text = adapter.write_to_string(_without_transitions(cut))
    draft.write_text(text, encoding="utf-8")
    said = [moved_message(framed.moved, rate)] if framed.moved else []
    if hard_cuts:
        said.append(f"{TITLE} cannot hold a transition without clips on both sides: all are hard cuts")
    return tuple(said)


def _holds_lost_transitions(adapter: Any, text: str) -> bool:
    """Whether the adapter cannot read what it wrote: a transition without a clip on each side."""
    try:
        adapter.read_from_string(text)
    except Exception as error:  # the adapter has an error class of its own
        if "transitions" not in str(error):
            raise
        return True
    return False


def _without_transitions(cut: Any) -> Any:
    result = cut.deepcopy()
    for track in [*result.tracks, *result.find_children(descended_from_type=otio.schema.Track)]:
        for index in reversed(range(len(track))):
            if isinstance(track[index], otio.schema.Transition):
                del track[index]
    return result
