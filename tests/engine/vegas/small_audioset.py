"""A few sound classes and segments of them, written as AudioSet's files are."""

import json
from collections.abc import Iterable
from pathlib import Path

CLASSES = {
    "/m/animal": ("Animal", ["/m/dog", "/m/cat"]),
    "/m/dog": ("Dog", ["/m/bark", "/m/growl"]),
    "/m/cat": ("Cat", ["/m/growl"]),
    "/m/bark": ("Bark", []),
    "/m/growl": ("Growling", []),
    "/m/music": ("Music", ["/m/percussion", "/m/guitar"]),
    "/m/percussion": ("Percussion", ["/m/drum"]),
    "/m/drum": ("Drum", ["/m/snare"]),
    "/m/snare": ("Snare drum", []),
    "/m/guitar": ("Guitar", []),
    "/m/rain": ("Rain", []),
}
"""Ids, names and what stands below them; `Growling` stands below two."""


def write_ontology(path: Path, classes: dict[str, tuple[str, list[str]]] = CLASSES) -> Path:
    entries = [{"id": mid, "name": name, "child_ids": children} for mid, (name, children) in classes.items()]
    path.write_text(json.dumps(entries), "utf-8")
    return path


def write_segments(path: Path, rows: Iterable[tuple[str, str]]) -> Path:
    """Rows of ten seconds: video ids, and labels without the `/m/` in front, separated by blanks."""
    lines = ["# Segments csv", "# num_ytids=0", "# YTID, start_seconds, end_seconds, positive_labels"]
    for video_id, labels in rows:
        mids = ",".join(f"/m/{label}" for label in labels.split())
        lines.append(f'{video_id}, 30.000, 40.000, "{mids}"')
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def named(prefix: str, number: int) -> list[str]:
    """So many video ids of eleven letters."""
    return [f"{prefix}{each:0{11 - len(prefix)}d}" for each in range(number)]
