"""Recordings of one sound, an editor's own: a plain folder of files, cut into stretches, some held back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.recordings import AUDIBLE_DBFS, Material, Recording
from v2s_engine.corpus.stretches import cut_at_silences, sound_blocks
from v2s_engine.digest import file_digest
from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import MediaError, UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.progress import Progress

Samples = NDArray[np.float32]

LEAST_DURATION = 10
"""Seconds of sound without which nothing can be learned and measured."""

LITTLE_DURATION = 60
"""Seconds of sound under which little is to be expected."""

MOST_DURATION = 3_600
"""Seconds of sound that are held in memory: 230 MB. Of more than that every second stretch is taken, or every fourth,
..., so that half an hour or more is left of all files alike."""

HELD_SHARE = 10
"""One part in so many is held back for measuring."""

QUIET_DBFS, RAISED_DBFS = -30.0, -20.0
"""Recordings whose loudest moments (of 16 ms) lie below the first are raised to the second, all by the same gain: what
the pictures ask for lies there."""

_MOST_PEAK = 0.98


@dataclass(frozen=True)
class OwnRecordings:
    """What there is to learn one sound from."""

    training: tuple[Recording, ...]
    """Stretches of at most 30 s at 16 kHz."""
    held: tuple[Recording, ...]
    """Stretches that are not trained on."""
    held_from: str
    """Where these come from, in words."""
    material: tuple[Material, ...]
    """Of each file that is trained on; `duration` is what is used of it, in seconds."""
    left_out: tuple[tuple[str, str], ...]
    """Files that are not used, with the reason."""
    recorded_length: int
    """Samples of all usable files at 16 kHz, silence and all."""
    sounding_length: int
    """Samples of these in which something sounds."""
    gain_db: float
    """By which all were raised; 0 where they are loud enough."""

    @property
    def training_length(self) -> int:
        """Samples that are trained on."""
        return sum(len(each.samples) for each in self.training)

    @property
    def held_length(self) -> int:
        """Samples that are held back."""
        return sum(len(each.samples) for each in self.held)

    def credits(self) -> list[dict[str, Any]]:
        """One plain dictionary per file, for `bundle.json`."""
        return [asdict(each) for each in self.material]


class _Stretch(NamedTuple):
    file: str
    begin: int
    """Sample of the file at which it begins."""
    samples: Samples


@dataclass
class _Gathered:
    """What was read so far."""

    stretches: list[_Stretch]
    digests: dict[str, str]
    left_out: list[tuple[str, str]]
    recorded_length: int = 0
    sounding_length: int = 0
    stride: int = 1
    """Only every so-manieth stretch is kept."""
    count: int = 0
    """Stretches found."""

    def add(self, found: Sequence[_Stretch], most: int) -> None:
        """Keep what may be kept, `most` samples at most."""
        for each in found:
            if self.count % self.stride == 0:
                self.stretches.append(each)
            self.count += 1
            while len(self.stretches) > 1 and sum(len(one.samples) for one in self.stretches) > most:
                self.stretches = self.stretches[::2]
                self.stride *= 2


def read_own_recordings(
    folder: Path,
    sound_class: str,
    *,
    besides: Path | None = None,
    most: int = MOST_DURATION * SAMPLE_RATE,
    progress: Progress | None = None,
) -> OwnRecordings:
    """Read all files in a folder and below it as recordings of one sound class.

    Anything that FFmpeg reads, video files as well, at any rate; channels are mixed. Long silences are left out. What
    lies in `besides` (the training's own folder), and names that begin with a dot, are passed over; files that cannot
    be decoded, are silent, shorter than a tenth of a second or copies of another are listed as left out. No more than
    `most` samples are held. Raises `UsageError` for no folder and for less than 10 s of sound.
    """
    if not folder.is_dir():
        raise UsageError(f"--sounds wants a folder of recordings; {folder} is no folder")
    gathered = _Gathered([], {}, [])
    paths = list(_files(folder, besides))
    for number, path in enumerate(paths, start=1):
        _gather(path, path.relative_to(folder).as_posix(), gathered, most)
        if progress:
            progress.step("read", number, len(paths), path.name)
    _check_enough(gathered, folder)
    gain = _raise_quiet(gathered.stretches)
    training, held, held_from = _hold_back(gathered.stretches, gathered.digests)
    return OwnRecordings(
        training=tuple(_recording(each, sound_class, gathered.digests) for each in training),
        held=tuple(_recording(each, sound_class, gathered.digests) for each in held),
        held_from=held_from,
        material=tuple(_materials(training, sound_class, gathered.digests)),
        left_out=tuple(gathered.left_out),
        recorded_length=gathered.recorded_length,
        sounding_length=gathered.sounding_length,
        gain_db=gain,
    )


def length_text(length: int) -> str:
    """So many samples at 16 kHz, in seconds or minutes: `48 s`, `12.5 min`."""
    seconds = length / SAMPLE_RATE
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _files(folder: Path, besides: Path | None) -> Iterator[Path]:
    passed = besides.resolve() if besides else None
    for path in sorted(folder.glob("**/*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not is_hidden and (passed is None or passed not in path.resolve().parents):
            yield path


def _gather(path: Path, name: str, gathered: _Gathered, most: int) -> None:
    """Read one file; a file that breaks off in the middle is left out as a whole."""
    found: list[_Stretch] = []
    length = 0
    try:
        for block in sound_blocks(path):
            found += [_Stretch(name, length + cut.start, block[cut].copy()) for cut in cut_at_silences(block)]
            length += len(block)
    except MediaError as error:
        gathered.left_out.append((name, str(error)))
        return
    if length < SAMPLE_RATE // 10:
        gathered.left_out.append((name, f"only {length / SAMPLE_RATE:.3f} s long; at least 0.1 s is wanted"))
    elif not found:
        gathered.left_out.append((name, f"silent throughout (below {AUDIBLE_DBFS:.0f} dBFS)"))
    elif same := [other for other, digest in gathered.digests.items() if digest == file_digest(path)]:
        # Were one trained on and the other held back, nothing would be measured.
        gathered.left_out.append((name, f"the same as {same[0]}"))
    else:
        gathered.digests[name] = file_digest(path)
        gathered.recorded_length += length
        gathered.sounding_length += sum(len(each.samples) for each in found)
        gathered.add(found, most)


def _check_enough(gathered: _Gathered, folder: Path) -> None:
    if gathered.sounding_length >= LEAST_DURATION * SAMPLE_RATE:
        return
    reasons = "; ".join(f"{file}: {why}" for file, why in gathered.left_out)
    found = 10 * gathered.sounding_length // SAMPLE_RATE / 10  # rounded down: 9.97 s are not 10 s
    raise UsageError(
        f"{folder} holds {found} s of sound in {len(gathered.digests)} usable "
        f"files; at least {LEAST_DURATION} s are wanted, better minutes: record more"
        + (f" (left out: {reasons})" if reasons else "")
    )


def _raise_quiet(stretches: list[_Stretch]) -> float:
    """Raise recordings that are quiet throughout, in place; the gain in dB."""
    loudest = max(float(measure_envelope(each.samples).loudness.max()) for each in stretches)
    if loudest >= QUIET_DBFS:
        return 0.0
    peak = max(float(np.abs(each.samples).max()) for each in stretches)
    gain = min(10 ** ((RAISED_DBFS - loudest) / 20), _MOST_PEAK / peak)
    for each in stretches:
        np.multiply(each.samples, np.float32(gain), out=each.samples)
    return round(20 * float(np.log10(gain)), 1)


def _hold_back(stretches: Sequence[_Stretch], digests: dict[str, str]) -> tuple[list[_Stretch], list[_Stretch], str]:
    """What is trained on, what is held back, and where that comes from.

    Whole files, so that nothing of a take is heard in training: drawn by their digests, as many as make up a tenth of
    the sound but no more than two. Where there are none, the end of the longest file.
    """
    lengths: dict[str, int] = {}
    for each in stretches:
        lengths[each.file] = lengths.get(each.file, 0) + len(each.samples)
    wanted = sum(lengths.values()) // HELD_SHARE
    chosen: set[str] = set()
    held_length = 0
    for name in sorted(lengths, key=digests.__getitem__):
        if held_length < wanted and held_length + lengths[name] <= 2 * wanted:
            chosen.add(name)
            held_length += lengths[name]
    if held_length >= wanted:
        training = [each for each in stretches if each.file not in chosen]
        held = [each for each in stretches if each.file in chosen]
        return training, held, f"{len(chosen)} of {len(lengths)} files"
    longest = max(lengths, key=lambda name: (lengths[name], name))
    training, held = _cut_off_end(stretches, longest, wanted)
    return training, held, f"the end of {longest}"


def _cut_off_end(stretches: Sequence[_Stretch], name: str, length: int) -> tuple[list[_Stretch], list[_Stretch]]:
    """The stretches without the last `length` samples of a file, and these."""
    training: list[_Stretch] = []
    held: list[_Stretch] = []
    left = length
    for each in reversed(stretches):
        cut = len(each.samples) - min(left, len(each.samples)) if each.file == name else len(each.samples)
        if cut < len(each.samples):
            held.append(_Stretch(name, each.begin + cut, each.samples[cut:]))
            left -= len(each.samples) - cut
        if cut:
            training.append(_Stretch(each.file, each.begin, each.samples[:cut]))
    return training[::-1], held[::-1]


def _recording(stretch: _Stretch, sound_class: str, digests: dict[str, str]) -> Recording:
    place = f"{stretch.file} from {stretch.begin / SAMPLE_RATE:.1f} s"
    return Recording(_material(place, sound_class, len(stretch.samples), digests[stretch.file]), stretch.samples)


def _materials(stretches: Sequence[_Stretch], sound_class: str, digests: dict[str, str]) -> Iterator[Material]:
    for name in dict.fromkeys(each.file for each in stretches):
        length = sum(len(each.samples) for each in stretches if each.file == name)
        yield _material(name, sound_class, length, digests[name])


def _material(file: str, sound_class: str, length: int, digest: str) -> Material:
    return Material(file, sound_class, round(length / SAMPLE_RATE, 3), "the editor's own", "not stated", digest)
