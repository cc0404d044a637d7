"""An evaluation on disk: `evaluation.json`, `evaluation.md`, `evaluation.png`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import OutputError
from v2s_engine.evaluate.markdown import markdown_page
from v2s_engine.evaluate.plots import draw_page
from v2s_engine.evaluate.results import EvaluationResult


@dataclass(frozen=True)
class Report:
    """Where the three files lie."""

    figures: Path
    """Every figure, as JSON; what could not be computed is null."""
    tables: Path
    """The tables, as Markdown."""
    plots: Path
    """One page of plots, as PNG."""


def make_folder(folder: Path) -> None:
    """Make the folder of a report, before hours are spent on figures. Raises `OutputError` where it cannot be had."""
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def write_report(result: EvaluationResult, folder: Path) -> Report:
    """Write all three, none of them by halves. Raises `OutputError` where the folder or the disk cannot take them."""
    report = Report(*(folder / f"evaluation.{suffix}" for suffix in ("json", "md", "png")))
    # allow_nan=False: a NaN would be a fault of ours, and no JSON either.
    text = json.dumps(result.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    make_folder(folder)
    drafts = {path: path.with_name(f".{path.name}.part") for path in (report.figures, report.tables, report.plots)}
    try:
        with output_errors(folder):
            drafts[report.figures].write_text(text, encoding="utf-8")
            drafts[report.tables].write_text(markdown_page(result), encoding="utf-8")
            draw_page(result, drafts[report.plots])
            for path, draft in drafts.items():
                draft.replace(path)
    finally:
        for draft in drafts.values():
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
    return report


@contextlib.contextmanager
def output_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says of files into `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write the evaluation to {folder}: {error}; free some space or choose another place with -o"
        ) from error
