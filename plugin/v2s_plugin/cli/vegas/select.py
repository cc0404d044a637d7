"""`v2s vegas select`: which videos of AudioSet are tried."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from v2s_plugin.cli.options import JsonOption
from v2s_plugin.cli.vegas.options import ProjectArgument

if TYPE_CHECKING:
    from v2s_engine.vegas.selection import SelectResult

OntologyOption = Annotated[
    Path | None,
    typer.Option("--ontology", metavar="JSON", help="AudioSet's ontology.json.", show_default=False),
]
SegmentsOption = Annotated[
    list[Path] | None,
    typer.Option("--segments", metavar="CSV", help="AudioSet's segments; again for more files.", show_default=False),
]
CategoryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--category",
        metavar="NAME=CLASS;CLASS",
        help="A category and the AudioSet classes that it is made of, `-CLASS` takes one out; again for more. "
        "Else VEGAS' ten.",
        show_default=False,
    ),
]
CategoriesOption = Annotated[
    Path | None,
    typer.Option(
        "--categories", metavar="CSV", help="The same as a file: columns category, display_name.", show_default=False
    ),
]
WithoutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="CLASS",
        help="No videos with this label or one below it, e.g. Music; again for more. '' for none.",
        show_default=False,
    ),
]
VideosOption = Annotated[
    int | None,
    typer.Option("--videos-per-category", metavar="MAX", help="By default 3000, as the paper.", show_default=False),
]
AtLeastOption = Annotated[
    int | None,
    typer.Option("--at-least", metavar="MIN", help="Warn of fewer; by default 1500.", show_default=False),
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="The same seed draws the same videos; by default 0.", show_default=False),
]


def select_command(
    project: ProjectArgument,
    *,
    ontology: OntologyOption = None,
    segments: SegmentsOption = None,
    category: CategoryOption = None,
    categories: CategoriesOption = None,
    without: WithoutOption = None,
    videos_per_category: VideosOption = None,
    at_least: AtLeastOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> int:
    """Draw videos for each category from AudioSet's lists.

    Classes below those of a category belong to it. What is left out of a second call stays as it was. Once videos are
    fetched, larger numbers, more files and more categories add to the draw, and nothing else can be changed.
    """
    from v2s_engine.errors import UsageError
    from v2s_engine.vegas.categories import parse_category, read_categories
    from v2s_engine.vegas.selection import select_videos
    from v2s_engine.vegas.selection_options import SelectOptions
    from v2s_engine.vegas.store import Project
    from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, answer_json, counted
    from v2s_plugin.cli.talk import say, watched_progress

    if category and categories:
        raise UsageError("--category and --categories both say what is collected; give one of them")
    options = SelectOptions(
        ontology=ontology,
        segments=tuple(segments or ()),
        categories=read_categories(categories) if categories else tuple(map(parse_category, category or ())),
        without=None if without is None else tuple(filter(None, without)),
        videos_per_category=videos_per_category,
        at_least=at_least,
        seed=seed,
    )
    with watched_progress() as progress:
        result = select_videos(Project(project), options, progress)
    code = EXIT_SOME_SKIPPED if result.left_out else EXIT_DONE
    if as_json:
        answer_json(_answer(result))
        return code
    say(f"{counted(result.rows, 'row')} read, {counted(result.added, 'video')} added")
    if result.left_out:
        say(f"{counted(result.left_out, 'row')} could not be used; see: v2s vegas status {project} --notes")
    for warning in result.warnings:
        say(f"warning: {warning}")
    print(_table(result))
    return code


def _table(result: SelectResult) -> str:
    from v2s_engine.vegas.categories import DRAWN_IN_PAPER
    from v2s_plugin.cli.vegas.tables import text_table

    head = ("category", "candidates", "drawn", "paper's clips")
    rows = [(each.name, each.candidates, each.drawn, each.paper_clips) for each in result.categories]
    least, most = DRAWN_IN_PAPER
    explained = f"The paper drew {least:,} to {most:,} per category; its clips were what was left of these in the end."
    return f"{text_table(head, rows)}\n{explained}"


def _answer(result: SelectResult) -> dict[str, Any]:
    categories = [
        {"name": each.name, "candidates": each.candidates, "drawn": each.drawn, "paper_clips": each.paper_clips}
        for each in result.categories
    ]
    return {
        "categories": categories,
        "rows": result.rows,
        "left_out": result.left_out,
        "added": result.added,
        "warnings": list(result.warnings),
    }
