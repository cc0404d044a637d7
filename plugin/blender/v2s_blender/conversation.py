# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to the worker, from its start to its end, without waiting; knows nothing of Blender."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from .client import WorkerClient, WorkerGoneError

CANCEL_GRACE = 5.0
"""Seconds that the worker gets to answer a cancel before it is ended."""

_NAMED = 3
"""How many strips a line names that are skipped alike."""

_ALL_PARTS = ["message", "detail", "action"]


class WorkerError(Exception):
    """The worker could not do it; the text says what and what to do."""


class Conversation:
    """A worker that is started for one request and ended after it.

    `step` gives what is new and is called until `ended`. `hello` holds the worker's greeting once it has come.
    """

    def __init__(self, command: list[str], host: str, request: dict[str, Any] | None) -> None:
        """`request` is what follows the greeting ("type" and its content); None only greets."""
        self._client = WorkerClient(command, host=host)
        self._wanted = request
        self._id: int | None = None
        self._give_up: float | None = None
        self.hello: dict[str, Any] | None = None
        self.ended = False
        self.cancelled = False

    def start(self) -> None:
        """Start the worker. Raises `WorkerError`."""
        try:
            self._client.start()
        except WorkerGoneError as error:
            raise WorkerError(str(error)) from error

    def step(self) -> Iterator[dict[str, Any]]:
        """Messages about the request since the last step. Raises `WorkerError`; the conversation has ended then."""
        if self.ended:  # what it said while it was stopped is of no use
            return
        try:
            for message in self._client.poll():
                kind = message.get("type")
                if kind == "hello":
                    self._greeted(message)
                elif kind == "error":
                    self._failed(message)
                else:
                    yield message
                    if kind in {"done", "planned"}:
                        self._end()
            if self._give_up is not None and time.monotonic() > self._give_up:
                self._end()
        except (WorkerGoneError, ValueError) as error:
            self._end()
            raise WorkerError(str(error)) from error

    def cancel(self) -> None:
        """Ask the worker to stop; what is finished stays. `ended` follows within `CANCEL_GRACE` seconds."""
        if self.ended or self.cancelled:
            return
        self.cancelled = True
        if self._id is None:  # nothing was asked yet, so nothing is to be kept
            self.close()
            return
        with contextlib.suppress(WorkerGoneError):
            self._client.cancel(self._id)
        self._give_up = time.monotonic() + CANCEL_GRACE

    def close(self) -> None:
        """End the worker, whatever it does."""
        self._end(grace=0.5)

    def _greeted(self, message: dict[str, Any]) -> None:
        self.hello = message
        if self._wanted is None:
            self._end()
            return
        content = dict(self._wanted)
        self._id = self._client.request(content.pop("type"), **content)

    def _failed(self, message: dict[str, Any]) -> None:
        self._end()
        if message.get("code") == "cancelled":
            self.cancelled = True
            return
        parts = ["message", "action"] if message.get("code") not in {"internal", "worker_gone"} else _ALL_PARTS
        said = [str(message[part]) for part in parts if message.get(part)]
        said += describe_skips(message.get("skips") or [])
        raise WorkerError("; ".join(said))

    def _end(self, grace: float = 3.0) -> None:
        if not self.ended:
            self.ended = True
            self._client.close(grace)


def describe_skips(skips: list[dict[str, Any]]) -> list[str]:
    """Shots that got no sound, the reason, and what to do: one line for all that are skipped alike."""
    alike: dict[str, list[str]] = {}
    for skip in skips:
        why = "; ".join(str(skip[part]) for part in ("reason", "advice") if skip.get(part))
        alike.setdefault(why, []).append(str(skip.get("label", "")))
    return [f"{_some(names)}: {why}" for why, names in alike.items()]


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_NAMED])} and {more} more"
