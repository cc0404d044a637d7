"""Scored timelines for tests of formats: pictures, and sounds of ours whose files are there.

cut = scored_cut(tmp_path, rate=24)
assert placed_sounds(cut, tmp_path) == [("V2S dog", Fraction(1, 2), Fraction(2), "dog_take1.wav"), ...]
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from tests.plugin.cuts import clip, gap, span, time, timeline, track
from v2s_plugin.formats.sound_tracks import path_on_disk, places, sound_tracks_of
from v2s_plugin.formats.timeline_format import format_named
from v2s_plugin.timeline import Destination, read_timeline


def sound(folder: Path, name: str, frames: int, rate: float, *, takes: int = 1, chosen: int = 1) -> Any:
    """A clip of ours of so many frames; its takes lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    references = {}
    for take in range(1, takes + 1):
        path = folder / f"{name}_take{take}.wav"
        path.write_bytes(f"RIFF {name} {take}".encode())
        references[f"take {take}"] = otio.schema.ExternalReference(
            target_url=str(path), available_range=span(0, round(frames / rate * 48_000), 48_000)
        )
    facts = {"generated": True, "key": name * 3, "sound": name, "seed": "18446744073709551615"}
    facts["takes"] = {key: {"take": int(key[5:]), "sha256": "ab"} for key in references}  # type: ignore[assignment]
    made = otio.schema.Clip(f"{name} sound", source_range=span(0, frames, rate), metadata={"v2s": facts})
    made.set_media_references(references, f"take {chosen}")
    return made


def our_track(name: str, *items: Any) -> Any:
    made = track(*items, name=name, kind="Audio")
    made.metadata["v2s"] = {"generated": True, "sound": name}
    return made


def pictures(folder: Path, rate: float) -> list[Any]:
    """A picture track with a gap, a trim and media that start at an hour, and its own sound track."""
    media = folder / "a b#1.mov"
    media.write_bytes(b"not a film")
    hour = 3600 * round(rate)
    whole = span(hour, 500, rate)
    return [
        track(
            clip("a", media, source=span(hour + 10, 30, rate), available=whole),
            gap(12, rate),
            clip("b", media, source=span(hour + 100, 40, rate), available=whole),
            name="V1",
        ),
        track(clip("a", media, source=span(hour + 10, 30, rate), available=whole), name="A1", kind="Audio"),
    ]


def scored_cut(folder: Path, *, rate: float = 24, takes: int = 1, chosen: int = 1, start: bool = True) -> Any:
    """Pictures in `folder` with two tracks of ours, one of them with two sounds."""
    sounds = folder / "cut.media"
    return timeline(
        *pictures(folder, rate),
        our_track(
            "V2S dog",
            sound(sounds, "dog", 30, rate, takes=takes, chosen=chosen),
            gap(12, rate),
            sound(sounds, "hound", 40, rate, takes=takes),
        ),
        our_track("V2S drum", gap(42, rate), sound(sounds, "drum", 40, rate)),
        start=time(3600 * round(rate), rate) if start else None,
    )


def placed_sounds(cut: Any, folder: Path) -> list[tuple[str, Fraction, Fraction, str]]:
    """Track, start and end in seconds and the file of every sound on tracks of ours, in order."""
    return [each for track in sound_tracks_of(cut) for each in placed_on(track, folder)]


def placed_on(track: Any, folder: Path) -> list[tuple[str, Fraction, Fraction, str]]:
    """The same for one track, whoever made it."""
    return [
        (track.name, start, end, str(path_on_disk(item.media_reference.target_url, folder)))
        for item, start, end in places(track)
        if isinstance(item, otio.schema.Clip) and hasattr(item.media_reference, "target_url")
    ]


def write(cut: Any, folder: Path, kind: str, *, source: Path | None = None) -> tuple[Path, tuple[str, ...]]:
    """Write a cut that lies in `folder`; returns the file and what was said."""
    form = format_named(kind)
    target = Destination(folder / f"out{form.suffixes[0]}", False, True, source or folder / "cut.otio", form)
    return target.path, target.write(cut)


def written_sounds(path: Path, files: list[str]) -> list[tuple[Fraction, Fraction, str]]:
    """Where these files stand in a timeline that was written: start, end, file."""
    found = read_timeline(path)
    placed = [each for one in found.audio_tracks() for each in placed_on(one, path.parent)]
    return sorted((start, end, file) for _, start, end, file in placed if file in files)


def seconds(placed: list[tuple[Any, ...]]) -> list[tuple[Fraction, Fraction, str]]:
    return sorted((start, end, file) for _, start, end, file in placed)
