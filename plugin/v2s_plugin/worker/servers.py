"""Where hosts reach the worker: its stdin and stdout, or a loopback socket that several may use at once."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from v2s_engine.errors import OutputError
from v2s_plugin.protocol import MAX_LINE, PROTOCOL
from v2s_plugin.worker.channels import Channel, LineChannel
from v2s_plugin.worker.session import Session

LOOPBACK: Final = "127.0.0.1"
_HANDSHAKE: Final = b"GET "
_CHUNK: Final = 1 << 16
_MOST_WAITING: Final = 8
_ANSWERS_WITHIN: Final = 5.0  # seconds


def serve_stdio() -> bool:
    """Talk with the one host at the other end of stdin and stdout. Returns whether all work has stopped.

    What anybody else writes to stdout goes to stderr: only messages may stand there.
    """
    out = os.dup(1)
    sys.stdout.flush()
    os.dup2(2, 1)
    try:
        return Session(LineChannel(_receive_from(0), _transmit_to(out))).run()
    finally:
        with contextlib.suppress(OSError):
            os.dup2(out, 1)
            os.close(out)


def serve_socket(port: int, file: Path) -> None:
    """Talk with every host that connects to a port of this machine and knows the token; until it is interrupted.

    Port 0 takes a free one. Where to find it stands in `file`, which nobody else may read, and on stdout. Raises
    `OutputError` where the port is taken, the file cannot be written, or another worker stands in it.
    """
    if (pid := _answering(file)) is not None:
        raise OutputError(f"a worker listens already (process {pid}, {file}); use that one, or choose another --file")
    token = secrets.token_urlsafe(32)
    with _listening(port) as server, _announced(server.getsockname()[1], token, file):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_talk, args=(connection, token), name="v2s-host", daemon=True).start()


def _talk(connection: socket.socket, token: str) -> None:
    """One conversation, on whatever the host speaks."""
    with connection:
        try:
            channel = _channel(connection)
        except OSError:
            return
        if channel is not None:
            Session(channel, token).run()


def _channel(connection: socket.socket) -> Channel | None:
    """Lines, or WebSocket where the host begins with its handshake; None where that cannot be."""
    first = b""
    while len(first) < len(_HANDSHAKE) and _HANDSHAKE.startswith(first) and (more := connection.recv(_CHUNK)):
        first += more
    if not first.startswith(_HANDSHAKE):
        return LineChannel(_received_after(first, connection), connection.sendall)
    try:
        from v2s_plugin.worker.websocket_channel import WebSocketChannel  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        body = b"WebSocket needs packages that are not installed: pip install 'v2s[panels]'\n"
        head = f"HTTP/1.1 501 Not Implemented\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("ascii") + body)
        return None
    return WebSocketChannel(_received_after(first, connection), connection)


def _received_after(first: bytes, connection: socket.socket) -> Callable[[int], bytes]:
    """Reads a connection of which the first bytes have been read already."""
    waiting = [first] if first else []
    return lambda size: waiting.pop() if waiting else connection.recv(size)


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    try:
        server = socket.create_server((LOOPBACK, port), backlog=_MOST_WAITING)
    except (OSError, OverflowError) as error:
        raise OutputError(
            f"cannot listen on port {port}: {error}; choose another --port, or 0 for a free one"
        ) from error
    with server:
        yield server


def _answering(file: Path) -> int | None:
    """The process of the worker that a file tells of; None where none answers to it (it was killed, say)."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        hello = {"type": "hello", "protocol": PROTOCOL, "token": told["token"]}
        with socket.create_connection((LOOPBACK, told["port"]), timeout=_ANSWERS_WITHIN) as connection:
            connection.sendall(json.dumps(hello).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline(MAX_LINE))
        return int(told["pid"]) if answer["type"] == "hello" else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


@contextlib.contextmanager
def _announced(port: int, token: str, file: Path) -> Iterator[None]:
    """Tell where hosts find the worker, in a file for this user alone; it is removed in the end if it is still ours."""
    content = json.dumps({"protocol": PROTOCOL, "port": port, "token": token, "pid": os.getpid()})
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content)
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {file}: {error.strerror or error}; choose another place with --file"
        ) from error
    told = {"type": "listening", "address": LOOPBACK, "port": port, "token": token, "file": str(file)}
    try:
        print(json.dumps(told), flush=True)
        yield
    finally:
        with contextlib.suppress(OSError):
            if file.read_text(encoding="utf-8") == content:
                file.unlink()


def _receive_from(descriptor: int) -> Callable[[int], bytes]:
    return lambda size: os.read(descriptor, size)


def _transmit_to(descriptor: int) -> Callable[[bytes], None]:
    def transmit(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]

    return transmit
