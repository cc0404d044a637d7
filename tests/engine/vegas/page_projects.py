"""Projects with pieces to annotate, and the previews of these."""

import sqlite3
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from v2s_engine.corpus.slate import slate_picture
from v2s_engine.vegas.store import PIECE_LENGTH, Project

RATE = 25


def fill(connection: sqlite3.Connection, categories: dict[str, int], *, gold: int = 0, pieces: int = 2) -> None:
    """Videos of each category with some pieces each; the first videos of a category are gold in both modalities."""
    with connection:
        for position, (category, videos) in enumerate(categories.items()):
            connection.execute("INSERT INTO categories VALUES (?, ?, '[]', '[]', 0)", (category, position))
            for number in range(videos):
                video = f"{category}-{number}"
                connection.execute(
                    "INSERT INTO videos VALUES (?, ?, 0, 10000, '[]', 'a.csv', 1, ?)", (video, category, number)
                )
                for ordinal in range(pieces):
                    added = connection.execute(
                        "INSERT INTO pieces (video_id, ordinal, length) VALUES (?, ?, ?)",
                        (video, ordinal, PIECE_LENGTH),
                    )
                    for modality in ("picture", "sound"):
                        if number < gold:
                            connection.execute("INSERT INTO gold VALUES (?, ?, 1)", (added.lastrowid, modality))


def make_page_project(folder: Path, categories: dict[str, int], *, gold: int = 0, pieces: int = 1) -> Project:
    """A project as `segment` leaves it, with previews of each piece."""
    project = Project(folder)
    with project.connect(create=True) as connection:
        fill(connection, categories, gold=gold, pieces=pieces)
        rows = connection.execute("SELECT id, video_id, ordinal FROM pieces").fetchall()
    for row in rows:
        picture = project.piece_path(row["video_id"], row["ordinal"], ".mp4")
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_picture(picture, row["id"])
        write_sound(picture.with_suffix(".flac"), row["id"])
    return project


def write_picture(path: Path, number: int) -> None:
    """Two seconds of numbered pictures in a colour of their own, H.264 in MP4, without sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": "50", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for index in range(2 * RATE):
            picture = slate_picture(index, width=320, height=240)
            picture[:40] = np.random.default_rng(number).integers(0, 256, 3)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_sound(path: Path, number: int) -> None:
    """Two seconds of a tone that swells, FLAC, 16 kHz mono."""
    moments = np.arange(PIECE_LENGTH) / 16_000
    tone = np.sin(moments * 2 * np.pi * (220 + 40 * number)) * np.sin(moments * np.pi * 1.5) ** 2 * 20_000
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
