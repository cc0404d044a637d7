"""What a clip should sound like: what the editor noted on it, and what the call says.

    marker `v2s:sound=dog`      the clip sounds like a dog; a marker longer than one frame: only that stretch of it
    marker `v2s:cue`            a sound event starts at the marker
    metadata {"v2s": {"sound": "dog"}}  the same as a marker without length; a list names several

A marker's note stands in its name or on a line of its comment. Its range counts in the clip's source time. Markers on
the timeline or on a track are notes on the clip under them (`timeline_notes`).

The first rule that applies decides; several sounds in one rule are several jobs and tracks:

    1.  --sound-force
    2.  notes: markers and metadata on the clip, markers above it on its track and on the timeline
    3.  metadata of the track, else of the nest, else of the timeline around it
    4.  the first row of the --map file that fits the clip's name or its file's; it may say `skip`
    5.  --sound
    6.  the bundle's only class

Where none applies the clip is skipped; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from v2s_plugin.planning.class_map import NO_MAP, ClassMap, MapRow
from v2s_plugin.timing.placement import Obstacle, PlacedClip, source_span
from v2s_plugin.timing.rates import Span, exact_rate, exact_span

_NOTE = re.compile(r"v2s:\s*(\w*)\s*(?:=\s*(.*?))?\s*", re.IGNORECASE)
HOW_TO_NOTE = "write v2s:sound=CLASS or v2s:cue"


@dataclass(frozen=True)
class Note:
    """One note for V2S in a marker: a sound class, a cue, or (neither) something that is not understood."""

    text: str
    sound_class: str | None = None
    is_cue: bool = False


@dataclass(frozen=True)
class SoundWish:
    """One sound for a clip or a part of it."""

    sound_class: str
    part: Span | None = None
    """Seconds from the start of what is seen of the clip; None: all of it."""


@dataclass(frozen=True)
class ClipNotes:
    """What the editor noted on one clip."""

    wishes: tuple[SoundWish, ...] = ()
    cues: tuple[Fraction, ...] = ()
    """Seconds from the start of what is seen of the clip, inside it, rising."""
    obstacles: tuple[Obstacle, ...] = ()
    """Notes that were not understood."""
    around: tuple[str, ...] = ()
    """Classes that the metadata of the track, nest or timeline around it names."""

    @classmethod
    def of(cls, wishes: Iterable[SoundWish], cues: Iterable[Fraction], obstacles: Iterable[Obstacle] = ()) -> ClipNotes:
        """Each wish once, in the order noted; each cue once, rising."""
        return cls(tuple(dict.fromkeys(wishes)), tuple(sorted(set(cues))), tuple(obstacles))


@dataclass(frozen=True)
class SoundChoice:
    """What the call says about sound classes."""

    known: tuple[str, ...]
    """The classes that the bundle can sound like."""
    default: str | None = None
    """For clips that nothing else is noted on."""
    forced: str | None = None
    """For every clip, whatever is noted on it."""
    class_map: ClassMap = NO_MAP
    """For clips whose name or file name fits one of its rows."""

    def wishes(self, notes: ClipNotes, names: Sequence[str] = ()) -> tuple[SoundWish, ...] | Obstacle:
        """The sounds of one clip by the first rule that applies, or why there is none.

        `names` are those that the map's patterns are held against: the clip's and its media file's.
        """
        if self.forced is None and notes.wishes:
            return notes.wishes
        row = self.class_map.row_for(names)
        if classes := self._classes(notes, row):
            return tuple(SoundWish(sound_class) for sound_class in classes)
        if row is not None:
            return Obstacle(f"{self.class_map.place_of(row)} says not to sound it", "change that row to sound it")
        return Obstacle(
            "nothing says what it should sound like",
            f"give --sound CLASS (in a panel, its field) for all such clips, or put a marker v2s:sound=CLASS on it; "
            f"classes: {', '.join(self.known)}",
        )

    def _classes(self, notes: ClipNotes, row: MapRow | None) -> tuple[str, ...]:
        """The classes of a clip on which no marker says otherwise; none where its row says `skip`."""
        if self.forced is not None:
            return (self.forced,)
        if notes.around:
            return notes.around
        if row is not None:
            return row.sound_classes
        if self.default is not None:
            return (self.default,)
        return self.known if len(self.known) == 1 else ()

    def asked_for(self, notes: ClipNotes, names: Sequence[str] = ()) -> bool:
        """Whether somebody asked for a sound of this very clip: what has no movement is sounded only then."""
        row = self.class_map.row_for(names)
        return bool(notes.wishes) or (row is not None and bool(row.sound_classes))


def read_notes(placed: PlacedClip) -> ClipNotes:
    """What is noted on a clip. Markers outside what is seen of it (a split clip keeps them all) do not count."""
    wishes: list[SoundWish] = []
    cues: list[Fraction] = []
    obstacles: list[Obstacle] = []
    for marker in placed.clip.markers:
        span = seen_span(marker, placed)
        for note in notes_of(marker):
            if note.sound_class is not None:
                wishes += _wish(note.sound_class, span, placed)
            elif not note.is_cue:
                obstacles.append(Obstacle(f"the marker {note.text!r} on it is not understood", HOW_TO_NOTE))
            elif span is not None and 0 <= span.start < placed.span.duration:
                cues.append(span.start)
    named, bad = sounds_in_metadata(placed.clip)
    wishes += [SoundWish(sound_class) for sound_class in named]
    return ClipNotes.of(wishes, cues, (*obstacles, *bad))


def notes_of(marker: Any) -> Iterator[Note]:
    """The notes for V2S in a marker's name and comment."""
    for line in dict.fromkeys(line.strip() for line in texts_of(marker)):
        if line.lower().startswith("v2s:"):
            found = _NOTE.fullmatch(line)
            word, value = (found[1].lower(), found[2]) if found else ("", None)
            yield Note(line, value if word == "sound" and value else None, word == "cue" and value is None)


