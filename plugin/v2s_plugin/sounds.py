"""What a clip should sound like: what the editor noted on it, and what the call says.

    marker `v2s:sound=dog`      the clip sounds like a dog; a marker longer than one frame: only that stretch of it
    marker `v2s:cue`            a sound event starts at the marker
    metadata {"v2s": {"sound": "dog"}}  the same as a marker without length; a list names several

A marker's note stands in its name or on a line of its comment. Its range counts in the clip's source time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from v2s_plugin.placement import Obstacle, PlacedClip, source_span
from v2s_plugin.rates import Span, exact_rate, exact_span

_NOTE = re.compile(r"v2s:\s*(\w*)\s*(?:=\s*(.*?))?\s*", re.IGNORECASE)
_HOW = "write v2s:sound=CLASS or v2s:cue"


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


@dataclass(frozen=True)
class SoundChoice:
    """What the call says about sound classes."""

    known: tuple[str, ...]
    """The classes that the bundle can sound like."""
    default: str | None = None
    """For clips that nothing else is noted on."""
    forced: str | None = None
    """For every clip, whatever is noted on it."""

    def wishes(self, notes: ClipNotes) -> tuple[SoundWish, ...] | Obstacle:
        """The sounds of one clip by the first rule that applies, or why there is none."""
        if self.forced is not None:
            return (SoundWish(self.forced),)
        if notes.wishes:
            return notes.wishes
        # The rows of a --map file will stand here: after what is noted on the clip, before the defaults.
        if self.default is not None:
            return (SoundWish(self.default),)
        if len(self.known) == 1:
            return (SoundWish(self.known[0]),)
        return Obstacle(
            "nothing says what it should sound like",
            f"give --sound CLASS for all such clips, or put a marker v2s:sound=CLASS on it; "
            f"classes: {', '.join(self.known)}",
        )


def read_notes(placed: PlacedClip) -> ClipNotes:
    """What is noted on a clip. Markers outside what is seen of it (a split clip keeps them all) do not count."""
    wishes: list[SoundWish] = []
    cues: list[Fraction] = []
    obstacles: list[Obstacle] = []
    for marker in placed.clip.markers:
        span = _seen_span(marker, placed)
        for note in notes_of(marker):
            match _NOTE.fullmatch(note):
                case re.Match() as found if found[1].lower() == "sound" and found[2]:
                    wishes += _wish(found[2], span, placed)
                case re.Match() as found if found[1].lower() == "cue" and found[2] is None:
                    if span is not None and 0 <= span.start < placed.span.duration:
                        cues.append(span.start)
                case _:
                    obstacles.append(Obstacle(f"the marker {note!r} on it is not understood", _HOW))
    named, bad = _noted_in_metadata(placed.clip.metadata)
    wishes += [SoundWish(sound_class) for sound_class in named]
    return ClipNotes(tuple(dict.fromkeys(wishes)), tuple(sorted(set(cues))), (*obstacles, *bad))


def notes_of(marker: Any) -> Iterator[str]:
    """The notes for V2S in a marker's name and comment."""
    for line in (marker.name, *marker.comment.splitlines()):
        if line.strip().lower().startswith("v2s:"):
            yield line.strip()


def _wish(sound_class: str, span: Span | None, placed: PlacedClip) -> list[SoundWish]:
    if span is None or not span.duration:
        return [SoundWish(sound_class)]
    part = span.overlap(Span(Fraction(0), placed.span.duration))
    return [] if part is None else [SoundWish(sound_class, part)]


def _seen_span(marker: Any, placed: PlacedClip) -> Span | None:
    """A marker's range in seconds from the start of what is seen of the clip; without length where it is one frame.

    Resolve gives every marker a length of one frame, so that much cannot mean a stretch.
    """
    span = exact_span(marker.marked_range)
    if span is None:
        return None
    source = source_span(placed.clip)
    span = span.shifted(-(source.start if source else Fraction(0)) - placed.head)
    rate = exact_rate(marker.marked_range.duration.rate)
    return Span(span.start, span.start) if rate is None or span.duration * rate <= 1 else span


def _noted_in_metadata(metadata: Mapping[str, Any]) -> tuple[list[str], list[Obstacle]]:
    ours = metadata.get("v2s")
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
