"""What the annotation page is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from v2s_engine.errors import UsageError
from v2s_engine.vegas.page.annotators import checked_name

VOTES = 3
"""People who answer each question (paper, section 3)."""


@dataclass(frozen=True)
class PageOptions:
    """Options of `serve_page`. Raises `UsageError` for what cannot be."""

    port: int = 0
    """Of 127.0.0.1; 0: the one of last time where it is free, so that open pages find the server again, else any."""
    annotator: str | None = None
    """A name that the start screen proposes."""
    seed: int = 0
    """The same seed asks in the same order."""
    votes: int = VOTES
    """People who answer each question."""
    conflicts: int | None = None
    """A second look: only what the votes of a piece disagree about, until so many have voted."""
    claim_s: int = 300
    """How long a piece is held for somebody who was given it and does not answer."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise UsageError(f"port {self.port} is not between 0 and 65535; give 0 for any free one")
        if self.votes < 1:
            raise UsageError(f"{self.votes} votes a question asks nobody; give at least 1")
        if self.conflicts is not None and self.conflicts <= self.votes:
            raise UsageError(
                f"a second look until {self.conflicts} votes asks nobody: each question has {self.votes} already; "
                f"give at least {self.votes + 1}"
            )
        if self.claim_s < 1:
            raise UsageError(f"pieces cannot be held for {self.claim_s} s; give at least 1")
        if self.annotator is not None:
            checked_name(self.annotator)

    @property
    def wanted(self) -> int:
        """Votes after which a question is not asked any more."""
        return self.votes if self.conflicts is None else self.conflicts
