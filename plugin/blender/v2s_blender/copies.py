# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sound belongs to which movie strip, also where a copy or a cut carries its origin's id."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from . import strips as vse
from .channels import our_strips
from .records import Record, shot_of

ID_KEY = "v2s_id"
"""Custom property of a movie strip: the name by which its sound is found again."""


def carrier(strip: Any) -> Any:
    """The strip that carries the id: the movie, also where a speed control on it is what is seen."""
    return vse.speed_input(strip) or strip


def id_of(strip: Any) -> str:
    """The id of what is seen; empty where it has none yet."""
    return str(carrier(strip).get(ID_KEY) or "")


def find_by_id(scene: Any, shot: str) -> Any | None:
    """The strip with this id, or None where it has been deleted."""
    editor = scene.sequence_editor
    return next((strip for strip in vse.walk(editor) if strip.get(ID_KEY) == shot), None) if editor else None


def sounds_of(editor: Any, strip: Any) -> list[Any]:
    """V2S's sounds of a strip. Of those that strips with one id share, each is for the strip that it begins nearest."""
    strip = carrier(strip)
    shot = id_of(strip)
    same = _sharing(editor, shot) if shot else []

    def nearest(sound: Any) -> Any:
        return min(same, key=lambda each: abs(vse.left(each) - vse.left(sound)))

    return [each for each in our_strips(editor) if same and shot_of(each) == shot and nearest(each) == strip]


def give_ids(scene: Any, strips: list[Any]) -> None:
    """See to it that these strips have ids, and no two in the scene the same.

    A copy, or the second half of a cut, carries its origin's id until now; its sounds go with it.
    """
    editor = scene.sequence_editor
    for shot in {id_of(strip) for strip in vse.walk(editor)} - {""}:
        for copy in _sharing(editor, shot)[1:]:
            own = uuid.uuid4().hex
            for sound in sounds_of(editor, copy):
                record = Record.of(sound)
                if record is not None:
                    replace(record, shot=own).store(sound)
            copy[ID_KEY] = own
    for strip in strips:
        if not id_of(strip):
            carrier(strip)[ID_KEY] = uuid.uuid4().hex


def orphans(editor: Any) -> list[Any]:
    """V2S's sounds whose movie strips have been deleted."""
    there = {id_of(strip) for strip in vse.walk(editor)}
    return [each for each in our_strips(editor) if shot_of(each) not in there]


def _sharing(editor: Any, shot: str) -> list[Any]:
    """The strips that carry an id, the first in time first."""
    return sorted((strip for strip in vse.walk(editor) if strip.get(ID_KEY) == shot), key=vse.left)
