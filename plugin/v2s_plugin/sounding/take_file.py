"""The takes of a sound: what a timeline remembers of each, and the files behind it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import MediaError
from v2s_plugin.media.urls import UrlStyle, find_on_disk, url_like
from v2s_plugin.ours import entries_of, facts_of, our_clips, take_facts_of, text_of
from v2s_plugin.planning.clip_job import ClipJob

_KEY = re.compile(r"take [1-9]\d*")


@dataclass(frozen=True)
class TakeFile:
    """One take as it lies on the disk."""

    take: int
    """Number of the take, from 1."""
    path: Path
    sha256: str
    """Of the whole file, in hex."""
    length: int
    """Samples at `rate`."""
    rate: int
    """Samples per second."""
    gain_db: float = 0.0
    """What the take was turned by so that it does not clip; 0 or negative."""
    reused: bool = False
    """Whether it was there already."""
    device: str = ""
    """What it was made on: `cpu`, `cuda/16`, ...; empty where an earlier version did not say."""
    plain: TakeFile | None = None
    """The same take without levels, in the same folder, where this is a mixed one."""


@dataclass(frozen=True)
class ScoredJob:
    """A clip job and its takes, rising by number."""

    job: ClipJob
    takes: tuple[TakeFile, ...]

    @classmethod
    def of(cls, job: ClipJob, takes: Mapping[int, TakeFile]) -> ScoredJob:
        """A job and its takes by number."""
        return cls(job, tuple(takes[number] for number in sorted(takes)))


def reference_key(take: int) -> str:
    """Key of a take among its clip's media references."""
    return f"take {take}"


def is_reference_key(key: str) -> bool:
    """Whether a media reference's key is a take's."""
    return _KEY.fullmatch(key) is not None


def take_facts(take: TakeFile) -> dict[str, Any]:
    """What a timeline remembers of a take."""
    return {
        "take": take.take,
        "file": take.path.name,
        "sha256": take.sha256,
        "length": take.length,
        "rate": take.rate,
        "gain_db": take.gain_db,
        "device": take.device,
        **({"plain": {"file": take.plain.path.name, "sha256": take.plain.sha256}} if take.plain else {}),
    }


def take_reference(take: TakeFile, style: UrlStyle, folder: Path) -> Any:
    """The media reference of a take on a timeline that will lie in `folder`."""
    start = otio.opentime.RationalTime(0, take.rate)
    length = otio.opentime.RationalTime(take.length, take.rate)
    return otio.schema.ExternalReference(
        target_url=url_like(style, take.path, folder), available_range=otio.opentime.TimeRange(start, length)
    )


def hang_takes(clip: Any, takes: Iterable[TakeFile], style: UrlStyle, folder: Path) -> None:
    """Have a clip of ours hold these takes beside or instead of those of the same numbers; its choice stays.

    `folder` is where its timeline will lie.
    """
    references = clip.media_references()
    for take in takes:
        key = reference_key(take.take)
        references[key] = take_reference(take, style, folder)
        clip.metadata["v2s"]["takes"][key] = take_facts(take)
    clip.set_media_references(references, clip.active_media_reference_key)


def chosen_key(clip: Any) -> str | None:
    """The key of the take that an editor chose on a clip of ours; None where they chose something else.

    An editing program may keep but the chosen reference, under a key of its own: the file's name tells which it was.
    """
    key = str(clip.active_media_reference_key)
    if is_reference_key(key):
        return key
    name = file_name(getattr(clip.media_reference, "target_url", None))
    files = {text_of(fact, "file"): key for key, fact in take_facts_of(clip).items()}
    return files.get(name) if name else None


def file_name(url: object) -> str:
    """The last part of a `target_url`; empty where it names no file. Names of ours need no escapes."""
    return re.split(r"[/\\]", url)[-1] if isinstance(url, str) else ""


def files_of(clips: Iterable[Any]) -> Iterator[str]:
    """The names of all files that clips hold: in their media references, and in what V2S wrote about their takes."""
    for clip in clips:
        for reference in clip.media_references().values():
            yield file_name(getattr(reference, "target_url", None))
        for fact in take_facts_of(clip).values():
            yield from map(file_name, _texts_in(fact))


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for _, each in entries_of(value):
        yield from _texts_in(each)


def known_takes(timeline: Any, folder: Path) -> dict[str, dict[int, TakeFile]]:
    """The takes that stand on a timeline in `folder`, by job key and number. What was tampered with is left out."""
    known: dict[str, dict[int, TakeFile]] = {}
    for clip in our_clips(timeline):
        for take in takes_of(clip, folder):
            known.setdefault(str(facts_of(clip)["key"]), {})[take.take] = take
    return known


def takes_of(clip: Any, folder: Path) -> Iterator[TakeFile]:
    """The takes of a clip of ours whose files are there, mixed ones as their plain ones; `folder` is its timeline's."""
    references = clip.media_references()
    for key, fact in take_facts_of(clip).items():
        try:
            url = references[key].target_url
            plain = fact.get("plain")
            if plain is not None:  # levels are made anew from it
                url = url.removesuffix(file_name(url)) + file_name(plain["file"])
            yield TakeFile(
                take=int(fact["take"]),
                path=find_on_disk(url, folder),
                sha256=str((plain or fact)["sha256"]),
                length=int(fact["length"]),
                rate=int(fact["rate"]),
                gain_db=float(fact["gain_db"]),
                device=text_of(fact, "device"),
            )
        except (MediaError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue


def usual_device(timelines: Iterable[Any], bundle_digest: str) -> str | None:
    """The device on which most takes that stand on some timelines were made with this bundle; None where none says."""
    return _most_used(
        text_of(fact, "device")
        for timeline in timelines
        if timeline is not None
        for clip in our_clips(timeline)
        if facts_of(clip).get("bundle_digest") == bundle_digest
        for fact in take_facts_of(clip).values()
    )


def device_of(jobs: Iterable[Mapping[int, TakeFile]]) -> str | None:
    """The device on which most takes of some jobs, each by number, were made; None where none says."""
    return _most_used(take.device for takes in jobs for take in takes.values())


def _most_used(devices: Iterable[str]) -> str | None:
    counts = Counter(device for device in devices if device)
    return max(sorted(counts), key=lambda device: counts[device], default=None)
