"""How often a server is asked, by all threads together, and how long is waited after it refused."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_LOOK = 0.1
"""Seconds between two looks at whether to stop, while waiting."""

LONGEST_WAIT = 300.0
"""Seconds that are waited at most before another try, whatever a server asks for."""


class Clock(Protocol):
    """Time that goes by; tests have one that does not wait."""

    def now(self) -> float:
        """Seconds since any moment; never falls."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds)


class Pace:
    """Lets requests through one by one, at most `rate` a second; shared by all threads."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._gap = 1 / rate
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock.now()

    def wait(self, check: Callable[[], None]) -> None:
        """Wait until it is this caller's turn; `check` may end the waiting."""
        with self._lock:
            turn = max(self._next, self._clock.now())
            self._next = turn + self._gap
        while (left := turn - self._clock.now()) > 0:
            check()
            self._clock.sleep(min(left, _LOOK))
        check()

    def hold(self, seconds: float) -> None:
        """Let nobody through for so long: the server asked for it."""
        with self._lock:
            self._next = max(self._next, self._clock.now() + seconds)


@dataclass(frozen=True)
class BackOff:
    """Waiting times after failures that double each time, scattered so that many clients do not come back as one."""

    seed: str
    """The same seed gives the same times."""
    first: float = 1.0
    """Seconds after the first failure, on average."""
    longest: float = 60.0

    def seconds(self, failures: int) -> float:
        """How long to wait after so many failures in a row: between half and one and a half times the doubled time."""
        scatter = random.Random(f"{self.seed}/{failures}").uniform(0.5, 1.5)  # noqa: S311 - no secret
        doubled: float = self.first * 2 ** (failures - 1)
        return min(self.longest, doubled) * scatter


def wait(seconds: float, clock: Clock, check: Callable[[], None]) -> None:
    """Wait so long; `check` may end it."""
    end = clock.now() + seconds
    while (left := end - clock.now()) > 0:
        check()
        clock.sleep(min(left, _LOOK))
    check()
