"""The statistics as one HTML page that needs nothing else: no script, no address, pictures within."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from v2s_engine.vegas.stats.figures import PAPER_CLIPS, PAPER_HOURS, PAPER_MEAN_S, AgreementFigures, ProjectStatistics

_NONE = "–"  # what is not there yet, or cannot be told


@dataclass(frozen=True)
class KappaRow:
    """One line of the table of agreement."""

    name: str
    questions: int
    figures: tuple[tuple[float | None, float | None], ...]
    """Agreement and kappa of pictures, of sounds, and of both."""


def render_page(statistics: ProjectStatistics, drawings: Mapping[str, bytes]) -> str:
    """The page; `drawings` holds PNGs by name (`clip_lengths.png`, `samples.png`), those that could be drawn.

    All text is escaped: names of categories, attributions and the like come from strangers.
    """
    environment = Environment(
        loader=PackageLoader("v2s_engine.vegas.stats"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "decimal": _decimal, "percent": _percent, "name": _name}
    largest = max((row.count or 0 for row in statistics.funnel if row.name.startswith("pieces")), default=0)
    return environment.get_template("statistics.html").render(
        data=statistics,
        drawings={name: f"data:image/png;base64,{base64.b64encode(png).decode()}" for name, png in drawings.items()},
        kappas=_kappa_rows(statistics.agreement) if statistics.agreement else (),
        largest=largest,
        paper={"clips": PAPER_CLIPS, "hours": PAPER_HOURS, "mean_s": PAPER_MEAN_S},
    )


def _kappa_rows(figures: AgreementFigures) -> tuple[KappaRow, ...]:
    """One line per category, all of them last."""
    found = {(row.category, row.modality): row for row in figures.rows}
    names = [*dict.fromkeys(row.category for row in figures.rows if row.category is not None), None]
    return tuple(
        KappaRow(
            "all" if name is None else name,
            found[name, None].questions,
            tuple((found[name, of].agreement, found[name, of].kappa) for of in ("picture", "sound", None)),
        )
        for name in names
    )


def _count(value: float | None) -> str:
    """Whole numbers as such, others with one digit, small ones with two: 1,234; 54.3; 0.18."""
    if value is None:
        return _NONE
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if value >= 10 else f"{value:.2g}"


def _decimal(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _percent(value: float | None, digits: int = 1) -> str:
    return _NONE if value is None else f"{100 * value:.{digits}f} %"


def _name(value: Any) -> str:
    """A category's name for people."""
    return str(value).replace("_", " ")
