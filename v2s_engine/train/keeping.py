"""Which checkpoints are kept, and when a training has had enough.

last.ckpt          the newest; what --resume goes on from
best.ckpt          the lowest held-out loss so far, where something is held out
step-000500.ckpt   the last few, where asked for
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.train.checkpoint import Checkpoint, write_checkpoint

LAST, BEST = "last.ckpt", "best.ckpt"

_NUMBERED = re.compile(r"step-(\d+)\.ckpt")


@dataclass(frozen=True)
class Best:
    """How the held-out loss went: what early stopping is decided by."""

    loss: float | None = None
    """The lowest so far, nats; None before the first."""
    step: int = 0
    """When that was."""
    worse: int = 0
    """Checkpoints since then."""

    def after(self, loss: float, step: int) -> Best:
        """With one more checkpoint. A loss that is no number counts as worse."""
        if math.isfinite(loss) and (self.loss is None or loss < self.loss):
            return Best(loss, step, 0)
        return Best(self.loss, self.step, self.worse + 1)


def keep_checkpoint(checkpoint: Checkpoint, folder: Path, *, keep: int, is_best: bool) -> None:
    """Write a checkpoint as last.ckpt, as best.ckpt where it is that, and numbered where `keep` are to be kept.

    last.ckpt comes last: a kill in between leaves the one before, and what follows from it is made again. Raises
    `OutputError` where the disk cannot take it.
    """
    fresh = folder / "fresh.ckpt"
    write_checkpoint(checkpoint, fresh)
    if keep:
        _link(fresh, folder / f"step-{checkpoint.step:06d}.ckpt")
        for old in numbered_checkpoints(folder, up_to=checkpoint.step)[:-keep]:
            old.unlink()
    if is_best:
        _link(fresh, folder / BEST)
    fresh.replace(folder / LAST)


def numbered_checkpoints(folder: Path, up_to: int | None = None) -> list[Path]:
    """The numbered checkpoints of a folder, oldest first."""
    steps = {path: int(match[1]) for path in folder.iterdir() if (match := _NUMBERED.fullmatch(path.name))}
    return sorted((path for path in steps if up_to is None or steps[path] <= up_to), key=steps.__getitem__)


def _link(path: Path, to: Path) -> None:
    """The same content under another name, without writing it twice where the file system can."""
    temporary = to.with_suffix(".partial")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    try:
        os.link(path, temporary)
    except OSError:
        shutil.copyfile(path, temporary)
    temporary.replace(to)
