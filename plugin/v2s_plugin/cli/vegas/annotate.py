"""`v2s vegas annotate`: people say what is in each piece, on Mechanical Turk or on a page of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import JsonOption
from v2s_plugin.cli.vegas.options import ProjectArgument

MoreResultsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE", help="More result files after --mturk-results.", show_default=False),
]
ServeOption = Annotated[bool, typer.Option("--serve", help="Serve the annotation page on this machine until Ctrl-C.")]
PortOption = Annotated[
    int | None,
    typer.Option("--port", metavar="N", help="Of 127.0.0.1; by default that of last time.", show_default=False),
]
AnnotatorOption = Annotated[
    str | None,
    typer.Option("--annotator", metavar="NAME", help="The name that the page proposes.", show_default=False),
]
VotesOption = Annotated[
    int | None,
    typer.Option("--votes", metavar="N", help="People who answer each question; by default 3.", show_default=False),
]
ConflictsOption = Annotated[
    int | None,
    typer.Option(
        "--conflicts", metavar="N", help="Ask only about conflicts, until so many have voted.", show_default=False
    ),
]
BatchesOption = Annotated[
    Path | None,
    typer.Option(
        "--mturk-batches", metavar="DIR", help="Write batches and templates for Mechanical Turk.", show_default=False
    ),
]
MediaUrlOption = Annotated[
    str | None,
    typer.Option(
        "--media-url", metavar="URL", help="Where on the web (https) the project's pieces/ lies.", show_default=False
    ),
]
PiecesPerHitOption = Annotated[
    int | None,
    typer.Option(
        "--pieces-per-hit", metavar="N", help="Gold ones among them; by default 5.", min=1, show_default=False
    ),
]
GoldPerHitOption = Annotated[
    int | None,
    typer.Option(
        "--gold-per-hit", metavar="N", help="By default 1 where a category has gold.", min=0, show_default=False
    ),
]
HitsPerBatchOption = Annotated[
    int | None,
    typer.Option("--hits-per-batch", metavar="N", help="Rows of a batch; by default 500.", min=1, show_default=False),
]
AgainOption = Annotated[
    bool, typer.Option("--again", help="Also pieces that are out in a batch without results, e.g. an expired one.")
]
ResultsOption = Annotated[
    list[Path] | None,
    typer.Option("--mturk-results", metavar="FILE", help="Take over result CSVs.", show_default=False),
]
GoldOption = Annotated[
    Path | None,
    typer.Option(
        "--gold",
        metavar="CSV",
        help="Take over known answers: video_id,ordinal,picture,sound.",
        show_default=False,
    ),
]
GoldSampleOption = Annotated[
    int | None,
    typer.Option(
        "--gold-sample",
        metavar="N",
        help="Write a CSV (-o) of N pieces per category for an expert.",
        min=1,
        show_default=False,
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="CSV", help="File of --gold-sample.", show_default=False)
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", help="Of page, batches and samples; the same seed, the same pieces.", show_default=False
    ),
]


def annotate_command(
    project: ProjectArgument,
    more_results: MoreResultsArgument = None,
    *,
    serve: ServeOption = False,
    port: PortOption = None,
    annotator: AnnotatorOption = None,
    votes: VotesOption = None,
    conflicts: ConflictsOption = None,
    mturk_batches: BatchesOption = None,
    media_url: MediaUrlOption = None,
    pieces_per_hit: PiecesPerHitOption = None,
    gold_per_hit: GoldPerHitOption = None,
    hits_per_batch: HitsPerBatchOption = None,
    again: AgainOption = False,
    mturk_results: ResultsOption = None,
    gold: GoldOption = None,
    gold_sample: GoldSampleOption = None,
    output: OutputOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> int:
    """Ask people what is in each piece; import answers.

    One thing at a time: --serve, --mturk-batches, --mturk-results, --gold or --gold-sample.
    """
    from v2s_engine.vegas.store import Project
    from v2s_plugin.cli.answers import answer_json
    from v2s_plugin.cli.talk import say
    from v2s_plugin.cli.vegas.annotating import Asked, annotate

    asked = Asked(
        {
            "--serve": serve or None,
            "--port": port,
            "--annotator": annotator,
            "--votes": votes,
            "--conflicts": conflicts,
            "--mturk-batches": mturk_batches,
            "--media-url": media_url,
            "--pieces-per-hit": pieces_per_hit,
            "--gold-per-hit": gold_per_hit,
            "--hits-per-batch": hits_per_batch,
            "--again": again or None,
            "--mturk-results": mturk_results,
            "more files": more_results,
            "--gold": gold,
            "--gold-sample": gold_sample,
            "--output": output,
            "--seed": seed,
            "--json": as_json or None,
        }
    )
    done = annotate(Project(project), asked)
    if as_json:
        answer_json(done.answer)
        return done.code
    for line in done.talk:
        say(line)
    for path in done.files:
        print(path)
    return done.code
