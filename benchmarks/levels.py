"""Levels: a 60 s timeline of ten 1080p clips whose sounds are made already, given other levels.

    python benchmarks/levels.py [--runs 3]

Prints wall-clock time of `v2s generate` as its own process, start of the interpreter included: with nothing to do, then
with each option about levels. Needs the package installed, and the `test` extra for making the clips.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import opentimelineio as otio

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from hardware import describe_hardware
from whole_job import make_timeline

from v2s_engine.audio import write_wav

DURATION = 60
RATE = 48_000
WAYS = {
    "nothing to do": [],
    "--lufs -30": ["--lufs", "-30"],
    "--duck VO": ["--duck", "VO"],
    "--pan motion": ["--pan", "motion"],
    "all of them": ["--lufs", "-30", "--duck", "VO", "--pan", "motion"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    print(describe_hardware("av", "opencv-python-headless"))
    with tempfile.TemporaryDirectory() as folder:
        timeline = make_timeline(Path(folder))
        add_voice(timeline)
        score(timeline, [])
        print(f"{DURATION} s timeline, ten clips 1920x1080, one take each, made before; {runs} runs after a warm-up")
        for name, options in WAYS.items():
            score(timeline, options)
            walls = [score(timeline, options) for _ in range(runs)]
            print(f"{name:<16} median {statistics.median(walls):6.2f} s  ({min(walls):.2f} .. {max(walls):.2f})")


def add_voice(path: Path) -> None:
    """A track VO with a minute of noise, on for a second and off for two."""
    sound = np.random.default_rng(0).normal(0, 0.07, DURATION * RATE).clip(-0.9, 0.9).astype(np.float32)
    sound[np.arange(len(sound)) // RATE % 3 > 0] = 0
    voice = path.with_name("voice.wav")
    write_wav(voice, sound, RATE)
    whole = otio.opentime.TimeRange(otio.opentime.RationalTime(0, RATE), otio.opentime.RationalTime(len(sound), RATE))
    track = otio.schema.Track("VO", kind=otio.schema.TrackKind.Audio)
    track.append(otio.schema.Clip("voice", otio.schema.ExternalReference(str(voice), whole), whole))
    timeline = otio.adapters.read_from_file(str(path))
    timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(path))


def score(timeline: Path, options: list[str]) -> float:
    """Seconds of one run that uses the sounds of the one before."""
    output = timeline.with_name("out.otio")
    program = str(Path(sys.executable).with_name("v2s"))
    command = [program, "generate", str(timeline), "-o", str(output), "--sound", "dog", "--force", *options]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
