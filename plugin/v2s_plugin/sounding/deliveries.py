"""Work that follows sampling, such as writing a WAV, done while the next sounds are sampled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_MOST_WAITING = 4  # finished sounds held in memory


class Deliveries:
    """Does deliveries one after the other in a thread of its own.

    Leaving the block waits for all of them, also where an error or a cancel ended it: what has been sampled is kept.
    Raises what one of them raised, unless there is an error already.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "v2s-deliveries")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Deliveries:
        return self

    def submit(self, deliver: Callable[[], None]) -> None:
        """Have this done; waits where too many others are to be done first. Raises what one of them raised."""
        self._waiting.append(self._thread.submit(deliver))
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > _MOST_WAITING):
            self._waiting.popleft().result()

    def __exit__(self, kind: object, *_: object) -> None:
        self._thread.shutdown(wait=True)
        if kind is None:
            for each in self._waiting:
                each.result()
