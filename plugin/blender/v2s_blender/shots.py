# SPDX-License-Identifier: GPL-3.0-or-later
"""Movie strips as the shots that the worker is asked about.

A shot says which seconds of a media file are seen, how fast, and when. Blender's own arithmetic for the media frame on
screen: (frame − content start) × playback rate × retiming, counted from the content's end where frames are reversed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import bpy

from . import strips as vse
from .copies import id_of
from .rates import as_text, exact_rate
from .records import Record

CUE = "v2s:cue"
"""Name of scene markers at which a sound must start."""

_RENDER = "render the strip to a movie file and put that in its place"


@dataclass(frozen=True)
class Shot:
    """A movie strip that gets sound."""

    id: str
    name: str
    start: int
    """First frame on which it is seen."""
    end: int
    """The frame after its last."""
    media: str
    source_start: Fraction
    """Seconds from the media's first picture of the earliest picture shown."""
    speed: Fraction
    """Media seconds per second of the scene, below 0 where it runs backwards."""
    channel: int
    cues: tuple[int, ...]
    """Frames of the scene's cue markers inside."""

    def message(self, rate: Fraction, origin: int) -> dict[str, Any]:
        """The shot as the protocol has it; times count from frame `origin` of a scene with `rate` frames a second."""
        return {
            "id": self.id,
            "name": self.name,
            "track": f"Channel {self.channel}",
            "media": self.media,
            "source_start": as_text(self.source_start),
            "duration": as_text((self.end - self.start) / rate),
            "speed": as_text(self.speed),
            "timeline_start": as_text((self.start - origin) / rate),
            "frame_rate": as_text(rate),
            "cues": [as_text((cue - self.start) / rate) for cue in self.cues],
        }


class SkipError(Exception):
    """A strip that cannot get sound; the text says why and what to do."""


def wanted_strips(scene: bpy.types.Scene, scope: str) -> list[Any]:
    """The picture strips that are asked for: `SELECTED`, `RANGE` (they touch the playback range) or `ALL`."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    found = []
    for strip in vse.walk(editor):
        chosen = {
            "SELECTED": _is_selected(strip),
            "RANGE": vse.left(strip) < _range(scene)[1] and vse.right(strip) > _range(scene)[0],
            "ALL": True,
        }[scope]
        if chosen and strip.type in {"MOVIE", "SPEED", "IMAGE", "SCENE", "MOVIECLIP", "MASK"}:
            found.append(strip)
    # Whoever selects a movie under a speed control means what is seen of it.
    slowing = {movie.name: strip for strip in vse.walk(editor) if (movie := vse.speed_input(strip)) is not None}
    by_name = {seen.name: seen for seen in (slowing.get(strip.name, strip) for strip in found)}
    return sorted(by_name.values(), key=lambda strip: (vse.left(strip), strip.channel))


def read_shot(scene: bpy.types.Scene, strip: Any, *, existing: bool) -> Shot:
    """The shot of a strip; `existing`: also where the movie's own sound stands. Raises `SkipError`."""
    if strip.type not in {"MOVIE", "SPEED"}:
        raise SkipError(f"it is no movie strip; {_RENDER}")
    movie, factor = (strip, Fraction(1)) if strip.type == "MOVIE" else _speed_control(strip)
    if vse.is_muted(scene.sequence_editor, strip):
        raise SkipError("it is muted, or its channel, or the meta strip around it; unmute it")
    path = vse.absolute(movie.filepath)
    if not existing and _own_sound_stands(scene, path, strip):
        raise SkipError("its own sound stands beside it; delete or mute that, or allow “Where Sound Stands”")
    start, end = vse.seen(strip)
    if end <= start:
        raise SkipError("nothing of it is seen; move the meta strip's handles, or delete it")
    rate, media_rate = vse.scene_rate(scene), exact_rate(movie.fps) if movie.fps > 0 else Fraction(0)
    if not media_rate:
        raise SkipError(f"Blender cannot read {path}; see whether the file is there and plays")
    per_frame = _media_frames_per_frame(movie, path, rate, media_rate)
    first = vse.content_start(movie)
    before = start - first
    if strip.type == "SPEED":
        before = vse.left(movie) - first + (start - vse.left(strip)) * factor
    if movie.use_reverse_frames:
        before = vse.content_length(movie) - before - (end - start) * factor
    speed = per_frame * factor * rate / media_rate
    markers = [marker.frame for marker in scene.timeline_markers if marker.name.strip().lower() == CUE]
    return Shot(
        id=id_of(strip),
        name=strip.name,
        start=start,
        end=end,
        media=path,
        source_start=max(Fraction(0), before * per_frame + movie.animation_offset_start) / media_rate,
        speed=-speed if movie.use_reverse_frames else speed,
        channel=strip.channel,
        cues=tuple(sorted(frame for frame in markers if start <= frame < end)),
    )


