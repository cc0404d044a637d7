"""What `v2s vegas annotate` does, one function for each thing that it can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2s_engine.errors import MissingExtraError, UsageError
from v2s_engine.vegas.gold import GoldOptions, GoldSampleOptions, read_gold, sample_gold
from v2s_engine.vegas.mturk.batches import BatchOptions, write_batches
from v2s_engine.vegas.mturk.hits import ASSIGNMENTS, HitOptions
from v2s_engine.vegas.mturk.results import ResultOptions, import_results
from v2s_engine.vegas.store import Note, Project
from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, counted
from v2s_plugin.cli.talk import watched_progress

_SHOWN = 10
"""Notes that are said; all stand in the project."""


@dataclass(frozen=True)
class Asked:
    """The call: options by their spelling, None where not given."""

    given: Mapping[str, Any]

    def settings(self, **names: str) -> dict[str, Any]:
        """Arguments of an options class, by the options' spelling; without those not given, which have defaults."""
        return {name: self.given[option] for name, option in names.items() if self.given[option] is not None}


@dataclass(frozen=True)
class Done:
    """What came of it."""

    code: int
    answer: dict[str, Any]
    """For --json."""
    talk: Sequence[str]
    """Lines for whoever watches."""
    files: Sequence[Path] = ()
    """What was written: the result."""


def annotate(project: Project, asked: Asked) -> Done:
    """Do the one thing that is asked for. Raises `UsageError` for none, several, or options of another."""
    modes: dict[str, tuple[Callable[[Project, Asked], Done], set[str]]] = {
        "--serve": (_serve, {"--port", "--annotator", "--votes", "--conflicts", "--seed"}),
        "--mturk-batches": (
            _batches,
            {"--media-url", "--pieces-per-hit", "--gold-per-hit", "--hits-per-batch", "--again", "--seed", "--json"},
        ),
        "--mturk-results": (_results, {"more files", "--json"}),
        "--gold": (_gold, {"--json"}),
        "--gold-sample": (_sample, {"--output", "--seed", "--json"}),
    }
    given = [option for option, value in asked.given.items() if value is not None]
    chosen = [option for option in given if option in modes]
    if len(chosen) != 1:
        raise UsageError(f"got {' and '.join(chosen) or 'nothing to do'}; give one of {', '.join(modes)}")
    run, companions = modes[chosen[0]]
    if strange := [option for option in given if option != chosen[0] and option not in companions]:
        raise UsageError(f"{chosen[0]} goes without {', '.join(strange)}; leave that out")
    return run(project, asked)


def _serve(project: Project, asked: Asked) -> Done:
    """Until Ctrl-C, which the server takes itself; the address is all that stdout gets."""
    try:
        from v2s_engine.vegas.page.options import PageOptions
        from v2s_engine.vegas.page.server import serve_page
    except ImportError as error:
        raise MissingExtraError("the annotation page", "vegas") from error
    options = PageOptions(
        **asked.settings(
            port="--port", annotator="--annotator", votes="--votes", conflicts="--conflicts", seed="--seed"
        )
    )
    serve_page(project, options, lambda address: print(address, flush=True))
    return Done(EXIT_DONE, {"served": str(project.folder)}, ("the page is closed; all answers are kept",))


def _batches(project: Project, asked: Asked) -> Done:
    if asked.given["--media-url"] is None:
        raise UsageError("--mturk-batches needs --media-url: workers' browsers load the pieces from there")
    hits = HitOptions(
        **asked.settings(pieces="--pieces-per-hit", gold="--gold-per-hit", seed="--seed", again="--again")
    )
    options = BatchOptions(
        hits=hits, **asked.settings(output="--mturk-batches", media_url="--media-url", rows="--hits-per-batch")
    )
    with watched_progress() as progress:
        written = write_batches(project, options, progress)
    talk = [
        *(
            f"{modality}: {counted(written.pieces[modality], 'piece')} in {counted(number, 'HIT')}"
            for modality, number in written.hits.items()
        ),
        f"{counted(written.gold, 'gold question')} among them",
        f"{counted(written.assignments, 'assignment')} to pay ({ASSIGNMENTS} per HIT), and the fee on each",
    ]
    answer = {
        "batches": [str(path) for path in written.batches],
        "templates": [str(path) for path in written.templates],
        "previews": [str(path) for path in written.previews],
        "hits": written.hits,
        "pieces": written.pieces,
        "gold": written.gold,
        "assignments": written.assignments,
    }
    return Done(EXIT_DONE, answer, talk, (*written.batches, *written.templates, *written.previews))


def _results(project: Project, asked: Asked) -> Done:
    files = (*asked.given["--mturk-results"], *(asked.given["more files"] or ()))
    with watched_progress() as progress:
        imported = import_results(project, ResultOptions(files), progress)
    talk = [
        f"{counted(imported.assignments, 'assignment')}: {imported.changed} new or changed, "
        f"{imported.rejected} rejected; {counted(imported.votes, 'vote')} new or changed",
        f"{counted(imported.open_hits, 'HIT')} with fewer than {ASSIGNMENTS} accepted assignments",
        *_note_lines(project, imported.notes),
    ]
    answer = {
        "assignments": imported.assignments,
        "changed": imported.changed,
        "rejected": imported.rejected,
        "votes": imported.votes,
        "open_hits": imported.open_hits,
        "notes": [note._asdict() for note in imported.notes],
    }
    return Done(_code(imported.notes), answer, talk)


def _gold(project: Project, asked: Asked) -> Done:
    with watched_progress() as progress:
        read = read_gold(project, GoldOptions(asked.given["--gold"]), progress)
    talk = [
        f"{counted(read.added, 'gold answer')} added, {read.changed} changed, {read.known} known before; "
        f"{counted(read.blank, 'row')} without an answer",
        *_note_lines(project, read.notes),
    ]
    answer = {
        "added": read.added,
        "changed": read.changed,
        "known": read.known,
        "blank": read.blank,
        "notes": [note._asdict() for note in read.notes],
    }
    return Done(_code(read.notes), answer, talk)


def _sample(project: Project, asked: Asked) -> Done:
    if asked.given["--output"] is None:
        raise UsageError("--gold-sample needs -o CSV, the file for the expert")
    options = GoldSampleOptions(**asked.settings(output="--output", count="--gold-sample", seed="--seed"))
    with watched_progress() as progress:
        sample = sample_gold(project, options, progress)
    talk = [f"{category}: {counted(count, 'piece')}" for category, count in sample.counts.items()]
    talk.append("fill in yes or no, then: v2s vegas annotate PROJECT --gold CSV")
    return Done(EXIT_DONE, {"output": str(sample.output), "counts": sample.counts}, talk, (sample.output,))


def _code(notes: Sequence[Note]) -> int:
    return EXIT_SOME_SKIPPED if notes else EXIT_DONE


def _note_lines(project: Project, notes: Sequence[Note]) -> Iterator[str]:
    """The first notes, and where the others are."""
    for note in notes[:_SHOWN]:
        yield f"{note.source}, line {note.line}: {note.about}: {note.reason}"
    if len(notes) > _SHOWN:
        yield f"and {len(notes) - _SHOWN} more; see: v2s vegas status {project.folder} --notes"
