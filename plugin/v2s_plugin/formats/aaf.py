"""AAF: read whole, written with our sound tracks only (for Avid, Pro Tools and Resolve to put beside the pictures)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_plugin.formats.adapters import load_adapter, quiet
from v2s_plugin.formats.sound_tracks import framed_tracks, moved_message, timeline_rate
from v2s_plugin.timing.rates import exact_rate, exact_seconds, rational_time

NAME, TITLE = "aaf", "AAF"

_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")  # structured storage


def read_aaf(path: Path) -> Any:
    """What stands in a file; raises `ValueError` for no AAF at all, and what the adapter raises."""
    adapter = load_adapter(NAME, TITLE)
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:  # the adapter would leave it open
            raise ValueError("it does not begin as an AAF does")
    with quiet():
        return adapter.read_from_file(str(path))


def write_aaf(timeline: Any, draft: Path, *, folder: Path, media_folder: Path) -> tuple[str, ...]:
    """Write our sound tracks with the start timecode of the timeline; returns warnings.

    Relative media of ours count from `folder`; others (from `media_folder`) are not written.
    Raises `OSError`, and what the adapter raises.
    """
    rate = timeline_rate(timeline)
    framed = framed_tracks(timeline, rate, folder)
    exact = float(exact_rate(rate) or rate)
    start = exact_seconds(timeline.global_start_time) or Fraction(0)
    cut = otio.schema.Timeline(timeline.name, global_start_time=rational_time(start, exact))
    for track in framed.tracks:
        bare = track.deepcopy()
        for clip in [clip for clip in bare.find_clips() if not clip.enabled]:
            bare[bare.index(clip)] = otio.schema.Gap(source_range=_from_zero(clip.source_range))
        if any(True for _ in bare.find_clips()):
            cut.tracks.append(bare)
    adapter = load_adapter(NAME, TITLE)
    with quiet():
        adapter.write_to_file(cut, str(draft), use_empty_mob_ids=True)
    return (moved_message(framed.moved, rate),) if framed.moved else ()


def _from_zero(shown: Any) -> Any:
    return otio.opentime.TimeRange(otio.opentime.RationalTime(0, shown.duration.rate), shown.duration)
