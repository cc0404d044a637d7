"""Errors as the protocol tells them: a code for the panel, what happened and what to do for the editor."""

from __future__ import annotations

import traceback
from typing import Final

from v2s_engine.errors import (
    BundleError,
    CancelledError,
    DeviceError,
    MediaError,
    MissingExtraError,
    OutputError,
    TimelineError,
    UsageError,
    V2SError,
)
from v2s_plugin.planning.jobs import Skip
from v2s_plugin.protocol import Failed, Id, ProtocolError, SkipTold
from v2s_plugin.scoring import NothingToScoreError

CODES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (UsageError, "usage"),
    (MissingExtraError, "missing_extra"),
    (MediaError, "media"),
    (TimelineError, "timeline"),
    (BundleError, "bundle"),
    (DeviceError, "device"),
    (OutputError, "output"),
    (NothingToScoreError, "nothing_to_score"),
    (CancelledError, "cancelled"),
)
"""The code of each kind of error; anything else is `internal`."""


def failure(error: BaseException, id: Id | None) -> Failed:
    """An error as the end of the request `id`."""
    if isinstance(error, ProtocolError):
        return Failed(error.id if id is None else id, error.code, str(error), action=error.action)
    code = next((code for kind, code in CODES if isinstance(error, kind)), None)
    if code is None or not isinstance(error, V2SError):
        return Failed(
            id,
            "internal",
            f"this should not have happened: {type(error).__name__}: {error}",
            detail="".join(traceback.format_exception(error)),
            action="please report it with the detail",
        )
    if isinstance(error, CancelledError):
        return Failed(id, code, str(error))
    if isinstance(error, NothingToScoreError) and error.skips:
        return nothing_to_score(id, tuple(map(skip_told, error.skips)))
    # Messages of V2S read "what happened; what to do".
    what, _, action = str(error).rpartition("; ")
    return Failed(id, code, what or action, action=action if what else "")


def nothing_to_score(id: Id | None, skips: tuple[SkipTold, ...]) -> Failed:
    """The end of a request none of whose clips or shots can be sounded; the reasons stand in `skips`, once."""
    message = f"nothing can be sounded ({len(skips)} skipped), and nothing was written"
    return Failed(id, "nothing_to_score", message, action="do what is said of each", skips=skips)


def skip_told(skip: Skip, shot: Id | None = None) -> SkipTold:
    """A skip of the plan as the protocol tells it."""
    return SkipTold(shot, skip.label, skip.where, skip.reason, skip.advice)
