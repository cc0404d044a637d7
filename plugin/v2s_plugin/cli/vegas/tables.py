"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

Cell = str | int | None


def text_table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Lines with columns as wide as what they hold: the first to the left, figures to the right; `-` for None."""
    lines = [list(head), *(["-" if each is None else str(each) for each in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(each.rjust(width) for each, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    )
