"""Sounds spread over audio tracks: exact gaps between them, transitions over their handles, never one over another.

A track of ours that stands already is used again as it is: its name, effects, place in the stack. A sound goes back to
the track on which it stood, where there is room.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from v2s_engine import __version__
from v2s_engine.grid import DELIVERY_RATE
from v2s_plugin.ours import facts_of, is_ours, text_of
from v2s_plugin.timing.rates import exact_rate, exact_seconds, rational_time
from v2s_plugin.tracks.edits import SoundPlace
from v2s_plugin.tracks.fades import Fade, transition_of


@dataclass(frozen=True)
class PlacedSound:
    """A finished clip of ours and where it belongs."""

    clip: Any
    place: SoundPlace
    group: str
    """Sounds of one group share their tracks: the sound class; empty where all share them."""
    frame_rate: float
    home: int | None = None
    """Index, in the stack it comes from, of the track of ours on which it stood."""
    moved: bool = False
    """Whether an editor moved it: it gives way to those that stand where V2S put them."""
    fade_in: Fade | None = None
    fade_out: Fade | None = None
    kept: tuple[Any, Any] = (None, None)
    """Transitions that an editor put before and after it."""


@dataclass
class Lane:
    """One track of ours being filled."""

    group: str
    track: Any
    below: int | None = None
    """How many tracks of somebody else's lie below it; None: all of them."""
    home: int | None = None
    """Its index in the stack it comes from; None: it is new."""
    sounds: list[PlacedSound] = field(default_factory=list)
    """By start; no two overlap."""

    def take(self, sound: PlacedSound) -> bool:
        """Put a sound on the lane if there is room."""
        at = bisect_right(self.sounds, sound.place.start, key=lambda other: other.place.start)
        if at > 0 and self.sounds[at - 1].place.end > sound.place.start:
            return False
        if at < len(self.sounds) and self.sounds[at].place.start < sound.place.end:
            return False
        self.sounds.insert(at, sound)
        return True

    def fill(self) -> Any:
        """The track with its sounds on it."""
        for item in _items(self.sounds):
            self.track.append(item)
        return self.track


def standing_lanes(timeline: Any, *, single: bool) -> list[Lane]:
    """The tracks of ours on a timeline, emptied. `single`: those of one track for all, instead of one for each class.

    A track that holds anything of somebody else's is theirs.
    """
    ours = our_tracks(timeline)
    total = len(timeline.tracks) - len(ours)
    lanes = []
    for number, index in enumerate(sorted(ours)):
        track, below = timeline.tracks[index], index - number
        group = text_of(facts_of(track), "sound")
        if (group == "") == single:
            lanes.append(Lane(group, _emptied(track), below if below < total else None, index))
    return lanes


def spread(sounds: Iterable[PlacedSound], lanes: Sequence[Lane]) -> list[Lane]:
    """All sounds on as few tracks as keep them from overlapping; `lanes` are those to be used again.

    Returns the lanes that hold anything, those used again first, a new one after those of its group.
    """
    found = list(lanes)
    ordered = sorted(sounds, key=lambda sound: (sound.moved, sound.place.start))
    at_home = [sound for sound in ordered if sound.home is not None]
    for sound in (*at_home, *(sound for sound in ordered if sound.home is None)):
        mine = [lane for lane in found if lane.group == sound.group]
        mine.sort(key=lambda lane: lane.home is None or lane.home != sound.home)  # its own track first
        if not any(lane.take(sound) for lane in mine):
            lane = Lane(sound.group, _new_track(sound.group, found))
            lane.take(sound)
            found.insert(_after_group(sound.group, found), lane)
    return [lane for lane in found if lane.sounds]


def our_tracks(timeline: Any) -> frozenset[int]:
    """Indices in the stack of the tracks of ours that hold nothing of anybody else's."""
    return frozenset(index for index, track in enumerate(timeline.tracks) if _is_ours_alone(track))


