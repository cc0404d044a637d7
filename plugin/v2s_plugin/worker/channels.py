"""Bytes to messages and back: where one ends, how long it may be, and that two never mix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from v2s_plugin.protocol import MAX_LINE

_CHUNK: Final = 1 << 16


class ChannelClosedError(Exception):
    """The host is gone: nothing can be said to it any more."""


class TooLong:
    """Stands for a message that was longer than `MAX_LINE` and was thrown away."""


class Channel(Protocol):
    """The way to one host."""

    def messages(self) -> Iterator[bytes | TooLong]:
        """What the host sends, message by message, until it goes away."""

    def send(self, text: str) -> None:
        """Send one message; from any thread. Raises `ChannelClosedError` where the host is gone."""


class LineChannel:
    """Messages as lines, each ended by a line feed.

    `receive` returns some bytes, or none where there will be no more; `transmit` takes all it is given. Both may raise
    `OSError`, which means that the host is gone.
    """

    def __init__(self, receive: Callable[[int], bytes], transmit: Callable[[bytes], None]) -> None:
        self._receive = receive
        self._transmit = transmit
        self._sending = threading.Lock()

    def messages(self) -> Iterator[bytes | TooLong]:
        """The lines, without their ends and without empty ones. A last line without an end was cut off: not read."""
        kept = bytearray()
        throwing_away = False
        while chunk := self._received():
            *ended, rest = chunk.split(b"\n")
            for line in ended:
                kept += line
                if throwing_away:
                    throwing_away = False
                elif len(kept) >= MAX_LINE:
                    yield TooLong()
                elif bytes(kept).strip():
                    yield bytes(kept)
                kept.clear()
            if not throwing_away:
                kept += rest
                if len(kept) >= MAX_LINE:
                    throwing_away = True
                    kept.clear()
                    yield TooLong()

    def send(self, text: str) -> None:
        """Send one line."""
        try:
            with self._sending:
                self._transmit(text.encode("utf-8") + b"\n")
        except (OSError, ValueError) as error:  # ValueError: closed on our side
            raise ChannelClosedError(str(error)) from error

    def _received(self) -> bytes:
        try:
            return self._receive(_CHUNK)
        except (OSError, ValueError):
            return b""
