"""One conversation with a host: greets it, does one request at a time, obeys a cancel while it works.

The thread that calls `Session.run` reads; each request works in a thread of its own. Whoever ends a request first, its
work or a cancel that the work does not obey in time, says so: exactly one message ends it. A request waits until the
one before it has let go of its files.
"""

from __future__ import annotations

import hmac
import threading
import time
from typing import Final

from v2s_engine.progress import Progress
from v2s_plugin.protocol import (
    PROTOCOL,
    Bye,
    Cancel,
    Failed,
    GenerateRequest,
    Hello,
    HostMessage,
    Id,
    PlanRequest,
    ProtocolError,
    WorkerMessage,
    to_text,
)
from v2s_plugin.worker.channels import Channel, ChannelClosedError, TooLong
from v2s_plugin.worker.reading import parse

OBEYS_WITHIN: Final = 0.8
"""Seconds after which a cancel is answered, also where a step that cannot be broken off still goes on."""
LAST_PATIENCE: Final = 10.0
"""Seconds that work gets to stop after its host went away, so that nothing half-written stays."""
_LOOKS_EVERY: Final = 0.05
"""Seconds between looks whether an earlier request has let go."""


class _Work:
    """A request that is being done."""

    def __init__(self, id: Id) -> None:
        self.id = id
        self.cancel = threading.Event()
        self.ended = threading.Event()
        """Set when the message that ends it has been chosen: nothing more is said of it."""


class Session:
    """One conversation over a channel. With a `token`, the first message must carry it."""

    def __init__(self, channel: Channel, token: str | None = None) -> None:
        self._channel = channel
        self._token = token
        self._greeted = False
        self._work: _Work | None = None
        self._threads: list[threading.Thread] = []
        """Of requests, also of one that was told as cancelled and still finishes a step."""
        self._ending = threading.Lock()

    def run(self) -> bool:
        """Talk until the host says bye or goes away. Then what runs is cancelled; what was finished stays.

        Returns whether all work has stopped; what has not may be writing still.
        """
        try:
            for message in self._channel.messages():
                if not self._answer(message):
                    break
        finally:
            stopped = self._stop()
        return stopped

    def _answer(self, raw: bytes | TooLong) -> bool:
        """React to one message; returns whether the conversation goes on."""
        try:
            if isinstance(raw, TooLong):
                raise ProtocolError("line_too_long", "a message is longer than 1 MiB", "send fewer shots at a time")
            message = parse(raw)
            if not self._greeted:
                return self._greet(message)
            return self._react(message)
        except ProtocolError as error:
            self._send(Failed(error.id, error.code, str(error), action=error.action))
            return self._greeted or self._token is None

    def _greet(self, message: HostMessage) -> bool:
        """Answer the first message, which must be a `hello`, with the token where one is wanted."""
        if isinstance(message, Bye):
            return False
        if not isinstance(message, Hello):
            raise ProtocolError("bad_request", "the first message must be hello", "send hello first", _id_of(message))
        if self._token is not None and not _same(message.token, self._token):
            raise ProtocolError("bad_request", "the token is wrong", "read it from the file that the worker wrote")
        if message.protocol != PROTOCOL:
            raise ProtocolError(
                "bad_request",
                f"the host speaks protocol {message.protocol}, this worker {PROTOCOL}",
                "install panel and worker of the same version: v2s hosts install",
            )
        from v2s_plugin.worker.failures import failure  # noqa: PLC0415  (as below)
        from v2s_plugin.worker.greeting import greeting  # noqa: PLC0415  (loads bundles)

        try:
            self._send(greeting(message.bundle))
        except Exception as error:  # whatever it is, the host waits for an answer
            self._send(failure(error, None))
        else:
            self._greeted = True
        return True

    def _react(self, message: HostMessage) -> bool:
        if isinstance(message, Bye):
            return False
        if isinstance(message, Cancel):
            self._cancel(message)
        elif isinstance(message, Hello):
            raise ProtocolError("bad_request", "hello was said already", "send plan or generate")
        else:
            self._start(message)
        return True

    def _start(self, request: PlanRequest | GenerateRequest) -> None:
        if self._work is not None and not self._work.ended.is_set():
            raise ProtocolError(
                "bad_request",
                f"the request {self._work.id!r} is being done",
                "wait for its end, or cancel it",
                request.id,
            )
        work = self._work = _Work(request.id)
        earlier = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=self._do, args=(work, request, earlier), name="v2s-request", daemon=True)
        self._threads = [*earlier, thread]
        thread.start()

    def _cancel(self, message: Cancel) -> None:
        work = self._work
        if work is None or work.ended.is_set() or work.id != message.cancels:
            raise ProtocolError(
                "bad_request", f"no request {message.cancels!r} is being done", "nothing is to be cancelled", message.id
            )
        work.cancel.set()
        late = Failed(
            work.id,
            "cancelled",
            "stopped on request; what was finished before is kept",
            detail="a step that cannot be broken off is still being finished, and its result may still be written",
        )
        timer = threading.Timer(OBEYS_WITHIN, self._end, (work, late))
        timer.daemon = True
        timer.start()

    def _do(self, work: _Work, request: PlanRequest | GenerateRequest, earlier: list[threading.Thread]) -> None:
        # OpenTimelineIO and the engine: not before a host wants something.
        from v2s_plugin.worker.failures import failure  # noqa: PLC0415
        from v2s_plugin.worker.reporter import Reporter  # noqa: PLC0415
        from v2s_plugin.worker.requests import generate_request, plan_request  # noqa: PLC0415

        def say(message: WorkerMessage) -> None:
            if not work.ended.is_set():
                self._send(message)

        reporter = Reporter(work.id, say)
        progress = Progress(reporter.progress, work.cancel)
        last: WorkerMessage
        try:
            for thread in earlier:  # what one of them still finishes may be what this one writes
                while thread.is_alive():
                    progress.check()
                    thread.join(_LOOKS_EVERY)
            if isinstance(request, PlanRequest):
                last = plan_request(request, progress)
            else:
                last = generate_request(request, reporter, progress)
        except BaseException as error:  # whatever it is, the host waits for an answer and the worker goes on
            last = failure(error, work.id)
        self._end(work, last)

    def _end(self, work: _Work, last: WorkerMessage) -> None:
        with self._ending:
            if work.ended.is_set():
                return
            work.ended.set()
        self._send(last)

    def _stop(self) -> bool:
        if self._work is not None:
            self._work.cancel.set()
        give_up = time.monotonic() + LAST_PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _send(self, message: WorkerMessage) -> None:
        """Say something; where nobody listens any more, stop the work."""
        try:
            self._channel.send(to_text(message))
        except ChannelClosedError:
            if self._work is not None:
                self._work.cancel.set()


def _same(given: str | None, wanted: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8"))


def _id_of(message: HostMessage) -> Id | None:
    return getattr(message, "id", None)