def texts_of(marker: Any) -> Iterator[str]:
    """What is written on a marker, line by line: its name, its comment, and the note that Resolve keeps by itself."""
    yield marker.name
    yield from marker.comment.splitlines()
    resolve = marker.metadata.get("Resolve_OTIO")
    if isinstance(resolve, Mapping) and isinstance(note := resolve.get("Note"), str):
        yield from note.splitlines()


def marked_span(marker: Any) -> Span | None:
    """A marker's range in seconds of the item it is on; without length where it is one frame.

    Resolve gives every marker a length of one frame, so that much cannot mean a stretch.
    """
    span = exact_span(marker.marked_range)
    if span is None:
        return None
    rate = exact_rate(marker.marked_range.duration.rate)
    return Span(span.start, span.start) if rate is None or span.duration * rate <= 1 else span


def sounds_in_metadata(item: Any) -> tuple[list[str], list[Obstacle]]:
    """The sound classes that an item's own metadata names, and what is wrong with them."""
    ours = item.metadata.get("v2s")
    if not isinstance(ours, Mapping) or "sound" not in ours:
        return [], []
    sound = ours["sound"]
    found = [sound] if isinstance(sound, str) else list(sound) if isinstance(sound, Sequence) else []
    names = [name.strip() for name in found if isinstance(name, str) and name.strip()]
    if names and len(names) == len(found):
        return names, []
    return [], [
        Obstacle(f"its metadata v2s.sound is not understood: {sound!r}", 'write a class name or a list of them: "dog"')
    ]


def seen_span(marker: Any, placed: PlacedClip) -> Span | None:
    """A marker's range in seconds from the start of what is seen of the clip."""
    span = marked_span(marker)
    if span is None:
        return None
    source = source_span(placed.clip)
    return placed.seen(span.shifted(-source.start) if source else span)


def _wish(sound_class: str, span: Span | None, placed: PlacedClip) -> list[SoundWish]:
    if span is None or not span.duration:
        return [SoundWish(sound_class)]
    part = span.overlap(Span(Fraction(0), placed.span.duration))
    return [] if part is None else [SoundWish(sound_class, part)]
