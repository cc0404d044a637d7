"""A host that talks with a worker's session over a socket pair, and stand-ins for what makes sounds."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.plugin.cuts import ClickSource
from tests.worker.schema import check_worker_message
from v2s_engine.pipeline import SoundFailure, SoundRequest, SoundTake
from v2s_engine.progress import Progress
from v2s_plugin.worker.channels import LineChannel
from v2s_plugin.worker.session import Session

PATIENCE = 60.0
"""Seconds after which a test gives up; nothing is measured by it."""

ENDS = ("planned", "done", "error")


class Host:
    """The host's end of a conversation; everything that the worker says is held against the schema."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        self.connection = connection
        self._file = connection.makefile("rb")

    def send(self, *messages: Any) -> None:
        self.send_raw(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def send_raw(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive(self) -> dict[str, Any] | None:
        """The next message; None where the worker has closed the connection."""
        line = self._file.readline()
        if not line:
            return None
        message: dict[str, Any] = json.loads(line)
        check_worker_message(message)
        return message

    def receive_raw(self) -> bytes:
        """The next line, whatever it is."""
        return self._file.readline()

    def until(self, *types: str) -> list[dict[str, Any]]:
        """Messages up to the first of one of these types."""
        messages = []
        while (message := self.receive()) is not None:
            messages.append(message)
            if message["type"] in types:
                return messages
        raise AssertionError(f"the worker left before any of {types}; it said {messages}")

    def ask(self, **message: Any) -> list[dict[str, Any]]:
        """Send a request, and return all that is said up to its end."""
        self.send(message)
        return self.until(*ENDS)

    def greet(self, **more: Any) -> dict[str, Any]:
        (hello,) = self.ask_hello(**more)
        return hello

    def ask_hello(self, **more: Any) -> list[dict[str, Any]]:
        self.send({"type": "hello", "protocol": 1, "host": "test", **more})
        return self.until("hello", "error")

    def leave(self) -> None:
        with contextlib.suppress(OSError):  # the worker may have left first
            self.connection.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self.connection.close()


class Conversation:
    """A session in a thread of its own, and the host at its other end."""

    def __init__(self, token: str | None = None) -> None:
        here, there = socket.socketpair()
        self._there = there
        self.host = Host(here)
        self.stopped: bool | None = None
        session = Session(LineChannel(there.recv, there.sendall), token)
        self._thread = threading.Thread(target=self._run, args=(session,), daemon=True)
        self._thread.start()

    def _run(self, session: Session) -> None:
        with self._there:
            self.stopped = session.run()

    def __enter__(self) -> Host:
        return self.host

    def __exit__(self, *_: object) -> None:
        self.host.leave()
        self.wait()

    def wait(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the session did not end after its host had left"


class GatedSource(ClickSource):
    """Makes its first take, and waits before every other one until it is let on or stopped."""

    def __init__(self, *, stubborn: bool = False) -> None:
        super().__init__()
        self.stubborn = stubborn
        """Whether it takes no notice of a cancel until it is let on."""
        self.waiting = threading.Event()
        self.go_on = threading.Event()

    def generate(
        self, requests: Sequence[SoundRequest], progress: Progress | None = None
    ) -> Iterator[SoundTake | SoundFailure]:
        for number, made in enumerate(super().generate(requests, progress)):
            if number:
                self.waiting.set()
                while not self.go_on.wait(0.01):
                    if not self.stubborn and progress is not None:
                        progress.check()
            yield made


def shot(media: Path, id: int | str = "s1", **more: Any) -> dict[str, Any]:
    """A shot of one second from the start of its media, at 10 s on the timeline."""
    given = {"source_start": "0", "duration": "1", "timeline_start": "10", "sound": "dog"}
    return {"id": id, "media": str(media), **given, **more}
