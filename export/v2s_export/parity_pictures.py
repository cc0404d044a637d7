"""Pictures on which an export is held against its network: of a real clip, or of a rendered scene."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.scenes import SceneOptions, make_scene
from v2s_engine.grid import FRAME_RATE
from v2s_engine.video import probe, read_pictures
from v2s_engine.vision.framing import read_framed

SCENE = 2_000_000
"""Seed of the rendered scene; no training uses it."""

SCENE_NAME = "a rendered scene"

Pictures = list[NDArray[np.uint8]]
"""`[S, S, 3]` each, 64 ms apart."""


def framed_pictures(clip: Path | None, size: int, count: int) -> tuple[Pictures, str]:
    """`count` pictures as the visual encoder sees them (the square in the middle), and what they are of."""
    if clip is None:
        return scene_pictures(size, count), SCENE_NAME
    return list(read_framed(clip, middle_times(clip, count), size)), clip.name


def squeezed_pictures(clip: Path | None, size: int, count: int) -> tuple[Pictures, str]:
    """`count` pictures as the timing network sees them (the whole, squeezed), and what they are of."""
    if clip is None:
        return scene_pictures(size, count), SCENE_NAME
    return list(read_pictures(clip, middle_times(clip, count), width=size, height=size)), clip.name


def middle_times(clip: Path, count: int) -> list[Fraction]:
    """`count` times in seconds, 64 ms apart, in the middle of the clip; raises as `probe`."""
    start = max(Fraction(0), (probe(clip).duration - count / FRAME_RATE) / 2)
    return [start + step / FRAME_RATE for step in range(count)]


def scene_pictures(size: int, count: int) -> Pictures:
    """The first pictures of the rendered scene, which lasts 4 s."""
    scene = make_scene(SCENE, SceneOptions(width=size, height=size))
    return [scene.picture_at(step / FRAME_RATE) for step in range(count)]
