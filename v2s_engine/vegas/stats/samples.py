"""Clips for the sample sheet: one per category, chosen by seed, with some of its pictures and its sound."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import read_sound
from v2s_engine.errors import MediaError, UsageError
from v2s_engine.grid import SAMPLE_RATE, round_half_up
from v2s_engine.progress import Progress
from v2s_engine.vegas.stats.figures import SampleRow
from v2s_engine.vegas.store import PIECE_LENGTH, Project
from v2s_engine.video import probe, read_pictures

DRAWN_CATEGORIES = 4
"""As many as the paper's figure shows."""

_HEIGHT = 180
_TRIES = 5


@dataclass(frozen=True)
class SampleOptions:
    """Which clips are drawn. Raises `UsageError` for fewer than one frame."""

    categories: tuple[str, ...] = ()
    """Empty: the first four that have any."""
    frames: int = 6
    """Pictures shown of each clip."""
    seed: int = 0
    """Which clips; the same seed, the same ones."""

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UsageError(f"a sample wants at least 1 frame; got {self.frames}")


@dataclass(frozen=True)
class Sample:
    """What is drawn of one clip."""

    row: SampleRow
    pictures: tuple[NDArray[np.uint8], ...]
    """`[H, W, 3]` RGB each, at the row's moments."""
    sound: NDArray[np.float32]
    """`[L]` at 16 kHz, full scale 1."""


@dataclass(frozen=True)
class Samples:
    """Samples in the project's order of categories; and categories of which none could be read, with the reason."""

    samples: tuple[Sample, ...]
    are_clips: bool
    left_out: tuple[tuple[str, str], ...]


class _Stretch(NamedTuple):
    """A stretch of a fetched section."""

    category: str
    video_id: str
    first: int
    """Ordinal of its first piece."""
    length: int
    licence: str | None
    attribution: str | None


def take_samples(
    project: Project, connection: sqlite3.Connection, options: SampleOptions, progress: Progress
) -> Samples:
    """A clip of each category asked for, or of the first four that have any; whole fetched sections before `build`.

    The longest clips of a category come first, among equals the seed decides. Where one cannot be read, the next is
    taken. Raises `UsageError` for an unknown category.
    """
    known = [name for (name,) in connection.execute("SELECT name FROM categories ORDER BY position")]
    if unknown := sorted(set(options.categories) - set(known)):
        raise UsageError(f"there is no category {', '.join(unknown)}; there are: {', '.join(known)}")
    (clips,) = connection.execute("SELECT count(*) FROM clips").fetchone()
    stretches = _clips(connection) if clips else _sections(connection)
    with_any = [name for name in known if any(each.category == name for each in stretches)]
    chosen = [name for name in known if name in options.categories] or with_any[:DRAWN_CATEGORIES]
    samples: list[Sample] = []
    left_out: list[tuple[str, str]] = []
    for number, category in enumerate(chosen):
        progress.step("reading samples", number, len(chosen), category)
        taken = _first_readable(project, _ordered(stretches, category, options.seed), options.frames)
        if isinstance(taken, Sample):
            samples.append(taken)
        else:
            left_out.append((category, taken))
    progress.step("reading samples", len(chosen), len(chosen))
    return Samples(tuple(samples), bool(clips), tuple(left_out))


def _clips(connection: sqlite3.Connection) -> list[_Stretch]:
    query = (
        "SELECT category, video_id, first, clips.length, licence, attribution FROM clips "
        "JOIN videos USING (video_id) JOIN fetches USING (video_id)"
    )
    return [_Stretch(*row) for row in connection.execute(query)]


def _sections(connection: sqlite3.Connection) -> list[_Stretch]:
    query = (
        "SELECT category, video_id, 0, length, licence, attribution FROM fetches JOIN videos USING (video_id) "
        "WHERE state = 'fetched' AND length > 0"
    )
    return [_Stretch(*row) for row in connection.execute(query)]


def _ordered(stretches: Sequence[_Stretch], category: str, seed: int) -> Iterator[_Stretch]:
    def place(each: _Stretch) -> tuple[int, str]:
        drawn = hashlib.sha256(f"{seed}/sample/{each.video_id}/{each.first}".encode()).hexdigest()
        return -_whole_pieces(each.length), drawn

    yield from sorted((each for each in stretches if each.category == category), key=place)


def _whole_pieces(length: int) -> int:
    """A slightly short last piece counts as one."""
    return round_half_up(Fraction(length, PIECE_LENGTH))


def _first_readable(project: Project, stretches: Iterator[_Stretch], frames: int) -> Sample | str:
    """The sample, or why there is none."""
    reason = "it has nothing to show"
    for each, _ in zip(stretches, range(_TRIES), strict=False):
        try:
            return _read(project, each, frames)
        except MediaError as error:
            reason = str(error)
    return reason


def _read(project: Project, each: _Stretch, frames: int) -> Sample:
    media = project.media_path(each.video_id)
    begin = each.first * PIECE_LENGTH
    # In the middle of equal shares, so that each picture stands above its own moment.
    moments = [Fraction(each.length * (2 * number + 1), 2 * frames * SAMPLE_RATE) for number in range(frames)]
    info = probe(media)
    width = max(1, round_half_up(Fraction(_HEIGHT * info.width, info.height)))
    start = Fraction(begin, SAMPLE_RATE)
    pictures = tuple(read_pictures(media, [start + moment for moment in moments], width=width, height=_HEIGHT))
    sound = read_sound(media)[begin : begin + each.length]
    row = SampleRow(
        category=each.category,
        video_id=each.video_id,
        begin_s=float(start),
        duration_s=each.length / SAMPLE_RATE,
        moments_s=tuple(float(moment) for moment in moments),
        licence=each.licence,
        attribution=each.attribution,
    )
    return Sample(row, pictures, sound)