def _speed_control(strip: Any) -> tuple[Any, Fraction]:
    """The movie under a speed control strip, and the factor. Raises `SkipError`."""
    movie = vse.speed_input(strip)
    if movie is None or movie.type != "MOVIE":
        raise SkipError(f"its speed control is not on a movie strip; {_RENDER}")
    if strip.speed_control != "MULTIPLY" or _is_animated(strip, "speed_factor") or strip.speed_factor <= 0:
        raise SkipError(f"its speed is not one constant “Multiply” factor above 0; set that, or {_RENDER}")
    return movie, Fraction(strip.speed_factor).limit_denominator(10**4)


def _media_frames_per_frame(movie: Any, path: str, rate: Fraction, media_rate: Fraction) -> Fraction:
    """Media frames that pass per frame of the scene.

    Blender plays a movie frame by frame, or at its own rate ("adjust playback rate"), which its Python does not tell:
    the content's length does. Retiming keys at both ends are one constant speed.
    """
    if len(movie.retiming_keys) > 2:
        raise SkipError(
            f"its speed changes inside (retiming keys); cut it at the keys and set each speed, or {_RENDER}"
        )
    try:
        media = bpy.data.movieclips.load(path)
    except RuntimeError as error:
        raise SkipError(f"Blender cannot read {path}; see whether the file is there and plays") from error
    frames = media.frame_duration - movie.animation_offset_start - movie.animation_offset_end
    if media.users == 0:
        bpy.data.movieclips.remove(media)
    ratio = Fraction(frames, max(1, vse.content_length(movie)))
    if len(movie.retiming_keys) == 2:
        return ratio
    return min((Fraction(1), media_rate / rate), key=lambda known: abs(known / ratio - 1))


def _own_sound_stands(scene: bpy.types.Scene, path: str, strip: Any) -> bool:
    """Whether a sound strip of the same file, not muted, stands under the strip."""
    for other in vse.walk(scene.sequence_editor):
        if other.type != "SOUND" or Record.of(other) or other.sound is None:
            continue
        if vse.is_muted(scene.sequence_editor, other):
            continue
        overlaps = vse.left(other) < vse.right(strip) and vse.right(other) > vse.left(strip)
        if overlaps and vse.absolute(other.sound.filepath) == path:
            return True
    return False


def _is_animated(strip: Any, attribute: str) -> bool:
    data = strip.id_data.animation_data
    path = f'sequence_editor.strips_all["{strip.name}"].{attribute}'
    return bool(data and data.action and any(path == curve.data_path for curve in _curves(data)))


def _curves(data: Any) -> Iterator[Any]:
    """Animation curves, in Blender 4's flat actions and in the layered ones that 5 leaves."""
    flat = getattr(data.action, "fcurves", None)
    if flat is not None:
        yield from flat
        return
    for layer in data.action.layers:
        for part in layer.strips:
            for bag in part.channelbags:
                yield from bag.fcurves


def _is_selected(strip: Any) -> bool:
    return strip.select or any(meta.select for meta in vse.metas_around(strip))


def _range(scene: bpy.types.Scene) -> tuple[int, int]:
    """The playback range: first frame and the one after the last."""
    if scene.use_preview_range:
        return scene.frame_preview_start, scene.frame_preview_end + 1
    return scene.frame_start, scene.frame_end + 1
