"""A bundle as the plug-in sees it, without opening it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BundleFacts:
    """What decides which jobs there are, and what a timeline remembers of the bundle that made its sounds."""

    name: str
    digest: str
    sound_classes: tuple[str, ...]
    """The classes that it can sound like."""
    obeys_cues: bool = True
    """Whether it can be told when and how loud: by a marker `v2s:cue` (if not, clips with cues are skipped) and by a
    guide."""
    crosses_cuts: bool = True
    """Whether one sound can go on over cuts."""
