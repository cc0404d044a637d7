"""When two threads make a row together, and how they begin and end."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from v2s_engine.sampling.cpu_pair import PATIENCE, Pair, have_parted, make_pair, part

T = TypeVar("T")

SHORTEST_ALONE: Final = 0.25
"""Seconds for which no pair is tried after one has parted; twice as many after the next one."""

LONGEST_ALONE: Final = 4.0
"""Seconds; a try beside a program that keeps the other core busy costs about a tenth of a second."""


class Pairing:
    """Runs work for a leader, with a partner beside it where a core seems to be free. One for each sampler.

    Several threads may call it: one pair at a time, the others work alone. `width` is the most outputs of a product;
    for `patience` see `cpu_pair`.
    """

    def __init__(self, width: int, patience: int = PATIENCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._width, self._patience, self._clock = width, patience, clock
        self._partners = ThreadPoolExecutor(1, thread_name_prefix="partner")  # starts its thread when there is work
        self._taken = threading.Lock()
        self._alone = SHORTEST_ALONE
        self._alone_until = -math.inf

    def run(self, work: Callable[[Pair], T]) -> T:
        """What `work` gives for the leader of a pair. Nothing of the partner's goes on after it, whatever happens."""
        leader, partner = make_pair(self._width, self._patience)
        if self._clock() < self._alone_until or not self._taken.acquire(blocking=False):
            part(leader)
            return work(leader)
        try:
            return self._run_both(work, leader, partner)
        finally:
            self._taken.release()

    def _run_both(self, work: Callable[[Pair], T], leader: Pair, partner: Pair) -> T:
        beside = self._partners.submit(work, partner)
        try:
            made = work(leader)
            if have_parted(leader):
                self._alone_until = self._clock() + self._alone
                self._alone = min(2 * self._alone, LONGEST_ALONE)
            else:
                self._alone = max(self._alone / 2, SHORTEST_ALONE)
            return made
        finally:
            part(leader)
            if not beside.cancel():
                beside.result()
