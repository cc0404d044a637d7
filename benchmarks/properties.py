"""The property tests on which timelines depend, with many more examples than the suite takes time for.

    python benchmarks/properties.py [--examples 10000] [NAME ...]

Prints how many examples each test has passed and how long that took; ends with 1 where one fails. `NAME` keeps the
tests whose name holds it. Needs the `test` extra. The tests run as they stand, under the Hypothesis profile `thorough`
of `tests/conftest.py`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

from hardware import describe_hardware
from tables import text_table

ROOT = Path(__file__).parents[1]

PROPERTIES = (
    "tests/plugin/test_media.py::test_a_new_url_leads_back_to_its_file_in_every_style",
    "tests/plugin/test_media.py::test_windows_paths_and_network_shares_come_back_in_every_style",
    "tests/plugin/test_media.py::test_a_url_that_was_never_encoded_means_its_path_too",
    "tests/plugin/test_untouched.py::test_all_but_our_tracks_comes_back_as_otio_itself_writes_it",
    "tests/plugin/test_untouched.py::test_a_second_run_in_place_is_the_same_and_one_with_another_seed_stands_the_same",
    "tests/plugin/test_untouched.py::test_no_edit_of_our_clips_is_lost_and_none_is_doubled",
    "tests/plugin/test_edits.py::test_damaged_metadata_of_ours_break_nothing",
    "tests/plugin/test_placement.py::test_every_moment_shows_what_a_slow_judge_says",
    "tests/plugin/test_coverage.py::test_each_frame_is_seen_of_the_highest_opaque_clip_and_of_all_above_it",
)

_PASSING = re.compile(r"(\d+) passing(?: examples)?, (\d+) failing")  # older versions of Hypothesis say "examples"


@dataclass(frozen=True)
class Outcome:
    """What came of one property test."""

    passing: int
    failing: int
    duration: float
    """Seconds, the start of the interpreter included."""
    text: str
    """What pytest said."""


def run(test: str, examples: int) -> Outcome:
    begin = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", test]
    command += ["--hypothesis-profile=thorough", "--hypothesis-show-statistics"]
    environment = os.environ | {"V2S_EXAMPLES": str(examples)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    counts = [tuple(map(int, found)) for found in _PASSING.findall(done.stdout)]
    passing, failing = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    return Outcome(passing, max(failing, int(done.returncode != 0)), time.perf_counter() - begin, done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the property tests with many examples.")
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args()
    chosen = [test for test in PROPERTIES if not asked.names or any(name in test for name in asked.names)]
    outcomes = [run(test, asked.examples) for test in chosen]
    rows = [
        [test.rpartition("::")[2], str(each.passing), str(each.failing), f"{each.duration:.1f}"]
        for test, each in zip(chosen, outcomes, strict=True)
    ]
    print(describe_hardware("hypothesis"))
    print(text_table(["property", "passed", "failed", "seconds"], rows))
    for each in outcomes:
        if each.failing:
            print(each.text)
    return int(any(each.failing or each.passing < asked.examples for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
