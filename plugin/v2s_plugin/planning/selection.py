"""`--only`: which clips are to be sounded.

    track=V1            the track's name as a glob, or V1, V2, ... counted from the bottom where none is named so
    clip=GLOB           the clip's name
    marker=GLOB         name, or a line of the comment, of a marker on the clip or above it on its track or the timeline
    color=RED           colour of the clip or of such a marker
    range=IN-OUT        clips of which anything stands in it: timecodes 01:00:10:00-01:00:20:00 as the timeline counts,
                        or seconds from its start 12.5s-20s; either end may be left out
    sound=CLASS         clips that are to sound like it, and of their sounds only this

One key given several times: either. Different keys: all of them. Capitals do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import UsageError
from v2s_plugin.globs import fits
from v2s_plugin.planning.clip_job import label_of
from v2s_plugin.planning.sounds import seen_span, texts_of
from v2s_plugin.planning.time_range import TimeRangeText
from v2s_plugin.planning.timeline_notes import HungMarker
from v2s_plugin.timing.placement import PlacedClip

KEYS = ("track", "clip", "marker", "color", "range", "sound")


@dataclass(frozen=True)
class Candidate:
    """A clip of which the selection decides."""

    clip: PlacedClip
    hung: tuple[HungMarker, ...]
    """Markers above it, on its track and on the timeline."""
    sound_classes: tuple[str, ...]
    """What it is to sound like."""


@dataclass(frozen=True)
class Selection:
    """What `--only` says; without any selector everything is selected."""

    selectors: tuple[tuple[str, str], ...] = ()
    """Key and value of each, as given."""

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Selection:
        """Read selectors as typed. Raises `UsageError` for one that is not understood."""
        return cls(tuple(_parsed(text) for text in texts))

    @property
    def sound_classes(self) -> tuple[str, ...]:
        """The classes that sounds are limited to; empty: all."""
        return tuple(value for key, value in self.selectors if key == "sound")

    def check_classes(self, known: Sequence[str]) -> None:
        """Raise `UsageError` where a selector names a class that the bundle lacks."""
        for sound_class in self.sound_classes:
            if sound_class not in known:
                raise UsageError(
                    f"--only sound={sound_class}: the bundle has no sound class {sound_class!r}; it has: "
                    f"{', '.join(known)}"
                )

    def pick(self, timeline: Any, candidates: Sequence[Candidate]) -> frozenset[tuple[int, ...]]:
        """The index paths of the clips that are selected.

        Raises `UsageError` for a selector that fits no clip, or where no clip fits them all.
        """
        chosen = {candidate.clip.index_path for candidate in candidates}
        if not self.selectors:
            return frozenset(chosen)
        by_key: dict[str, set[tuple[int, ...]]] = {}
        for key, value in self.selectors:
            test = _test_of(key, value, timeline, candidates)
            found = {candidate.clip.index_path for candidate in candidates if test(candidate)}
            if not found:
                raise UsageError(f"--only {key}={value} fits no clip; {_what_there_is(key, timeline, candidates)}")
            by_key.setdefault(key, set()).update(found)
        for found in by_key.values():
            chosen &= found
        if not chosen:
            asked = " ".join(f"--only {key}={value}" for key, value in self.selectors)
            raise UsageError(f"no clip fits all of {asked}; leave one of the keys out")
        return frozenset(chosen)


EVERYTHING = Selection()


def _parsed(text: str) -> tuple[str, str]:
    key, equals, value = (part.strip() for part in text.partition("="))
    key = key.lower()
    if not equals or key not in KEYS:
        raise UsageError(f"--only {text} is not understood; write KEY=VALUE with a key of {', '.join(KEYS)}")
    if not value:
        raise UsageError(f"--only {text} has no value; write {key}=VALUE")
    if key == "range":
        TimeRangeText.parse(value)
    return key, value


def _test_of(key: str, value: str, timeline: Any, candidates: Sequence[Candidate]) -> Callable[[Candidate], bool]:
    """The question that a selector asks of each clip."""
    match key:
        case "track":
            named = any(fits(value, [candidate.clip.track_name]) for candidate in candidates)
            return partial(_is_on, value, {} if named else _track_numbers(timeline))
        case "clip":
            return lambda candidate: fits(value, [label_of(candidate.clip)])
        case "marker":
            return lambda candidate: fits(value, (line for marker in _markers(candidate) for line in texts_of(marker)))
        case "color":
            return lambda candidate: fits(value, _colors(candidate))
        case "range":
            span = TimeRangeText.parse(value).on(timeline, [candidate.clip.clip for candidate in candidates])
            return lambda candidate: span.overlap(candidate.clip.span) is not None
        case _:
            return lambda candidate: value in candidate.sound_classes


def _is_on(value: str, numbers: Mapping[int, str], candidate: Candidate) -> bool:
    return fits(
        value, [candidate.clip.track_name, numbers.get(candidate.clip.index_path[0], candidate.clip.track_name)]
    )


def _track_numbers(timeline: Any) -> dict[int, str]:
    """`V1`, `V2`, ... by the index of the track in the stack, as editing programs count them."""
    pictures = [
        index
        for index, child in enumerate(timeline.tracks)
        if isinstance(child, otio.schema.Track) and child.kind == otio.schema.TrackKind.Video
    ]
    return {index: f"V{number}" for number, index in enumerate(pictures, start=1)}


def _markers(candidate: Candidate) -> Iterator[Any]:
    """The markers on what is seen of a clip, and those above it."""
    for marker in candidate.clip.clip.markers:
        span = seen_span(marker, candidate.clip)
        if span is None or (span.start < candidate.clip.span.duration and max(span.end, span.start) >= 0):
            yield marker
    for hung in candidate.hung:
        yield hung.marker


def _colors(candidate: Candidate) -> Iterator[str]:
    clip = candidate.clip.clip
    if clip.color is not None and clip.color.name:
        yield clip.color.name
    xml = clip.metadata.get("fcp_xml")
    labels = xml.get("labels") if isinstance(xml, Mapping) else None
    if isinstance(labels, Mapping):  # Premiere's label colours
        yield from (name for name in labels.values() if isinstance(name, str))
    yield from (marker.color for marker in _markers(candidate) if marker.color)


def _what_there_is(key: str, timeline: Any, candidates: Sequence[Candidate]) -> str:
    """What the user may have meant."""
    match key:
        case "track":
            there = [candidate.clip.track_name for candidate in candidates]
        case "clip":
            there = [label_of(candidate.clip) for candidate in candidates]
        case "marker":
            there = [marker.name for candidate in candidates for marker in _markers(candidate)]
        case "color":
            there = [color for candidate in candidates for color in _colors(candidate)]
        case "sound":
            there = [sound_class for candidate in candidates for sound_class in candidate.sound_classes]
        case _:
            end = max((candidate.clip.span.end for candidate in candidates), default=0)
            return f"the timeline's pictures end {float(end):.3f} s after its start{_start_timecode(timeline)}"
    names = list(dict.fromkeys(name for name in there if name))
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"there are: {', '.join(names[:12])}{more}" if names else f"no clip has a {key}"


def _start_timecode(timeline: Any) -> str:
    first = timeline.global_start_time
    try:
        return f", which is timecode {otio.opentime.to_timecode(first)}" if first is not None else ""
    except ValueError:
        return ""
