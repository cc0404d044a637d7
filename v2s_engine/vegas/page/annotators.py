"""Names of people who annotate on the page."""

from __future__ import annotations

import re
import sqlite3
import unicodedata

from v2s_engine.errors import UsageError

_PREFIX = "page:"
_NAME = re.compile(r"\w[\w .'-]{0,39}")


def checked_name(name: str) -> str:
    """A name as it is kept: composed letters, single spaces. Raises `UsageError` for what is no name."""
    tidy = " ".join(unicodedata.normalize("NFKC", name).split())
    if not _NAME.fullmatch(tidy):
        raise UsageError(f"{name!r} is no name; give 1 to 40 letters, digits, spaces or . _ ' - (a letter first)")
    return tidy


def annotator_id(connection: sqlite3.Connection, name: str) -> str:
    """How votes name somebody, `page:NAME`; who is known already is found again in capitals or not.

    Raises `UsageError` for what is no name.
    """
    tidy = checked_name(name)
    known = {other.casefold(): other for other in known_names(connection)}
    return _PREFIX + known.get(tidy.casefold(), tidy)


def known_names(connection: sqlite3.Connection) -> list[str]:
    """Those who have answered on the page before, or hold pieces now, by name."""
    rows = connection.execute(
        "SELECT annotator FROM page_answers UNION SELECT annotator FROM claims ORDER BY annotator"
    )
    return [row["annotator"].removeprefix(_PREFIX) for row in rows]
