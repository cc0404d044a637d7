"""Shots as a host tells them, laid out as a timeline: so they go the same way as a timeline file.

Each shot has a track of its own, in the order given: shots may overlap, and none hides another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import UsageError
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import Skip
from v2s_plugin.protocol import Id, ShotAsked

_NO_TRACK = "the timeline"


@dataclass(frozen=True)
class ShotTimeline:
    """The timeline of some shots, and the way back from what is planned on it."""

    timeline: Any
    shots: tuple[ShotAsked, ...]
    """By index of their track."""
    places: dict[str, int]
    """Index of the shot by what a skip says about where it is."""

    def shot_of(self, job: ClipJob) -> ShotAsked:
        """The shot that a job was planned for."""
        return self.shots[job.index_path[0]]

    def id_of_skip(self, skip: Skip) -> Id | None:
        """The id of the shot that a skip is about."""
        index = self.places.get(skip.where)
        return None if index is None else self.shots[index].id


def lay_out(shots: Sequence[ShotAsked]) -> ShotTimeline:
    """A timeline of shots. Raises `UsageError` for media that are no absolute path."""
    timeline = otio.schema.Timeline("shots")
    places: dict[str, int] = {}
    for index, shot in enumerate(shots):
        if not _is_absolute(shot.media):
            raise UsageError(f"the media of a shot are an absolute path; got {shot.media!r}; send the whole path")
        name = _free_name(shot, places)
        places[_where(name, shot)] = index
        timeline.tracks.append(_track(shot, name))
    return ShotTimeline(timeline, tuple(shots), places)


def exact_time(seconds: Fraction, frame_rate: Fraction | None) -> Any:
    """Exact seconds as a `RationalTime`: in frames where they are whole, else in the fraction's own unit.

    A `RationalTime` holds floating-point numbers; whole ones below 2^53 are exact.
    """
    if frame_rate is not None and (seconds * frame_rate).denominator == 1:
        return otio.opentime.RationalTime(float(seconds * frame_rate), float(frame_rate))
    return otio.opentime.RationalTime(float(seconds.numerator), float(seconds.denominator))


def _track(shot: ShotAsked, name: str) -> Any:
    track = otio.schema.Track(name, kind=otio.schema.TrackKind.Video)
    if shot.timeline_start:
        gap = otio.opentime.TimeRange(duration=exact_time(shot.timeline_start, shot.frame_rate))
        track.append(otio.schema.Gap(source_range=gap))
    track.append(_clip(shot))
    for cue in shot.cues:
        at = exact_time(shot.timeline_start + cue, shot.frame_rate)
        moment = otio.opentime.TimeRange(at, otio.opentime.RationalTime(0, at.rate))
        track.markers.append(otio.schema.Marker("v2s:cue", moment))
    return track


def _clip(shot: ShotAsked) -> Any:
    start, duration = exact_time(shot.source_start, shot.frame_rate), exact_time(shot.duration, shot.frame_rate)
    # The available range says that source times count from the file's first picture, whatever its timecode.
    reach = max(shot.source_start, Fraction(0)) + shot.duration * max(abs(shot.speed), Fraction(1))
    available = otio.opentime.TimeRange(otio.opentime.RationalTime(0, start.rate), exact_time(reach, shot.frame_rate))
    clip = otio.schema.Clip(
        shot.name or str(shot.id),
        media_reference=otio.schema.ExternalReference(target_url=shot.media, available_range=available),
        source_range=otio.opentime.TimeRange(start, duration),
    )
    if shot.sound is not None:
        clip.metadata["v2s"] = {"sound": shot.sound}
    if shot.speed != 1:
        clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(shot.speed)))
    return clip


def _free_name(shot: ShotAsked, places: dict[str, int]) -> str:
    name = wanted = shot.track or _NO_TRACK
    number = 1
    while _where(name, shot) in places:
        number += 1
        name = f"{wanted} ({number})"
    return name


def _where(name: str, shot: ShotAsked) -> str:
    """The place as plans tell it (`PlacedClip.where`)."""
    return f"{name} at {float(shot.timeline_start):.3f} s"


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()
