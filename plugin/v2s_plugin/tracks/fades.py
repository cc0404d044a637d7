"""Fades of a sound's two ends: over the handles that its job has, as the transitions of the pictures say."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.timing.rates import exact_seconds, rational_time
from v2s_plugin.timing.transitions import transitions_beside


@dataclass(frozen=True)
class Fade:
    """One end of a sound, faded over its handle by a transition beside its clip."""

    name: str
    """The same for the two sounds that one transition of the pictures joins."""
    inside: Fraction
    """Seconds of the fade that lie within the clip."""
    outside: Fraction
    """Seconds of the fade that lie beyond it: its handle."""


def fades_of(job: ClipJob, timeline: Any) -> tuple[Fade | None, Fade | None]:
    """How the sound of a job, planned from `timeline`, is faded in and out; None where it has no handle."""
    before = _fade(job, timeline, -1, job.handles.before) if job.handles.before else None
    after = _fade(job, timeline, +1, job.handles.after) if job.handles.after else None
    return before, after


def transition_of(before: Fraction, after: Fraction, rate: float) -> Any:
    """A transition of ours that begins and ends so many seconds before and after its cut."""
    return otio.schema.Transition(
        transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
        in_offset=rational_time(before, rate),
        out_offset=rational_time(after, rate),
        metadata={"v2s": {"generated": True}},
    )


def _fade(job: ClipJob, timeline: Any, side: int, handle: Fraction) -> Fade:
    """The fade at one side of a job: -1 its start, +1 its end."""
    parent = timeline.tracks
    for index in job.index_path[:-1]:
        parent = parent[index]
    before, after = transitions_beside(parent, job.index_path[-1])
    beside = before if side < 0 else after
    if beside is None:  # the transition stands around a nest
        return Fade(f"{job.index_path} {side}", min(handle, job.duration), handle)
    inside = exact_seconds(beside.out_offset if side < 0 else beside.in_offset) or Fraction(0)
    name = str((*job.index_path[:-1], job.index_path[-1] + side))
    return Fade(name, min(max(inside, Fraction(0)), job.duration), handle)
