"""What an editor did by hand to sounds of ours: found on the timeline on which they stand, and carried to the next.

    recorded    where V2S put the clip: its start, its duration, and where in its file it begins
    standing    where it stands now

The difference is the edit: moved, trimmed, slipped. A clip cut in two is two standing sounds with one record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from v2s_plugin.ours import facts_of, is_ours, text_of
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.timing.placement import PlacedClip, place_clips
from v2s_plugin.timing.rates import exact_rate, exact_span

_FRACTION = re.compile(r"-?\d{1,30}(/[1-9]\d{0,29})?")


@dataclass(frozen=True)
class SoundPlace:
    """Where a sound stands, in exact seconds."""

    start: Fraction
    """On the timeline."""
    duration: Fraction
    source_start: Fraction
    """In its file."""

    @property
    def end(self) -> Fraction:
        """On the timeline; not part of it."""
        return self.start + self.duration


@dataclass(frozen=True)
class StandingSound:
    """A clip of ours as it stands on a timeline."""

    clip: Any
    index_path: tuple[int, ...]
    """Index in the timeline's stack, then in each child below."""
    track_name: str
    key: str
    """Of the job it was made for; empty where the metadata are damaged."""
    subject: str
    """The same for the job's subject."""
    twin: int
    """Which of several sounds of one key at one and the same place."""
    recorded: SoundPlace | None
    """Where V2S put it; None where the metadata are damaged."""
    place: SoundPlace | None
    """Where it stands; None where that is not known (something before it has no length)."""

    @property
    def where(self) -> str:
        """Track and time, for messages."""
        return self.track_name if self.place is None else f"{self.track_name} at {float(self.place.start):.3f} s"


def standing_sounds(timeline: Any) -> list[StandingSound]:
    """The clips of ours on a timeline, wherever an editor has put them; damaged ones have an empty key."""
    return [_standing(placed) for placed in place_clips(timeline) if is_ours(placed.clip)]


def place_of(job: ClipJob) -> SoundPlace:
    """Where V2S puts the sound of a job."""
    return SoundPlace(job.timeline_start, job.duration, job.handles.before)


def place_facts(place: SoundPlace) -> dict[str, str]:
    """A place as a timeline remembers it: exact, as text."""
    return {"start": str(place.start), "duration": str(place.duration), "source_start": str(place.source_start)}


def recorded_place(facts: Mapping[str, Any]) -> SoundPlace | None:
    """What `place_facts` wrote; None where it is damaged."""
    placed: Any = facts.get("placed")
    if not hasattr(placed, "get"):
        return None
    texts = [text_of(placed, name) for name in ("start", "duration", "source_start")]
    if not all(_FRACTION.fullmatch(text) for text in texts):
        return None
    return SoundPlace(*map(Fraction, texts))


def match_sounds(jobs: Sequence[ClipJob], standing: Iterable[StandingSound]) -> dict[int, list[StandingSound]]:
    """Which standing sounds are which job's, by the job's index; several are the pieces (or copies) of one sound.

    A job's own key goes first, then its subject: the same stretch and class, with another seed or bundle.
    """
    groups: dict[object, list[StandingSound]] = {}
    for sound in standing:
        if sound.key:
            groups.setdefault((sound.key, sound.recorded or sound.index_path, sound.twin), []).append(sound)
    left = list(groups.values())
    found: dict[int, list[StandingSound]] = {}
    rounds: tuple[tuple[Callable[[ClipJob], str], Callable[[StandingSound], str]], ...] = (
        (lambda job: job.key, lambda sound: sound.key),
        (lambda job: job.subject, lambda sound: sound.subject),
    )
    for of_job, of_sound in rounds:
        wanted: dict[str, list[int]] = {}
        for index, job in enumerate(jobs):
            if index not in found and of_job(job):
                wanted.setdefault(of_job(job), []).append(index)
        offered: dict[str, list[list[StandingSound]]] = {}
        for group in left:
            offered.setdefault(of_sound(group[0]), []).append(group)
        for name, indices in wanted.items():
            found.update(_paired(jobs, indices, offered.get(name, [])))
        taken = {id(group) for group in found.values()}
        left = [group for group in left if id(group) not in taken]
    return found


def kept_place(sound: StandingSound, job: ClipJob, *, same_cut: bool) -> SoundPlace:
    """Where a sound belongs now that its job stands where it stands, with what an editor did to it.

    `same_cut`: the sound stands on the very timeline that the job was planned from. There sounds and pictures may have
    been moved together, so that of two readings of its place the nearer counts: how far it is from where V2S put it, or
    from where its pictures stand now. Less than half a frame is no edit: programs round to frames.
    """
    own = place_of(job)
    if sound.place is None or sound.recorded is None:
        return own
    rate = exact_rate(sound.clip.source_range.duration.rate) or Fraction(1)
    trimmed = sound.place.source_start - sound.recorded.source_start
    begin = sound.place.start - trimmed  # of the untrimmed clip
    readings = [begin - sound.recorded.start, *([begin - own.start] if same_cut else [])]
    moved = _unless_rounding(min(readings, key=abs), rate)
    head = _unless_rounding(max(trimmed, -job.handles.before), rate)
    tail = sound.place.duration + trimmed - sound.recorded.duration
    tail = _unless_rounding(min(tail, job.handles.after), rate)
    duration = own.duration - head + tail
    if duration <= 0:
        return own
    return SoundPlace(max(own.start + moved + head, Fraction(0)), duration, own.source_start + head)


def is_whole(place: SoundPlace, job: ClipJob) -> tuple[bool, bool]:
    """Whether a job's sound begins, and ends, where its clip does."""
    own = place_of(job)
    return place.source_start == own.source_start, (
        place.source_start + place.duration == own.source_start + own.duration
    )


def _standing(placed: PlacedClip) -> StandingSound:
    facts = facts_of(placed.clip)
    source = exact_span(placed.clip.source_range)
    place = None
    if source is not None and (placed.obstacle is None or placed.span.duration > 0):
        place = SoundPlace(placed.span.start - placed.head, source.duration, source.start)
    return StandingSound(
        placed.clip,
        placed.index_path,
        placed.track_name,
        text_of(facts, "key"),
        text_of(facts, "subject"),
        twin if isinstance(twin := facts.get("twin"), int) else 0,
        recorded_place(facts),
        place,
    )


def _unless_rounding(seconds: Fraction, rate: Fraction) -> Fraction:
    return seconds if abs(seconds) * rate > Fraction(1, 2) else Fraction(0)


def _paired(
    jobs: Sequence[ClipJob], indices: Sequence[int], groups: Sequence[list[StandingSound]]
) -> list[tuple[int, list[StandingSound]]]:
    """Jobs that sound the same and their standing sounds: in order of time, or the nearest where some are missing."""
    if len(indices) == len(groups):
        in_time = sorted(groups, key=lambda group: (_start_of(group[0]), group[0].twin))
        return list(zip(sorted(indices, key=lambda index: jobs[index].timeline_start), in_time, strict=True))
    nearness = sorted(
        (abs(jobs[index].timeline_start - _start_of(group[0])), index, number)
        for index in indices
        for number, group in enumerate(groups)
    )
    taken: dict[int, int] = {}
    for _, index, number in nearness:
        if index not in taken and number not in taken.values():
            taken[index] = number
    return [(index, groups[number]) for index, number in taken.items()]


def _start_of(sound: StandingSound) -> Fraction:
    """Where a sound would stand untrimmed."""
    if sound.place is None:
        return Fraction(0)
    trimmed = sound.place.source_start - sound.recorded.source_start if sound.recorded else Fraction(0)
    return sound.place.start - trimmed
