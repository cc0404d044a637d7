"""What a request tells while it works: progress in bearable numbers, and each clip once it is finished."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from v2s_engine.progress import ProgressEvent
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.protocol import ClipDone, Id, Progressed, WorkerMessage
from v2s_plugin.sounding.sound_files import SoundFolder
from v2s_plugin.sounding.take_file import ScoredJob, TakeFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PAUSE: Final = 0.1
"""Seconds between two messages about one stage."""
_FIRST_GUESS: Final = 1.0
"""Seconds of sampling before its pace says anything about the rest."""


class Reporter:
    """Tells of one request; safe to use from several threads."""

    def __init__(self, id: Id, send: Callable[[WorkerMessage], None]) -> None:
        self.id = id
        self._send = send
        self._lock = threading.Lock()
        self._told: dict[str, float] = {}
        """When each stage was last told of."""
        self._began: float | None = None
        self._left: float | None = None

    def progress(self, event: ProgressEvent) -> None:
        """A step of work; of many in a short time only some are told, and always the last of a stage."""
        now = time.monotonic()
        with self._lock:
            if event.stage == "sample":
                self._guess(event, now)
            last = self._told.get(event.stage)
            if last is not None and now - last < _PAUSE and event.done < event.total:
                return
            self._told[event.stage] = now
            left = self._left
        self._send(Progressed(self.id, event.stage, event.done, event.total, event.item, left))

    def clip(self, job: ClipJob, take: TakeFile, shot: Id | None) -> None:
        """A take that lies on the disk."""
        self._send(
            ClipDone(
                id=self.id,
                shot=shot,
                label=job.label,
                sound=job.sound_class,
                take=take.take,
                path=str(take.path.absolute()),
                timeline_start=job.sound_start,
                duration=job.sound_end - job.sound_start,
                length=take.length,
                rate=take.rate,
                reused=take.reused,
            )
        )

    def clips(self, scored: ScoredJob, shot: Id | None) -> None:
        """All the takes of a sound that were asked for."""
        for take in scored.takes:
            if take.take <= scored.job.takes:
                self.clip(scored.job, take, shot)

    def _guess(self, event: ProgressEvent, now: float) -> None:
        if self._began is None:
            self._began = now
        passed = now - self._began
        if event.done > 0 and passed >= _FIRST_GUESS:
            self._left = round(passed * (event.total - event.done) / event.done, 1)


@dataclass(frozen=True)
class TellingFolder(SoundFolder):
    """A folder of sounds that tells of each take as soon as its file is there."""

    tell: Callable[[ClipJob, TakeFile], None]

    def deliver(
        self, scene: Sequence[ClipJob], take: int, samples: NDArray[np.float32], device: str = ""
    ) -> list[TakeFile]:
        """As that of `SoundFolder`."""
        files = super().deliver(scene, take, samples, device)
        for job, file in zip(scene, files, strict=True):
            self.tell(job, file)
        return files

    def reuse(self, job: ClipJob, known: TakeFile) -> TakeFile | None:
        """As that of `SoundFolder`."""
        file = super().reuse(job, known)
        if file is not None and file.take <= job.takes:
            self.tell(job, file)
        return file
