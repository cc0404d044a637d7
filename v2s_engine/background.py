"""Work in a thread of its own, a few results ahead of who reads them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_DURATION = 0.02  # seconds between two looks at whether to stop
_PATIENCE = 0.1  # seconds that a reader who leaves waits for the work to notice


@dataclass(frozen=True)
class _End:
    error: BaseException | None = None


class Background(Generic[T]):
    """Runs an iterable in a thread, at most `ahead` items before its reader.

        with Background(slow_items(left), ahead=4, left=left, check=progress.check) as results:
            for item in results: ...

    `left` is set when the reader leaves: the work should look at it often, for the reader does not wait for long.
    `check` is called while the reader waits, and ends the waiting by what it raises. What the work raises is raised in
    the reader's thread.
    """

    def __init__(self, items: Iterable[T], *, ahead: int, left: threading.Event, check: Callable[[], None]) -> None:
        self._items = items
        self._left = left
        self._check = check
        self._results: queue.Queue[T | _End] = queue.Queue(ahead)
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="v2s-background", daemon=True)

    def __enter__(self) -> Background[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join(_PATIENCE)

    def __iter__(self) -> Iterator[T]:
        while not self._ended:
            yield from self.next(wait=True)

    def next(self, *, wait: bool) -> tuple[T, ...]:
        """The next item; nothing where none is ready (`wait` false) or none will come."""
        while not self._ended:
            self._check()
            try:
                result = self._results.get(block=wait, timeout=_POLL_DURATION)
            except queue.Empty:
                if wait:
                    continue
                break
            if not isinstance(result, _End):
                return (result,)
            self._ended = True
            if result.error is not None:
                raise result.error
        return ()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(_End())
        except BaseException as error:  # raised again in the reader's thread
            self._put(_End(error))

    def _put(self, result: T | _End) -> bool:
        """Whether the reader was there to take it."""
        while not self._left.is_set():
            try:
                self._results.put(result, timeout=_POLL_DURATION)
                return True
            except queue.Full:
                continue
        return False