def gap(seconds: Fraction, rates: Sequence[float]) -> Any:
    """A gap in the first of the rates in which it is a whole number of frames, else in the first of them."""
    exact = {rate: found for rate in rates if (found := exact_rate(rate)) is not None}
    rate = next((rate for rate in exact if (seconds * exact[rate]).denominator == 1), next(iter(exact)))
    start, duration = rational_time(Fraction(0), rate), rational_time(seconds, rate)
    return otio.schema.Gap(source_range=otio.opentime.TimeRange(start, duration))


def gap_like(item: Any) -> Any:
    """A gap as long as an item."""
    duration = item.duration()
    return gap(exact_seconds(duration) or Fraction(0), [duration.rate, float(DELIVERY_RATE)])


def _is_ours_alone(item: Any) -> bool:
    if not isinstance(item, otio.schema.Track) or not is_ours(item):
        return False
    spare = (otio.schema.Gap, otio.schema.Transition)
    return all(isinstance(child, spare) or (isinstance(child, otio.schema.Clip) and is_ours(child)) for child in item)


def _new_track(group: str, others: Sequence[Lane]) -> Any:
    names = {lane.track.name for lane in others}
    first = f"V2S {group}".strip()
    numbered = (f"{first} {number}" for number in range(2, len(names) + 3))
    name = first if first not in names else next(name for name in numbered if name not in names)
    facts = {"generated": True, **({"sound": group} if group else {}), "version": __version__}
    return otio.schema.Track(name=name, kind=otio.schema.TrackKind.Audio, metadata={"v2s": facts})


def _after_group(group: str, lanes: Sequence[Lane]) -> int:
    """Where a new lane goes: after those of its group, else among the new ones by its name."""
    same = [index for index, lane in enumerate(lanes) if lane.group == group]
    if same:
        return same[-1] + 1
    later = [index for index, lane in enumerate(lanes) if lane.home is None and lane.group > group]
    return later[0] if later else len(lanes)


def _emptied(track: Any) -> Any:
    shell = track.deepcopy()
    shell.clear()
    shell.source_range = None
    shell.metadata["v2s"]["version"] = __version__
    return shell


def _items(sounds: Sequence[PlacedSound]) -> Iterator[Any]:
    """What a track holds: gaps, clips, and transitions between and beside them."""
    rates = tuple({sound.frame_rate: None for sound in sounds})
    end = Fraction(0)
    before: PlacedSound | None = None
    for sound in sounds:
        space = sound.place.start - end
        if before is not None:
            yield from _transition_after(before, sound if not space else None, space)
        if space:
            yield gap(space, [sound.frame_rate, *rates, float(DELIVERY_RATE)])
        if before is None or space:
            yield from _transition_before(sound, space)
        yield sound.clip
        before, end = sound, sound.place.end
    if before is not None:
        yield from _transition_after(before, None, None)


def _transition_after(sound: PlacedSound, following: PlacedSound | None, space: Fraction | None) -> Iterator[Any]:
    """What stands after a sound: before another that touches it, or before `space` (None: the track ends)."""
    kept = sound.kept[1] or (following.kept[0] if following else None)
    fade, other = sound.fade_out, following.fade_in if following else None
    if kept is not None:
        yield kept
    elif following is None:
        if fade is not None:
            yield transition_of(
                fade.inside, fade.outside if space is None else min(fade.outside, space), sound.frame_rate
            )
    elif fade is not None and other is not None and fade.name == other.name:
        yield transition_of(other.outside, fade.outside, sound.frame_rate)


def _transition_before(sound: PlacedSound, space: Fraction) -> Iterator[Any]:
    """What stands before a sound that nothing touches."""
    if sound.kept[0] is not None:
        yield sound.kept[0]
    elif sound.fade_in is not None:
        yield transition_of(min(sound.fade_in.outside, space), sound.fade_in.inside, sound.frame_rate)
