"""The sounds on a scored timeline and their takes: listed, picked, and another take chosen.

Nothing but the choice is changed: no file is written here, and no sound is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from v2s_engine.errors import UsageError
from v2s_plugin.globs import fits
from v2s_plugin.ours import facts_of, take_facts_of, text_of
from v2s_plugin.sounding.take_file import chosen_key, reference_key
from v2s_plugin.tracks.edits import StandingSound, standing_sounds


@dataclass(frozen=True)
class ListedSound:
    """A clip of ours on a timeline and its takes."""

    number: int
    """From 1, track by track from the bottom of the stack, in order of time."""
    standing: StandingSound
    takes: tuple[int, ...]
    """Numbers of its takes, rising."""
    chosen: int | None
    """Number of the take that is heard; None where an editor chose a file that is none of ours."""

    @property
    def name(self) -> str:
        """The clip's."""
        return str(self.standing.clip.name)

    @property
    def where(self) -> str:
        """Track and time."""
        return self.standing.where

    @property
    def sound_class(self) -> str:
        """What it sounds like."""
        return text_of(facts_of(self.standing.clip), "sound")

    @property
    def enabled(self) -> bool:
        """Whether the editor left it switched on."""
        return bool(self.standing.clip.enabled)

    def url_of(self, take: int) -> str:
        """The `target_url` of a take."""
        return str(self.standing.clip.media_references()[reference_key(take)].target_url)


def list_sounds(timeline: Any) -> tuple[ListedSound, ...]:
    """Every sound of ours on a timeline whose metadata can be read, with the takes that it has."""
    readable = [sound for sound in standing_sounds(timeline) if sound.key]
    return tuple(_listed(number, sound) for number, sound in enumerate(readable, start=1))


def pick_sounds(sounds: Sequence[ListedSound], selectors: Iterable[str]) -> tuple[ListedSound, ...]:
    """The sounds that any of the selectors means, in their order; all where there are no selectors.

    A selector is a number of the list, a clip's name, or a glob on names. Raises `UsageError` for one that means none.
    """
    wanted = tuple(selectors)
    numbers: set[int] = set()
    for selector in wanted:
        means = {sound.number for sound in sounds if fits(selector, [sound.name])}
        if not means and selector.isdecimal():
            means = {sound.number for sound in sounds if sound.number == int(selector)}
        if not means:
            known = ", ".join(f"{sound.number} {sound.name}" for sound in sounds[:20]) or "none"
            raise UsageError(f"no sound is called {selector!r}; there are: {known}")
        numbers |= means
    return tuple(sound for sound in sounds if not wanted or sound.number in numbers)


def choose_take(sounds: Sequence[ListedSound], take: int) -> None:
    """Have the clips of these sounds play another take. Raises `UsageError`, and changes none, where one lacks it."""
    for sound in sounds:
        if take not in sound.takes:
            has = ", ".join(map(str, sound.takes)) or "none"
            raise UsageError(
                f"{sound.name} ({sound.where}) has no take {take}; it has: {has}. "
                "v2s takes OUT --clip NAME --add N makes more"
            )
    for sound in sounds:
        sound.standing.clip.active_media_reference_key = reference_key(take)


def _listed(number: int, sound: StandingSound) -> ListedSound:
    numbers = {}
    references = sound.clip.media_references()
    for key, fact in take_facts_of(sound.clip).items():
        take = fact.get("take")
        if isinstance(take, int) and key == reference_key(take) and hasattr(references.get(key), "target_url"):
            numbers[key] = take
    chosen = chosen_key(sound.clip)
    return ListedSound(number, sound, tuple(sorted(numbers.values())), numbers.get(chosen) if chosen else None)
