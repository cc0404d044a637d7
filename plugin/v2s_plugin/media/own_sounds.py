"""Which clips bring their own sound: it stands on an audio track at the same time, and is heard.

    same file       whatever part of it, however its path is written
    linked          Resolve's `Link Group ID`; the links of FCP 7 XML, which Premiere writes: also sound of another file

What is disabled is not heard, and what V2S made does not count.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import MediaError
from v2s_plugin.media.urls import find_on_disk
from v2s_plugin.ours import is_ours
from v2s_plugin.timing.placement import PlacedClip
from v2s_plugin.timing.rates import Span, joined


class OwnSounds:
    """The sounds that stand on a timeline, known by their files and by what they are linked with."""

    def __init__(self, placed: Sequence[PlacedClip], folder: Path) -> None:
        """`placed` are all clips of the timeline that lies in `folder`."""
        self._folder = folder
        self._files: dict[str, Hashable] = {}
        heard: dict[Hashable, list[Span]] = {}
        for clip in placed:
            if clip.kind == otio.schema.TrackKind.Audio and clip.obstacle is None and not is_ours(clip.clip):
                for mark in self._marks(clip.clip):
                    heard.setdefault(mark, []).append(clip.span)
        self._heard = {mark: joined(spans) for mark, spans in heard.items()}

    def has(self, clip: PlacedClip) -> bool:
        """Whether any sound of the clip's own is heard while it is seen."""
        for mark in self._marks(clip.clip):
            spans = self._heard.get(mark, [])
            first = bisect_right(spans, clip.span.start, key=lambda span: span.end)  # one long file may be cut a lot
            if first < len(spans) and spans[first].overlap(clip.span):
                return True
        return False

    def _marks(self, clip: Any) -> Iterator[Hashable]:
        for reference in clip.media_references().values():
            if url := getattr(reference, "target_url", None):
                if url not in self._files:
                    self._files[url] = self._file(url)
                yield self._files[url]
        yield from _links(clip.metadata)

    def _file(self, url: str) -> Hashable:
        try:
            return find_on_disk(url, self._folder).resolve()
        except (MediaError, OSError):
            return url


def _links(metadata: Mapping[str, Any]) -> Iterator[Hashable]:
    """What tells that clips belong together: the same value on the clips of one link."""
    resolve = metadata.get("Resolve_OTIO")
    group = resolve.get("Link Group ID") if isinstance(resolve, Mapping) else None
    if isinstance(group, int | float) and group > 0:
        yield "Resolve_OTIO", group
    xml = metadata.get("fcp_xml")
    links = xml.get("link", ()) if isinstance(xml, Mapping) else ()
    for link in (links,) if isinstance(links, Mapping) else links:
        if isinstance(link, Mapping) and (other := link.get("linkclipref")):
            yield "fcp_xml", str(other)
