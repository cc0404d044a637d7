"""Features of clips, made once and kept on disk: one safetensors file per clip, range and encoder.

    cache = FeatureCache(folder)
    cache.get_or_make(path, times, encoder).values          # [N, V]
    extract_features(items, encoder, cache, workers=2)      # many clips; what is there already is not made again

A file is named after everything that decides what is in it: the media file's bytes, the exact times, and the encoder.
It is written under another name first, so what has its name is whole; what a disk has damaged is found by its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from v2s_engine.digest import file_digest
from v2s_engine.errors import MediaError, MediaNotFoundError, MediaUnreadableError, OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vision.flow import one_thread

TENSOR, METADATA = "features", "v2s"
"""What stands in a file: one tensor, and one entry of metadata (more would be written in random order)."""

DRAFT_LIFE = 24 * 3600
"""Seconds after which a half-written file is what a killed run left, and is deleted."""

Features = NDArray[np.float32]
Origin = Literal["kept", "made", "remade"]


class FeatureMaker(Protocol):
    """Whatever looks at clips: a `VisualEncoder`, or the same as ONNX."""

    @property
    def digest(self) -> str:
        """What decides the features but the clip."""

    @property
    def feature_size(self) -> int:
        """Numbers per picture, V."""

    def features(self, path: Path, times: Sequence[Fraction], progress: Progress | None = None) -> Features:
        """`[N, V]` for the pictures on screen at `times`; may be called by several threads at once."""


class KeptFeatures(NamedTuple):
    """One clip's features and where they come from."""

    values: Features
    """`[N, V]`; rounded to float16, whether made now or before."""
    origin: Origin
    """Read from disk; made now; or made now since the file on disk was damaged."""


class FeatureItem(NamedTuple):
    """What is to be looked at: the pictures on screen at `times`, in seconds from the file's first picture."""

    path: Path
    times: tuple[Fraction, ...]
    sha256: str | None = None
    """Of the file, where it is known; else it is worked out."""


@dataclass(frozen=True)
class Extraction:
    """What became of many clips."""

    made: int
    kept: int
    """Were there already."""
    remade: int
    """Were there, and damaged."""
    failures: tuple[tuple[FeatureItem, str], ...]
    """Clips that cannot be looked at, with the reason, in the order given."""


class FeatureCache:
    """A folder of features; made where it is not there. Several threads and processes may use one at once.

    Raises `OutputError` where the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[tuple[Path, int, int], str] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for draft in folder.glob("*.part"):
                if time.time() - draft.stat().st_mtime > DRAFT_LIFE:
                    draft.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot keep features in {folder}: {error}; choose another folder") from error

    def holds(self, item: FeatureItem, encoder: FeatureMaker) -> bool:
        """Whether something is kept of an item. It is not read: `get_or_make` makes it again where it is damaged."""
        return self._file(self._key(item.path, item.times, encoder, item.sha256)).exists()

    def get_or_make(
        self,
        path: Path,
        times: Sequence[Fraction],
        encoder: FeatureMaker,
        progress: Progress | None = None,
        *,
        sha256: str | None = None,
    ) -> KeptFeatures:
        """Features of one clip, from disk or made and kept. A damaged file is made again.

        `sha256` is that of the media file, where it is known; else the file is read for it. Raises the errors of the
        encoder, and `OutputError` where they cannot be written.
        """
        key = self._key(path, times, encoder, sha256)
        file = self._file(key)
        there = file.exists()
        kept = _read(file, key, (len(times), encoder.feature_size)) if there else None
        if kept is not None:
            return KeptFeatures(kept, "kept")
        values = _rounded(encoder.features(path, times, progress))
        self._write(file, key, path, values)
        return KeptFeatures(values.astype(np.float32), "remade" if there else "made")

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"

    def _key(self, path: Path, times: Sequence[Fraction], encoder: FeatureMaker, sha256: str | None) -> str:
        parts = {
            "media": sha256 or self._media_digest(path),
            "times": [str(each) for each in times],
            "encoder": encoder.digest,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _media_digest(self, path: Path) -> str:
        """SHA-256 of the whole file; worked out once as long as its size and time stay."""
        try:
            state = path.stat()
            which = (path, state.st_size, state.st_mtime_ns)
            if which not in self._digests:
                self._digests[which] = file_digest(path)
            return self._digests[which]
        except FileNotFoundError as error:
            raise MediaNotFoundError(f"no such file: {path}; relink the clip or give another path") from error
        except OSError as error:
            raise MediaUnreadableError(f"cannot read {path}: {error.strerror}; wanted one video file") from error

    def _write(self, file: Path, key: str, path: Path, values: NDArray[np.floating]) -> None:
        told = {"key": key, "media": path.name, "sha256": _values_digest(values)}
        draft = file.with_name(f"{file.stem}.{uuid.uuid4().hex}.part")
        try:
            draft.write_bytes(save({TENSOR: values}, {METADATA: json.dumps(told)}))
            draft.chmod(0o644)
            draft.replace(file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise OutputError(f"cannot keep features in {file}: {error}; free some space and start again") from error


def extract_features(
    items: Sequence[FeatureItem],
    encoder: FeatureMaker,
    cache: FeatureCache,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Extraction:
    """Make and keep the features of many clips, `workers` of them at once in threads.

    Clips that cannot be looked at are listed with the reason, not raised. After a kill, or a stop (`CancelledError`),
    another call makes only what is missing. Raises `OutputError` where features cannot be written.

    Threads, since decoding, flow and PyTorch let go of Python's lock, and processes would each hold the weights: on two
    cores, two workers take half the time of one. Give PyTorch one thread then (`torch.set_num_threads`).
    """
    if workers < 1:
        raise UsageError(f"features want at least 1 worker; got {workers}")
    progress = progress or Progress()
    within = Progress(cancel=progress.cancel)

    def origin_of(item: FeatureItem) -> Origin:
        return cache.get_or_make(
            item.path, item.times, encoder, within, sha256=item.sha256
        ).origin  # and let the features go

    origins: dict[Origin, int] = {"kept": 0, "made": 0, "remade": 0}
    failures: dict[int, str] = {}
    with one_thread(), ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(origin_of, item): number for number, item in enumerate(items)}
        try:
            for done, future in enumerate(as_completed(running), start=1):
                number = running[future]
                try:
                    origins[future.result()] += 1
                except MediaError as error:
                    failures[number] = str(error)
                progress.step("look", done, len(items), items[number].path.name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Extraction(
        origins["made"],
        origins["kept"],
        origins["remade"],
        tuple((items[number], failures[number]) for number in sorted(failures)),
    )


def _rounded(values: Features) -> NDArray[np.floating]:
    """As float16, or left alone where float16 cannot hold them."""
    return values.astype(np.float16) if np.abs(values).max(initial=0.0) <= np.finfo(np.float16).max else values


def _values_digest(values: NDArray[np.floating]) -> str:
    return hashlib.sha256(f"{values.dtype} {values.shape} ".encode() + values.tobytes()).hexdigest()


def _read(file: Path, key: str, shape: tuple[int, int]) -> Features | None:
    """What is kept under `key`; None where the file holds anything else."""
    try:
        with safe_open(file, "numpy") as content:
            told = json.loads((content.metadata() or {})[METADATA])
            values = content.get_tensor(TENSOR)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    whole = isinstance(told, dict) and told.get("key") == key and told.get("sha256") == _values_digest(values)
    return values.astype(np.float32) if whole and values.shape == shape else None
