"""The guides that sounds on a timeline were timed by, read again: a take more follows what the others follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from v2s_engine.errors import MediaError, TimelineError, UsageError
from v2s_plugin.media.urls import find_on_disk
from v2s_plugin.ours import facts_of, text_of
from v2s_plugin.takes.listing import ListedSound

if TYPE_CHECKING:
    from v2s_engine.guide import Guide


@dataclass(frozen=True)
class RecordedGuides:
    """The guides of some sounds, by the hash of their files."""

    by_sha256: dict[str, Guide]

    def of(self, sound: ListedSound) -> Guide | None:
        """The guide that a sound was timed by; None: it was timed by its pictures."""
        _, sha256 = _recorded(sound)
        return self.by_sha256[sha256] if sha256 else None


def read_guides(sounds: Sequence[ListedSound], folder: Path, given: Path | None = None) -> RecordedGuides:
    """The guides of these sounds; `folder` is their timeline's, `given` a place where a guide lies now.

    Raises `TimelineError` for a guide that is not where it was, or is another now, and `UsageError` where `given` is
    none that these sounds were timed by.
    """
    found: dict[str, Guide] = {}
    if given is not None:
        guide = _read(given)
        if guide.sha256 not in {_recorded(sound)[1] for sound in sounds}:
            raise UsageError(
                f"none of these sounds was timed by --envelope-from {given} as it is now; leave it out, or run "
                "v2s generate with it again"
            )
        found[guide.sha256] = guide
    for sound in sounds:
        url, sha256 = _recorded(sound)
        if sha256 and sha256 not in found:
            found[sha256] = _read_recorded(sound, url, sha256, folder)
    return RecordedGuides(found)


def _read_recorded(sound: ListedSound, url: str, sha256: str, folder: Path) -> Guide:
    what = f"{sound.name} ({sound.where}) was timed by the guide {url}"
    try:
        guide = _read(find_on_disk(url, folder))
    except (MediaError, UsageError) as error:
        reason = str(error).partition(";")[0]  # its advice is for films
        raise TimelineError(
            f"{what}, which cannot be read ({reason}); name it with --envelope-from, or run v2s generate again"
        ) from error
    if guide.sha256 != sha256:
        raise TimelineError(
            f"{what}, which was changed since; name the old one with --envelope-from, or run v2s generate with "
            "the new one"
        )
    return guide


def _recorded(sound: ListedSound) -> tuple[str, str]:
    """Where the guide of a sound lay, and its hash; both empty where it has none."""
    recorded = facts_of(sound.standing.clip).get("guide")
    if recorded is None or not hasattr(recorded, "get"):
        return "", ""
    return text_of(recorded, "url"), text_of(recorded, "sha256")


def _read(path: Path) -> Guide:
    from v2s_engine.guide import read_guide  # noqa: PLC0415  (NumPy and FFmpeg: only where there is a guide)

    return read_guide(path)
