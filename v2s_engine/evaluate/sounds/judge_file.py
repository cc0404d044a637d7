"""A trained judge kept in a file with its own accuracy, so that it is trained once for one set of recordings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from v2s_engine.errors import OutputError, UsageError
from v2s_engine.evaluate.sounds.confusion import Confusion
from v2s_engine.evaluate.sounds.judge import Judge
from v2s_engine.evaluate.sounds.judge_training import (
    JudgeTraining,
    Recordings,
    cross_validate,
    judge_recordings,
    train_judge,
    window_source,
)
from v2s_engine.progress import Progress

_VERSION = 1
"""Raised where paintings, windows or the network change: judges in files are then trained anew."""


@dataclass(frozen=True, eq=False)
class MeasuredJudge:
    """A judge and how good it is."""

    judge: Judge
    trained_on: Mapping[str, int]
    """Recordings by class; the other classes were learned from painted sounds alone."""
    held: Confusion
    """On the recordings that it was trained on, each judged by a judge that heard none of its source."""
    unheard: Confusion
    """On the recordings for training generators, which no judge heard: the better check, there are more of them."""

    def really_judges(self, sound_class: str) -> bool:
        """Whether it learned the class from recordings, so that its verdict on the class counts."""
        return sound_class in self.trained_on


def open_judge(
    path: Path, held: Recordings, unheard: Recordings, options: JudgeTraining, progress: Progress | None = None
) -> MeasuredJudge:
    """The judge in a file; where there is none yet, it is trained on `held`, measured on both, and written there.

    Raises `UsageError` where the file is no judge, or one of other recordings or options, `OutputError` where it cannot
    be written, `CancelledError` where `progress` is stopped.
    """
    identity = _identity(held, unheard, options)
    if path.exists():
        return _read(path, identity)
    with _output_errors(path):  # before minutes are spent on training
        path.parent.mkdir(parents=True, exist_ok=True)
    source = window_source(held, options)
    judge = train_judge(source, options, progress)
    measured = MeasuredJudge(
        judge=judge,
        trained_on={name: len(group) for name, group in held.items()},
        held=cross_validate(held, source, options, progress),
        unheard=judge_recordings(judge, unheard),
    )
    _write(path, measured, identity)
    return measured


def _identity(held: Recordings, unheard: Recordings, options: JudgeTraining) -> str:
    """Of everything that the judge and its accuracy depend on."""
    files = [
        {name: [each.material.sha256 for each in group] for name, group in sorted(recordings.items())}
        for recordings in (held, unheard)
    ]
    return hashlib.sha256(json.dumps([_VERSION, files, asdict(options)]).encode()).hexdigest()


def _write(path: Path, measured: MeasuredJudge, identity: str) -> None:
    held = {
        **measured.judge.state(),
        "identity": identity,
        "trained_on": dict(measured.trained_on),
        "held": measured.held.counts,
        "unheard": measured.unheard.counts,
    }
    draft = path.with_name(f".{path.name}.part")
    try:
        with _output_errors(path):
            torch.save(held, draft)
            draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # PyTorch says RuntimeError for a disk that is full
        raise OutputError(f"cannot write the judge to {path}: {error}; choose another place with --judge") from error


def _read(path: Path, identity: str) -> MeasuredJudge:
    if not zipfile.is_zipfile(path):
        raise UsageError(f"{path} is no judge; remove it, or give --judge another name")
    try:
        held = torch.load(path, weights_only=True)
        found = held["identity"]
    except (OSError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise UsageError(f"{path} is no judge ({error}); remove it, or give --judge another name") from error
    if found != identity:
        raise UsageError(
            f"the judge in {path} was trained on other recordings or with other options; "
            "remove it to train it anew, or give --judge another name"
        )
    return MeasuredJudge(Judge.of_state(held), held["trained_on"], Confusion(held["held"]), Confusion(held["unheard"]))
