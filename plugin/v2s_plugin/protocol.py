"""The messages between a panel and the worker, protocol 1. See docs/protocol.md.

to_text(Warned(id=2, message="..."))        {"type": "warning", "id": 2, "message": "..."}

What a host sends (read by `worker/reading.py`) are the classes of the first half, what the worker says those of the
second. Times are exact: text `num/den` in seconds, or whole samples; never floating point.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Final

PROTOCOL: Final = 1
MAX_LINE: Final = 1 << 20
"""Bytes of the longest message, its line end included."""

Id = int | str


class ProtocolError(Exception):
    """A message that is not understood; `code` is one of the protocol's, `id` the request's where it could be read."""

    def __init__(self, code: str, message: str, action: str, id: Id | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.action = action
        self.id = id


# ---- host to worker


@dataclass(frozen=True)
class Hello:
    """The first message of a conversation."""

    protocol: int
    host: str
    token: str | None = None
    """Only on a socket."""
    bundle: str | None = None
    """The bundle whose sound classes are to be told; None: the default one."""


@dataclass(frozen=True)
class ShotAsked:
    """One stretch of picture as a host describes it. Times in exact seconds."""

    id: Id
    media: str
    """Absolute path."""
    source_start: Fraction
    """From the media's first picture to the earliest one shown; a reversed shot runs backwards down to it."""
    duration: Fraction
    """On the timeline."""
    timeline_start: Fraction
    name: str = ""
    speed: Fraction = Fraction(1)
    """Seconds of media that pass in one second; negative: backwards, 0: a freeze."""
    frame_rate: Fraction | None = None
    """Pictures per second of the timeline."""
    track: str = ""
    """What messages call the place it stands on."""
    sound: str | None = None
    cues: tuple[Fraction, ...] = ()
    """Seconds on the timeline from the shot's start."""
    takes: int | None = None


@dataclass(frozen=True)
class PlanRequest:
    """What would be done? Exactly one of `timeline` and `shots` is there."""

    id: Id
    timeline: str | None = None
    shots: tuple[ShotAsked, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GenerateRequest:
    """Do it. A timeline is scored into `output`; the sounds of shots go to `media_folder`."""

    id: Id
    timeline: str | None = None
    output: str | None = None
    shots: tuple[ShotAsked, ...] = ()
    media_folder: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cancel:
    """Stop the request `cancels`."""

    id: Id
    cancels: Id


@dataclass(frozen=True)
class Bye:
    """The host goes away."""


HostMessage = Hello | PlanRequest | GenerateRequest | Cancel | Bye


# ---- worker to host


@dataclass(frozen=True)
class WorkerHello:
    """The answer to `hello`."""

    type: ClassVar[str] = "hello"
    version: str
    sound_classes: tuple[str, ...]
    bundles: tuple[str, ...]
    devices: tuple[str, ...]
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class JobTold:
    """A sound that would be made. `duration` in exact seconds."""

    shot: Id | None
    label: str
    where: str
    sound: str
    duration: Fraction
    takes: int


@dataclass(frozen=True)
class SkipTold:
    """Something that is not sounded, why, and what can be done about it."""

    shot: Id | None
    label: str
    where: str
    reason: str
    advice: str


@dataclass(frozen=True)
class Planned:
    """The end of a plan request."""

    type: ClassVar[str] = "planned"
    id: Id
    jobs: tuple[JobTold, ...]
    skips: tuple[SkipTold, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progressed:
    """How far a request is in one stage."""

    type: ClassVar[str] = "progress"
    id: Id
    stage: str
    done: float
    total: float
    item: str
    seconds_left: float | None
    """Until all sounds are made, by the pace so far; None where that is not known."""


@dataclass(frozen=True)
class ClipDone:
    """One take that is finished. `timeline_start` is where its file's first sample belongs."""

    type: ClassVar[str] = "clip"
    id: Id
    shot: Id | None
    label: str
    sound: str
    take: int
    path: str
    timeline_start: Fraction
    duration: Fraction
    length: int
    """Samples at `rate`."""
    rate: int
    reused: bool


@dataclass(frozen=True)
class Warned:
    """Something to know about a request."""

    type: ClassVar[str] = "warning"
    id: Id
    message: str


@dataclass(frozen=True)
class Failed:
    """The end of a request that failed, or (without an id) what is wrong with a message."""

    type: ClassVar[str] = "error"
    id: Id | None
    code: str
    message: str
    detail: str = ""
    action: str = ""
    skips: tuple[SkipTold, ...] = ()


@dataclass(frozen=True)
class Done:
    """The end of a request that did its work."""

    type: ClassVar[str] = "done"
    id: Id
    output: str | None
    """The scored timeline; None where only shots were given."""
    media_folder: str
    scored: int
    skips: tuple[SkipTold, ...]
    warnings: tuple[str, ...]
    device: str | None
    """What the sounds were made on; None where all were there already."""


WorkerMessage = WorkerHello | Planned | Progressed | ClipDone | Warned | Failed | Done


def to_text(message: WorkerMessage) -> str:
    """A message of the worker as one line of JSON in ASCII, without its end."""
    return json.dumps({"type": message.type, **asdict(message)}, default=_plain, allow_nan=False)


def _plain(value: object) -> str:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    raise TypeError(f"no message holds a {type(value).__name__}")
