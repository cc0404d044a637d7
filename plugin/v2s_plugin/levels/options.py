"""What can be asked for about levels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from v2s_engine.errors import UsageError

Pan = Literal["mono", "motion"]
"""Where sounds stand: mono files for the editing program to place, or stereo ones that follow the picture."""

DUCK_BY_DB = 9.0
"""What a duck takes off where nothing else is asked for: it brings sounds that stand 6 LU under speech to the 15 LU
that listeners ask of ambience under a commentary (Torcoli et al., JAES 67 (12), 2019)."""

LOUDEST_LUFS, QUIETEST_LUFS = -5.0, -60.0
MOST_DUCKING_DB = 60.0
SHORTEST_FADE_MS, LONGEST_FADE_MS = 3.0, 10_000.0
"""Every sound is faded over 3 ms where it begins and ends, whatever is asked for."""


def _check_range(option: str, unit: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise UsageError(f"{option} must lie between {low:g} and {high:g} {unit}; got {value:g}")


@dataclass(frozen=True)
class LevelOptions:
    """What the call says about levels. Raises `UsageError` for values that cannot be."""

    lufs: float | None = None
    """Integrated loudness of each of our tracks by ITU-R BS.1770; None: as the sounds are."""
    duck: tuple[str, ...] = ()
    """Audio tracks (a name, a glob or a number) under which our sounds are turned down."""
    duck_by: float | None = None
    """dB by which they are, positive; None: `DUCK_BY_DB`."""
    pan: str = "mono"
    """One of `Pan`."""
    fade: float | None = None
    """Milliseconds of the fades at cuts without a transition; None: the 3 ms that every sound has."""

    def __post_init__(self) -> None:
        _check_range("--lufs", "LUFS", self.lufs, QUIETEST_LUFS, LOUDEST_LUFS)
        _check_range("--duck-by", "dB", self.duck_by, 0.0, MOST_DUCKING_DB)
        _check_range("--fade", "ms", self.fade, SHORTEST_FADE_MS, LONGEST_FADE_MS)
        if self.pan not in get_args(Pan):
            raise UsageError(f"pan must be one of {', '.join(get_args(Pan))}; got {self.pan!r}")
        if self.duck_by is not None and not self.duck:
            raise UsageError("--duck-by says how far to duck, but not under which track; add --duck TRACK")

    @property
    def asked(self) -> bool:
        """Whether anything is asked for: if not, plain takes stand on the timeline."""
        return self != AS_THEY_ARE

    @property
    def duck_by_db(self) -> float:
        """The dB that a duck takes off."""
        return DUCK_BY_DB if self.duck_by is None else self.duck_by

    @property
    def facts(self) -> dict[str, Any]:
        """What a timeline remembers of them: only what was asked for."""
        given = {"lufs": self.lufs, "fade": self.fade, "pan": None if self.pan == "mono" else self.pan}
        ducked = {"duck": list(self.duck), "duck_by": self.duck_by_db} if self.duck else {}
        return {name: value for name, value in given.items() if value is not None} | ducked

    @classmethod
    def recorded(cls, facts: object) -> LevelOptions | None:
        """The options that a timeline remembers beside the gain of a track; None where it remembers none."""
        if not isinstance(facts, Mapping) or not isinstance(facts.get("gain_db"), float):
            return None
        try:
            duck = tuple(str(track) for track in facts.get("duck", ()))
            numbers = {name: float(facts[name]) for name in ("lufs", "duck_by", "fade") if name in facts}
            return cls(duck=duck, pan=str(facts.get("pan", "mono")), **numbers)
        except (TypeError, ValueError):
            return None


AS_THEY_ARE = LevelOptions()
"""Nothing asked for: plain takes."""
