# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generated sound strip remembers: which strip it is for, its takes, and the settings it was made with."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

RECORD_KEY = "v2s"
"""Custom property of a sound strip that V2S made; holds JSON."""


@dataclass(frozen=True)
class Record:
    """Kept on the strip as JSON, so that it is saved, copied and undone with the strip."""

    shot: str
    """Id of the movie strip."""
    sound: str
    """Sound class."""
    take: int
    """Number of the take that is heard, from 1."""
    start: int
    """First frame on which the movie strip was seen when V2S placed the sound."""
    end: int
    """The frame after its last then."""
    begin: int
    """Frame at which the sound's content began then; where it begins elsewhere now, the editor moved it."""
    content: int
    """Frame at which the movie strip's content began then; where it begins elsewhere now, the picture was moved."""
    takes: dict[int, str] = field(default_factory=dict)
    """Take number to file, as Blender writes paths (`//` for beside the .blend file)."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The worker's options that it was made with."""

    def with_take(self, number: int, path: str) -> Record:
        """The record with one take more."""
        return replace(self, takes=self.takes | {number: path})

    def store(self, strip: Any) -> None:
        """Write it on the strip."""
        strip[RECORD_KEY] = json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, strip: Any) -> Record | None:
        """The record on a strip; None where V2S did not make the strip, or the record cannot be read."""
        text = strip.get(RECORD_KEY)
        if strip.type != "SOUND" or not isinstance(text, str):
            return None
        try:
            kept = json.loads(text)
            return cls(**{**kept, "takes": {int(number): path for number, path in kept["takes"].items()}})
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def shot_of(strip: Any) -> str | None:
    """Id of the movie strip that a generated sound strip is for; None for any other strip."""
    record = Record.of(strip)
    return record.shot if record else None
