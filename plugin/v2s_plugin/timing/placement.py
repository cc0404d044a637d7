"""Where every clip of a timeline stands, in exact seconds.

OpenTimelineIO adds floating-point times track by track, and fails for a whole timeline where one clip has no length.
Here lengths are summed as fractions, and a clip that cannot be placed says why.

    timeline ── track ──┬─ clip      0 s .. 4.004 s
                        ├─ gap
                        └─ stack (nested) ── track ── clip     cut to what its nest shows

Times count from the start of the timeline's own stack; `global_start_time` is never added. Transitions take no time.

A nest (or a whole track) that runs faster, slower or backwards does so with everything inside: its own length on the
track around it stays `source_range.duration`, and its content runs past in that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from v2s_plugin.timing.rates import Span, exact_span
from v2s_plugin.timing.retimes import RetimeError, own_warp
from v2s_plugin.timing.transitions import NO_HANDLES, Handles, fades_on_track, handles_on_track
from v2s_plugin.timing.warp import PLAIN

MediaLength = Callable[[Any], Fraction | None]
"""Length in seconds of the media of a clip that has no range of its own; None where that is not known either."""

_NEVER = Span(Fraction(0), Fraction(0))


@dataclass(frozen=True)
class Obstacle:
    """Why something cannot be sounded, in words for the editor."""

    reason: str
    advice: str
    switched_off: bool = False
    """Whether the editor wants it so: it is disabled."""

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
    """Seconds into the clip's own range at the start of `span`: what a nest cuts away there, or (where a nest runs
    backwards) what it leaves."""
    obstacle: Obstacle | None = None
    """Why it does not count: it or something above it is disabled, frozen, or of unknown length."""
    speed: Fraction = Fraction(1)
    """Seconds of the clip's own range that pass in one second of the timeline, by the retimes of the nests above it
    alone; negative: backwards."""
    handles: Handles = NO_HANDLES
    """Seconds beyond `span` for which transitions show it; never before the timeline's start or outside a nest."""
    fades: Handles = NO_HANDLES
    """Seconds inside `span` over which it fades in from nothing and out to nothing."""

    @property
    def where(self) -> str:
        """Track and time, for messages."""
        if self.obstacle is not None and self.span is _NEVER:
            return self.track_name
        return f"{self.track_name} at {float(self.span.start):.3f} s"

    def seen(self, own: Span) -> Span:
        """A stretch of the clip's own range (counted from its start) in seconds from the start of what is seen.

        The own range is what `source_range` counts: its duration is the clip's length on its track, whatever the clip's
        time effects. Markers count in it too, so they are moved with the cuts and never scaled by those effects.
        """
        ends = sorted(((own.start - self.head) / self.speed, (own.end - self.head) / self.speed))
        return Span(ends[0], ends[1])


@dataclass(frozen=True)
class _Frame:
    """What holds for everything inside one composition."""

    origin: Fraction
    """Where the composition's own time 0 lies on the timeline."""
    pace: Fraction
    """Seconds of the timeline that one second of the composition takes; negative: it runs backwards."""
    window: Span | None
    """What of the timeline the compositions above show; None: all of it."""
    path: tuple[int, ...] = ()
    track_name: str = ""
    kind: str = ""
    obstacle: Obstacle | None = None
    lost: bool = False
    """Whether the place is not known: something before it has no length, or a nest's retime has no straight answer."""

    def on_timeline(self, own: Span) -> Span:
        """A stretch of the composition's own time on the timeline."""
        ends = sorted((self.origin + self.pace * own.start, self.origin + self.pace * own.end))
        return Span(ends[0], ends[1])


def place_clips(timeline: Any, media_length: MediaLength = lambda clip: None) -> Iterator[PlacedClip]:
    """Every clip of a timeline with its place, track by track from the bottom of the stack to the top.

    `media_length` is asked only where a clip has neither a source range nor an available range.
    """
    stack = timeline.tracks
    obstacle = _obstacle_of(stack, "timeline")
    if obstacle is None and any(
        isinstance(effect, otio.schema.TimeEffect) and effect.enabled for effect in stack.effects
    ):
        # The sound tracks will stand in the same stack, and would be retimed with it.
        obstacle = Obstacle("the timeline is retimed as a whole", "retime its tracks or clips instead")
    frame = _Frame(Fraction(0), Fraction(1), exact_span(stack.source_range), obstacle=obstacle)
    yield from _walk_stack(stack, frame, media_length)


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
    if not isinstance(item, otio.core.Composition):
        return None
    lengths = [length_of(child, media_length) for child in item if not isinstance(child, otio.schema.Transition)]
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        return None
    return sum(known, Fraction(0)) if isinstance(item, otio.schema.Track) else max(known, default=Fraction(0))


@dataclass(frozen=True)
class _Slot:
    """What a child takes of the composition around it."""

    start: Fraction
    length: Fraction | None
    """None: not known."""
    handles: Handles = NO_HANDLES
    fades: Handles = NO_HANDLES


def _walk_stack(stack: Any, frame: _Frame, media_length: MediaLength) -> Iterator[PlacedClip]:
    for index, child in enumerate(stack):
        slot = _Slot(Fraction(0), _length_on_track(child, media_length))
        yield from _walk_child(child, replace(frame, path=(*frame.path, index)), slot, media_length)


