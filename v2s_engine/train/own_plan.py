"""How a training on an editor's own recordings goes: how long, how often something is to be heard, how long is left."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from v2s_engine.errors import OutputError, UsageError
from v2s_engine.progress import Progress, ProgressEvent

PLAN = "plan.json"
"""What stands in the output folder, so that a training that is resumed keeps its plan."""

MOST_SAMPLES = 42_000_000
"""Samples of a training, unless its recordings are longer: 20 minutes at 35,000 samples/s, one core of a CPU."""

MOST_PASSES = 100
"""Times that each second of the recordings is heard at most: more of little sound is learned by heart."""

CHECKPOINT_SECONDS = 180
"""Between two sounds to be heard, about."""

LEAST_CHECKPOINTS = 5

_TRAINING_SHARE = 0.85  # of the time; checkpoints, sounds and measuring take the rest


@dataclass(frozen=True)
class OwnPlan:
    """What was settled when a training began."""

    steps: int
    """Optimiser steps in all; the learning rate has fallen to 0 by then."""
    checkpoint_every: int
    """Steps."""
    samples_per_second: int
    """Measured over a few steps at its beginning."""
    held_out_start: float
    """Held-out loss before the first step, nats per sample."""

    def write(self, folder: Path) -> None:
        """Into the training's folder. Raises `OutputError`."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / PLAN).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"cannot write {folder / PLAN}: {error}; free some space or choose another --output"
            ) from error

    @classmethod
    def read(cls, folder: Path) -> OwnPlan:
        """The plan of the training in a folder. Raises `UsageError` where there is none."""
        try:
            return cls(**json.loads((folder / PLAN).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(
                f"{folder} holds a training that --name did not begin ({PLAN}: {error}); use another --output"
            ) from error


def default_steps(training_length: int, step_length: int) -> int:
    """Steps of `step_length` samples for recordings of so many samples in all.

    20 minutes' worth on a CPU; less where that would be more than a hundred passes, more where not all would be heard.
    """
    samples = max(min(MOST_PASSES * training_length, MOST_SAMPLES), training_length)
    return max(1, round(samples / step_length))


def steps_within(hours: float, samples_per_second: float, step_length: int) -> int:
    """How many steps go into so many hours, with time left for what happens at checkpoints."""
    return max(1, int(hours * 3600 * _TRAINING_SHARE * samples_per_second / step_length))


def steps_between_checkpoints(steps: int, samples_per_second: float, step_length: int) -> int:
    """So that there is something to hear every few minutes, and a few times in a short training."""
    in_time = round(CHECKPOINT_SECONDS * samples_per_second / step_length)
    return max(1, min(in_time, steps // LEAST_CHECKPOINTS))


class TimeLeft:
    """Adds to what a training tells how long it will still take, checkpoints and all, as measured so far.

    `stop_after` is when it will be stopped in any case, in seconds from now.
    """

    def __init__(self, plan_seconds: float, stop_after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, clock()
        self._planned, self._stop_after = plan_seconds, stop_after
        self._first: tuple[float, float] | None = None
        self._pace: float | None = None  # seconds per step
        self._steps_left: float | None = None

    def seconds(self) -> float:
        """Until the training ends."""
        elapsed = self._clock() - self._began
        left = self._planned - elapsed
        if self._pace is not None and self._steps_left is not None:
            left = self._pace * self._steps_left
        return max(0.0, min(left, self._stop_after - elapsed))

    def __str__(self) -> str:
        """In words."""
        return f"{duration_text(self.seconds())} left"

    def watching(self, progress: Progress) -> Progress:
        """The same progress, which tells the time left while it trains."""

        def report(event: ProgressEvent) -> None:
            if event.stage == "train":
                self._note(event)
                event = replace(event, item=f"{event.item}, {self}")
            progress.report(event)

        return Progress(report, progress.cancel)

    def _note(self, event: ProgressEvent) -> None:
        now = self._clock()
        self._steps_left = event.total - event.done
        if self._first is None:
            self._first = (now, event.done)
        elif event.done > self._first[1]:
            self._pace = (now - self._first[0]) / (event.done - self._first[1])


def duration_text(seconds: float) -> str:
    """About how long: `about 12 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes} min" if minutes < 100 else f"about {seconds / 3600:.1f} h"
