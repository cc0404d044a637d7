"""What several commands of `v2s vegas` share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

ProjectArgument = Annotated[
    Path, typer.Argument(metavar="PROJECT", help="The project's folder; `v2s vegas select` makes it.")
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", help="Videos worked on at once; by default one per core.", show_default=False),
]


def number_of_jobs(given: int | None) -> int:
    """What was asked for, else the cores of this machine."""
    return given if given is not None else os.cpu_count() or 1
