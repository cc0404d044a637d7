"""What a training tells of itself: a loss per step (losses.csv) and an entry per checkpoint (log.jsonl)."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from v2s_engine.errors import OutputError

NATS_TO_BITS = 1 / math.log(2)
"""The entropy of a uniform guess among 256 codes is 5.545 nats or 8 bits."""

LOSSES, LOG = "losses.csv", "log.jsonl"


class StepRecord(NamedTuple):
    """One optimiser step."""

    step: int
    """Optimiser steps done."""
    samples: int
    """Audio samples seen that count."""
    loss: float
    """Mean cross entropy in nats per sample, before the step."""
    accuracy: float
    """Share of samples whose code was the likeliest one."""
    encoder_gradient: float
    """Norm of the gradient of the pictures' encoder (`sequence`, `flow`); 0 where it got none."""
    learning_rate: float


class Recorder(Protocol):
    """Whatever keeps what a training tells."""

    def rewind(self, step: int) -> None:
        """Begin, or go on after `step`: what a killed run told beyond it is forgotten."""

    def add_step(self, record: StepRecord) -> None:
        """Note a step."""

    def add_checkpoint(self, entry: Mapping[str, float]) -> None:
        """Note what was measured at a checkpoint; `entry["step"]` says which. On disk when this returns."""

    def close(self) -> None:
        """Nothing more will come."""


class Journal:
    """Two files in the output folder; numbers in losses.csv are exact, so that two runs can be compared bit by bit.

    Raises `OutputError` where they cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._losses, self._log = folder / LOSSES, folder / LOG
        self._waiting: list[StepRecord] = []

    def rewind(self, step: int) -> None:
        """Keep the lines up to `step`."""
        _keep_lines(self._losses, lambda line: int(line.split(",", 1)[0]) <= step, header=",".join(StepRecord._fields))
        _keep_lines(self._log, lambda line: json.loads(line)["step"] <= step)

    def add_step(self, record: StepRecord) -> None:
        """Note a step; written every now and then, and at each checkpoint."""
        self._waiting.append(record)
        if len(self._waiting) >= 100:
            self._write_steps()

    def add_checkpoint(self, entry: Mapping[str, float]) -> None:
        """Write the steps so far and an entry."""
        self._write_steps()
        _append(self._log, json.dumps(dict(entry)) + "\n")

    def close(self) -> None:
        """Write what is left."""
        self._write_steps()

    def _write_steps(self) -> None:
        _append(self._losses, "".join(",".join(map(repr, record)) + "\n" for record in self._waiting))
        self._waiting = []


def read_losses(folder: Path) -> list[StepRecord]:
    """All steps that a training in `folder` noted, in order."""
    lines = (folder / LOSSES).read_text(encoding="utf-8").splitlines()[1:]
    return [
        StepRecord(int(step), int(samples), *map(float, rest)) for step, samples, *rest in (x.split(",") for x in lines)
    ]


def _keep_lines(path: Path, wanted: Callable[[str], bool], header: str | None = None) -> None:
    """Rewrite a file with the lines that are wanted; a kill may have cut the last one."""
    kept = [] if header is None else [header]
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines()[len(kept) :]:
            try:
                if wanted(line):
                    kept.append(line)
            except (ValueError, KeyError, TypeError):
                break
    elif header is None:
        return
    temporary = path.with_suffix(".partial")
    try:
        temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error}; free some space and resume") from error


def _append(path: Path, text: str) -> None:
    if not text:
        return
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error}; free some space and resume") from error
