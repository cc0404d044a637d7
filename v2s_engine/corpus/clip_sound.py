"""The sound of clips, decoded once and kept on disk: 55 hours at 16 kHz are 6 GB, too much to hold or decode again."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from v2s_engine.corpus.clips import Clip
from v2s_engine.corpus.footage import read_sync_sound
from v2s_engine.corpus.recordings import AUDIBLE_DBFS
from v2s_engine.digest import file_digest
from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import MediaError, MediaUnreadableError, OutputError
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE, round_half_up
from v2s_engine.video import probe

_FULL_SCALE = 32_768


@dataclass(frozen=True)
class ClipSound:
    """What is known of a clip's sound without reading it."""

    file: Path
    """Where the samples lie."""
    length: int
    """Samples at 16 kHz."""
    sha256: str
    """Of the clip's media file."""

    def read(self) -> NDArray[np.float32]:
        """Samples `[length]` float32 at 16 kHz, in steps of 16 bit."""
        with safe_open(self.file, "numpy") as content:
            codes = content.get_tensor("samples")
        return np.asarray(codes.astype(np.float32) / _FULL_SCALE, np.float32)


class ClipSoundCache:
    """Sounds of clips in a folder, 16 bit, one file each.

    A file is found by its clip's path, size, time of change and stretch: looking at all 28,000 clips again costs no
    reading of media. Damaged files are made again; a killed run leaves only whole ones.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, clip: Clip) -> ClipSound:
        """The clip's sound, decoded where it is not there yet. Raises `MediaError` that says why it is of no use."""
        file = self.folder / f"{_key(clip)}.safetensors"
        found = _read_header(file)
        if found is None:
            samples = _decode(clip)
            found = {"length": len(samples), "sha256": file_digest(clip.path)}
            _write(file, samples, found)
        return ClipSound(file, int(found["length"]), str(found["sha256"]))


def check_usable(samples: NDArray[np.float32], name: str) -> None:
    """Raise `MediaError` for a sound that teaches nothing: shorter than one picture step (64 ms), or silent."""
    if len(samples) < FRAME_LENGTH:
        raise MediaError(
            f"{name} lasts {len(samples) / SAMPLE_RATE:.3f} s, less than one picture step; 0.064 s is wanted"
        )
    if not (measure_envelope(samples).loudness > AUDIBLE_DBFS).any():
        raise MediaError(f"{name} is silent throughout; something above {AUDIBLE_DBFS:.0f} dBFS is wanted")


def _decode(clip: Clip) -> NDArray[np.float32]:
    """The clip's samples, from the picture that its stretch begins with on."""
    info = probe(clip.path)
    if not info.has_sound:
        raise MediaError(f"{clip.name} holds no sound; wanted a clip with pictures and sound")
    if _pictures(clip.path, 2) < 2:
        raise MediaError(f"{clip.name} holds a single picture; wanted pictures that move")
    begin = clip.begin or Fraction(0)
    end = info.duration if clip.duration is None else min(info.duration, begin + clip.duration)
    if begin >= end:
        raise MediaError(
            f"{clip.name} begins at {float(begin):g} s, after its file's end at {float(info.duration):g} s"
        )
    first = round_half_up(begin * SAMPLE_RATE)
    samples = read_sync_sound(clip.path, round_half_up(end * SAMPLE_RATE))[first:]
    if not np.isfinite(samples).all():
        raise MediaError(f"{clip.name} holds samples that are not numbers; export its sound again")
    check_usable(samples, clip.name)
    return samples


def _pictures(path: Path, most: int) -> int:
    """How many coded pictures a file holds, counted up to `most`."""
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
            return len(list(islice((packet for packet in container.demux(video=0) if packet.size), most)))
    except (av.error.FFmpegError, OSError) as error:
        raise MediaUnreadableError(f"cannot read {path}: {error}; wanted a clip with pictures and sound") from error


def _key(clip: Clip) -> str:
    status = clip.path.stat()
    told = (str(clip.path.resolve()), status.st_size, status.st_mtime_ns, str(clip.begin), str(clip.duration))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]


def _read_header(file: Path) -> dict[str, str | int] | None:
    """What a file says of itself; None where it is missing or damaged."""
    try:
        with safe_open(file, "numpy") as content:
            header = json.loads((content.metadata() or {})["v2s"])
            whole = content.get_slice("samples").get_shape() == [header["length"]]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return {"length": header["length"], "sha256": header["sha256"]} if whole else None


def _write(file: Path, samples: NDArray[np.float32], header: dict[str, str | int]) -> None:
    temporary = file.with_suffix(f".{uuid.uuid4().hex}.partial")
    codes = np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"samples": codes}, temporary, {"v2s": json.dumps(header)})
        temporary.chmod(0o644)
        temporary.replace(file)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"cannot write {file}: {error}; free some space or choose another --cache") from error
