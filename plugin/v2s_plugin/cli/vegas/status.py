"""`v2s vegas status`: where a project stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from v2s_plugin.cli.options import JsonOption
from v2s_plugin.cli.vegas.options import ProjectArgument

if TYPE_CHECKING:
    from v2s_engine.vegas.status import Status
    from v2s_engine.vegas.store import Note
    from v2s_plugin.cli.vegas.tables import Cell

NotesOption = Annotated[bool, typer.Option("--notes", help="List what was left out or is odd, with file and line.")]


def status_command(project: ProjectArgument, *, notes: NotesOption = False, as_json: JsonOption = False) -> int:
    """Show where a project stands, category by category."""
    from v2s_engine.vegas.status import read_notes, read_status
    from v2s_engine.vegas.store import Project
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json

    status = read_status(Project(project))
    listed = read_notes(Project(project)) if notes else []
    if as_json:
        answer_json(_answer(status) | ({"notes": [_note_answer(*each) for each in listed]} if notes else {}))
    elif notes:
        for step, note in listed:
            place = ":".join([*([note.source] if note.source else []), *([str(note.line)] if note.line else [])])
            print(f"{step}: {f'{place}: ' if place else ''}{note.about}: {note.reason}")
    else:
        print(_table(status))
        if status.notes:
            print(f"notes (--notes lists them): {', '.join(f'{step} {n}' for step, n in status.notes.items())}")
    return EXIT_DONE


def _table(status: Status) -> str:
    from v2s_plugin.cli.vegas.tables import text_table

    figures = ("selected", "waiting", "fetched", "failed", "duplicates", "pieces", "voted", "kept", "clips")
    counts = [[int(getattr(each, figure)) for figure in figures] for each in status.categories]
    rows: list[Sequence[Cell]] = [(each.name, *row) for each, row in zip(status.categories, counts, strict=True)]
    rows.append(("all", *(sum(column) for column in zip(*counts, strict=True))))
    return text_table(("category", *figures), rows)


def _answer(status: Status) -> dict[str, Any]:
    categories = [asdict(each) | {"waiting": each.waiting} for each in status.categories]
    return {"categories": categories, "noted": dict(status.notes)}


def _note_answer(step: str, note: Note) -> dict[str, Any]:
    return {"step": step} | note._asdict()
