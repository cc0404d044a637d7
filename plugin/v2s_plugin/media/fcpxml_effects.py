"""What Final Cut Pro's own adjustments of a picture do to what is below it, as V2S keeps them on a clip.

    effect_name "adjust-transform", metadata {"fcpxml": {"scale": "0.5 0.5"}, ...}    the element and its attributes

Values that change over time (key frames) stand inside the element and not in its attributes; then `animated` is true.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ADJUSTMENTS = (
    *("adjust-crop", "adjust-corners", "adjust-transform", "adjust-blend", "adjust-360-transform", "filter-video-mask"),
)
"""Elements that can make a picture smaller, move it, or let what is below it be seen."""


def shows_below(effect: Any) -> bool:
    """Whether an adjustment lets what is below its clip be seen; no for effects that came from elsewhere."""
    facts = effect.metadata.get("fcpxml")
    if effect.effect_name not in ADJUSTMENTS or not isinstance(facts, Mapping):
        return False
    animated = facts.get("animated") is True
    match effect.effect_name:
        case "adjust-crop":
            return facts.get("mode") == "trim"  # the others fill the frame again
        case "adjust-blend":
            return animated or _numbers(facts, "amount", 1) != [1] or facts.get("mode", "0") not in ("", "0", "normal")
        case "adjust-transform":
            scale = _numbers(facts, "scale", 1)
            moved = any(_numbers(facts, "position", 0)) or any(_numbers(facts, "rotation", 0))
            return animated or min(scale) < 1 or (moved and min(scale) == 1)
        case _:
            return True


def _numbers(facts: Mapping[str, Any], name: str, usual: float) -> list[float]:
    """The numbers of an attribute; the usual one where it is missing or damaged."""
    try:
        return [float(each) for each in str(facts[name]).split()] or [usual]
    except (KeyError, ValueError):
        return [usual]
