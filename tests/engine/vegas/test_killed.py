"""Killed at ten moments, each time started again by the same command: the same set as of a run that was never killed.

Every step is the real command in a process of its own, which SIGKILL ends at a moment that a seed draws.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine.vegas.annotators import Crowd, answer_batch
from tests.engine.vegas.chain import build_arguments, select_arguments
from tests.engine.vegas.mini_audioset import MiniAudioSet, make_mini_audioset
from tests.plugin.processes import ROOT
from v2s_engine.vegas.store import Project, write_fact

KILLS = {"select": 1, "fetch": 3, "segment": 2, "annotate": 1, "aggregate": 1, "build": 2}
"""How often each step is killed: ten times in all."""

TEST_VIDEOS = 2
WORKER_KEY = "00" * 32
"""The secret by which workers' names are kept; a project draws its own, so two would differ."""

_OF_THE_MOMENT = {"fetches": {"attempts"}, "built_files": {"mtime_ns", "folder"}}
"""Columns that say when or where something was done, or how often it was tried."""

_OF_NO_RUN = {"claims", "page_answers", "sqlite_sequence"}


@dataclass(frozen=True)
class Way:
    """One project's folder, and the commands that lead to its set."""

    mini: MiniAudioSet
    folder: Path

    @property
    def project(self) -> Project:
        return Project(self.folder / "project")

    @property
    def log(self) -> Path:
        """What the commands say."""
        return self.folder.with_suffix(".log")

    def command(self, step: str) -> list[str]:
        """A step's command line."""
        batches = self.folder / "batches"
        arguments = {
            "select": select_arguments(self.mini),
            "fetch": ["--from", str(self.mini.media)],
            "segment": [],
            "annotate": ["--mturk-batches", str(batches), "--media-url", "https://media.example"],
            "results": ["--mturk-results", *map(str, sorted(batches.glob("*_results.csv")))],
            "aggregate": [],
            "build": build_arguments(self.folder / "set", TEST_VIDEOS),
        }
        name = "annotate" if step == "results" else step
        return [sys.executable, "-m", "v2s_plugin.cli", "vegas", name, str(self.project.folder), *arguments[step]]

    def start(self, step: str) -> subprocess.Popen[bytes]:
        paths = [str(ROOT), str(ROOT / "plugin"), str(ROOT / "export"), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        with self.log.open("ab") as log:
            return subprocess.Popen(self.command(step), env=environment, stdout=subprocess.DEVNULL, stderr=log)

    def run(self, step: str) -> float:
        """The whole step; how many seconds it took."""
        began = time.monotonic()
        assert self.start(step).wait() in {0, 3}, self.log.read_text("utf-8")
        if step == "select":
            with self.project.connect() as connection, connection:
                write_fact(connection, "mturk_worker_key", WORKER_KEY)
        return time.monotonic() - began

    def answer(self) -> None:
        """Workers do all HITs."""
        for batch in sorted(self.folder.glob("batches/*_[0-9][0-9][0-9][0-9].csv")):
            results = batch.with_name(f"{batch.stem}_results.csv")
            answer_batch(batch, results, Crowd(seed=2), self.mini.videos, self.mini.categories)


@pytest.mark.slow
def test_ten_kills_change_nothing(shared: Path, tmp_path: Path) -> None:
    audioset = shared / "audioset"
    if not (audioset / "ontology.json").exists():
        pytest.skip(f"AudioSet's ontology is not at {audioset}")
    mini = make_mini_audioset(tmp_path / "mini", audioset, videos=8, categories=("baby_crying", "dog", "drum"))
    whole, killed = Way(mini, tmp_path / "whole"), Way(mini, tmp_path / "killed")
    draw = random.Random(8)
    landed = 0
    for step in ("select", "fetch", "segment", "annotate", "results", "aggregate", "build"):
        lasted = whole.run(step)
        landed += _kill(killed, step, lasted, KILLS.get(step, 0), draw)
        killed.run(step)
        if step == "annotate":
            whole.answer()
            killed.answer()
    assert landed == sum(KILLS.values()) == 10
    assert _tables(killed) == _tables(whole)
    assert _files(killed) == _files(whole)


def _kill(way: Way, step: str, lasted: float, times: int, draw: random.Random) -> int:
    """Start a step and kill it, so many times; how many kills met it at work.

    Each run gets another part of the time that the whole step takes, so that together they leave some of it over. One
    that is through too early is begun again, and killed sooner.
    """
    landed = 0
    share = 1.0
    while landed < times and share > 0.05:
        process = way.start(step)
        time.sleep(lasted * share * draw.uniform(0.4, 0.95))
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            landed += 1
        else:
            share *= 0.7
    return landed


def _tables(way: Way) -> dict[str, list[str]]:
    """All rows, but for what is of the moment."""
    with way.project.connect() as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        told = {}
        for name in set(names) - _OF_NO_RUN:
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608
            left = _OF_THE_MOMENT.get(name, set())
            told[name] = sorted(
                json.dumps({key: row[key] for key in set(dict(row)) - left}, sort_keys=True) for row in rows
            )
        return told


def _files(way: Way) -> dict[str, bytes]:
    """What lies in the folder, but for the database, and previews of HITs, which name the folder."""
    return {
        path.relative_to(way.folder).as_posix(): path.read_bytes()
        for path in way.folder.rglob("*")
        if path.is_file() and not path.name.startswith("vegas.db") and not path.name.endswith("_preview.html")
    }
