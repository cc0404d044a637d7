"""`v2s vegas stats`: the paper's figures again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import JsonOption
from v2s_plugin.cli.vegas.options import ProjectArgument

OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for page, JSON and drawings.")
]
CategoryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sample",
        metavar="CATEGORY",
        help="A category to show a clip of; again for more. Else the first four that have any.",
        show_default=False,
    ),
]
FramesOption = Annotated[int, typer.Option("--frames", metavar="N", help="Pictures shown of each clip.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Which clips are shown.")]


def stats_command(
    project: ProjectArgument,
    output: OutputOption,
    *,
    sample: CategoryOption = None,
    frames: FramesOption = 6,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> int:
    """Draw the paper's figures of a project at any stage.

    Counts and mean length per category, a pie of lengths, a sheet of sample frames with waveforms, agreement: as
    statistics.html (one file that needs no other), statistics.json and PNGs.
    """
    from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, answer_json
    from v2s_plugin.cli.extras import needs_extra
    from v2s_plugin.cli.talk import say, watched_progress

    with needs_extra("drawing statistics", "vegas"):
        from v2s_engine.vegas.stats.report import StatisticsOptions, write_statistics
        from v2s_engine.vegas.stats.samples import SampleOptions
    from v2s_engine.vegas.store import Project

    options = StatisticsOptions(output, SampleOptions(tuple(sample or ()), frames, seed))
    with watched_progress() as progress:
        result = write_statistics(Project(project), options, progress)
    for category, reason in result.left_out:
        say(f"no sample of {category}: {reason}")
    if as_json:
        files = {"page": str(result.page), "drawings": [str(path) for path in result.drawings]}
        answer_json(result.statistics.to_json() | files)
    else:
        for each in result.statistics.missing:
            say(each)
        print(result.page)
    return EXIT_SOME_SKIPPED if result.left_out else EXIT_DONE
