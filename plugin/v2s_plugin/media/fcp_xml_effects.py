"""Effects of Final Cut Pro 7 XML, as OpenTimelineIO's adapter notes them: the XML in dictionaries, all values text.

A tag that stands there once is one value, several times a list, not at all nothing; here it is always a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def effect_id(effect: Any) -> str | None:
    """What the XML calls an effect, as in `timeremap`; None for effects that came from elsewhere."""
    facts = effect.metadata.get("fcp_xml")
    found = facts.get("effectid") if isinstance(facts, Mapping) else None
    return None if found is None else str(found)


def parameters(effect: Any) -> dict[str, Mapping[str, Any]]:
    """The parameters of an effect that came from such a file, by `parameterid`."""
    return {str(each.get("parameterid")): each for each in _all_of(effect.metadata["fcp_xml"].get("parameter"))}


def key_frames(parameter: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The key frames of a parameter, as they stand there."""
    return _all_of(parameter.get("keyframe"))


def _all_of(found: Any) -> list[Mapping[str, Any]]:
    listed = found if isinstance(found, Sequence) and not isinstance(found, str) else [found]
    return [each for each in listed if isinstance(each, Mapping)]
