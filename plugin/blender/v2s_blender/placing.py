# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound files onto the sequencer: placed as they are finished, put in the place of what an earlier run made."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy

from . import strips as vse
from .channels import PREFIX, free_channel, move_down, our_strips, reset_names
from .copies import find_by_id
from .records import Record, shot_of


@dataclass(frozen=True)
class _Edits:
    """What the editor changed on a generated strip; it outlives the next run."""

    moved: int
    """Frames by which the sound's start was moved against its picture."""
    trimmed_left: int
    trimmed_right: int
    volume: float
    pan: float
    mute: bool
    take: int


class NoSceneError(Exception):
    """The scene that sounds were to be placed in is gone; the text says what to do."""


class Placer:
    """Places the takes of one run. A shot's earlier sound goes when the first new take comes.

    The scene is known by its number: an undo meanwhile makes new objects of everything, and it may be renamed.
    """

    def __init__(self, scene: int, settings: dict[str, Any]) -> None:
        self._number = scene
        self._settings = settings
        self._begun: dict[str, _Edits | None] = {}
        self.placed = 0
        """How many strips this run has placed or replaced."""

    @property
    def _scene(self) -> bpy.types.Scene:
        found = next((each for each in bpy.data.scenes if each.session_uid == self._number), None)
        if found is None:
            raise NoSceneError("the scene has been deleted; undo that, then run again: its sounds are not made twice")
        return found

    def place(self, clip: dict[str, Any]) -> str | None:
        """Put a finished take (the worker's `clip`) under its strip; returns a warning where that is not possible.

        Raises `NoChannelError`, `NoSceneError`.
        """
        shot = str(clip["shot"])
        movie = find_by_id(self._scene, shot)
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
        """Tidy the channels, once at the end: earlier sounds of other shots may have stood in the way.

        Raises `NoSceneError`.
        """
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
        takes = {number: kept_path(str(clip["path"]))}
        edits, kept = None, None
        for strip in our_strips(editor):
            old = Record.of(strip)
            if old is None or old.shot != shot:
                continue
            its = _edits_of(strip, old, movie)
            edits = edits or its
            takes = _still_good(strip, old, number, takes[number]) | takes
            in_place = round(vse.content_start(strip)) == start + its.moved
            if kept is None and in_place and (old.sound, old.end - old.start) == (sound, end - start):
                kept = strip  # keeps fades and modifiers too
            else:
                _remove(editor, strip)
        strip = kept or self._new_strip(movie, sound, str(clip["path"]), edits)
        begin, content = round(vse.content_start(strip)), round(vse.content_start(movie))
        Record(shot, sound, number, start, end, begin, content, takes, self._settings).store(strip)
        choose_take(strip, edits.take if edits and edits.take in takes else number)
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
    """Have another take heard. Raises `KeyError` for one that is not there, `FileNotFoundError` where its file is gone.

    Blender would load a missing file without a word, and play nothing.
    """
    record = Record.of(strip)
    if record is None or number not in record.takes:
        raise KeyError(number)
    before = strip.sound
    path = _take_file(strip, record.takes[number])
    sound = bpy.data.sounds.load(path, check_existing=True)
    if sound.filepath != kept_path(path):
        sound.filepath = kept_path(path)
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


def _take_file(strip: Any, path: str) -> str:
    """Where a take lies. Raises `FileNotFoundError`.

    A .blend file saved elsewhere takes its sounds' paths along, but not those in our records: all takes of a sound lie
    in one folder, so the one that is heard tells it.
    """
    places = [Path(bpy.path.abspath(path))]
    if strip.sound is not None:
        places.append(Path(bpy.path.abspath(strip.sound.filepath)).parent / bpy.path.basename(path))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise FileNotFoundError(str(places[0]))
    return str(found)


def _still_good(strip: Any, old: Record, number: int, path: str) -> dict[int, str]:
    """The takes of an earlier sound that are there, where this first new one is the same file: they fit as it does."""
    if bpy.path.basename(old.takes.get(number, "")) != bpy.path.basename(path):
        return {}
    good = {}
    for take, kept in old.takes.items():
        with contextlib.suppress(FileNotFoundError):
            good[take] = kept_path(_take_file(strip, kept))
    return good


def _edits_of(strip: Any, record: Record, movie: Any) -> _Edits:
    """What was done by hand since V2S placed the sound, also where the picture was trimmed, cut or moved with it."""
    start, end = vse.seen(movie)
    begin, left, right = round(vse.content_start(strip)), vse.left(strip), vse.right(strip)
    own = begin - record.begin
    # A picture that is seen where it was has been slipped, at most.
    picture = 0 if (start, end) == (record.start, record.end) else round(vse.content_start(movie)) - record.content
    # A sound that nobody touched follows its picture; one that was moved keeps the distance it was given.
    moved = record.begin - record.start + (own - picture if own else 0)
    follows = 0 if own else picture
    placed_right = begin + min(vse.content_length(strip), record.end - record.start)
    return _Edits(
        moved=moved,
        trimmed_left=max(0, left + follows - start - moved) if left > begin else 0,
        trimmed_right=max(0, end + moved - right - follows) if right < placed_right else 0,
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
