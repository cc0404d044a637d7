"""The statistics on disk: `statistics.html`, `statistics.json`, `clip_lengths.png`, `samples.png`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from v2s_engine.progress import Progress
from v2s_engine.vegas.stats.collecting import collect_statistics
from v2s_engine.vegas.stats.drawings import draw_lengths, draw_samples
from v2s_engine.vegas.stats.figures import ProjectStatistics
from v2s_engine.vegas.stats.page import render_page
from v2s_engine.vegas.stats.samples import SampleOptions, take_samples
from v2s_engine.vegas.status import read_status
from v2s_engine.vegas.store import Project
from v2s_engine.vegas.whole_file import whole_file

LENGTHS_FILE, SAMPLES_FILE = "clip_lengths.png", "samples.png"


@dataclass(frozen=True)
class StatisticsOptions:
    """What `write_statistics` is asked for."""

    output: Path
    """Folder for the files; made where there is none. Files of an earlier call are replaced."""
    samples: SampleOptions = field(default_factory=SampleOptions)


@dataclass(frozen=True)
class StatisticsResult:
    """Where the files lie, and what they say."""

    page: Path
    figures: Path
    drawings: tuple[Path, ...]
    """Those that there is something for."""
    statistics: ProjectStatistics
    left_out: tuple[tuple[str, str], ...]
    """Categories without a sample, and why."""


def write_statistics(project: Project, options: StatisticsOptions, progress: Progress) -> StatisticsResult:
    """Write page, JSON and drawings of a project at any stage; what is not there yet is said on the page.

    Each file is there whole or not at all. Raises `UsageError` without a project or for unknown categories,
    `OutputError` where the folder or the disk cannot take the files.
    """
    status = read_status(project)
    with project.connect() as connection:
        samples = take_samples(project, connection, options.samples, progress)
        statistics = collect_statistics(
            connection, status, [each.row for each in samples.samples], samples_are_clips=samples.are_clips
        )
    progress.step("drawing", 0, 1)
    folder = options.output
    wanted: dict[str, Callable[[Path], None] | None] = {
        LENGTHS_FILE: (lambda path: draw_lengths(statistics.lengths, path)) if statistics.lengths else None,
        SAMPLES_FILE: (lambda path: draw_samples(samples.samples, path)) if samples.samples else None,
    }
    drawings = tuple(folder / name for name, draw in wanted.items() if _draw(folder / name, draw))
    page, figures = folder / "statistics.html", folder / "statistics.json"
    # allow_nan=False: a NaN would be a fault of ours, and no JSON either.
    text = json.dumps(statistics.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    for path, content in (
        (figures, text),
        (page, render_page(statistics, {path.name: path.read_bytes() for path in drawings})),
    ):
        with whole_file(path) as draft:
            draft.write_text(content, encoding="utf-8")
    progress.step("drawing", 1, 1)
    return StatisticsResult(page, figures, drawings, statistics, samples.left_out)


def _draw(path: Path, draw: Callable[[Path], None] | None) -> bool:
    """Draw a file, or remove an earlier one where there is nothing to draw any more; whether it is there."""
    if draw is None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return False
    with whole_file(path) as draft:
        draw(draft)
    return True
