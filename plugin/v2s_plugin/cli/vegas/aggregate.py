"""`v2s vegas aggregate`: from votes to verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from v2s_plugin.cli.options import JsonOption
from v2s_plugin.cli.vegas.options import ProjectArgument

if TYPE_CHECKING:
    from v2s_engine.vegas.aggregate_figures import AggregateFigures, AgreementRow, AnnotatorRow, Method, PieceCounts
    from v2s_engine.vegas.aggregation import AggregateResult

_LISTED = 10  # annotators shown, those with the fewest gold answers right

MethodOption = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="majority|dawid-skene",
        help="What decides: most votes, or votes weighted by how reliable annotators are. Both are reported.",
    ),
]
AccuracyOption = Annotated[
    float | None,
    typer.Option(
        "--min-gold-accuracy",
        metavar="SHARE",
        help="Leave out annotators that answer a smaller share of gold questions right, e.g. 0.8.",
        show_default=False,
    ),
]
AnswersOption = Annotated[
    int, typer.Option("--min-gold-answers", metavar="N", help="But only those with at least so many gold answers.")
]
ConflictsOption = Annotated[
    Path | None,
    typer.Option(
        "--conflicts",
        metavar="CSV",
        help="Where the pieces for a second look are listed; by default conflicts.csv in the project.",
        show_default=False,
    ),
]


def aggregate_command(
    project: ProjectArgument,
    *,
    method: MethodOption = "majority",
    min_gold_accuracy: AccuracyOption = None,
    min_gold_answers: AnswersOption = 5,
    conflicts: ConflictsOption = None,
    as_json: JsonOption = False,
) -> int:
    """Decide from the votes which pieces are kept.

    A piece is kept if more than half of its votes say seen, and more than half say heard; it needs three in each. Gold
    pieces are as they are known. Call it again whenever there are more votes: it decides everything anew.
    """
    from v2s_engine.vegas.aggregate_figures import Method
    from v2s_engine.vegas.aggregation import AggregateOptions, aggregate_votes
    from v2s_engine.vegas.store import Project
    from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, answer_json
    from v2s_plugin.cli.talk import watched_progress

    options = AggregateOptions(cast(Method, method), min_gold_accuracy, min_gold_answers, conflicts)
    with watched_progress() as progress:
        result = aggregate_votes(Project(project), options, progress)
    if as_json:
        answer_json(_answer(result))
    else:
        _tell(result)
        print(_tables(result.figures))
    return EXIT_SOME_SKIPPED if result.figures.counts.undecided else EXIT_DONE


def _answer(result: AggregateResult) -> dict[str, Any]:
    from v2s_engine.vegas.aggregate_figures import PAPER_COUNTS

    return result.figures.to_json() | {"conflicts_file": str(result.conflicts), "paper": PAPER_COUNTS.to_json()}


def _tell(result: AggregateResult) -> None:
    from v2s_plugin.cli.answers import counted
    from v2s_plugin.cli.talk import say

    figures = result.figures
    for row in figures.annotators:
        if row.left_out:
            say(f"left out: {row.name}: {row.gold_right} of {row.gold_answers} gold answers are right")
    if figures.extra_votes:
        say(f"{counted(figures.extra_votes, 'vote')} beyond three for a piece; all count")
    if figures.counts.undecided:
        say(
            f"not decided, for want of votes: {counted(figures.counts.undecided, 'piece')}, "
            f"{figures.begun} of them begun; go on with: v2s vegas annotate"
        )
    if not figures.settled:
        say("warning: Dawid-Skene did not come to rest; its figures are those of its last round")
    say(f"for a second look: {counted(figures.conflicts, 'piece')}: {result.conflicts}")


def _tables(figures: AggregateFigures) -> str:
    from v2s_engine.vegas.aggregate_figures import PAPER_COUNTS
    from v2s_plugin.cli.vegas.tables import text_table

    other: Method = "dawid-skene" if figures.method == "majority" else "majority"
    counts = text_table(
        ("", "labelled", "removed", "kept", "hours"),
        [_count_row("here", figures.counts), _count_row("the paper", PAPER_COUNTS)],
    )
    beside = f"decided by {figures.method}; {other} would keep {figures.kept_by[other]}, {figures.differing} differ"
    found = {(row.category, row.modality): row for row in figures.agreement}
    names = [*dict.fromkeys(row.category for row in figures.agreement if row.category), None]
    agreement = text_table(
        ("agreement", "questions", "picture %", "kappa", "sound %", "kappa", "both %", "kappa"),
        [
            (
                name or "all",
                found[name, None].questions,
                *(cell for modality in ("picture", "sound", None) for cell in _agreement_cells(found[name, modality])),
            )
            for name in names
        ],
    )
    worst = sorted((row for row in figures.annotators if row.gold_answers), key=_gold_share)[:_LISTED]
    gold = text_table(
        ("gold answers", "right", "of", "share %", "votes"),
        [(row.name, row.gold_right, row.gold_answers, _percent(row.accuracy), row.votes) for row in worst],
    )
    least = f"\n\n{gold}\n(lowest shares first; --json has all)" if worst else ""
    return f"{counts}\n{beside}\n\n{agreement}{least}"


def _gold_share(row: AnnotatorRow) -> tuple[float, str]:
    return row.accuracy or 0.0, row.name


def _agreement_cells(row: AgreementRow) -> tuple[str | None, str | None]:
    return _percent(row.agreement), None if row.kappa is None else f"{row.kappa:.3f}"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f}"


def _count_row(name: str, counts: PieceCounts) -> tuple[str, int, int, int, str]:
    return name, counts.labelled, counts.removed, counts.kept, f"{counts.kept_hours:.3g}"
