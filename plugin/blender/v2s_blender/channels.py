# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels of the sequencer that hold V2S's sounds: named after the class, never shared with other strips."""

from __future__ import annotations

from typing import Any

from . import strips as vse
from .records import Record

PREFIX = "V2S "


class NoChannelError(Exception):
    """Every channel is taken; the text says what to do."""


def free_channel(editor: Any, sound: str, start: int, end: int) -> int:
    """A channel for a sound of this class on frames `start` to `end`: `V2S dog`, `V2S dog 2`, … in this order.

    A channel of ours where nothing overlaps is used again; else the lowest one above all strips gets the next name.
    Raises `NoChannelError`.
    """
    channels = editor.channels
    taken = {strip.channel for strip in vse.strips_of(editor) if vse.left(strip) < end and vse.right(strip) > start}
    indices = _channels_of(editor, sound)
    found = next((index for index in indices if index not in taken and not channels[index].lock), None)
    if found is not None:
        return found
    names = [channel.name for channel in channels]
    used = [strip.channel for strip in vse.strips_of(editor)]
    used += [index for index, each in enumerate(names) if each.startswith(PREFIX)]
    index = max(used, default=0) + 1
    if index >= len(channels):
        index = next((each for each in range(1, len(channels)) if each not in used), 0)
    if index == 0:
        raise NoChannelError(f"all {len(channels) - 1} channels hold strips; free one, then run again")
    channels[index].name = _name(sound, len(indices) + 1)
    return index


def move_down(editor: Any, strip: Any, sound: str) -> None:
    """Move a strip to the first of its class's channels that is free now: what stood there may have gone meanwhile."""
    others = [each for each in vse.strips_of(editor) if each != strip]
    taken = {each.channel for each in others if vse.left(each) < vse.right(strip) and vse.right(each) > vse.left(strip)}
    indices = _channels_of(editor, sound)
    if strip.channel in indices and strip.parent_meta() is None:
        free = (index for index in indices if index not in taken and not editor.channels[index].lock)
        strip.channel = next(free, strip.channel)


def reset_names(editor: Any) -> None:
    """Give channels of ours that hold nothing any more Blender's own names back."""
    used = {strip.channel for strip in vse.strips_of(editor)}
    for index, channel in enumerate(editor.channels):
        if channel.name.startswith(PREFIX) and index not in used:
            channel.name = f"Channel {index}"


def our_strips(editor: Any) -> list[Any]:
    """Every sound strip that V2S made."""
    return [strip for strip in vse.walk(editor) if Record.of(strip)] if editor else []


def _channels_of(editor: Any, sound: str) -> list[int]:
    """The channels of a class in the order of their numbers: `V2S dog`, `V2S dog 2`, …"""
    names = [channel.name for channel in editor.channels]
    found: list[int] = []
    while (name := _name(sound, len(found) + 1)) in names:
        found.append(names.index(name))
    return found


def _name(sound: str, number: int) -> str:
    return f"{PREFIX}{sound}" if number == 1 else f"{PREFIX}{sound} {number}"
