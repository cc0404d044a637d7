"""Work in a thread of its own: its items, its errors, and its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from v2s_engine.background import Background


def counting(count: int, made: list[int], left: threading.Event) -> Iterator[int]:
    for number in range(count):
        if left.is_set():
            return
        made.append(number)
        yield number


def nothing() -> None:
    """For readers whom nobody stops."""


def test_all_items_come_in_order() -> None:
    left = threading.Event()
    with Background(counting(50, [], left), ahead=2, left=left, check=nothing) as results:
        assert list(results) == list(range(50))
        assert results.next(wait=True) == results.next(wait=False) == ()
    assert left.is_set()


def test_no_more_than_asked_is_made_ahead() -> None:
    made: list[int] = []
    left = threading.Event()
    with Background(counting(50, made, left), ahead=3, left=left, check=nothing) as results:
        assert results.next(wait=True) == (0,)
        time.sleep(0.1)
        assert len(made) <= 5


def test_what_is_not_ready_is_not_waited_for() -> None:
    gate = threading.Event()

    def slow() -> Iterator[int]:
        gate.wait(10)
        yield 1

    with Background(slow(), ahead=1, left=threading.Event(), check=nothing) as results:
        assert results.next(wait=False) == ()
        gate.set()
        assert results.next(wait=True) == (1,)


def test_an_error_of_the_work_is_raised_in_the_readers_thread_after_what_came_before() -> None:
    def fails() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("oh")

    with Background(fails(), ahead=4, left=threading.Event(), check=nothing) as results:
        assert results.next(wait=True) == (1,)
        with pytest.raises(ZeroDivisionError, match="oh"):
            results.next(wait=True)
        assert results.next(wait=True) == ()


def test_a_reader_that_waits_can_be_stopped_though_the_work_hangs() -> None:
    gate, stop = threading.Event(), threading.Event()

    def hangs() -> Iterator[int]:
        gate.wait(10)
        yield 1

    def check() -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    threading.Timer(0.05, stop.set).start()
    work = Background(hangs(), ahead=1, left=threading.Event(), check=check)
    with pytest.raises(KeyboardInterrupt), work as results:
        results.next(wait=True)
    assert not gate.is_set()
    gate.set()
