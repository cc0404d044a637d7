"""One run for the free version of Resolve, from start to end, in a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .desk import DeskError
from .job import Job, Settings
from .mailbox import MailboxDesk

PAUSE = 0.1
"""Seconds between two looks at the worker."""


def score_free(desk: MailboxDesk, client: Any, settings: Settings, tell: Callable[[str], None]) -> bool:
    """Wait for the editor's click, make the sounds, have Resolve place them; returns whether it was done.

    Ctrl-C stops; finished sounds are kept. Raises what the client raises where the worker does not start.
    """
    said: set[str] = set()

    def show(fraction: float, text: str) -> None:
        stage, colon, _ = text.partition(":")
        if colon and stage not in said:  # each stage once, as in a pipe
            said.add(stage)
            tell(stage)

    job = Job(desk, client, settings, tell, show)
    try:
        client.start()
        job.start()
        while job.poll():
            desk.keep_waiting()
            desk.wait(PAUSE)
    except DeskError as error:
        tell(str(error))
    finally:
        desk.clear()
        client.close()
    return job.succeeded
