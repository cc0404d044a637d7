"""Pictures in lots, as networks take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from v2s_engine.progress import Progress

Item = TypeVar("Item")


def chunked(items: Iterable[Item], size: int, first: int = 0) -> Iterator[list[Item]]:
    """Lists of `size` items; the last may be shorter (`itertools.batched` wants Python 3.12).

    Before them comes a list of `first` items, unless that is 0.
    """
    waiting = iter(items)
    if first and (some := list(islice(waiting, first))):
        yield some
    while some := list(islice(waiting, size)):
        yield some


def checked(items: Iterable[Item], progress: Progress) -> Iterator[Item]:
    """The same items; raises `CancelledError` before the next one where somebody asked to stop."""
    for item in items:
        progress.check()
        yield item
