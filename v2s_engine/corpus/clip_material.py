"""Clips made ready for training and measuring: their sound, and what the visual encoder says of their pictures.

read_clips ──> ClipIndex ──prepare_clips──> PreparedClip: samples, features (both read from disk when asked for)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.clip_sound import ClipSound, ClipSoundCache
from v2s_engine.corpus.clips import Clip, Split
from v2s_engine.errors import MediaError, UsageError
from v2s_engine.grid import FRAME_LENGTH, FRAME_RATE, SAMPLE_RATE, steps_covering
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.vision.feature_cache import FeatureCache, FeatureItem, FeatureMaker, Features, extract_features

_BATCH = 512
"""Clips whose pictures' times are held at once; those of 28,000 clips would be half a gigabyte."""


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """A clip that can be learned from. Nothing is held: sound and features are read when they are asked for."""

    clip: Clip
    class_index: int
    """Position of its category in the model's sound classes."""
    length: int
    """Samples at 16 kHz, L: the clip's true length, at least 1,024."""
    sha256: str
    """Of its media file."""
    read_samples: Callable[[], NDArray[np.float32]]
    read_features: Callable[[], Features]

    @property
    def name(self) -> str:
        """What it is called in lists."""
        return self.clip.name

    @property
    def category(self) -> str:
        """What sounds in it."""
        return self.clip.category

    @property
    def samples(self) -> NDArray[np.float32]:
        """`[L]` at 16 kHz, as recorded."""
        return self.read_samples()

    @property
    def features(self) -> Features:
        """`[N, V]`, one row per picture step, N = ceil(L / 1,024). Raises `UsageError` where none were asked for."""
        return self.read_features()

    @classmethod
    def held(cls, clip: Clip, class_index: int, samples: NDArray[np.float32], features: Features | None) -> Self:
        """One that is held in memory, for what is rendered rather than read."""
        read = _no_features if features is None else lambda: features
        return cls(clip, class_index, len(samples), "", lambda: samples, read)

    def credit(self) -> dict[str, Any]:
        """What is said of it in the model's `bundle.json`, as of a recording."""
        return {
            "file": self.clip.name,
            "sound_class": self.clip.category,
            "duration": round(self.length / SAMPLE_RATE, 3),
            "licence": self.clip.licence,
            "attribution": self.clip.attribution,
            "sha256": self.sha256,
        }


@dataclass(frozen=True)
class PreparedClips:
    """What can be learned from, and what was left out with the reason."""

    clips: tuple[PreparedClip, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    def of_split(self, split: Split) -> list[PreparedClip]:
        """The clips of one split, in order."""
        return [each for each in self.clips if each.clip.split == split]


def prepare_clips(
    clips: Sequence[Clip],
    config: ModelConfig,
    encoder: FeatureMaker | None,
    cache: Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> PreparedClips:
    """Decode the clips' sounds and have their features made, or find both in `cache` from an earlier run.

    Left out and listed: clips that cannot be decoded, hold no sound or a single picture, are shorter than one picture
    step (64 ms) or silent throughout (below -55 dBFS). All conditionings but `envelope` want an `encoder`; it takes
    none: `UsageError`. Raises `OutputError` where the cache cannot be written.
    """
    progress = progress or Progress()
    if workers < 1:
        raise UsageError(f"clips want at least 1 worker; got {workers}")
    if (config.conditioning == "envelope") != (encoder is None):
        raise UsageError(
            f"clips for a model with conditioning {config.conditioning!r} want "
            f"{'a visual encoder' if encoder is None else 'no visual encoder'}"
        )
    prepared, left_out = _heard(clips, config, ClipSoundCache(cache / "sounds"), workers, progress)
    if encoder is not None:
        features = FeatureCache(cache / "features")
        heard, prepared = prepared, []
        for first in range(0, len(heard), _BATCH):
            told = _further(progress, first, len(heard))
            seen, unseen = _looked_at(heard[first : first + _BATCH], encoder, features, workers, told)
            prepared += seen
            left_out += unseen
    return PreparedClips(tuple(prepared), tuple(left_out))


def _heard(
    clips: Sequence[Clip], config: ModelConfig, store: ClipSoundCache, workers: int, progress: Progress
) -> tuple[list[PreparedClip], list[tuple[str, str]]]:
    """The clips with their sounds, and those that cannot be used."""
    prepared: list[PreparedClip] = []
    left_out: list[tuple[str, str]] = []
    with ThreadPoolExecutor(workers) as pool:
        sounds = pool.map(partial(_sound, store), clips)
        try:
            for done, (clip, sound) in enumerate(zip(clips, sounds, strict=True), start=1):
                if isinstance(sound, str):
                    left_out.append((clip.name, sound))
                else:
                    index = config.class_index(clip.category)
                    prepared.append(PreparedClip(clip, index, sound.length, sound.sha256, sound.read, _no_features))
                progress.step("listen", done, len(clips), clip.name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return prepared, left_out


def _looked_at(
    clips: Sequence[PreparedClip], encoder: FeatureMaker, cache: FeatureCache, workers: int, progress: Progress
) -> tuple[list[PreparedClip], list[tuple[str, str]]]:
    """The clips with their features, which are made and kept here and read when asked for, and those without."""
    items = [FeatureItem(each.clip.path, tuple(picture_times(each.clip, each.length)), each.sha256) for each in clips]
    missing = [item for item in items if not cache.holds(item, encoder)]
    extraction = extract_features(missing, encoder, cache, workers=workers, progress=progress)
    failures = {id(item): reason for item, reason in extraction.failures}
    seen, unseen = [], []
    for each, item in zip(clips, items, strict=True):
        if id(item) in failures:
            unseen.append((each.name, failures[id(item)]))
        else:
            seen.append(replace(each, read_features=partial(_features, cache, encoder, each)))
    return seen, unseen


def _features(cache: FeatureCache, encoder: FeatureMaker, clip: PreparedClip) -> Features:
    return cache.get_or_make(clip.clip.path, picture_times(clip.clip, clip.length), encoder, sha256=clip.sha256).values


def _further(progress: Progress, before: int, total: int) -> Progress:
    """Progress of a batch as part of the whole."""
    return Progress(
        lambda event: progress.report(replace(event, done=before + event.done, total=total)), progress.cancel
    )


def picture_times(clip: Clip, length: int) -> list[Fraction]:
    """When the pictures of a clip of `length` samples are looked at: seconds from its file's first picture, exactly."""
    begin = clip.begin or Fraction(0)
    return [begin + step / FRAME_RATE for step in range(steps_covering(length, FRAME_LENGTH))]


def _sound(store: ClipSoundCache, clip: Clip) -> ClipSound | str:
    try:
        return store.get(clip)
    except MediaError as error:
        return str(error)
    except FileNotFoundError:
        return f"there is no file {clip.path}"


def _no_features() -> Features:
    raise UsageError("this clip was prepared for an envelope model, without features; give prepare_clips an encoder")
