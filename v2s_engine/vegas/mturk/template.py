"""The HTML of a HIT: what a worker sees, with `${...}` for each column of a batch CSV.

Mechanical Turk's page (and Turkle, which imitates it) puts a template into a form of its own with a button to submit,
so a template is a fragment: it has no form, and holds back that of the page until everything was played and answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from v2s_engine.errors import MissingExtraError, UsageError
from v2s_engine.vegas.questions import Modality

if TYPE_CHECKING:
    from jinja2 import Environment

UNPLAYABLE = "unplayable"
"""The answer of a worker whose browser could not play a piece."""

_PLACEHOLDER = re.compile(r"\$\{([a-z_0-9]+)\}")


def hit_template(modality: Modality, pieces: int) -> str:
    """The template of HITs with so many pieces; answers are named `answer_1`, ... and are yes, no or `UNPLAYABLE`.

    Raises `MissingExtraError` without Jinja2.
    """
    template = _environment().get_template(f"{modality}.html")
    return template.render(pieces=range(1, pieces + 1), unplayable=UNPLAYABLE)


def preview_page(template: str, row: Mapping[str, str]) -> str:
    """A page to look at without Mechanical Turk: a template in a form as it is there, filled with one row.

    Submitting shows the answers and sends nothing. Raises `UsageError` where the row lacks a column.
    """
    if missing := sorted(set(_PLACEHOLDER.findall(template)) - row.keys()):
        raise UsageError(f"no values for {', '.join(missing)}; a row of the template's own batch has them")
    filled = _PLACEHOLDER.sub(lambda found: row[found[1]], template)
    return _environment().get_template("preview.html").render(hit=filled)


def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise MissingExtraError("the template of HITs", "vegas") from error
    # Nothing that others wrote goes through it but `hit`, which is HTML already.
    return Environment(  # noqa: S701
        loader=PackageLoader("v2s_engine.vegas.mturk"), undefined=StrictUndefined, keep_trailing_newline=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
