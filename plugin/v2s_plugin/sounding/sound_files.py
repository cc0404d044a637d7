"""Generated sounds as WAV files: finished, levelled, named after their content.

A file is never changed under its name (editing programs cache and lock media): the name holds a short hash of the
content, so another content is another file.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from v2s_engine.digest import file_digest
from v2s_engine.errors import OutputError
from v2s_plugin.outputs import draft_of, settle
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.sounding.ledger import note, noted_takes
from v2s_plugin.sounding.take_file import TakeFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATES = (44_100, 48_000, 96_000)
"""Samples per second that a file may have."""

PEAK_DBFS = -1.0
"""The loudest sample a delivered take may have. Louder takes are turned down as a whole; nothing is normalised."""

_HASH_LENGTHS = (10, 20, 40, 64)
_NAME_LENGTH = 40


@dataclass(frozen=True)
class SoundFolder:
    """The folder beside a timeline that holds its sounds, and their rate."""

    path: Path
    rate: int
    """Samples per second of every file written."""

    def prepare(self) -> None:
        """Make the folder; raises `OutputError` where that cannot be."""
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make the folder {self.path} for the sounds: {error.strerror}; choose another place with -o"
            ) from error

    def deliver(
        self, scene: Sequence[ClipJob], take: int, samples: NDArray[np.float32], device: str = ""
    ) -> list[TakeFile]:
        """Write one take, given as it was generated on `device`: `[request_for(scene).length]` at 16 kHz.

        `scene` are the jobs that have this sound, each of which begins where the one before it ends; each gets a WAV.
        The sound is finished as a whole, with one gain, and cut at the timeline's samples: the WAVs in a row are it.

        Raises `OutputError` where the disk does not take it; nothing half-written stays.
        """
        from v2s_engine.audio import finish, write_wav  # noqa: PLC0415  (NumPy and FFmpeg: only where sound is made)

        lengths = [job.delivered_length(self.rate) for job in scene]
        finished = finish(samples, sum(lengths), self.rate)
        gain_db = _safe_gain_db(float(abs(finished).max()))
        if gain_db:
            finished = finished * 10 ** (gain_db / 20)
        files, start = [], 0
        for job, length in zip(scene, lengths, strict=True):
            piece = finished[start : start + length]
            path, digest = self._keep(_stem(job, take), partial(write_wav, samples=piece, rate=self.rate))
            files.append(TakeFile(take, path, digest, length, self.rate, gain_db, device=device))
            start += length
        note(self.path, [(job.key, file) for job, file in zip(scene, files, strict=True)])
        return files

    def noted(self) -> dict[str, dict[int, TakeFile]]:
        """The takes ever made here at this rate, by job key and number, whether a timeline has them or not."""
        return noted_takes(self.path, self.rate)

    def reuse(self, job: ClipJob, known: TakeFile) -> TakeFile | None:
        """The take as an earlier run left it, copied here if it lies elsewhere; None where it does not serve.

        It serves where its file is there unchanged and has the rate and the length that the clip needs now.
        """
        if known.rate != self.rate or known.length != job.delivered_length(self.rate):
            return None
        if not known.path.is_file() or file_digest(known.path) != known.sha256:
            return None
        path = known.path
        if path.parent.resolve() != self.path.resolve():
            path, _ = self._keep(_stem(job, known.take), lambda draft: _copy(known.path, draft))
        return replace(known, path=path, reused=True)

    def deliver_mix(self, plain: TakeFile, samples: NDArray[np.float32]) -> TakeFile:
        """Write what was mixed from a plain take: mono `[L]` or several channels `[C, L]`, as long as that.

        Raises `OutputError`, and `UsageError` for samples beyond full scale.
        """
        from v2s_engine.audio import write_wav  # noqa: PLC0415  (as above)

        stem = re.sub(rf"_{plain.sha256[: _HASH_LENGTHS[0]]}[0-9a-f]*$", "", plain.path.stem)
        path, digest = self._keep(f"{stem}_mix", lambda draft: write_wav(draft, samples, plain.rate))
        return replace(plain, path=path, sha256=digest, plain=plain)

    def _keep(self, stem: str, write: Callable[[Path], None]) -> tuple[Path, str]:
        """Have `write` write a file, and keep it under a name with its hash. Returns its path and SHA-256."""
        self.prepare()
        with draft_of(self.path / f"{stem}.wav") as draft:
            write(draft)
            digest = file_digest(draft)
            for length in _HASH_LENGTHS:
                path = self.path / f"{stem}_{digest[:length]}.wav"
                if not path.exists():
                    settle(draft, path)
                    return path, digest
                if file_digest(path) == digest:
                    return path, digest
        raise OutputError(f"{path} holds something else than its name says; move it away and run again")


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _safe_gain_db(peak: float) -> float:
    """What a take must be turned by: 0, or so many dB down (in hundredths) that its peak stays under the limit."""
    if peak == 0:
        return 0.0
    excess = 20 * math.log10(peak) - PEAK_DBFS
    return -math.ceil(excess * 100) / 100 if excess > 0 else 0.0


def _stem(job: ClipJob, take: int) -> str:
    """Start of a file's name, in `[A-Za-z0-9_-]` only: every host takes such names."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(job.label).stem).strip("_")[:_NAME_LENGTH]
    sound = re.sub(r"[^A-Za-z0-9_-]+", "_", job.sound_class)[:_NAME_LENGTH]
    return f"{name or 'clip'}_{sound}_take{take}"
