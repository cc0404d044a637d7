"""Puts sounds on the current timeline of Resolve, around what its API does differently from what one expects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .places import TRACK_PREFIX, Place, belongs

BIN = "V2S"
"""Folder of the media pool that our files go to."""


class PlacingError(RuntimeError):
    """Resolve does not take our sounds on this timeline; the text says what it refused."""


@dataclass
class Placed:
    """What was done on the timeline."""

    placed: int = 0
    kept: int = 0
    """Stood there already, untouched."""
    removed: int = 0
    """Sounds of an earlier run that were taken off."""
    warnings: list[str] = field(default_factory=list)


class Placer:
    """Sounds onto tracks `V2S ...` of one timeline. `media_folder`: files in it are ours to replace."""

    def __init__(self, pool: Any, timeline: Any, media_folder: str) -> None:
        self.pool = pool
        self.timeline = timeline
        self.media_folder = media_folder
        # Places count from the timeline's start, Resolve's recordFrame from midnight.
        self.first_frame = int(timeline.GetStartFrame())

    def place(self, wanted: Sequence[Place], everything: bool) -> Placed:
        """Put all on tracks; sounds of an earlier run make room.

        `everything`: the whole timeline was sounded, so every earlier sound goes; else those go that overlap a new one
        of the same name. What stands where it should already is left alone, with what the editor set on it.
        Raises `PlacingError` where Resolve takes no track or no clip.
        """
        done = Placed()
        for index in self._our_tracks():
            self.timeline.SetTrackLock("audio", index, False)  # the lock comes back with the editor's state
        missing = self._make_room(wanted, everything, done)
        files = self._import([place.path for place in missing])
        for place in missing:
            self._append(place, files[file_name(place.path)], done)
        return done

    def _our_tracks(self) -> list[int]:
        count = self.timeline.GetTrackCount("audio")
        return [index for index in range(1, count + 1) if self._name(index).startswith(TRACK_PREFIX)]

    def _name(self, index: int) -> str:
        return self.timeline.GetTrackName("audio", index) or ""

    def _items(self, index: int) -> list[Any]:
        return list(self.timeline.GetItemListInTrack("audio", index) or [])

    def _make_room(self, wanted: Sequence[Place], everything: bool, done: Placed) -> list[Place]:
        """Take off what gives way; returns the places that are not yet filled."""
        missing, going = list(wanted), []
        for index in self._our_tracks():
            for item in self._items(index):
                path = _path_of(item)
                if path is None or not _lies_in(path, self.media_folder):
                    continue
                start, end = int(item.GetStart()) - self.first_frame, int(item.GetEnd()) - self.first_frame
                there = next((p for p in missing if _is_there(p, path, start, self._name(index))), None)
                if there is not None:
                    missing.remove(there)
                    done.kept += 1
                elif everything or any(_gives_way(p, start, end, self._name(index)) for p in wanted):
                    going.append(item)
        if going:
            self.timeline.DeleteClips(going, False)
            done.removed = len(going)
        return missing

    def _import(self, paths: Sequence[str]) -> dict[str, Any]:
        """The media pool's items by file name; what it has is not imported again."""
        if not paths:
            return {}
        root = self.pool.GetRootFolder()
        folder = next((sub for sub in root.GetSubFolderList() or [] if sub.GetName() == BIN), None)
        folder = folder or self.pool.AddSubFolder(root, BIN)
        if folder is not None:
            self.pool.SetCurrentFolder(folder)
        here = self.pool.GetCurrentFolder()
        known = _by_name(here)
        new = [path for path in dict.fromkeys(paths) if file_name(path) not in known]
        if new:
            self.pool.ImportMedia(new)
            # Looked up again: the order and number of what ImportMedia answers are not documented.
            known = _by_name(here)
        lost = [path for path in paths if file_name(path) not in known]
        if lost:
            raise PlacingError(f"Resolve did not import {lost[0]} ({len(lost)} of {len(paths)} files)")
        return known

    def _append(self, place: Place, file: Any, done: Placed) -> None:
        track = self._free_track(place, "stereo" if str(file.GetClipProperty("Audio Ch")) == "2" else "mono", done)
        # No startFrame and endFrame: they would count a WAV's frames at 24 whatever the timeline's rate; without them
        # Resolve takes the file at its own length. All numbers whole, or the answer is None.
        info = {
            "mediaPoolItem": file,
            "mediaType": 2,
            "trackIndex": track,
            "recordFrame": self.first_frame + place.start,
        }
        items = [item for item in self.pool.AppendToTimeline([info]) or [] if item is not None]
        start = items[0].GetStart() if items else None
        if start is None:  # an item without a place is no item: Resolve answers so on a range that is taken
            raise PlacingError(f"Resolve did not put {file_name(place.path)} on audio track {track}")
        done.placed += 1
        name = file_name(place.path)
        if int(start) != self.first_frame + place.start:
            done.warnings.append(f"{name} stands {int(start) - self.first_frame - place.start:+d} frames off; move it")
        length = int(items[0].GetDuration())
        if abs(length - place.length) > 1:
            done.warnings.append(f"{name} is {length} frames long on the timeline instead of {place.length}")

    def _free_track(self, place: Place, kind: str, done: Placed) -> int:
        """The first track of the family with room at the place, else a new one."""
        start, end = self.first_frame + place.start, self.first_frame + place.start + place.length
        names = set()
        for index in self._our_tracks():
            names.add(self._name(index))
            if (
                belongs(self._name(index), place.family)
                and self.timeline.GetTrackSubType("audio", index) == kind
                and all(int(item.GetEnd()) <= start or int(item.GetStart()) >= end for item in self._items(index))
            ):
                return index
        return self._new_track(place, kind, names, done)

    def _new_track(self, place: Place, kind: str, names: set[str], done: Placed) -> int:
        before = self.timeline.GetTrackCount("audio")
        self.timeline.AddTrack("audio", kind)
        index = int(self.timeline.GetTrackCount("audio"))
        if index != before + 1:
            raise PlacingError("Resolve did not add an audio track")
        numbered = (place.family if n == 1 else f"{place.family} {n}" for n in range(1, len(names) + 2))
        name = next(name for name in numbered if name not in names)
        self.timeline.SetTrackName("audio", index, name)
        if self._name(index) != name:
            self.timeline.DeleteTrack("audio", index)
            raise PlacingError(f"Resolve did not name audio track {index} {name!r}: it could not be told from yours")
        self.timeline.SetTrackEnable("audio", index, place.heard)
        if bool(self.timeline.GetIsTrackEnabled("audio", index)) != place.heard:
            done.warnings.append(f"Resolve did not switch off track {name!r}; switch it off, it holds a spare take")
        return index


def file_name(path: str) -> str:
    """The last part of a path of any system; a sound's name holds a hash of its content, so it stands for the file."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _by_name(folder: Any) -> dict[str, Any]:
    return {file_name(item.GetClipProperty("File Path") or ""): item for item in folder.GetClipList() or []}


def _path_of(item: Any) -> str | None:
    media = item.GetMediaPoolItem()
    path = media.GetClipProperty("File Path") if media is not None else None
    return path or None


def _lies_in(path: str, folder: str) -> bool:
    return path.replace("\\", "/").startswith(folder.replace("\\", "/").rstrip("/") + "/")


def _is_there(place: Place, path: str, start: int, track: str) -> bool:
    """Also where its end was trimmed: the file's name stands for its content, so it is this very sound."""
    return file_name(place.path) == file_name(path) and place.start == start and belongs(track, place.family)


def _gives_way(place: Place, start: int, end: int, track: str) -> bool:
    sound = place.family.split(" take ")[0]
    ours = re.fullmatch(re.escape(sound) + r"( take \d+)?( \d+)?", track)
    return bool(ours) and start < place.start + place.length and place.start < end
