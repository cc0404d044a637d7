"""Transitions: how far a clip goes on being seen beyond its cuts, and so how far its sound must reach.

        in_offset ──┐ ┌── out_offset
    ──── clip A ────┼─┼─╲
                  ╱─┼─┼──── clip B ────          positions on the track never move: A ends and B starts at the cut

A is seen for the `out_offset` of the transition after it, B for the `in_offset` of the one before it. Beside a gap or
at a track's end a transition is a fade of the one clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from v2s_plugin.timing.rates import Span, exact_rate, exact_seconds
from v2s_plugin.timing.warp import Warp


@dataclass(frozen=True)
class Handles:
    """Seconds of sound beyond a clip's two cuts, for the transitions there."""

    before: Fraction = Fraction(0)
    after: Fraction = Fraction(0)


NO_HANDLES = Handles()


def handles_on_track(track: Sequence[Any], index: int, lengths: Sequence[Fraction | None]) -> Handles:
    """What the transitions beside the child `index` of a track show of it beyond its cuts.

    `lengths` are the children's in seconds: a handle is never longer than the item that it lies over. A transition that
    cannot be read (`bad_transitions`) gives none.
    """
    return Handles(_handle(track, index, -1, lengths), _handle(track, index, +1, lengths))


def fades_on_track(track: Sequence[Any], index: int) -> Handles:
    """Seconds *inside* the cuts of a track's child over which it comes out of nothing or goes there: beside a gap or at
    the track's end, where what lies below shows through it.
    """
    return Handles(_fade(track, index, -1), _fade(track, index, +1))


def transitions_beside(track: Sequence[Any], index: int) -> tuple[Any, Any]:
    """The transitions right before and right after a track's child; None where there is something else, or nothing."""
    return _transition(track, index - 1), _transition(track, index + 1)


def _transition(track: Sequence[Any], index: int) -> Any:
    item = track[index] if 0 <= index < len(track) else None
    return item if isinstance(item, otio.schema.Transition) else None


def _fade(track: Sequence[Any], index: int, side: int) -> Fraction:
    transition, beyond = _transition(track, index + side), index + 2 * side
    if transition is None or (0 <= beyond < len(track) and not isinstance(track[beyond], otio.schema.Gap)):
        return Fraction(0)
    offsets = _offsets(transition) or (Fraction(0), Fraction(0))
    return offsets[1] if side < 0 else offsets[0]


def _handle(track: Sequence[Any], index: int, side: int, lengths: Sequence[Fraction | None]) -> Fraction:
    transition, beyond = _transition(track, index + side), index + 2 * side
    offsets = None if transition is None else _offsets(transition)
    if offsets is None:
        return Fraction(0)
    handle = offsets[0] if side < 0 else offsets[1]
    under = lengths[beyond] if 0 <= beyond < len(track) else None
    return handle if under is None else min(handle, under)


def _offsets(transition: Any) -> tuple[Fraction, Fraction] | None:
    """Seconds before and after the cut; None where they are no lengths of time."""
    before, after = exact_seconds(transition.in_offset), exact_seconds(transition.out_offset)
    if before is None or after is None or before < 0 or after < 0:
        return None
    return before, after


def bad_transitions(track: Any) -> Iterator[Any]:
    """The transitions of a track whose lengths cannot be read. The clips beside them are cut hard."""
    for child in track:
        if isinstance(child, otio.schema.Transition) and _offsets(child) is None:
            yield child


def handles_in_media(wanted: Handles, part: Span, warp: Warp, media: Span | None, frame_rate: float) -> Handles:
    """What of the wanted handles of a stretch its media can show; `media` in seconds, None: without end (a still).

    A handle that is shortened is cut to whole frames, so that its transition can be written in them.
    """
    if media is None:
        return wanted
    start = warp.reach(part.start, part.start - wanted.before, media)
    end = warp.reach(part.end, part.end + wanted.after, media)
    rate = exact_rate(frame_rate)
    return Handles(_shortened(wanted.before, part.start - start, rate), _shortened(wanted.after, end - part.end, rate))


def _shortened(wanted: Fraction, there: Fraction, rate: Fraction | None) -> Fraction:
    if there >= wanted or rate is None:
        return min(wanted, there)
    return Fraction(there * rate // 1) / rate
