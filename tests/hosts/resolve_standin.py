# ruff: noqa: N802, N818, PLR0917  (the names are Resolve's)
"""A stand-in for DaVinci Resolve's scripting API, as strict as what is known of it.

It knows only documented calls (anything else is an AttributeError), and wrong use raises `Misuse` where Resolve would
quietly do the wrong thing. Rules: Resolve's scripting README of 8 May 2026, and what other tools' authors found out
(absolute recordFrame, exclusive endFrame, whole numbers, WAV frames at 24, setters that answer True and do nothing,
dead items on a range that is taken, locked tracks that answer an empty list). No Resolve was at hand to check it.
"""

from __future__ import annotations

import shutil
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

SUBTYPES = ("mono", "stereo", "5.1", "7.1")
CLIP_INFO = {"mediaPoolItem", "startFrame", "endFrame", "mediaType", "trackIndex", "recordFrame"}
IMPORT_OPTIONS = {"timelineName", "importSourceClips", "sourceClipsPath", "sourceClipsFolders", "interlaceProcessing"}


class Misuse(AssertionError):
    """A call that would go wrong in Resolve."""


def whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Misuse(f"{name} is {value!r}: Resolve answers None to the whole batch unless it is a whole number")
    return int(value)


class MediaPoolItem:
    def __init__(self, path: str) -> None:
        with wave.open(path) as sound:
            self.channels, self.length, self.rate = sound.getnchannels(), sound.getnframes(), sound.getframerate()
        self.path = path

    def GetName(self) -> str:
        return Path(self.path).name

    def GetClipProperty(self, name: str) -> str:
        return {"File Path": self.path, "Audio Ch": str(self.channels), "FPS": "24"}[name]


class TimelineItem:
    def __init__(self, media: MediaPoolItem | None, start: int, duration: int, name: str = "") -> None:
        self.media, self.start, self.duration, self.name = media, start, duration, name

    def GetName(self) -> str:
        return self.name or (self.media.GetName() if self.media else "")

    def GetStart(self) -> int:
        return self.start

    def GetEnd(self) -> int:
        return self.start + self.duration

    def GetDuration(self) -> int:
        return self.duration

    def GetMediaPoolItem(self) -> MediaPoolItem | None:
        return self.media


