"""Draw a training's log: loss on the recordings trained on and on those held back.

python scripts/draw_training.py runs/starter/log.jsonl docs/models/starter_curves.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    entries = [json.loads(line) for line in arguments.log.read_text(encoding="utf-8").splitlines()]
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for key, label in (
        ("loss_nats", "trained on (jittered, noisy input)"),
        ("held_out_nats", "held back (clean input)"),
    ):
        points = [(entry["samples"] / 1e6, entry[key]) for entry in entries if key in entry]
        axis.plot(*zip(*points, strict=True), marker=".", label=label)
    axis.set_xlabel("million audio samples seen")
    axis.set_ylabel("cross entropy, nats per sample")
    axis.legend()
    axis.grid(alpha=0.3)
    figure.savefig(arguments.output, dpi=90)


if __name__ == "__main__":
    main()
