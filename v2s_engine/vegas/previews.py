"""What annotators see and hear of a piece: its pictures alone, its sound alone, and a thumbnail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import OutputError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.vegas.cutting import Section, Stretch
from v2s_engine.vegas.store import PIECE_LENGTH, Project
from v2s_engine.vegas.whole_file import whole_file
from v2s_engine.video import probe, read_pictures

SUFFIXES = (".mp4", ".flac", ".jpg")
"""Of a piece's previews: pictures alone, sound alone, thumbnail; see `Project.piece_path`."""

_QUALITY = 85  # of JPEG, in percent


def write_previews(project: Project, video_id: str, section: Section, pieces: Sequence[int]) -> None:
    """Write the previews of all pieces of a fetched section; `pieces` are their lengths in samples, the first first.

    Pictures alone: H.264 (yuv420p) in MP4, playable while it loads, from a key frame at 0 on, as long as the piece.
    Sound alone: FLAC, 16 kHz mono, the piece's samples exactly. Thumbnail: the picture on screen in the middle.

    Raises `MediaError` where the section is damaged or cannot be cut; `OutputError`.
    """
    stretches = [Stretch(ordinal * PIECE_LENGTH, piece) for ordinal, piece in enumerate(pieces)]
    for ordinal, stretch in enumerate(stretches):
        section.write_pictures(project.piece_path(video_id, ordinal, ".mp4"), stretch)
        section.write_sound(project.piece_path(video_id, ordinal, ".flac"), stretch)
    middles = [Fraction(2 * stretch.begin + stretch.length, 2 * SAMPLE_RATE) for stretch in stretches]
    info = probe(section.path)
    for ordinal, picture in enumerate(read_pictures(section.path, middles, width=info.width, height=info.height)):
        _write_thumbnail(project.piece_path(video_id, ordinal, ".jpg"), picture)


def previews_stand(project: Project, video_id: str, count: int) -> bool:
    """Whether all previews of a video's first `count` pieces are there."""
    return all(
        project.piece_path(video_id, ordinal, suffix).is_file() for ordinal in range(count) for suffix in SUFFIXES
    )


def delete_previews(project: Project, video_id: str, ordinals: Iterable[int]) -> None:
    """Delete the previews of some pieces of a video, as far as there are any. Raises `OutputError`."""
    try:
        for ordinal in ordinals:
            for suffix in SUFFIXES:
                project.piece_path(video_id, ordinal, suffix).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot delete previews of {video_id}: {error}; make the folder writable") from error


def _write_thumbnail(path: Path, picture: NDArray[np.uint8]) -> None:
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    with whole_file(path) as draft:
        draft.write_bytes(coded.tobytes())
