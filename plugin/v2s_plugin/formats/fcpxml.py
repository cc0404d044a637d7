"""Final Cut Pro X XML, read only: no program but Final Cut opens it, and its adapter cannot write NTSC rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import opentimelineio as otio

from v2s_plugin.formats.adapters import load_adapter, quiet

NAME, TITLE = "fcpxml", "Final Cut Pro X XML"


def read_fcpxml(path: Path) -> Any:
    """What stands in a file; raises what the adapter or the XML parser raises.

    The adapter leaves retimes (`timeMap`) out. Every clip of such a clip's name gets a time effect that says nothing
    more, so that it is skipped with the reason and not sounded from the wrong pictures.
    """
    adapter = load_adapter(NAME, TITLE)
    text = path.read_text(encoding="utf-8")
    root = fromstring(text)  # noqa: S314  (the adapter reads the same text)
    with quiet():
        found = adapter.read_from_string(text)
    retimed = {element.get("name") for element in root.iter() if element.find("timeMap") is not None}
    for clip in found.find_clips() if retimed else ():
        if clip.name in retimed:
            clip.effects.append(otio.schema.TimeEffect(name="timeMap", effect_name="timeMap"))
    return found
