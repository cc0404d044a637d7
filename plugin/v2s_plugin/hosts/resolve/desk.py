"""The current timeline of Resolve Studio: exported for the worker, and given its sounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from .editor_state import EditorState
from .placer import Placer, PlacingError
from .places import Place, frame_rate, name_selector, range_selector

SCOPES = {
    "timeline": "Whole timeline",
    "marks": "Between in and out",
    "clip": "Clip under the playhead",
}
"""What is sounded. Resolve's API does not tell which clips are selected."""


CHANGED = "The cut has changed meanwhile, and these sounds are for the one before; run again, only new ones are made."
"""What to say where sounds were placed on pictures that may have moved."""


class DeskError(RuntimeError):
    """Nothing can be done in Resolve as it stands; the text says why and what to do."""


@dataclass(frozen=True)
class Exported:
    """The editor's timeline as a file."""

    path: Path
    rate: Fraction
    only: tuple[str, ...] = ()
    """Selectors of `--only`; none: the whole timeline."""

    @property
    def output(self) -> Path:
        """Where the worker writes the scored timeline."""
        return self.path.with_name(f"{self.path.stem}_scored.otio")

    @property
    def media_folder(self) -> Path:
        """Where the worker puts the sounds."""
        return self.output.with_suffix(".media")


class Desk(Protocol):
    """Where the editor sits: gives the timeline out, takes the sounds in."""

    def export(self, scope: str) -> Exported:
        """Write the timeline as .otio. `scope`: key of `SCOPES`. Raises `DeskError`."""

    def place(self, wanted: Sequence[Place], exported: Exported) -> list[str]:
        """Put the sounds onto it; returns what the editor should read. Raises `DeskError`."""


class StudioDesk:
    """Resolve Studio's current timeline through its API; `folder` takes the files, one folder a project."""

    def __init__(self, resolve: Any, folder: Path) -> None:
        self.resolve = resolve
        self.folder = folder
        self._pictures: list[tuple[int, int, str]] = []

    def export(self, scope: str) -> Exported:
        """Export the current timeline. Raises `DeskError` where there is none, or nothing is marked."""
        project, timeline = self._current()
        rate = _rate_of(timeline)
        only = self._selectors(timeline, scope, rate)
        folder = self.folder / file_stem(project.GetName())
        path = folder / f"{file_stem(timeline.GetName())}.otio"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # else an old one would pass for the new one
        except OSError as error:
            raise DeskError(f"cannot write in {folder}: {error.strerror}; choose another folder") from error
        self._pictures = pictures_of(timeline)
        if not timeline.Export(str(path), self.resolve.EXPORT_OTIO) or not path.exists():
            raise DeskError("Resolve did not export the timeline as .otio; it can since 18.5")
        return Exported(path, rate, only)

    def place(self, wanted: Sequence[Place], exported: Exported) -> list[str]:
        """Put the sounds on tracks of the current timeline; where it takes none, import the scored one beside it."""
        project, timeline = self._current()
        if file_stem(timeline.GetName()) != exported.path.stem:
            raise DeskError(
                f"the timeline on screen is now {timeline.GetName()!r}; open {exported.path.stem!r} and run again: "
                "the sounds are made and will be there at once"
            )
        pool = project.GetMediaPool()
        moved = [CHANGED] if pictures_of(timeline) != self._pictures else []
        before = EditorState.take(self.resolve, pool, timeline)
        try:
            done = Placer(pool, timeline, str(exported.media_folder)).place(wanted, everything=not exported.only)
            texts = [summary(done.placed, done.kept, done.removed), *done.warnings]
        except PlacingError as error:
            texts = [f"{error}.", self._import_beside(project, pool, timeline, exported)]
        return texts + moved + before.put_back(self.resolve, pool, timeline)

    def _current(self) -> tuple[Any, Any]:
        project = self.resolve.GetProjectManager().GetCurrentProject()
        timeline = project.GetCurrentTimeline() if project is not None else None
        if timeline is None:
            raise DeskError("no timeline is open; open one on the Edit page")
        return project, timeline

    def _selectors(self, timeline: Any, scope: str, rate: Fraction) -> tuple[str, ...]:
        zero = int(timeline.GetStartFrame())
        if scope == "marks":
            marks = timeline.GetMarkInOut() or {}
            mark = marks.get("video") or marks.get("audio") or {}
            if "in" not in mark or "out" not in mark:
                raise DeskError("in and out are not both set; set them, or choose the whole timeline")
            return (marked_range(mark["in"], mark["out"], zero, int(timeline.GetEndFrame()), rate),)
        if scope == "clip":
            item = timeline.GetCurrentVideoItem()
            if item is None:
                raise DeskError("no clip stands under the playhead; move it onto one")
            stretch = range_selector(int(item.GetStart()) - zero, int(item.GetEnd()) - zero - 1, rate)
            return stretch, name_selector(item.GetName())
        return ()

    def _import_beside(self, project: Any, pool: Any, timeline: Any, exported: Exported) -> str:
        names = {project.GetTimelineByIndex(n).GetName() for n in range(1, project.GetTimelineCount() + 1)}
        plain = f"{timeline.GetName()} V2S"
        name = next(
            name
            for name in (plain if n == 1 else f"{plain} {n}" for n in range(1, len(names) + 2))
            if name not in names
        )
        options = {"timelineName": name, "importSourceClips": True, "sourceClipsPath": str(exported.media_folder)}
        made = pool.ImportTimelineFromFile(str(exported.output), options)
        if made is None:
            return f"Nor did it import {exported.output}; try File > Import > Timeline yourself."
        project.SetCurrentTimeline(timeline)
        return f"The sounds are on the new timeline {name!r} instead."


def pictures_of(timeline: Any) -> list[tuple[int, int, str]]:
    """First frame, the one after the last, and name of every clip on the video tracks: what a re-cut changes."""
    tracks = range(1, int(timeline.GetTrackCount("video")) + 1)
    items = [item for index in tracks for item in timeline.GetItemListInTrack("video", index) or []]
    return [(int(item.GetStart()), int(item.GetEnd()), str(item.GetName())) for item in items]


def marked_range(first: int, last: int, zero: int, end: int, rate: Fraction) -> str:
    """Selector for in and out, which Resolve counts from the timeline's start.

    Its documentation shows them from 0 only. Where they lie beyond the timeline's length but inside its timecode, they
    were counted from midnight.
    """
    if zero <= first and first >= end - zero:
        first, last = first - zero, last - zero
    return range_selector(first, last, rate)


def file_stem(name: str) -> str:
    """A project's or timeline's name as a file name on every system."""
    return re.sub(r"[^\w-]+", "_", name).strip("_") or "timeline"


def summary(placed: int, kept: int, removed: int) -> str:
    """One line on what was done on the timeline."""
    parts = [f"placed: {placed}"]
    if kept:
        parts.append(f"stood there already: {kept}")
    if removed:
        parts.append(f"removed, of an earlier run: {removed}")
    return ", ".join(parts)


def _rate_of(timeline: Any) -> Fraction:
    try:
        return frame_rate(timeline.GetSetting("timelineFrameRate"))
    except ValueError as error:
        raise DeskError(str(error)) from error