def _walk_track(track: Any, frame: _Frame, media_length: MediaLength) -> Iterator[PlacedClip]:
    start = Fraction(0)
    children = list(track)
    lengths = [_length_on_track(child, media_length) for child in children]
    for index, (child, length) in enumerate(zip(children, lengths, strict=True)):
        slot = _Slot(start, length, handles_on_track(children, index, lengths), fades_on_track(children, index))
        yield from _walk_child(child, replace(frame, path=(*frame.path, index)), slot, media_length)
        if length is None:
            lost = Obstacle(
                f"its place is not known: {child.name or 'the item'} before it on the track has no length",
                "give that clip a source range, or relink its media",
            )
            frame = replace(frame, obstacle=frame.obstacle or lost, lost=True)
        else:
            start += length


def _length_on_track(child: Any, media_length: MediaLength) -> Fraction | None:
    return Fraction(0) if isinstance(child, otio.schema.Transition) else length_of(child, media_length)


def _walk_child(child: Any, frame: _Frame, slot: _Slot, media_length: MediaLength) -> Iterator[PlacedClip]:
    if isinstance(child, otio.schema.Clip):
        yield _placed(child, frame, slot)
    elif isinstance(child, otio.core.Composition):
        yield from _walk_nest(child, frame, slot, media_length)


def _walk_nest(nest: Any, frame: _Frame, slot: _Slot, media_length: MediaLength) -> Iterator[PlacedClip]:
    what = "track" if isinstance(nest, otio.schema.Track) else "nested sequence"
    inner = _inside(nest, replace(frame, obstacle=frame.obstacle or _obstacle_of(nest, what)), slot, what)
    if isinstance(nest, otio.schema.Track):
        kind = "Audio" if frame.kind == "Audio" else str(nest.kind)
        name = frame.track_name or nest.name or f"track {frame.path[-1] + 1}"
        yield from _walk_track(nest, replace(inner, kind=kind, track_name=name), media_length)
    else:
        yield from _walk_stack(nest, inner, media_length)


def _inside(nest: Any, frame: _Frame, slot: _Slot, what: str) -> _Frame:
    """The frame of what a nest holds: moved, cut to its window, and run at its speed."""
    try:
        warp = own_warp(nest, slot.length or Fraction(0))
    except RetimeError as error:
        return replace(frame, obstacle=frame.obstacle or Obstacle.of_error(error), lost=True)
    retimed = warp != PLAIN
    if not warp.is_even or not warp.speed or (retimed and slot.length is None):
        why = "frozen" if warp.is_even and not warp.speed else "retimed as a whole in a way that cannot be followed"
        obstacle = Obstacle(f"the {what} it stands in is {why}", "retime the clips inside it instead")
        return replace(frame, obstacle=frame.obstacle or obstacle, lost=True)
    own = exact_span(nest.source_range)
    window = frame.window
    if slot.length is not None and (retimed or own is not None):
        shown = frame.on_timeline(Span(slot.start, slot.start + slot.length))
        window = shown if window is None else shown.overlap(window) or Span(shown.start, shown.start)
    # The nest's own second `first` is on screen where it starts, and from there it runs at the warp's speed.
    first = (own.start if own else Fraction(0)) + warp.at(Fraction(0))
    pace = frame.pace / warp.speed
    return replace(frame, origin=frame.origin + frame.pace * slot.start - pace * first, pace=pace, window=window)


def _obstacle_of(nest: Any, what: str) -> Obstacle | None:
    if nest.enabled:
        return None
    return Obstacle(f"its {what} is disabled", f"enable the {what} to sound it", switched_off=True)


def _placed(clip: Any, frame: _Frame, slot: _Slot) -> PlacedClip:
    kind = frame.kind or "Video"  # a clip right in the stack: OpenTimelineIO shows it as pictures
    obstacle = frame.obstacle
    if slot.length is None:
        obstacle = obstacle or Obstacle(
            "its length is not known: it has no source range and its media cannot be read",
            "relink the clip or give it a source range",
        )
    if slot.length is None or frame.lost:
        return PlacedClip(clip, frame.path, frame.track_name, kind, _NEVER, Fraction(0), obstacle)
    whole = frame.on_timeline(Span(slot.start, slot.start + slot.length))
    span = whole if frame.window is None else whole.overlap(frame.window) or Span(whole.start, whole.start)
    if not clip.enabled:
        obstacle = obstacle or Obstacle("it is disabled", "enable the clip to sound it", switched_off=True)
    elif slot.length and not span.duration:
        obstacle = obstacle or Obstacle("the sequence around it does not show it", "nothing to do")
    return PlacedClip(
        clip,
        frame.path,
        frame.track_name,
        kind,
        span,
        head=(span.start - frame.origin) / frame.pace - slot.start,
        obstacle=obstacle,
        speed=1 / frame.pace,
        handles=_inside_window(_seen_at_cuts(whole, span, frame, slot.handles), span, frame.window),
        fades=_seen_at_cuts(whole, span, frame, slot.fades),
    )


def _seen_at_cuts(whole: Span, span: Span, frame: _Frame, beside: Handles) -> Handles:
    """What is beside the cuts of a clip, in seconds of the timeline; nothing where a nest cuts the clip elsewhere."""
    before, after = (seconds * abs(frame.pace) for seconds in (beside.before, beside.after))
    if frame.pace < 0:
        before, after = after, before
    return Handles(
        before if span.duration and span.start == whole.start else Fraction(0),
        after if span.duration and span.end == whole.end else Fraction(0),
    )


def _inside_window(handles: Handles, span: Span, window: Span | None) -> Handles:
    """Handles as far as the nests show them, and none before the timeline's start."""
    start = max(Fraction(0), window.start) if window else Fraction(0)
    before = max(Fraction(0), min(handles.before, span.start - start))
    after = max(Fraction(0), min(handles.after, window.end - span.end)) if window else handles.after
    return Handles(before, after)
