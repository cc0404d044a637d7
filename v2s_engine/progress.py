"""How long work tells of itself and is stopped: one object goes down through every layer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from v2s_engine.errors import CancelledError


@dataclass(frozen=True)
class ProgressEvent:
    """One step of work done."""

    stage: str
    """What is being done, e.g. `decode`, `encode`, `sample`, `write`."""
    done: float
    """How much of the stage is done, in the stage's own unit; never falls within a stage."""
    total: float
    """How much there is to do, in the same unit."""
    item: str = ""
    """What it is done to, e.g. a clip's name."""


@dataclass(frozen=True)
class Progress:
    """Reports steps to `report` and stops the work when `cancel` is set. Both may be left out.

    Safe to share between threads; `report` is called from the thread that works.
    """

    report: Callable[[ProgressEvent], None] = lambda event: None
    cancel: threading.Event = field(default_factory=threading.Event)

    def step(self, stage: str, done: float, total: float, item: str = "") -> None:
        """Report a step; raises `CancelledError` if somebody asked to stop."""
        self.check()
        self.report(ProgressEvent(stage, done, total, item))

    def check(self) -> None:
        """Raise `CancelledError` if somebody asked to stop."""
        if self.cancel.is_set():
            raise CancelledError("stopped on request; what was finished before is kept")
