# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender's versions, and the few lookups that every part needs.

4.4 renamed `sequences` to `strips`; 5.0 gave the sequencer a scene of its own; 5.2 gave the handles new names.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from .rates import exact_rate


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene that the sequencer shows; without a window (rendering, scripts) the scene at hand."""
    return getattr(context, "sequencer_scene", None) or context.scene


def scene_rate(scene: bpy.types.Scene) -> Fraction:
    """Frames per second of the scene."""
    return exact_rate(scene.render.fps / scene.render.fps_base)


def strips_of(owner: Any) -> Any:
    """The strips of a sequence editor or of a meta strip, as Blender's own collection."""
    strips = getattr(owner, "strips", None)
    return owner.sequences if strips is None else strips


def walk(owner: Any) -> Iterator[Any]:
    """Every strip, also those inside meta strips."""
    for strip in strips_of(owner):
        yield strip
        if strip.type == "META":
            yield from walk(strip)


def left(strip: Any) -> int:
    """First frame on which a strip is seen."""
    return int(_first_of(strip, "left_handle", "frame_final_start"))


def right(strip: Any) -> int:
    """The frame after the last on which a strip is seen."""
    return int(_first_of(strip, "right_handle", "frame_final_end"))


def set_right(strip: Any, frame: int) -> None:
    """Trim a strip's end."""
    setattr(strip, "right_handle" if hasattr(strip, "right_handle") else "frame_final_end", frame)


def set_left(strip: Any, frame: int) -> None:
    """Trim a strip's start."""
    setattr(strip, "left_handle" if hasattr(strip, "left_handle") else "frame_final_start", frame)


def metas_around(strip: Any) -> Iterator[Any]:
    """The meta strips that a strip lies in, the nearest first."""
    meta = strip.parent_meta()
    while meta is not None:
        yield meta
        meta = meta.parent_meta()


def seen(strip: Any) -> tuple[int, int]:
    """First frame on which a strip is seen and the one after the last; meta strips hide what is beyond them."""
    around = [strip, *metas_around(strip)]
    return max(left(each) for each in around), min(right(each) for each in around)


def is_muted(editor: Any, strip: Any) -> bool:
    """Whether a strip is switched off: itself, the channel it is on, or a meta strip around it."""
    around = list(metas_around(strip))
    channels = [*(meta.channels for meta in around), editor.channels]
    return any(each.mute or held[each.channel].mute for each, held in zip([strip, *around], channels, strict=True))


def content_start(strip: Any) -> Fraction:
    """The frame on which the untrimmed content would begin."""
    return Fraction(_first_of(strip, "content_start", "frame_start"))


def content_length(strip: Any) -> int:
    """Frames of the scene that the untrimmed content fills."""
    return int(_first_of(strip, "content_duration", "frame_duration"))


def speed_input(strip: Any) -> Any | None:
    """The strip whose speed a speed control strip changes; None for any other strip."""
    return strip.input_1 if strip.type == "SPEED" else None


def absolute(path: str) -> str:
    """A path as Blender keeps it, such as `//../rushes/a.mp4`, as other programs take it."""
    return str(Path(bpy.path.abspath(path)).resolve())


def _first_of(strip: Any, *names: str) -> Any:
    """The first of these attributes that this Blender knows."""
    for name in names:
        if hasattr(strip, name):
            return getattr(strip, name)
    raise AttributeError(
        f"this Blender's {strip.type} strips know none of {', '.join(names)}; update the V2S extension"
    )
