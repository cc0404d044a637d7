"""Pictures in lots, as networks take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items; the last may be shorter (`itertools.batched` wants Python 3.12)."""
    waiting = iter(items)
    while some := list(islice(waiting, size)):
        yield some
