"""Notes on the timeline and on its tracks, handed to the clips under them.

    timeline    v2s:sound=dog ├──────────────┤    the topmost picture under it, stretch by stretch
    V2                             ├─ b ─────────┤      b: dog from its start to the marker's end
    V1     ├─ a ──────────────────────┤                 a: dog from the marker's start until b covers it

A note on a track is for the clips of that track. A sound marker of one frame is for the whole clip under it. Markers on
the timeline count from its start; where that leads beyond its end, from its start timecode.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from v2s_plugin.planning.sounds import (
    HOW_TO_NOTE,
    ClipNotes,
    Note,
    SoundWish,
    marked_span,
    notes_of,
    sounds_in_metadata,
)
from v2s_plugin.timing.placement import Obstacle, PlacedClip
from v2s_plugin.timing.rates import Span, exact_seconds, exact_span


@dataclass(frozen=True)
class HungMarker:
    """A marker on the timeline or on one of its tracks."""

    marker: Any
    span: Span
    """Seconds on the timeline; without length where it is one frame."""
    where: str
    """What it is on, for messages."""
    clips: tuple[PlacedClip, ...]
    """The pictures under it; where it is on a track, those of that track."""


@dataclass(frozen=True)
class StrayNote:
    """A note that no clip is sounded by."""

    text: str
    where: str
    obstacle: Obstacle


def hung_markers(timeline: Any, placed: Sequence[PlacedClip]) -> tuple[HungMarker, ...]:
    """The markers on the timeline and on its tracks; those without a time are left out."""
    pictures = _ByStart([clip for clip in placed if clip.kind == otio.schema.TrackKind.Video])
    end = max((clip.span.end for clip in placed), default=Fraction(0))
    first = exact_seconds(timeline.global_start_time)
    found = []
    for marker in timeline.tracks.markers:
        if (span := marked_span(marker)) is not None:
            if first is not None and span.start >= end and 0 <= span.start - first < end:
                span = span.shifted(-first)
            found.append(HungMarker(marker, span, "the timeline", tuple(pictures.under(span))))
    for index, track in enumerate(timeline.tracks):
        if isinstance(track, otio.schema.Track):
            own = exact_span(track.source_range)
            for marker in track.markers:
                if (span := marked_span(marker)) is not None:
                    span = span.shifted(-own.start) if own else span
                    clips = tuple(clip for clip in pictures.under(span) if clip.index_path[0] == index)
                    found.append(HungMarker(marker, span, f"the track {track.name or index + 1}", clips))
    return tuple(found)


def spread_notes(
    markers: Sequence[HungMarker], pictures: Sequence[PlacedClip]
) -> tuple[Mapping[tuple[int, ...], ClipNotes], tuple[StrayNote, ...]]:
    """The notes of `markers` by the index path of the clip that each is for, and those that are for none.

    `pictures` are the clips that can be sounded, from the bottom of the stack to its top.
    """
    order = {clip.index_path: number for number, clip in enumerate(pictures)}
    wishes: dict[tuple[int, ...], list[SoundWish]] = {}
    cues: dict[tuple[int, ...], list[Fraction]] = {}
    strays = []
    for hung in markers:
        clips = sorted(
            (clip for clip in hung.clips if clip.index_path in order), key=lambda clip: order[clip.index_path]
        )
        for note in notes_of(hung.marker):
            if note.sound_class is None and not note.is_cue:
                strays.append(_not_understood(note, hung.where))
                continue
            span = Span(hung.span.start, hung.span.start) if note.is_cue else hung.span
            under = list(_topmost(span, clips))
            if not under:
                advice = "move the marker over a clip that can be sounded, or take it off"
                strays.append(StrayNote(note.text, hung.where, Obstacle("no picture stands under it", advice)))
            for clip, piece in under:
                inside = piece.shifted(-clip.span.start)
                if note.sound_class is None:
                    cues.setdefault(clip.index_path, []).append(inside.start)
                else:
                    part = inside if hung.span.duration else None
                    wishes.setdefault(clip.index_path, []).append(SoundWish(note.sound_class, part))
    paths = {*wishes, *cues}
    return {path: ClipNotes.of(wishes.get(path, ()), cues.get(path, ())) for path in paths}, tuple(strays)


def notes_around(timeline: Any, clip: PlacedClip) -> tuple[str, ...]:
    """The classes that the metadata of what is nearest around a clip names: nest or track, else the timeline.

    Metadata that is not understood names none; `stray_notes` tells of it.
    """
    around = [timeline, timeline.tracks]
    for index in clip.index_path[:-1]:
        around.append(around[-1][index])
    return next((tuple(found[0]) for item in reversed(around) if (found := sounds_in_metadata(item))[0]), ())


def stray_notes(timeline: Any, placed: Sequence[PlacedClip]) -> Iterator[StrayNote]:
    """Notes where none is read: on sound clips, on gaps, on nests and their tracks; metadata that is not understood.

    `placed` are all clips of the timeline.
    """
    for clip in placed:
        if clip.kind != otio.schema.TrackKind.Video:
            for marker in clip.clip.markers:
                for note in notes_of(marker):
                    why = Obstacle("a marker on a sound clip is not read", "put the marker on the picture")
                    yield StrayNote(note.text, clip.where, why)
    for item, where in _compositions(timeline):
        for obstacle in sounds_in_metadata(item)[1]:
            yield StrayNote("metadata v2s.sound", where, obstacle)
    for child in _items(timeline.tracks):
        if isinstance(child, otio.schema.Clip):
            continue
        if isinstance(child, otio.schema.Track) and child.parent().parent() is None:
            continue
        what = f"the {'gap' if isinstance(child, otio.schema.Gap) else 'nested sequence'} {child.name}".rstrip()
        for marker in child.markers:
            for note in notes_of(marker):
                advice = "put the marker on the clip, on the track or on the timeline"
                yield StrayNote(note.text, what, Obstacle(f"a marker on {what} is not read", advice))


def _not_understood(note: Note, where: str) -> StrayNote:
    return StrayNote(note.text, where, Obstacle(f"the marker {note.text!r} on {where} is not understood", HOW_TO_NOTE))


def _topmost(span: Span, pictures: Sequence[PlacedClip]) -> Iterator[tuple[PlacedClip, Span]]:
    """What of `span` shows which clip, each stretch the topmost one; a span without length is one moment."""
    left = [span]
    for clip in reversed(pictures):
        shown = [common for piece in left if (common := _common(piece, clip.span)) is not None]
        for piece in shown:
            yield clip, piece
        if shown:
            left = [rest for piece in left for rest in _without(piece, clip.span)]


class _ByStart:
    """Clips that can be asked for by time: a film has thousands of them, and maybe as many markers."""

    def __init__(self, clips: Sequence[PlacedClip]) -> None:
        self._clips = sorted(clips, key=lambda clip: clip.span.start)
        self._starts = [clip.span.start for clip in self._clips]
        self._longest = max((clip.span.duration for clip in clips), default=Fraction(0))

    def under(self, span: Span) -> Iterator[PlacedClip]:
        """The clips of which something stands under a span."""
        first = bisect_left(self._starts, span.start - self._longest)
        last = bisect_right(self._starts, span.end)
        return (clip for clip in self._clips[first:last] if _common(span, clip.span) is not None)


def _common(span: Span, clip: Span) -> Span | None:
    if span.start != span.end:
        return span.overlap(clip)
    return span if clip.start <= span.start < clip.end else None


def _without(span: Span, taken: Span) -> Iterator[Span]:
    """What is left of a span where another one is taken out of it."""
    if _common(span, taken) is None:
        yield span
        return
    if span.start < taken.start:
        yield Span(span.start, taken.start)
    if taken.end < span.end:
        yield Span(taken.end, span.end)


def _compositions(timeline: Any) -> Iterator[tuple[Any, str]]:
    yield timeline, "the timeline"
    yield timeline.tracks, "the timeline"
    for child in _items(timeline.tracks):
        if isinstance(child, otio.core.Composition):
            yield child, f"the {'track' if isinstance(child, otio.schema.Track) else 'nested sequence'} {child.name}"


def _items(composition: Any) -> Iterator[Any]:
    """Everything inside a composition at any depth but transitions, which carry no markers."""
    for child in composition:
        if isinstance(child, otio.core.Item):
            yield child
        if isinstance(child, otio.core.Composition):
            yield from _items(child)
