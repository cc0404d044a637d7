"""Names held against what a user typed: a glob (`*`, `?`, `[ab]`) or the name itself, capitals or not."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def fits(pattern: str, names: Iterable[str]) -> bool:
    """Whether one of the names is what the pattern describes; a name with brackets also fits itself."""
    wanted = pattern.casefold()
    return any(name.casefold() == wanted or fnmatchcase(name.casefold(), wanted) for name in names)
