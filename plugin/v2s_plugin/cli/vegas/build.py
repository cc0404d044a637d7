"""`v2s vegas build`: kept pieces become a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from v2s_plugin.cli.options import JsonOption
from v2s_plugin.cli.vegas.options import JobsOption, ProjectArgument

if TYPE_CHECKING:
    from v2s_engine.vegas.building import BuildResult
    from v2s_engine.vegas.clip_counts import ClipCount

OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Folder of the set: new, empty or built before."),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Draws test videos, and the order in shards.")]
TestOption = Annotated[
    int, typer.Option("--test-per-category", metavar="N", help="Source videos of each category for testing.")
]
ValidationOption = Annotated[
    int, typer.Option("--validation-per-category", metavar="N", help="Source videos of each category for validation.")
]
CategoryOption = Annotated[
    list[str] | None,
    typer.Option("--category", metavar="NAME", help="Only this category; again for more.", show_default=False),
]
ShardsOption = Annotated[
    int | None, typer.Option("--shards", metavar="N", help="Write N WebDataset shards of each split as well.")
]
ShardSizeOption = Annotated[
    int | None, typer.Option("--shard-size", metavar="MB", help="Write WebDataset shards of at most so many MB.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Decide and count, cut nothing.")]


def build_command(
    project: ProjectArgument,
    *,
    output: OutputOption = None,
    seed: SeedOption = 0,
    test: TestOption = 128,
    validation: ValidationOption = 0,
    category: CategoryOption = None,
    shards: ShardsOption = None,
    shard_size: ShardSizeOption = None,
    jobs: JobsOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> int:
    """Join kept pieces to clips and write the data set.

    Clips of 2 to 10 s, an index that `v2s train --data DIR/index.csv` reads, a data card and checksums; shards where
    they are asked for. No source video has clips on both sides of the split.

    Goes on where a stopped run stands. A folder that was built before is brought up to date: what is not part of the
    set any more is deleted. A folder that holds something else, or another project's set, is refused.
    """
    from v2s_engine.vegas.building import BuildOptions, build_dataset
    from v2s_engine.vegas.shards import ShardOptions
    from v2s_engine.vegas.store import Project
    from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, answer_json
    from v2s_plugin.cli.talk import say, watched_progress
    from v2s_plugin.cli.vegas.options import number_of_jobs

    wanted = shards is not None or shard_size is not None
    options = BuildOptions(
        output=output,
        seed=seed,
        test_per_category=test,
        validation_per_category=validation,
        categories=tuple(category or ()),
        shards=ShardOptions(shards, None if shard_size is None else shard_size * 1_000_000) if wanted else None,
        jobs=number_of_jobs(jobs),
        dry_run=dry_run,
    )
    with watched_progress() as progress:
        result = build_dataset(Project(project), options, progress)
    for each in result.left_out:
        say(f"left out: {each.file}: {each.reason}")
    if as_json:
        answer_json(_answer(result, output))
    else:
        say(_told(result))
        print(_table(result))
        if output is not None and result.digest is not None:
            say(f"SHA-256 of its checksums: {result.digest}")
            print(output / "index.csv")
    return EXIT_SOME_SKIPPED if result.left_out else EXIT_DONE


def _told(result: BuildResult) -> str:
    from v2s_plugin.cli.answers import counted

    hours = result.kept_pieces * 2 / 3600
    kept = f"{result.kept_pieces:,} of {result.judged_pieces:,} pieces kept, {hours:.2f} hours at 2 s each"
    done = f"{counted(result.cut, 'clip')} cut, {result.standing} there from an earlier run"
    gone = f", {result.removed} of an earlier build deleted" if result.removed else ""
    packed = f", {counted(result.shards, 'shard')}" if result.shards else ""
    return f"{kept}; {done}{gone}{packed}"


def _table(result: BuildResult) -> str:
    from v2s_engine.grid import SAMPLE_RATE
    from v2s_plugin.cli.vegas.tables import text_table

    rows = [
        (each.category, each.split, each.videos, each.clips, f"{each.mean_duration:.2f}", f"{each.hours:.2f}")
        for each in result.counts
    ]
    videos, clips = sum(each.videos for each in result.counts), sum(each.clips for each in result.counts)
    length = sum(each.length for each in result.counts)
    total = ("all", "", videos, clips, f"{length / clips / SAMPLE_RATE:.2f}", f"{length / SAMPLE_RATE / 3600:.2f}")
    return text_table(("category", "split", "videos", "clips", "mean length (s)", "hours"), [*rows, total])


def _answer(result: BuildResult, output: Path | None) -> dict[str, Any]:
    return {
        "output": None if output is None else str(output),
        "counts": [_count(each) for each in result.counts],
        "judged_pieces": result.judged_pieces,
        "kept_pieces": result.kept_pieces,
        "cut": result.cut,
        "standing": result.standing,
        "removed": result.removed,
        "shards": result.shards,
        "digest": result.digest,
        "left_out": [each._asdict() for each in result.left_out],
    }


def _count(each: ClipCount) -> dict[str, Any]:
    return {
        "category": each.category,
        "split": each.split,
        "videos": each.videos,
        "clips": each.clips,
        "mean_length_s": each.mean_duration,
        "hours": each.hours,
    }
