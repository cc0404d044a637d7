"""`v2s vegas` at full size: `select` on as many rows as AudioSet has, `aggregate` and `build --dry-run` on as many
pieces as the paper had labelled, with three votes each in both modalities.

    python benchmarks/vegas.py [--audioset ../shared/audioset] [--runs 3]

Each command is a process of its own, start of the interpreter included; printed are the medians of its wall-clock time
and of its time on a core (on a machine that does other things too, the first says more about these), and the most
memory that a run needed. Rows are drawn from the labels of AudioSet's balanced set, in which the ten categories are
more frequent than in the whole: more to hold than the real files give. Needs the `vegas` extra.
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import numpy as np
from hardware import describe_hardware
from tables import text_table
from voted_project import fill_voted_project

AUDIOSET = Path(__file__).parents[2] / "shared" / "audioset"
AUDIOSET_ROWS = 2_084_320
LABELLED_PIECES = 132_209
SECONDS_ALLOWED = 60
MEMORY_ALLOWED = 1 << 30

_COMMAND = """
import sys
from pathlib import Path
from v2s_plugin.cli import main
code = main(sys.argv[2:])
sys.stdout.flush()
status = Path("/proc/self/status").read_text().splitlines()
Path(sys.argv[1]).write_text(next(line.split()[1] for line in status if line.startswith("VmHWM")))
sys.exit(code)
"""
"""The command line, and then the most memory of this process in KiB; `ru_maxrss` would be the starter's."""


@dataclass(frozen=True)
class Run:
    """What one run of a command needed."""

    seconds: float
    """By the clock on the wall."""
    busy: float
    """Seconds of one core."""
    memory: int
    """Bytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--audioset", type=Path, default=AUDIOSET, help="folder with ontology.json and the balanced set"
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=AUDIOSET_ROWS)
    parser.add_argument("--pieces", type=int, default=LABELLED_PIECES)
    given = parser.parse_args()
    print(describe_hardware("numpy"))
    print(f"{given.rows:,} rows; {given.pieces:,} pieces, 3 votes in each modality; median of {given.runs} runs")
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), given)
        head = ("command", "seconds", "of the limit", "on a core", "memory, MiB", "of the limit")
        rows = [
            (
                name,
                f"{(seconds := statistics.median(run.seconds for run in runs)):.1f}",
                f"{seconds / SECONDS_ALLOWED:.0%}",
                f"{statistics.median(run.busy for run in runs):.1f}",
                f"{(memory := max(run.memory for run in runs)) / 2**20:.0f}",
                f"{memory / MEMORY_ALLOWED:.0%}",
            )
            for name, runs in measured.items()
        ]
    print(text_table(head, rows))


def measure(folder: Path, given: argparse.Namespace) -> dict[str, list[Run]]:
    """The runs of each command."""
    segments = folder / "segments.csv"
    write_segments(segments, given.audioset / "balanced_train_segments.csv", given.rows)
    ontology = given.audioset / "ontology.json"
    selecting = ["--ontology", str(ontology), "--segments", str(segments), "--without", "Music"]
    labelled = str(fill_voted_project(folder / "labelled", given.pieces).folder)
    return {
        "select": [run("select", str(folder / f"new{number}"), *selecting) for number in range(given.runs)],
        "aggregate": [run("aggregate", labelled) for _ in range(given.runs)],
        "build --dry-run": [run("build", labelled, "-o", str(folder / "set"), "--dry-run") for _ in range(given.runs)],
    }


def run(*arguments: str) -> Run:
    """One command in a process of its own."""
    with tempfile.NamedTemporaryFile() as note:
        began, busy = time.perf_counter(), _busy()
        command = [sys.executable, "-c", _COMMAND, note.name, "vegas", *arguments]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds, busy = time.perf_counter() - began, _busy() - busy
        if finished.returncode not in {0, 3}:  # 3: done, and something was left out
            sys.exit(f"v2s vegas {' '.join(arguments)} failed:\n{finished.stderr}")
        return Run(seconds, busy, 1024 * int(Path(note.name).read_text()))


def _busy() -> float:
    """Seconds that processes started here have been on a core."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_segments(path: Path, real: Path, rows: int) -> None:
    """A file in Google's format with ids of its own and labels as rows of a real one have them."""
    draw = np.random.default_rng(0)
    with real.open(encoding="utf-8", newline="") as lines:
        labels = [row[3] for row in csv.reader(lines, skipinitialspace=True) if len(row) == 4 and row[0][:1] != "#"]
    alphabet = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    # Four letters that tell rows apart, and seven drawn ones.
    letters = np.concatenate(
        [np.arange(rows)[:, None] >> np.array([0, 6, 12, 18]) & 63, draw.integers(64, size=(rows, 7))], axis=1
    )
    begins, chosen = 10 * draw.integers(60, size=rows), draw.integers(len(labels), size=rows)
    with path.open("w", encoding="utf-8") as file:
        file.write(f"# Segments csv created Sun Mar  5 10:54:31 2017\n# num_ytids={rows}, num_segs={rows}\n")
        file.write("# YTID, start_seconds, end_seconds, positive_labels\n")
        for each, begin, label in zip(letters, begins.tolist(), chosen.tolist(), strict=True):
            file.write(f'{"".join(alphabet[each])}, {begin}.000, {begin + 10}.000, "{labels[label]}"\n')


if __name__ == "__main__":
    main()