class DeadItem:
    """What AppendToTimeline answers where the range is taken: truthy, and everything in it is None."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Track:
    def __init__(self, name: str, subtype: str = "") -> None:
        self.name, self.subtype, self.enabled, self.locked = name, subtype, True, False
        self.items: list[TimelineItem] = []


class Timeline:
    def __init__(self, resolve: Resolve, name: str, otio: Path | None, rate: str, start: int, end: int) -> None:
        self.resolve, self.name, self.otio, self.rate, self.start, self.end = resolve, name, otio, rate, start, end
        self.tracks = {"video": [Track("Video 1")], "audio": [Track("Audio 1", "stereo")], "subtitle": []}
        self.marks: dict[str, dict[str, int]] = {}
        self.timecode = "01:00:02:10"
        self.under_playhead: TimelineItem | None = None

    def _track(self, kind: str, index: int) -> Track:
        tracks = self.tracks[kind]
        if not 1 <= whole(index, "trackIndex") <= len(tracks):
            raise Misuse(f"there is no {kind} track {index}; there are {len(tracks)}, counted from 1")
        return tracks[int(index) - 1]

    def _does(self, setter: str) -> bool:
        return setter not in self.resolve.lies

    def GetName(self) -> str:
        return self.name

    def GetStartFrame(self) -> int:
        return self.start

    def GetEndFrame(self) -> int:
        return self.end

    def GetSetting(self, name: str) -> str:
        return {"timelineFrameRate": self.rate}[name]

    def GetTrackCount(self, kind: str) -> int:
        return len(self.tracks[kind])

    def GetTrackName(self, kind: str, index: int) -> str:
        return self._track(kind, index).name

    def SetTrackName(self, kind: str, index: int, name: str) -> bool:
        track = self._track(kind, index)
        if self._does("SetTrackName"):
            track.name = name
        return True

    def GetTrackSubType(self, kind: str, index: int) -> str:
        return self._track(kind, index).subtype

    def AddTrack(self, kind: str, subtype: str = "mono") -> bool:
        if kind == "audio" and subtype not in SUBTYPES:
            raise Misuse(f"{subtype!r} is no kind of audio track")
        if self._does("AddTrack"):
            self.tracks[kind].append(Track(f"{kind.title()} {len(self.tracks[kind]) + 1}", subtype))
        return True

    def DeleteTrack(self, kind: str, index: int) -> bool:
        self.tracks[kind].remove(self._track(kind, index))
        return True

    def GetIsTrackEnabled(self, kind: str, index: int) -> bool:
        return self._track(kind, index).enabled

    def SetTrackEnable(self, kind: str, index: int, enabled: bool) -> bool:
        if self._does("SetTrackEnable"):
            self._track(kind, index).enabled = enabled
        return True

    def GetIsTrackLocked(self, kind: str, index: int) -> bool:
        return self._track(kind, index).locked

    def SetTrackLock(self, kind: str, index: int, locked: bool) -> bool:
        if self._does("SetTrackLock"):
            self._track(kind, index).locked = locked
        return True

    def GetItemListInTrack(self, kind: str, index: int) -> list[TimelineItem]:
        return list(self._track(kind, index).items)

    def DeleteClips(self, items: list[TimelineItem], ripple: bool = False) -> bool:
        if ripple:
            raise Misuse("a ripple delete moves the editor's cut")
        for item in items:
            track = next(t for t in self.tracks["audio"] if item in t.items)
            if track.locked:
                return False
            track.items.remove(item)
        return True

    def GetMarkInOut(self) -> dict[str, dict[str, int]]:
        return {kind: dict(mark) for kind, mark in self.marks.items()}

    def SetMarkInOut(self, first: int, last: int, kind: str = "all") -> bool:
        mark = {"in": whole(first, "in"), "out": whole(last, "out")}
        for each in ("video", "audio") if kind == "all" else (kind,):
            if self._does("SetMarkInOut"):
                self.marks[each] = dict(mark)
        return True

    def ClearMarkInOut(self, kind: str = "all") -> bool:
        for each in ("video", "audio") if kind == "all" else (kind,):
            self.marks.pop(each, None)
        return True

    def GetCurrentTimecode(self) -> str:
        return self.timecode

    def SetCurrentTimecode(self, timecode: str) -> bool:
        if self._does("SetCurrentTimecode"):
            self.timecode = timecode
        return True

    def GetCurrentVideoItem(self) -> TimelineItem | None:
        return self.under_playhead

    def Export(self, path: str, kind: Any, subtype: Any = None) -> bool:
        if kind != Resolve.EXPORT_OTIO:
            raise Misuse(f"exported as {kind!r}, not as EXPORT_OTIO")
        if self._does("Export") and self.otio is not None:
            shutil.copyfile(self.otio, path)
        return True


class Folder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.clips: list[MediaPoolItem] = []
        self.subfolders: list[Folder] = []

    def GetName(self) -> str:
        return self.name

    def GetClipList(self) -> list[MediaPoolItem]:
        return list(self.clips)

    def GetSubFolderList(self) -> list[Folder]:
        return list(self.subfolders)


class MediaPool:
    def __init__(self, project: Project) -> None:
        self.project = project
        self.root = Folder("Master")
        self.current = self.root

    def GetRootFolder(self) -> Folder:
        return self.root

    def AddSubFolder(self, folder: Folder, name: str) -> Folder:
        folder.subfolders.append(Folder(name))
        return folder.subfolders[-1]

    def GetCurrentFolder(self) -> Folder:
        return self.current

    def SetCurrentFolder(self, folder: Folder) -> bool:
        self.current = folder
        return True

    def ImportMedia(self, paths: list[str]) -> list[MediaPoolItem]:
        """Answers only new items, and in an order of its own."""
        known = {clip.path for clip in self.current.clips}
        new = [MediaPoolItem(path) for path in paths if path not in known and Path(path).exists()]
        self.current.clips += new
        return new[::-1]

    def AppendToTimeline(self, infos: list[dict[str, Any]]) -> list[Any] | None:
        if not isinstance(infos, list) or not all(isinstance(info, dict) for info in infos):
            raise Misuse("AppendToTimeline takes a list of clipInfos")
        timeline = self.project.current
        # Appending moves what the editor had set.
        timeline.timecode, timeline.marks = "01:00:59:00", {}
        timeline.resolve.page = "edit"
        return [item for info in infos for item in self._append(timeline, info)]

    def _append(self, timeline: Timeline, info: dict[str, Any]) -> list[Any]:
        if info.keys() - CLIP_INFO:
            raise Misuse(f"clipInfo knows no {sorted(info.keys() - CLIP_INFO)}")
        media: MediaPoolItem = info["mediaPoolItem"]
        if info.get("mediaType") != 2:
            raise Misuse("without mediaType 2 a sound file may land on a video track too")
        if not any(media in folder.clips for folder in (self.root, *self.root.subfolders)):
            raise Misuse("the clip is not in the media pool")
        start = whole(info["recordFrame"], "recordFrame")
        if start < timeline.start:
            raise Misuse(f"recordFrame {start} lies before the timeline's first frame {timeline.start}: it is absolute")
        rate = exact(timeline.rate)
        if ("startFrame" in info) != ("endFrame" in info):
            raise Misuse("startFrame without endFrame")
        seconds = Fraction(media.length, media.rate)
        if "startFrame" in info:  # counted at the file's 24, endFrame not included
            frames = whole(info["endFrame"], "endFrame") - whole(info["startFrame"], "startFrame")
            seconds = min(seconds, Fraction(frames, 24))
        track = timeline._track("audio", info["trackIndex"])
        if (media.channels == 2) != (track.subtype == "stereo"):
            raise Misuse(f"a file of {media.channels} channels on a {track.subtype} track")
        if track.locked or "AppendToTimeline" in timeline.resolve.lies:
            return []
        item = TimelineItem(media, start, max(1, round(seconds * rate)))
        if any(other.start < item.GetEnd() and start < other.GetEnd() for other in track.items):
            return [DeadItem()]
        track.items.append(item)
        return [item]

    def ImportTimelineFromFile(self, path: str, options: dict[str, Any]) -> Timeline | None:
        if options.keys() - IMPORT_OPTIONS:
            raise Misuse(f"importOptions knows no {sorted(options.keys() - IMPORT_OPTIONS)}")
        if not Path(path).exists() or "ImportTimelineFromFile" in self.project.resolve.lies:
            return None
        name = options["timelineName"]
        if name in {timeline.name for timeline in self.project.timelines}:
            raise Misuse(f"there is a timeline {name!r} already")
        made = Timeline(self.project.resolve, name, Path(path), self.project.current.rate, 0, 0)
        self.project.timelines.append(made)
        self.project.current = made
        return made


class Project:
    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve
        self.timelines: list[Timeline] = []
        self.current: Timeline = None  # type: ignore[assignment]
        self.pool = MediaPool(self)

    def GetName(self) -> str:
        return "Film"

    def GetMediaPool(self) -> MediaPool:
        return self.pool

    def GetCurrentTimeline(self) -> Timeline | None:
        return self.current

    def SetCurrentTimeline(self, timeline: Timeline) -> bool:
        self.current = timeline
        return True

    def GetTimelineCount(self) -> int:
        return len(self.timelines)

    def GetTimelineByIndex(self, index: int) -> Timeline:
        return self.timelines[index - 1]


class ProjectManager:
    def __init__(self, resolve: Resolve) -> None:
        self.project = Project(resolve)

    def GetCurrentProject(self) -> Project:
        return self.project


class Resolve:
    """`lies`: names of calls that answer as if all were well and do nothing."""

    EXPORT_OTIO = "otio"

    def __init__(self, otio: Path | None, rate: str = "24.0", start: int = 86400, end: int = 88000) -> None:
        self.lies: set[str] = set()
        self.page = "fairlight"
        self.manager = ProjectManager(self)
        timeline = Timeline(self, "My cut", otio, rate, start, end)
        self.manager.project.timelines.append(timeline)
        self.manager.project.current = timeline

    @property
    def timeline(self) -> Timeline:
        return self.manager.project.timelines[0]

    @property
    def pool(self) -> MediaPool:
        return self.manager.project.pool

    def GetProjectManager(self) -> ProjectManager:
        return self.manager

    def GetVersionString(self) -> str:
        return "21.1.0.14"

    def GetCurrentPage(self) -> str:
        return self.page

    def OpenPage(self, page: str) -> bool:
        self.page = page
        return True


def exact(rate: str) -> Fraction:
    return {"23.976": Fraction(24000, 1001), "29.97": Fraction(30000, 1001), "29.97 DF": Fraction(30000, 1001)}.get(
        rate
    ) or Fraction(rate)
