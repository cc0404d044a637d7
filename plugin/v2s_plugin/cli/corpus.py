"""`v2s corpus`: material to train on that is made rather than recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import JsonOption

OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the sounds and their manifest.csv.")
]
ClassOption = Annotated[
    list[str] | None, typer.Option("--class", metavar="CLASS", help="A sound class to make; again for more. Else all.")
]
DurationOption = Annotated[int, typer.Option("--duration", metavar="S", help="Seconds of sound per class.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same sounds.")]

corpus_app = typer.Typer(
    help="Material to train on.", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)


@corpus_app.callback()
def before_corpus() -> None:
    """What holds for every command below (a group of one needs it)."""


@corpus_app.command("sounds")
def sounds_command(
    output: OutputOption,
    *,
    classes: ClassOption = None,
    duration: DurationOption = 600,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> int:
    """Make sounds of a class from random numbers.

    In files that `v2s train --sounds DIR` or `--synthetic DIR` learns from.

    Goes on where a stopped run stands in the folder; a longer --duration adds to it.
    """
    from v2s_engine.corpus.synthesis.collection import CollectionOptions, make_collection
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json, counted
    from v2s_plugin.cli.talk import say, watched_progress

    options = CollectionOptions(output=output, classes=tuple(classes or ()), duration=duration, seed=seed)
    with watched_progress() as progress:
        collection = make_collection(options, progress)
    if as_json:
        answer_json(
            {
                "manifest": str(collection.manifest),
                "made": collection.made,
                "kept": collection.kept,
                "durations": collection.durations,
            }
        )
        return EXIT_DONE
    again = f", {collection.kept} there from an earlier run" if collection.kept else ""
    say(f"{counted(collection.made, 'sound')} made{again}")
    print(collection.manifest)
    return EXIT_DONE
