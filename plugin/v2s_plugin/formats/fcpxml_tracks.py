"""Tracks made of what stands somewhere: one for each lane, more where clips of one lane overlap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from v2s_plugin.formats.fcpxml_document import StoryItem, time_of
from v2s_plugin.formats.fcpxml_retimes import unreadable
from v2s_plugin.timing.rates import exact_span, rational_time


@dataclass(frozen=True)
class Entry:
    """A clip or a nested stack, and where it stands in exact seconds."""

    start: Fraction
    end: Fraction
    item: StoryItem
    """Whose it is."""
    kind: str
    """`Video` or `Audio`."""
    made: Any
    """The `otio.schema.Clip` or `Stack`."""
    track: str = ""
    """Name of the track it belongs on; empty: the one of its lane."""
    facts: Any = None
    """What V2S noted on that track."""

    def earlier(self, seconds: Fraction) -> Entry:
        """The same so much earlier."""
        return replace(self, start=self.start - seconds, end=self.end - seconds)

    def from_zero(self) -> Entry:
        """Without what lies before second 0, where no track reaches."""
        if self.start >= 0:
            return self
        held = exact_span(self.made.source_range)
        if held is not None:
            rate = self.made.source_range.duration.rate
            begin, length = rational_time(held.start - self.start, rate), rational_time(self.end, rate)
            self.made.source_range = otio.opentime.TimeRange(begin, length)
        if any(isinstance(each, otio.schema.TimeEffect) for each in self.made.effects):
            self.made.effects.append(unreadable("its start lies before the timeline's"))
        return replace(self, start=Fraction(0))


def stack_of(entries: Iterable[Entry], rate: Fraction, name: str) -> Any:
    """An `otio.schema.Stack` of tracks at `rate`: pictures from the lowest lane to the highest, then sounds."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in (each.from_zero() for each in entries if each.end > 0):
        groups.setdefault(_place_in_stack(entry), []).append(entry)
    stack = otio.schema.Stack(name=name)
    for key in sorted(groups, key=lambda key: (key[:-1], -max(sum(each.item.lanes) for each in groups[key]))):
        rows: list[list[Entry]] = []
        for entry in sorted(groups[key], key=lambda each: (each.start, each.end)):
            row = next((row for row in rows if row[-1].end <= entry.start), None)
            if row is None:
                rows.append([entry])
            else:
                row.append(entry)
        stack.extend(_track(row, rate) for row in rows)
    return stack


def _place_in_stack(entry: Entry) -> tuple[Any, ...]:
    """What orders tracks. Lane 1 of a clip in lane -1 lies right above that clip, below the storyline."""
    return entry.kind == "Audio", bool(entry.track), () if entry.track else (*entry.item.lanes, 0), entry.track


def _track(row: list[Entry], rate: Fraction) -> Any:
    first = row[0]
    lane = ".".join(map(str, first.item.lanes))
    name = first.track or ("Storyline" if lane == "0" else f"Lane {lane}") + (" sound" if first.kind == "Audio" else "")
    track = otio.schema.Track(name, kind=first.kind)
    if first.facts is not None:
        track.metadata["v2s"] = first.facts
    at = Fraction(0)
    for entry in row:
        before, after = _transitions_beside(entry, rate)
        if entry.start > at:
            length = rational_time(entry.start - at, float(rate))
            whole = otio.opentime.TimeRange(rational_time(Fraction(0), float(rate)), length)
            track.append(otio.schema.Gap(source_range=whole))
        if before is not None and not (len(track) and isinstance(track[-1], otio.schema.Transition)):
            track.append(before)
        track.append(entry.made)
        if after is not None:
            track.append(after)
        at = entry.end
    return track


def _transitions_beside(entry: Entry, rate: Fraction) -> tuple[Any, Any]:
    """The transitions of a storyline that lie over a picture's two cuts; None where there are none."""
    item = entry.item
    siblings = list(item.parent)
    if entry.kind != "Video" or item.parent.tag == "audition" or item.outer not in siblings:
        return None, None
    at = siblings.index(item.outer)
    return (
        _transition(siblings[at - 1] if at else None, item, Fraction(0), rate),
        _transition(siblings[at + 1] if at + 1 < len(siblings) else None, item, item.duration, rate),
    )


def _transition(beside: Any, item: StoryItem, cut: Fraction, rate: Fraction) -> Any:
    offset = time_of(item.outer, "offset")
    if beside is None or beside.tag != "transition" or offset is None:
        return None
    start, duration = time_of(beside, "offset"), time_of(beside, "duration")
    if start is None or duration is None or not start <= offset + cut <= start + duration:
        return None
    before = offset + cut - start
    return otio.schema.Transition(
        name=beside.get("name", ""),
        transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
        in_offset=rational_time(before, float(rate)),
        out_offset=rational_time(duration - before, float(rate)),
    )
