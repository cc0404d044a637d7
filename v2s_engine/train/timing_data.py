"""What the timing network is trained and judged on: looks of clips, and the envelope measured from their sound.

Looking at a clip costs more than training on it, so the looks are kept in a folder: one file per clip, used again
as long as what made it is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.footage import RecordedClip, read_sync_sound
from v2s_engine.corpus.scenes import SceneOptions, make_scene
from v2s_engine.envelope import Envelope, measure_envelope
from v2s_engine.grid import ENVELOPE_LENGTH, ENVELOPES_PER_FRAME, FRAME_LENGTH, FRAME_RATE, SAMPLE_RATE
from v2s_engine.progress import Progress
from v2s_engine.video import probe, read_pictures
from v2s_engine.vision.features import PICTURE_SIZE, Looks, observe

RECIPE = 2
"""Counts up whenever scenes, features or envelopes change, so that no stale file is used."""

HEARD_ONSET = 0.2
"""Onset strength from which an event of a scene counts as heard; weaker ones drown in the room or in each other."""


@dataclass(frozen=True)
class LookedAt:
    """One clip, ready to train on: T pictures, 4 T envelope steps.

    Attributes
    ----------
    name
        For reports.
    looks
        Of the T pictures.
    envelope
        Measured from the clip's sound.
    events
        `[E]` envelope steps at which a sound starts that can be heard, rising.
    """

    name: str
    looks: Looks
    envelope: Envelope
    events: NDArray[np.int64]


class Scenes(Sequence[LookedAt]):
    """Rendered scenes of successive seeds, looked at once and read from the cache when they are needed."""

    def __init__(self, seeds: range, cache: Path, progress: Progress, item: str) -> None:
        self._seeds, self._cache = seeds, cache
        for done, seed in enumerate(seeds):
            if not _scene_file(seed, cache).is_file():
                scene_clip(seed, cache)
            progress.step("look", done + 1, len(seeds), item)

    def __len__(self) -> int:
        return len(self._seeds)

    @overload
    def __getitem__(self, index: int) -> LookedAt: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LookedAt]: ...
    def __getitem__(self, index: int | slice) -> LookedAt | Sequence[LookedAt]:
        if isinstance(index, slice):
            return [scene_clip(seed, self._cache) for seed in self._seeds[index]]
        return scene_clip(self._seeds[index], self._cache)


def scene_clip(seed: int, cache: Path) -> LookedAt:
    """The rendered scene of a seed (four seconds), from the folder `cache` if it was looked at before."""
    options = _scene_options()
    file = _scene_file(seed, cache)
    if file.is_file():
        return _load(file)
    scene = make_scene(seed, options)
    steps = options.length // FRAME_LENGTH
    looks = _look(scene.picture_at(step / FRAME_RATE) for step in range(steps))
    envelope = measure_envelope(scene.sound[: steps * FRAME_LENGTH])
    events = np.array([event // ENVELOPE_LENGTH for event in scene.events], np.int64)
    heard = [event for event in events.tolist() if envelope.onset[event : event + 3].max(initial=0.0) >= HEARD_ONSET]
    clip = LookedAt(f"scene {seed}", looks, envelope, np.array(heard, np.int64))
    _save(file, clip)
    return clip


def recorded_clip(clip: RecordedClip, cache: Path) -> LookedAt:
    """A recorded clip with its whole steps of pictures and sound; events are those that the manifest lists."""
    stamp = clip.path.stat()
    listed = [str(onset) for onset in clip.onsets]
    file = cache / f"clip_{clip.path.stem}_{_key([str(clip.path), stamp.st_size, stamp.st_mtime_ns, listed])}.npz"
    if file.is_file():
        return _load(file)
    steps = int(probe(clip.path).duration * FRAME_RATE)
    times = [Fraction(step) / FRAME_RATE for step in range(steps)]
    looks = _look(read_pictures(clip.path, times, width=PICTURE_SIZE, height=PICTURE_SIZE))
    sound = np.clip(read_sync_sound(clip.path, steps * FRAME_LENGTH), -1.0, 1.0)
    events = [int(onset * SAMPLE_RATE) // ENVELOPE_LENGTH for onset in clip.onsets]
    inside = np.array([event for event in events if event < steps * ENVELOPES_PER_FRAME], np.int64)
    looked = LookedAt(clip.path.stem, looks, measure_envelope(sound), inside)
    _save(file, looked)
    return looked


def _scene_options() -> SceneOptions:
    return SceneOptions(width=PICTURE_SIZE, height=PICTURE_SIZE)


def _scene_file(seed: int, cache: Path) -> Path:
    return cache / f"scene_{seed}_{_key(asdict(_scene_options()))}.npz"


def _look(pictures: Iterable[NDArray[np.uint8]]) -> Looks:
    return Looks.join(observe(pictures, chunk=64))


def _key(made_from: object) -> str:
    text = json.dumps([RECIPE, made_from], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _save(file: Path, clip: LookedAt) -> None:
    """Written under another name and then renamed, so that a broken run leaves no half file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".part.npz")
    np.savez(
        draft,
        name=np.array(clip.name),
        pictures=clip.looks.pictures,
        changes=clip.looks.changes,
        flows=clip.looks.flows,
        loudness=clip.envelope.loudness,
        onset=clip.envelope.onset,
        events=clip.events,
    )
    draft.replace(file)


def _load(file: Path) -> LookedAt:
    with np.load(file) as held:
        looks = Looks(held["pictures"], held["changes"], held["flows"])
        return LookedAt(str(held["name"]), looks, Envelope(held["loudness"], held["onset"]), held["events"])
