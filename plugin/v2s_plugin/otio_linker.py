"""What OpenTimelineIO calls: the media linker `v2s_relink`, which finds missing media by name, size and timecode.

    otioconvert -i cut.otio -o found.otio -m v2s_relink -M search=/disk/rushes
    otio.adapters.read_from_file("cut.otio", media_linker_name="v2s_relink",
                                 media_linker_argument_map={"search": ["/disk/rushes"], "timeline_folder": "/edit"})

    V2S_SEARCH=/disk/rushes OTIO_DEFAULT_MEDIA_LINKER=v2s_relink      for every read of a program

It does nothing without a folder to search. Media that are where the timeline says stay untouched. OpenTimelineIO loads
this file by its path, as it does `otio_adapter`: functions only, imports when called.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Any

SEARCH_VARIABLE = "V2S_SEARCH"
KNOWN_KEYS = ("search", "timeline_folder")

_FRESH = 60  # seconds for which a listing of the folders serves: a timeline's clips come one by one


def link_media_reference(in_clip: Any, media_linker_argument_map: Any = None) -> Any:
    """The clip's media reference, led to where its file was found; as it was where nothing was missing or found.

    Keys of `media_linker_argument_map`: `search` (a folder, several as a list or joined as in PATH; by default those of
    the variable V2S_SEARCH) and `timeline_folder` (what relative media count from; by default the working directory).

    Raises `UsageError` for other keys and for what is not a folder, `ImportError` where V2S is not installed.
    """
    asked = dict(media_linker_argument_map or {})
    search = _folders(asked.get("search") or os.environ.get(SEARCH_VARIABLE, ""))
    if not search and not asked:
        return in_clip.media_reference
    try:
        import v2s_plugin.media.library  # noqa: F401, PLC0415
        from v2s_engine.errors import UsageError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the media linker v2s_relink cannot find {error.name}: install V2S in the Python that runs it "
            "(pip install v2s)"
        ) from error
    if unknown := sorted(set(asked) - set(KNOWN_KEYS)):
        raise UsageError(f"unknown key {', '.join(unknown)} for v2s_relink; known: {', '.join(KNOWN_KEYS)}")
    if not search:
        raise UsageError('v2s_relink wants folders to search; add "search": "/a/folder"')
    folder = str(asked.get("timeline_folder") or os.curdir)
    return _linked(in_clip, _library(search, folder, int(time.monotonic()) // _FRESH))


def _folders(given: Any) -> tuple[str, ...]:
    several = given.split(os.pathsep) if isinstance(given, str) else given
    return tuple(str(folder) for folder in several if str(folder))


@lru_cache(maxsize=1)
def _library(search: tuple[str, ...], folder: str, fresh: int) -> Any:
    """The media in the folders; `fresh` changes when they are to be looked through again."""
    from pathlib import Path  # noqa: PLC0415

    from v2s_plugin.media.library import MediaLibrary  # noqa: PLC0415

    return MediaLibrary(Path(folder).absolute(), search=[Path(each).absolute() for each in search])


def _linked(clip: Any, library: Any) -> Any:
    import opentimelineio as otio  # noqa: PLC0415

    from v2s_engine.video import ImageSequence  # noqa: PLC0415
    from v2s_plugin.media.library import Medium  # noqa: PLC0415
    from v2s_plugin.media.relink import Relinked  # noqa: PLC0415

    found = library.find(clip)
    if not isinstance(found, Medium) or Relinked(found.url, found.media) not in library.relinked:
        return clip.media_reference
    reference = found.reference.deepcopy()
    if not isinstance(found.media, ImageSequence):
        reference.target_url = str(found.media)
    elif isinstance(reference, otio.schema.ImageSequenceReference):
        reference.target_url_base = f"{found.media.folder}/"
    else:
        reference.target_url = f"{found.media.folder}/{reference.target_url.replace(chr(92), '/').rpartition('/')[2]}"
    return reference
