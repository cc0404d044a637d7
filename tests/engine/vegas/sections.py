"""Fetched sections whose truth is known, and small projects of them: what tests of `segment` and `build` start from.

Picture n of a section is a slate with the number n; at each flash a click sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from v2s_engine.corpus.slate import click_track, slate_picture
from v2s_engine.digest import file_digest
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.vegas.store import PIECE_LENGTH, Project

WIDTH, HEIGHT = 96, 64


@dataclass(frozen=True)
class Kept:
    """A fetched video and what is kept of it."""

    category: str
    pieces: Iterable[int] = range(5)
    """Ordinals of the pieces that the verdicts keep."""
    length: int = 160_000
    licence: str | None = "CC BY 4.0"
    attribution: str | None = "someone"


def write_section(
    path: Path, *, length: int = 160_000, rate: Fraction = Fraction(5), flashes: Sequence[int] = (), b_frames: int = 2
) -> NDArray[np.int16]:
    """Write a file in the normal form; returns its samples `[length]`: clicks over a hum that never repeats."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = int(-(-length * rate // SAMPLE_RATE))
    times = [number / rate for number in range(count)]
    clicks = click_track([times[n] for n in flashes], duration=Fraction(length, SAMPLE_RATE), rate=SAMPLE_RATE)
    samples = (np.rint(clicks * 30_000) + np.arange(length) % 997).astype(np.int16)
    with av.open(str(path), "w", format="matroska", container_options={"fflags": "+bitexact"}) as container:
        options = {"preset": "veryfast", "crf": "18", "forced-idr": "1", "bf": str(b_frames)}
        video = container.add_stream("libx264", rate=rate, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base, video.codec_context.thread_count = Fraction(1, 1000), 1
        audio = container.add_stream("flac", rate=SAMPLE_RATE)
        audio.codec_context.layout, audio.codec_context.format = "mono", "s16"
        keys = 0
        for number, time in enumerate(times):
            picture = slate_picture(number, width=WIDTH, height=HEIGHT, flash=number in flashes)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            if time >= 2 * keys:
                frame.pict_type, keys = PictureType.I, keys + 1
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
        sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    return samples


def read_samples(path: Path) -> NDArray[np.int16]:
    """All samples of a file, as they are."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def make_project(folder: Path, videos: Mapping[str, Kept], *, media: bool = True) -> Project:
    """A project whose videos are fetched; without pieces and verdicts: see `judge`."""
    project = Project(folder)
    with project.connect(create=True) as connection, connection:
        for position, name in enumerate(dict.fromkeys(each.category for each in videos.values())):
            connection.execute("INSERT INTO categories VALUES (?, ?, '[]', '[]', 9)", (name, position))
        for line, (video_id, each) in enumerate(videos.items(), start=1):
            connection.execute(
                "INSERT INTO videos VALUES (?, ?, 30000, 40000, '[]', 'made.csv', ?, ?)",
                (video_id, each.category, line, line),
            )
            digest = None
            if media:
                path = project.media_path(video_id)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_section(each.length))
                digest = file_digest(path)
            connection.execute(
                "INSERT INTO fetches (video_id, state, attempts, sha256, length, licence, attribution) "
                "VALUES (?, 'fetched', 1, ?, ?, ?, ?)",
                (video_id, digest, each.length, each.licence, each.attribution),
            )
    return project


def judge(project: Project, videos: Mapping[str, Kept]) -> None:
    """Pieces of all videos, with verdicts in place of all that there were."""
    with project.connect() as connection, connection:
        connection.execute("DELETE FROM verdicts")
        for video_id, each in videos.items():
            for ordinal in range(-(-each.length // PIECE_LENGTH)):
                piece = min(PIECE_LENGTH, each.length - ordinal * PIECE_LENGTH)
                connection.execute(
                    "INSERT OR IGNORE INTO pieces (video_id, ordinal, length) VALUES (?, ?, ?)",
                    (video_id, ordinal, piece),
                )
                kept = int(ordinal in each.pieces)
                connection.execute(
                    "INSERT INTO verdicts SELECT id, ?, 3, ?, ?, 3, ?, ?, 0 FROM pieces "
                    "WHERE video_id = ? AND ordinal = ?",
                    (3 * kept, kept, 3 * kept, kept, kept, video_id, ordinal),
                )


@cache
def _section(length: int) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write_section(Path(folder) / "section.mkv", length=length, flashes=(3, 17, 27))
        return (Path(folder) / "section.mkv").read_bytes()
