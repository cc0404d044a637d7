"""WebSocket on an open connection, for hosts that know nothing else: one message is one text frame.

The library `websockets` (extra `panels`) does the protocol; this file moves its bytes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from v2s_plugin.protocol import MAX_LINE
from v2s_plugin.worker.channels import ChannelClosedError, TooLong

_CHUNK: Final = 1 << 16
_NOT_TEXT: Final = b"\xff"  # no JSON, and told so


class WebSocketChannel:
    """Messages as text frames on a connection whose handshake is still to come.

    `receive` reads from `connection`, all that has come on it.
    """

    def __init__(self, receive: Callable[[int], bytes], connection: socket.socket) -> None:
        self._receive = receive
        self._connection = connection
        self._protocol = ServerProtocol(max_size=MAX_LINE)
        self._working = threading.Lock()
        self._parts: list[bytes] = []

    def messages(self) -> Iterator[bytes | TooLong]:
        """The messages, in order; the library closes the connection on one that is too long or no WebSocket at all."""
        while True:
            try:
                data = self._receive(_CHUNK)
            except OSError:
                data = b""
            with self._working:
                if data:
                    self._protocol.receive_data(data)
                else:
                    self._protocol.receive_eof()
                events = self._protocol.events_received()
                for event in events:
                    if isinstance(event, Request):
                        self._protocol.send_response(self._protocol.accept(event))
                with contextlib.suppress(OSError):  # the next recv tells that the host is gone
                    self._flush()
            for event in events:
                if isinstance(event, Frame) and (message := self._whole(event)) is not None:
                    yield message
            if not data or self._protocol.state is State.CLOSED or self._protocol.close_expected():
                return

    def send(self, text: str) -> None:
        """Send one text frame."""
        with self._working:
            if self._protocol.state is not State.OPEN:
                raise ChannelClosedError("the WebSocket is not open")
            self._protocol.send_text(text.encode("utf-8"))
            try:
                self._flush()
            except OSError as error:
                raise ChannelClosedError(str(error)) from error

    def _flush(self) -> None:
        """Send what the protocol wants sent; an empty piece asks to end the sending."""
        for piece in self._protocol.data_to_send():
            if piece:
                self._connection.sendall(piece)
            else:
                self._connection.shutdown(socket.SHUT_WR)

    def _whole(self, frame: Frame) -> bytes | None:
        """The message that this frame ends; None where it ends none."""
        if frame.opcode is Opcode.BINARY:
            self._parts = [_NOT_TEXT]
        elif frame.opcode is Opcode.TEXT:
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return None
        return b"".join(self._parts) if frame.fin else None
