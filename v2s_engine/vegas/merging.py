"""Adjacent pieces that were kept become clips: as long as they can be, and of at most 10 s."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MOST_PIECES = 5
"""Pieces of the longest clip: 10 s, as in the paper."""


class KeptPiece(NamedTuple):
    """A piece in which the source is seen and heard."""

    video_id: str
    ordinal: int
    """0 is the video's first."""
    length: int
    """Samples."""


class MergedClip(NamedTuple):
    """Pieces of one video that follow each other without a gap."""

    video_id: str
    first: int
    """Ordinal of its first piece."""
    last: int
    """And of its last."""
    length: int
    """Samples."""


def merge_pieces(kept: Iterable[KeptPiece]) -> list[MergedClip]:
    """The clips of kept pieces, by video and beginning; the order of the pieces does not matter.

    Every piece is in exactly one clip. A run of adjacent pieces is one clip; one of more than five is cut into clips of
    five from its beginning on. The shortest clip is one piece: 2 s, or 1.9 where it is the short last one of a video.
    """
    clips: list[MergedClip] = []
    for piece in sorted(kept):
        before = clips[-1] if clips else None
        if (
            before is not None
            and (before.video_id, before.last + 1) == (piece.video_id, piece.ordinal)
            and piece.ordinal - before.first < MOST_PIECES
        ):
            clips[-1] = before._replace(last=piece.ordinal, length=before.length + piece.length)
        else:
            clips.append(MergedClip(piece.video_id, piece.ordinal, piece.ordinal, piece.length))
    return clips
