# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound files onto the sequencer: placed as they are finished, put in the place of what an earlier run made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import bpy

from . import strips as vse
from .channels import PREFIX, free_channel, move_down, our_strips, reset_names
from .records import Record, shot_of


@dataclass(frozen=True)
class _Edits:
    """What the editor changed on a generated strip; it outlives the next run."""

    moved: int
    """Frames by which the sound's start was moved."""
    trimmed_left: int
    trimmed_right: int
    volume: float
    pan: float
    mute: bool
    take: int


class Placer:
    """Places the takes of one run. A shot's earlier sound goes when the first new take comes.

    The scene is known by its name: an undo meanwhile makes new objects of everything.
    """

    def __init__(self, scene: str, settings: dict[str, Any]) -> None:
        self._name = scene
        self._settings = settings
        self._begun: dict[str, _Edits | None] = {}
        self.placed = 0
        """How many strips this run has placed or replaced."""

    @property
    def _scene(self) -> bpy.types.Scene:
        return bpy.data.scenes[self._name]

    def place(self, clip: dict[str, Any]) -> str | None:
        """Put a finished take (the worker's `clip`) under its strip; returns a warning where that is not possible.

        Raises `NoChannelError`.
        """
        shot = str(clip["shot"])
        movie = vse.find_by_id(self._scene, shot)
        if movie is None:
            return f"{clip.get('label', shot)}: the strip has been deleted; its sound is at {clip['path']}"
        if shot not in self._begun:
            self._begin(shot, movie, clip)
            return None
        strip = next((each for each in our_strips(self._scene.sequence_editor) if shot_of(each) == shot), None)
        record = Record.of(strip) if strip else None
        if strip is None or record is None:
            return (
                f"{clip.get('label', shot)}: its sound strip has been deleted; take {clip['take']} is at {clip['path']}"
            )
        record.with_take(int(clip["take"]), kept_path(str(clip["path"]))).store(strip)
        edits = self._begun[shot]
        if edits is not None and edits.take == int(clip["take"]):
            choose_take(strip, edits.take)
        return None

    def finish(self) -> None:
        """Tidy the channels, once at the end: earlier sounds of other shots may have stood in the way."""
        editor = self._scene.sequence_editor
        for strip in sorted(our_strips(editor), key=vse.left):
            record = Record.of(strip)
            if record is not None and record.shot in self._begun:
                move_down(editor, strip, record.sound)
        reset_names(editor)

    def _begin(self, shot: str, movie: Any, clip: dict[str, Any]) -> None:
        """Place a shot's first take in the place of its earlier sounds."""
        editor = self._scene.sequence_editor
        (start, end), sound, number = vse.seen(movie), str(clip["sound"]), int(clip["take"])
        edits, kept = None, None
        for strip in our_strips(editor):
            old = Record.of(strip)
            if old is None or old.shot != shot:
                continue
            edits = edits or _edits_of(strip, old, movie)
            if kept is None and (old.sound, old.start, old.end) == (sound, start, end):
                kept = strip  # keeps fades and modifiers too
            else:
                _remove(editor, strip)
        path = kept_path(str(clip["path"]))
        strip = kept or self._new_strip(movie, sound, str(clip["path"]), edits)
        Record(shot, sound, number, start, end, {number: path}, self._settings).store(strip)
        choose_take(strip, number)
        self._begun[shot] = edits
        self.placed += 1

    def _new_strip(self, movie: Any, sound: str, path: str, edits: _Edits | None) -> Any:
        editor = self._scene.sequence_editor
        start, end = vse.seen(movie)
        begin = start + (edits.moved if edits else 0)
        length = end - start
        channel = free_channel(editor, sound, begin, begin + length)
        strip = vse.strips_of(editor).new_sound(f"{PREFIX}{sound}: {movie.name}", path, channel, begin)
        if vse.right(strip) > begin + length:
            vse.set_right(strip, begin + length)
        if edits is not None:
            _apply(edits, strip)
        return strip


def choose_take(strip: Any, number: int) -> None:
    """Have another take heard. Raises `KeyError` for one that is not there."""
    record = Record.of(strip)
    if record is None or number not in record.takes:
        raise KeyError(number)
    before = strip.sound
    sound = bpy.data.sounds.load(bpy.path.abspath(record.takes[number]), check_existing=True)
    if sound.filepath != record.takes[number]:
        sound.filepath = record.takes[number]
    strip.sound = sound
    if before is not None and before.users == 0:
        bpy.data.sounds.remove(before)
    replace(record, take=number).store(strip)


def remove_sounds(scene: bpy.types.Scene, shots: set[str] | None = None) -> int:
    """Take V2S's strips out again, of these shots or all; returns how many. Sound files stay where they are."""
    editor = scene.sequence_editor
    gone = [strip for strip in our_strips(editor) if shots is None or shot_of(strip) in shots]
    for strip in gone:
        _remove(editor, strip)
    if editor is not None:
        reset_names(editor)
    return len(gone)


def kept_path(path: str) -> str:
    """A path as the editor wants it in the .blend file: relative where so preferred and possible."""
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        try:
            return bpy.path.relpath(path)
        except ValueError:  # on Windows, another drive
            return path
    return path


def _edits_of(strip: Any, record: Record, movie: Any) -> _Edits:
    begin = round(vse.content_start(strip))
    placed_right = begin + min(vse.content_length(strip), record.end - record.start)
    return _Edits(
        # Untouched it follows its movie; moved, it keeps its distance.
        moved=begin - vse.seen(movie)[0] if begin != record.start else 0,
        trimmed_left=max(0, vse.left(strip) - begin),
        trimmed_right=max(0, placed_right - vse.right(strip)),
        volume=strip.volume,
        pan=strip.pan,
        mute=strip.mute,
        take=record.take,
    )


def _apply(edits: _Edits, strip: Any) -> None:
    start, end = vse.left(strip) + edits.trimmed_left, vse.right(strip) - edits.trimmed_right
    if start < end:  # else the new sound is shorter than what was trimmed
        vse.set_right(strip, end)
        vse.set_left(strip, start)
    strip.volume, strip.pan, strip.mute = edits.volume, edits.pan, edits.mute


def _remove(editor: Any, strip: Any) -> None:
    """Take a strip out, also from inside a meta strip, and its sound where nothing else uses it."""
    sound = strip.sound
    meta = strip.parent_meta()
    vse.strips_of(meta or editor).remove(strip)
    if sound is not None and sound.users == 0:
        bpy.data.sounds.remove(sound)
