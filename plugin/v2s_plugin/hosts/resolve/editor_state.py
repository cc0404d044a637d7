"""What the editor had set in Resolve, so that it can be put back as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRACK_TYPES = ("video", "audio", "subtitle")


@dataclass(frozen=True)
class TrackState:
    """A track's switches; `index` counts from 1."""

    kind: str
    index: int
    enabled: bool
    locked: bool


@dataclass(frozen=True)
class EditorState:
    """In and out, playhead, tracks, the media pool's folder and the page, as they were when it was taken."""

    marks: dict[str, dict[str, int]]
    timecode: str | None
    tracks: tuple[TrackState, ...]
    folder: Any
    page: str | None

    @classmethod
    def take(cls, resolve: Any, pool: Any, timeline: Any) -> EditorState:
        """Read everything that placing sounds might move."""
        return cls(
            marks=dict(timeline.GetMarkInOut() or {}),
            timecode=timeline.GetCurrentTimecode(),
            tracks=tuple(
                TrackState(
                    kind,
                    index,
                    bool(timeline.GetIsTrackEnabled(kind, index)),
                    bool(timeline.GetIsTrackLocked(kind, index)),
                )
                for kind in TRACK_TYPES
                for index in range(1, timeline.GetTrackCount(kind) + 1)
            ),
            folder=pool.GetCurrentFolder(),
            page=resolve.GetCurrentPage(),
        )

    def put_back(self, resolve: Any, pool: Any, timeline: Any) -> list[str]:
        """Set everything that differs from what it was; returns what could not be, as texts for the editor.

        Each setting is read back: Resolve's setters may answer True and do nothing.
        """
        for track in self.tracks:
            if bool(timeline.GetIsTrackEnabled(track.kind, track.index)) != track.enabled:
                timeline.SetTrackEnable(track.kind, track.index, track.enabled)
            if bool(timeline.GetIsTrackLocked(track.kind, track.index)) != track.locked:
                timeline.SetTrackLock(track.kind, track.index, track.locked)
        if self.folder is not None and pool.GetCurrentFolder() != self.folder:
            pool.SetCurrentFolder(self.folder)
        if self.page and resolve.GetCurrentPage() != self.page:
            resolve.OpenPage(self.page)
        self._put_marks_back(timeline)
        if self.timecode and timeline.GetCurrentTimecode() != self.timecode:
            timeline.SetCurrentTimecode(self.timecode)
        return self._differences(timeline)

    def _put_marks_back(self, timeline: Any) -> None:
        now = dict(timeline.GetMarkInOut() or {})
        if now == self.marks:
            return
        timeline.ClearMarkInOut("all")
        for kind, mark in self.marks.items():
            if "in" in mark and "out" in mark:
                timeline.SetMarkInOut(mark["in"], mark["out"], kind)

    def _differences(self, timeline: Any) -> list[str]:
        lost = []
        if dict(timeline.GetMarkInOut() or {}) != self.marks:
            lost.append(f"Resolve did not put in and out back to {self.marks or 'none'}; set them again")
        if self.timecode and timeline.GetCurrentTimecode() != self.timecode:
            lost.append(f"Resolve did not put the playhead back to {self.timecode}")
        for track in self.tracks:
            if bool(timeline.GetIsTrackEnabled(track.kind, track.index)) != track.enabled:
                lost.append(f"Resolve did not switch {track.kind} track {track.index} back; switch it by hand")
            if bool(timeline.GetIsTrackLocked(track.kind, track.index)) != track.locked:
                lost.append(f"Resolve did not set the lock of {track.kind} track {track.index} back; set it by hand")
        return lost
