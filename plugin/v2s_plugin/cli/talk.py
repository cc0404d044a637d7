"""What a command says while it works, on stderr: a progress bar on a terminal, one line per stage in a pipe."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from v2s_engine.progress import Progress, ProgressEvent
from v2s_plugin.cli.answers import counted

if TYPE_CHECKING:
    from v2s_plugin.planning.jobs import Skip
    from v2s_plugin.scoring import ScoreResult

STAGES = {
    "fetch": "fetching videos",
    "encode": "looking at the pictures",
    "sample": "making the sounds",
    "write": "writing the sounds",
    "mix": "setting the levels",
    "preview": "making the preview",
    "listen": "listening to clips to learn from",
    "look": "looking at clips to learn from",
    "synthesise": "making sounds to learn from",
    "read": "reading the recordings",
    "start": "taking over weights",
    "train": "training",
    "segments": "reading AudioSet's segments",
    "segment": "cutting pieces",
    "cut": "cutting clips",
    "gold": "gold questions",
    "results": "reading results",
    "pack": "packing shards",
    "measure": "making and measuring the bundle",
}
"""What the stages of the work are called on the screen."""

_LISTED = 4
"""Clips named of those that are skipped for one reason."""


def say(text: str) -> None:
    """One line to whoever watches."""
    print(text, file=sys.stderr, flush=True)


def say_result(result: ScoreResult) -> None:
    """What was done, what was not and why, and what to know about it."""
    takes = result.made + result.reused
    again = f", {result.reused} of them from an earlier run" if result.reused else ""
    device = f" on {result.device_name}" if result.device_name else ""
    say(f"{counted(len(result.scored), 'sound')} in {counted(takes, 'take')}{again}{device}: {result.media_folder}")
    if result.choice:
        say(f"made on {result.choice.device}: {result.choice.reason}")
    for sound in result.scored:
        for take in sound.takes:
            if take.gain_db:
                say(f"turned down by {-take.gain_db:.2f} dB so that it does not clip: {take.path.name}")
    for line in skip_lines(result.skips):
        say(f"skipped: {line}")
    if result.unselected:
        say(f"not selected: {counted(len(result.unselected), 'clip')}")
    for relinked in result.relinked:
        say(f"relinked: {relinked}")
    for dropped in result.dropped:
        say(f"left out: {dropped.clip.name} ({dropped.where}): no clip shows just this stretch of picture any more")
    if result.orphans:
        files, folder = counted(len(result.orphans), "WAV"), result.media_folder
        say(f"deleted: {files}" if result.pruned else f"not used any more (--prune deletes them): {files} in {folder}")
    for warning in result.warnings:
        say(f"warning: {warning}")


def skip_lines(skips: Iterable[Skip]) -> list[str]:
    """One line for each reason why clips are skipped, with the first of the clips; `v2s plan` lists them all."""
    alike: dict[tuple[str, str], list[str]] = {}
    for skip in skips:
        alike.setdefault((skip.reason, skip.advice), []).append(f"{skip.label} ({skip.where})")
    return [f"{_shortened(clips)}: {reason}; {advice}" for (reason, advice), clips in alike.items()]


def _shortened(texts: Sequence[str]) -> str:
    more = len(texts) - _LISTED
    return ", ".join(texts) if more <= 0 else f"{', '.join(texts[:_LISTED])} and {more} more"


@contextlib.contextmanager
def watched_progress() -> Iterator[Progress]:
    """Progress that is shown, and stopped by Ctrl-C: once lets the work stop cleanly, twice stops it at once."""
    cancel = threading.Event()
    with _showing() as show, _interrupt_sets(cancel):
        yield Progress(show, cancel)


@contextlib.contextmanager
def _showing() -> Iterator[Callable[[ProgressEvent], None]]:
    if not sys.stderr.isatty():
        yield _LinePerStage().show
        return
    # Loaded only where somebody watches.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[item]}", markup=False),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bars:
        lock = threading.Lock()
        tasks = {}

        def show(event: ProgressEvent) -> None:
            with lock:
                if event.stage not in tasks:
                    tasks[event.stage] = bars.add_task(STAGES.get(event.stage, event.stage), item="")
            bars.update(tasks[event.stage], completed=event.done, total=event.total, item=event.item)

        yield show


class _LinePerStage:
    """Says each stage once, when it begins."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def show(self, event: ProgressEvent) -> None:
        with self._lock:
            if event.stage not in self._said:
                self._said.add(event.stage)
                say(STAGES.get(event.stage, event.stage))


@contextlib.contextmanager
def _interrupt_sets(cancel: threading.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()
        say("stopping; Ctrl-C again stops at once")

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
