"""A panel's side of the V2S worker: starts it, talks JSON lines with it, never blocks the editing program.

client = WorkerClient(["/path/python", "-P", "-m", "v2s_plugin.cli", "worker"], host="blender 5.0.1")
client.start()
number = client.request("generate", shots=[...], media_folder="/path", options={"takes": 2})
for message in client.poll():       # call it from a timer
    ...
client.cancel(number)
client.close()

This one file is copied into host programs as it is: standard library only, Python 3.9 or newer. The messages are
described in docs/protocol.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import IO, Any

PROTOCOL = 1
MAX_LINE = 1 << 20
"""Bytes of the longest line that the worker takes."""

GRACE = 3.0
"""Seconds that a worker gets to stop by itself."""

_FOREIGN = ("PYTHON", "BLENDER", "__PYVENV")
_STDERR_LINES = 20

Message = dict[str, Any]


class WorkerGoneError(RuntimeError):
    """The worker could not be started, or has ended; the text says why and what to do."""


def clean_environment(environment: dict[str, str] | None = None) -> dict[str, str]:
    """A host's environment without what it sets for its own Python: the worker runs in another one."""
    given = dict(os.environ) if environment is None else environment
    return {name: value for name, value in given.items() if not name.upper().startswith(_FOREIGN)}


class WorkerClient:
    """One worker process and the conversation with it.

    `command` starts the worker; `host` names the editing program and its version. Messages come in the order in which
    the worker sent them; where it ends unasked, the last one is an `error` with code `worker_gone`, made here.
    """

    def __init__(self, command: Sequence[str], host: str = "unnamed host") -> None:
        self.command = list(command)
        self.host = host
        self.process: subprocess.Popen[bytes] | None = None
        self._messages: queue.Queue[Message] = queue.Queue()
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._readers: list[threading.Thread] = []
        self._writing = threading.Lock()
        self._closing = False
        self._last_id = 0

    @property
    def running(self) -> bool:
        """Whether the worker's process is there."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the worker and greet it; its `hello` comes by `poll`.

        Raises `WorkerGoneError` where it cannot be started.
        """
        if self.running:
            return
        self.close()  # what is left of one that has ended
        self._closing = False
        self._messages = queue.Queue()  # what an earlier process said last is about nothing that runs now
        flags = 0x08000000 if sys.platform == "win32" else 0  # CREATE_NO_WINDOW: no console window pops up
        try:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=clean_environment(),
                creationflags=flags,
            )
        except OSError as error:
            raise WorkerGoneError(
                f"cannot start the V2S worker {self.command[0]}: {error.strerror or error}; "
                "run `v2s hosts install` again, or set the right command in the panel's settings"
            ) from error
        self._readers = [
            threading.Thread(target=self._read_stderr, args=(self.process.stderr,), daemon=True),
            threading.Thread(target=self._read_messages, args=(self.process, self._messages), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.send({"type": "hello", "protocol": PROTOCOL, "host": self.host})

    def send(self, message: Message) -> None:
        """Send one message. Raises `ValueError` for one that is too long, `WorkerGoneError` where nobody takes it."""
        line = json.dumps(message, ensure_ascii=True).encode("ascii") + b"\n"
        if len(line) > MAX_LINE:
            raise ValueError(f"the message has {len(line)} bytes and the worker takes {MAX_LINE}; send fewer shots")
        if self.process is None or self.process.stdin is None:
            raise WorkerGoneError("the V2S worker is not running; start it first")
        try:
            with self._writing:
                self.process.stdin.write(line)
                self.process.stdin.flush()
        except (OSError, ValueError) as error:  # ValueError: closed by us
            raise WorkerGoneError(f"the V2S worker has ended; start it again\n{self.last_words()}") from error

    def request(self, kind: str, **content: Any) -> int:
        """Send a request (`plan` or `generate`) under a new id, and return the id. Raises as `send`."""
        self._last_id += 1
        self.send({"type": kind, "id": self._last_id, **content})
        return self._last_id

    def cancel(self, request: int) -> int:
        """Ask to stop a request; it ends with an `error` of code `cancelled`, or as it would where it was faster.

        Raises as `send`.
        """
        return self.request("cancel", cancels=request)

    def poll(self) -> list[Message]:
        """Everything that the worker has said since the last call; returns at once."""
        messages = []
        with contextlib.suppress(queue.Empty):
            while True:
                messages.append(self._messages.get_nowait())
        return messages

    def last_words(self) -> str:
        """The last lines that the worker wrote on stderr, for a report."""
        return "\n".join(self._stderr)

    def close(self, grace: float = GRACE) -> int | None:
        """Let the worker stop what it does and end; after `grace` seconds it is ended by force. Returns its exit code.

        What it finished is kept. Blocks for `grace` seconds at the most, and two more where force is needed.
        """
        process = self.process
        if process is None:
            return None
        self._closing = True
        with contextlib.suppress(WorkerGoneError):
            self.send({"type": "bye"})
        with contextlib.suppress(OSError), self._writing:
            if process.stdin is not None:
                process.stdin.close()
        self._wait(process, grace)
        for stop in (process.terminate, process.kill):
            if process.poll() is None:
                with contextlib.suppress(OSError):
                    stop()
                self._wait(process, 1.0)
        for reader in self._readers:
            reader.join(1.0)
        return process.returncode

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)

    def _read_messages(self, process: subprocess.Popen[bytes], messages: queue.Queue[Message]) -> None:
        stdout = process.stdout
        if stdout is None:
            return
        with stdout:
            for line in stdout:
                with contextlib.suppress(ValueError):
                    message = json.loads(line.decode("utf-8"))
                    if isinstance(message, dict):
                        messages.put(message)
        process.wait()
        if not self._closing:
            self._readers[0].join(1.0)
            messages.put(
                {
                    "type": "error",
                    "id": None,
                    "code": "worker_gone",
                    "message": f"the V2S worker ended by itself (exit code {process.returncode})",
                    "detail": self.last_words(),
                    "action": "run it again; `v2s doctor` in a terminal looks for the cause",
                }
            )

    def _read_stderr(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            return
        with stream:
            for line in stream:
                self._stderr.append(line.decode("utf-8", "replace").rstrip())
