"""Kdenlive projects, read only: Kdenlive itself reads `.otio` since 25.04."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

from v2s_plugin.formats.adapters import load_adapter, quiet
from v2s_plugin.media.urls import is_absolute_url

NAME, TITLE = "kdenlive", "Kdenlive project"


def read_kdenlive(path: Path) -> Any:
    """What stands in a project; raises what the adapter or the XML parser raises.

    Media of a project count from its `root`, where that folder is there, else from the project's own.
    """
    adapter = load_adapter(NAME, TITLE)
    text = path.read_text(encoding="utf-8")
    root = Path(fromstring(text).get("root") or ".")  # noqa: S314  (the adapter reads the same text)
    with quiet():
        found = adapter.read_from_string(text)
    for clip in found.find_clips():
        url = getattr(clip.media_reference, "target_url", None)
        if url and not is_absolute_url(url) and root.is_absolute() and (root / url).exists():
            clip.media_reference.target_url = str(root / url)
        clip.name = clip.name or (Path(url).name if url else "")
    return found
