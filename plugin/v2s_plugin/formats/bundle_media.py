"""Which files go into a bundle, and how its timeline names them.

from another bundle      every file of it under its own name; references stay as they are, byte for byte
from any other timeline  every file that a reference leads to, as media/<unique name>; image sequences too
new sounds               media/<name>.wav
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import MediaError
from v2s_plugin.formats.bundle import MEDIA, bundle_names
from v2s_plugin.media.urls import find_on_disk, paths_of_url
from v2s_plugin.ours import is_ours
from v2s_plugin.sounding.take_file import files_of


@dataclass(frozen=True)
class Gathered:
    """A timeline as it stands in a bundle, and the bundle's files."""

    timeline: Any
    files: dict[str, Path]
    """Name in the bundle -> file on the disk."""
    missing: int
    """References of which no file was found: they stay as they are."""


def gather(
    timeline: Any, *, folder: Path, from_bundle: bool, before: Any, sounds: Path | None, earlier: Path | None = None
) -> Gathered:
    """What goes into a bundle that holds `timeline`.

    `folder` is that of the timeline it was made from (`before`), which relative media count from; `sounds` is the
    folder of new sounds, if there are any; `earlier` is that of the bundle which will be replaced: sounds of it may
    stay. Sounds of ours that the result does not name any more are left out.
    """
    result = timeline.deepcopy()
    gone = {*files_of(clip for clip in before.find_clips() if is_ours(clip))} - {*files_of(result.find_clips())}
    kept = (name for name in bundle_names(folder) if PurePath(name).name not in gone) if from_bundle else ()
    files = {name: folder / name for name in kept}
    if sounds is not None and sounds.is_dir():
        for path in sorted(sounds.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                files[f"{MEDIA}/{path.name}"] = path
    missing = 0
    names = _Names(files)
    for clip in result.find_clips():
        for reference in clip.media_references().values():
            if sounds is not None and is_ours(clip) and _lies_in(reference, sounds):
                name = reference.target_url = f"{MEDIA}/{PurePath(reference.target_url).name}"
                if name not in names.files and earlier is not None:
                    names.files[name] = earlier / name
            elif not from_bundle:
                missing += not _take_in(reference, folder, names)
    return Gathered(result, names.files, missing)


class _Names:
    """Gives every file a name of its own in the bundle; equal files get one name."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = dict(files)
        self._taken = {name.lower() for name in files}  # also where capitals do not count
        self._known: dict[Path, str] = {}

    def name_of(self, path: Path) -> str:
        """The name of a file in the bundle, in `[A-Za-z0-9._-]` where the file's own name is not plain."""
        if path not in self._known:
            self._known[path] = self.free(path.stem, path.suffix)
            self.files[self._known[path]] = path
        return self._known[path]

    def free(self, stem: str, suffix: str) -> str:
        """`media/<stem><suffix>` or, if that is taken, with a number; nothing in it that a URL parser could cut."""
        plain = "".join(each if each not in "#?;%:\\" else "_" for each in stem) or "file"
        number, name = 1, f"{MEDIA}/{plain}{suffix}"
        while name.lower() in self._taken:
            number += 1
            name = f"{MEDIA}/{plain}_{number}{suffix}"
        self._taken.add(name.lower())
        return name


def _take_in(reference: Any, folder: Path, names: _Names) -> bool:
    """Put what a reference leads to into the bundle; False where that is not there."""
    if isinstance(reference, otio.schema.ExternalReference):
        try:
            path = find_on_disk(reference.target_url, folder)
        except MediaError:
            return False
        if not path.is_file():
            return False
        reference.target_url = names.name_of(path.absolute())
    elif isinstance(reference, otio.schema.ImageSequenceReference):
        return _take_in_sequence(reference, folder, names)
    return True


def _take_in_sequence(reference: Any, folder: Path, names: _Names) -> bool:
    try:
        base = paths_of_url(reference.target_url_base, folder)[0]
    except MediaError:
        return False
    pattern = f"{reference.name_prefix}*{reference.name_suffix}"
    pictures = sorted(path for path in base.glob(pattern) if path.is_file()) if base.is_dir() else []
    if not pictures:
        return False
    inside = names.free(f"{reference.name_prefix.rstrip('._-') or 'pictures'}_frames", "")
    for path in pictures:
        names.files[f"{inside}/{path.name}"] = path
    reference.target_url_base = f"{inside}/"
    return True


def _lies_in(reference: Any, sounds: Path) -> bool:
    url = getattr(reference, "target_url", None)
    if not url:
        return False
    try:
        return any(path.parent == sounds for path in paths_of_url(url, sounds.parent))
    except MediaError:
        return False
