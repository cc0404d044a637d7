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
    """Whether it can start a sound where a marker `v2s:cue` says; if not, clips with cues are skipped."""
    crosses_cuts: bool = True
    """Whether one sound can go on over cuts."""
