"""Where every clip of a timeline stands, in exact seconds.

OpenTimelineIO adds floating-point times track by track, and fails for a whole timeline where one clip has no length.
Here lengths are summed as fractions, and a clip that cannot be placed says why.

    timeline ── track ──┬─ clip      0 s .. 4.004 s
                        ├─ gap
                        └─ stack (nested) ── track ── clip     cut to what its nest shows

Times count from the start of the timeline's own stack; `global_start_time` is never added. Transitions take no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from v2s_plugin.rates import Span, exact_span

MediaLength = Callable[[Any], Fraction | None]
"""Length in seconds of the media of a clip that has no range of its own; None where that is not known either."""

_NEVER = Span(Fraction(0), Fraction(0))


@dataclass(frozen=True)
class Obstacle:
    """Why something cannot be sounded, in words for the editor."""

    reason: str
    advice: str

    @classmethod
    def of_error(cls, error: Exception) -> Obstacle:
        """An error's message as reason and advice: V2S writes them as `what happened; what to do`."""
        reason, _, advice = str(error).rpartition("; ")
        return cls(reason, advice) if reason else cls(advice, "relink the clip")


@dataclass(frozen=True)
class PlacedClip:
    """One clip and the stretch of the timeline on which it is seen (or heard)."""

    clip: Any
    index_path: tuple[int, ...]
    """Position of the clip: index in the timeline's stack, then in each child below."""
    track_name: str
    kind: str
    """`Video` or `Audio`, as the tracks above it say (an audio track makes everything in it audio)."""
    span: Span
    """Seconds on the timeline; only what the nests above it show. Empty where there is an obstacle to placing it."""
    head: Fraction
    """Seconds of the clip's own range that are cut away at its start by a nest."""
    obstacle: Obstacle | None = None
    """Why it does not count: it or something above it is disabled, retimed as a whole, or of unknown length."""

    @property
    def where(self) -> str:
        """Track and time, for messages."""
        if self.obstacle is not None and self.span is _NEVER:
            return self.track_name
        return f"{self.track_name} at {float(self.span.start):.3f} s"


@dataclass(frozen=True)
class _Frame:
    """What holds for everything inside one composition."""

    origin: Fraction
    """Where the composition's own time 0 lies on the timeline."""
    window: Span | None
    """What of the timeline the compositions above show; None: all of it."""
    path: tuple[int, ...] = ()
    track_name: str = ""
    kind: str = ""
    obstacle: Obstacle | None = None
    lost: bool = False
    """Whether the place is not known, because something before it has no length."""


def place_clips(timeline: Any, media_length: MediaLength = lambda clip: None) -> Iterator[PlacedClip]:
    """Every clip of a timeline with its place, track by track from the bottom of the stack to the top.

    `media_length` is asked only where a clip has neither a source range nor an available range.
    """
    stack = timeline.tracks
    window = exact_span(stack.source_range)
    yield from _walk_stack(stack, _Frame(Fraction(0), window), media_length)


def source_span(clip: Any) -> Span | None:
    """The part of its media that a clip uses, in the media's own time: its source range, else all there is."""
    reference = clip.media_reference
    return exact_span(clip.source_range) or (exact_span(reference.available_range) if reference else None)


def length_of(item: Any, media_length: MediaLength) -> Fraction | None:
    """How long an item stands on its track, in seconds; None where nothing says. Effects never change it."""
    if (own := exact_span(item.source_range)) is not None:
        return own.duration
    if isinstance(item, otio.schema.Clip):
        span = source_span(item)
        return media_length(item) if span is None else span.duration
    if isinstance(item, otio.schema.Gap):
        return Fraction(0)
    lengths = [length_of(child, media_length) for child in item if not isinstance(child, otio.schema.Transition)]
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        return None
    return sum(known, Fraction(0)) if isinstance(item, otio.schema.Track) else max(known, default=Fraction(0))


def _walk_stack(stack: Any, frame: _Frame, media_length: MediaLength) -> Iterator[PlacedClip]:
    for index, child in enumerate(stack):
        if isinstance(child, otio.schema.Transition):
            continue
        inner = replace(frame, path=(*frame.path, index))
        if isinstance(child, otio.schema.Clip):
            length = length_of(child, media_length)
            yield _placed(child, inner, Fraction(0), length)
        elif not isinstance(child, otio.schema.Gap):
            yield from _walk_nest(child, inner, Fraction(0), media_length)


def _walk_track(track: Any, frame: _Frame, media_length: MediaLength) -> Iterator[PlacedClip]:
    start = Fraction(0)
    for index, child in enumerate(track):
        if isinstance(child, otio.schema.Transition):
            continue
        inner = replace(frame, path=(*frame.path, index))
        length = length_of(child, media_length)
        if isinstance(child, otio.schema.Clip):
            yield _placed(child, inner, start, length)
        elif not isinstance(child, otio.schema.Gap):
            yield from _walk_nest(child, inner, start, media_length)
        if length is None:
            lost = Obstacle(
                f"its place is not known: {child.name or 'the item'} before it on the track has no length",
                "give that clip a source range, or relink its media",
            )
            frame = replace(frame, obstacle=frame.obstacle or lost, lost=True)
        else:
            start += length


def _walk_nest(nest: Any, frame: _Frame, start: Fraction, media_length: MediaLength) -> Iterator[PlacedClip]:
    """A track or stack whose shown part begins at `start` in the composition around it."""
    at = frame.origin + start
    own = exact_span(nest.source_range)
    window = frame.window
    if own is not None:
        shown = Span(at, at + own.duration)
        window = shown if window is None else (shown.overlap(window) or Span(at, at))
        at -= own.start
    inner = replace(frame, origin=at, window=window, obstacle=frame.obstacle or _obstacle_of(nest))
    if isinstance(nest, otio.schema.Track):
        kind = "Audio" if frame.kind == "Audio" else str(nest.kind)
        name = frame.track_name or nest.name or f"track {frame.path[-1] + 1}"
        yield from _walk_track(nest, replace(inner, kind=kind, track_name=name), media_length)
    else:
        yield from _walk_stack(nest, inner, media_length)


def _obstacle_of(nest: Any) -> Obstacle | None:
    what = "track" if isinstance(nest, otio.schema.Track) else "nested sequence"
    if not nest.enabled:
        return Obstacle(f"its {what} is disabled", f"enable the {what} to sound it")
    if any(isinstance(effect, otio.schema.TimeEffect) for effect in nest.effects):
        return Obstacle(f"the {what} it stands in is retimed as a whole: not yet", "retime the clips inside it instead")
    return None


def _placed(clip: Any, frame: _Frame, start: Fraction, length: Fraction | None) -> PlacedClip:
    kind = frame.kind or "Video"  # a clip right in the stack: OpenTimelineIO shows it as pictures
    head = Fraction(0)
    obstacle = frame.obstacle
    span = _NEVER
    if length is None:
        obstacle = obstacle or Obstacle(
            "its length is not known: it has no source range and its media cannot be read",
            "relink the clip or give it a source range",
        )
    elif not frame.lost:
        whole = Span(frame.origin + start, frame.origin + start + length)
        span = whole if frame.window is None else whole.overlap(frame.window) or Span(whole.start, whole.start)
        head = span.start - whole.start
        if not clip.enabled:
            obstacle = obstacle or Obstacle("it is disabled", "enable the clip to sound it")
        elif length and not span.duration:
            obstacle = obstacle or Obstacle("the sequence around it does not show it", "nothing to do")
    return PlacedClip(clip, frame.path, frame.track_name, kind, span, head, obstacle)
