"""What a command says when it needs packages that the base install does not bring."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from v2s_engine.errors import MissingExtraError


@contextlib.contextmanager
def needs_extra(what: str, extra: str) -> Iterator[None]:
    """Turn a package that is not there into `MissingExtraError`, which gives the pip command."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("v2s"):
            raise  # a fault of ours, not a missing package
        raise MissingExtraError(what, extra) from error
