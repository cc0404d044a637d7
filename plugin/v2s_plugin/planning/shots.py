"""The pictures of a timeline with all that is noted on them, and the sounds that follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import MediaError
from v2s_plugin.media.coverage import covers
from v2s_plugin.media.library import MediaLibrary
from v2s_plugin.media.urls import base_name, paths_of_url
from v2s_plugin.planning.selection import Candidate
from v2s_plugin.planning.sounds import ClipNotes, SoundChoice, SoundWish, read_notes
from v2s_plugin.planning.timeline_notes import (
    HungMarker,
    StrayNote,
    hung_markers,
    notes_around,
    spread_notes,
    stray_notes,
)
from v2s_plugin.timing.placement import Obstacle, PlacedClip


@dataclass(frozen=True)
class Shot:
    """One video clip and what is known of its sound before anybody looks at its pictures."""

    clip: PlacedClip
    notes: ClipNotes
    """On the clip itself and on what is above and around it."""
    names: tuple[str, ...]
    """The clip's name and its media files'."""
    wishes: tuple[SoundWish, ...] | Obstacle
    hung: tuple[HungMarker, ...]
    """Markers on its track and on the timeline, above it."""
    asked_for: bool
    """Whether a note or a map row asks for a sound of this very clip."""

    @property
    def candidate(self) -> Candidate:
        """The clip as the selection looks at it."""
        wishes = () if isinstance(self.wishes, Obstacle) else self.wishes
        return Candidate(self.clip, self.hung, tuple(wish.sound_class for wish in wishes))


def read_shots(
    timeline: Any, placed: Sequence[PlacedClip], library: MediaLibrary, choice: SoundChoice
) -> tuple[list[Shot], list[StrayNote]]:
    """The video clips among `placed`, from the bottom of the stack to its top, and notes that are for none of them."""
    pictures = [clip for clip in placed if clip.kind == otio.schema.TrackKind.Video]
    seen = [clip for clip in pictures if clip.obstacle is None and not isinstance(library.find(clip.clip), Obstacle)]
    seen.sort(key=lambda clip: covers(clip, library))  # a title that lets the picture below be seen comes after it
    markers = hung_markers(timeline, placed)
    spread, strays = spread_notes(markers, seen)
    above: dict[tuple[int, ...], list[HungMarker]] = {}
    for marker in markers:
        for clip in marker.clips:
            above.setdefault(clip.index_path, []).append(marker)
    shots = []
    for clip in pictures:
        own = read_notes(clip)
        hung = spread.get(clip.index_path, ClipNotes())
        both = ClipNotes.of(own.wishes + hung.wishes, own.cues + hung.cues, own.obstacles)
        notes = replace(both, around=notes_around(timeline, clip))
        names = tuple(_names_of(clip.clip, library.folder))
        markers_above = tuple(above.get(clip.index_path, ()))
        asked_for = choice.asked_for(notes, names)
        shots.append(Shot(clip, notes, names, choice.wishes(notes, names), markers_above, asked_for))
    return shots, [*strays, *stray_notes(timeline, placed)]


def _names_of(clip: Any, folder: Path) -> Iterator[str]:
    if clip.name:
        yield clip.name
    for reference in clip.media_references().values():
        if isinstance(reference, otio.schema.ImageSequenceReference):
            yield f"{reference.name_prefix}{reference.name_suffix}"
        elif isinstance(reference, otio.schema.ExternalReference):
            try:
                paths = paths_of_url(reference.target_url, folder)
            except MediaError:
                continue
            for path in paths:
                yield base_name(path)
