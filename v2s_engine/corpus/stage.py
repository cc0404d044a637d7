"""A small audio-visual set whose truth is known: six categories, visible events that cause sounds, silent distractors.

    struck   bell, drum, sparks        a shape flashes and shrinks; the sound starts with it and dies away
    held     engine, water, whistle    a shape shakes or flows while it sounds, and is still or gone while it does not

Each category has a shape, a colour and a voice of its own; place, size, pitch, level and times differ from clip to
clip. One or two distractors of other shapes and colours move and flash as well, and make no sound. One seed gives one
clip. `write_stage` makes files and an index of it, so that everything that takes real clips takes these.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from v2s_engine.corpus.brush import Brush, Paint, Picture
from v2s_engine.corpus.clip_writer import write_clip_file
from v2s_engine.corpus.stage_sounds import Maker, Samples, bell, drum, engine, sparks, water, whistle
from v2s_engine.errors import UsageError
from v2s_engine.grid import FRAME_RATE, SAMPLE_RATE
from v2s_engine.progress import Progress

INDEX = "index.csv"
"""Name of the list of all clips in the set's folder."""

PICTURE_SIZE = 96
"""Pixels, width and height of the pictures."""

PICTURE_RATE = Fraction(25)

_FLASH = 0.16  # seconds that a struck thing is seen to ring
_STRIKE_LENGTH = 6_400  # samples of a struck sound
_ROOM_LEVEL = 0.001  # of the noise that every recording has: an eighth of a step of linear 8 bit


@dataclass(frozen=True)
class _Kind:
    """How a category looks and sounds."""

    paint: Paint
    shape: Literal["disc", "box", "star", "rod"]
    voice: Maker
    held: bool


_KINDS = {
    "bell": _Kind((235, 200, 40), "disc", bell, held=False),
    "drum": _Kind((190, 60, 50), "box", drum, held=False),
    "engine": _Kind((90, 95, 110), "box", engine, held=True),
    "sparks": _Kind((255, 240, 220), "star", sparks, held=False),
    "water": _Kind((60, 120, 230), "rod", water, held=True),
    "whistle": _Kind((60, 190, 90), "disc", whistle, held=True),
}

CATEGORIES = tuple(_KINDS)
"""What there is, by name."""


@dataclass(frozen=True)
class StageOptions:
    """How large the set is. Raises `UsageError` for clips shorter than a second."""

    train_clips: int = 40
    """Per category."""
    validation_clips: int = 2
    test_clips: int = 8
    length: int = 2 * SAMPLE_RATE
    """Samples of a clip at 16 kHz."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.length < SAMPLE_RATE or min(self.train_clips, self.validation_clips, self.test_clips) < 0:
            raise UsageError(
                f"staged clips last at least {SAMPLE_RATE} samples and come in counts of 0 or more; {self}"
            )


@dataclass(frozen=True, eq=False)
class StagedClip:
    """One clip: what is seen, what is heard, and when."""

    category: str
    sound: Samples
    """`[length]` at 16 kHz."""
    spans: tuple[tuple[int, int], ...]
    """When it is seen to sound: first sample and end, rising and apart."""
    draw: Callable[[float], Picture]
    """The picture `[96, 96, 3]` at a moment, in seconds from the start."""

    @property
    def events(self) -> tuple[int, ...]:
        """Samples at which a sound starts, rising."""
        return tuple(begin for begin, _ in self.spans)

    @property
    def picture_count(self) -> int:
        """Pictures at `PICTURE_RATE`."""
        return int(Fraction(len(self.sound), SAMPLE_RATE) * PICTURE_RATE)

    def pictures(self) -> Iterator[Picture]:
        """All pictures at `PICTURE_RATE`."""
        for number in range(self.picture_count):
            yield self.draw(float(number / PICTURE_RATE))


def stage_clip(category: str, seed: int, length: int = 2 * SAMPLE_RATE) -> StagedClip:
    """The clip of a category and a seed (0 or more). Raises `UsageError` for an unknown category."""
    if category not in _KINDS:
        raise UsageError(f"there is no staged category {category!r}; there are: {', '.join(CATEGORIES)}")
    rng = np.random.default_rng((seed, CATEGORIES.index(category), 0x57A6E))
    kind = _KINDS[category]
    spans = _spans(rng, kind, length)
    ground = _ground(rng)
    actors: list[_Distractor | _Sounding] = [
        *(_Distractor(rng) for _ in range(int(rng.integers(1, 3)))),
        _Sounding(rng, kind, spans),
    ]

    def draw(moment: float) -> Picture:
        canvas = ground.copy()
        brush = Brush(canvas, PICTURE_SIZE, PICTURE_SIZE)
        for actor in actors:
            actor.draw(brush, moment)
        return canvas

    return StagedClip(category, _sound(rng, kind, spans, length), spans, draw)


def write_stage(folder: Path, options: StageOptions, progress: Progress | None = None) -> Path:
    """Write the whole set as `<folder>/<category>/<split>_<number>.mkv`; returns its index, `<folder>/index.csv`.

    The index has the columns file, category, split, onsets_s, licence and attribution. Beside it lies `states.csv`, an
    index of stretches of the same clips: what is to be seen there, `bell sounding` or `bell silent`. Clips that are
    there already are kept, so a stopped run goes on. Raises `OutputError` where the folder cannot be written.
    """
    progress = progress or Progress()
    counts = {"train": options.train_clips, "validation": options.validation_clips, "test": options.test_clips}
    plan = [(category, split, number) for category in CATEGORIES for split in counts for number in range(counts[split])]
    rows: list[tuple[str, ...]] = []
    states: list[tuple[str, ...]] = []
    for done, (category, split, number) in enumerate(plan, start=1):
        # Train, validation and test never share a seed, whatever their counts.
        seed = ((options.seed * 3 + list(counts).index(split)) << 20) + number
        clip = stage_clip(category, seed, options.length)
        name = f"{category}/{split}_{number:04}.mkv"
        if not (folder / name).exists():
            write_clip_file(folder / name, clip.pictures(), PICTURE_RATE, clip.sound)
        onsets = " ".join(f"{event / SAMPLE_RATE:.4f}" for event in clip.events)
        rows.append((name, category, split, onsets, "CC0-1.0", "made by V2S"))
        states += [(name, f"{category} {state}", split, begin, lasts) for state, begin, lasts in _states(clip)]
        progress.step("render", done, len(plan), name)
    _write_csv(folder / "states.csv", ("file", "category", "split", "start_s", "duration_s"), states)
    return _write_csv(folder / INDEX, ("file", "category", "split", "onsets_s", "licence", "attribution"), rows)


def _states(clip: StagedClip) -> Iterator[tuple[str, str, str]]:
    """What is to be seen and from when for how long, in seconds; stretches of less than two pictures are left out.

    From the first picture that shows it to the first that shows something else: between an event and the next picture
    of the file, the one on screen still shows what was before.
    """
    edges = [0, *(edge for span in clip.spans for edge in span), len(clip.sound)]
    count = clip.picture_count
    shown = [min(count, math.ceil(Fraction(edge, SAMPLE_RATE) * PICTURE_RATE)) / PICTURE_RATE for edge in edges]
    for number, (begin, end) in enumerate(itertools.pairwise(shown)):
        if (end - begin) * FRAME_RATE >= 2:
            yield "sounding" if number % 2 else "silent", str(begin), str(end - begin)


def _write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def _spans(rng: np.random.Generator, kind: _Kind, length: int) -> tuple[tuple[int, int], ...]:
    """When it is seen to sound, as (first sample, end), rising and apart."""
    spans: list[tuple[int, int]] = []
    at = int(rng.uniform(0.0, 0.3) * SAMPLE_RATE)
    while at < length - SAMPLE_RATE // 8:
        lasts = rng.uniform(0.1, 0.4) if kind.held else _FLASH
        end = min(length, at + int(lasts * SAMPLE_RATE))
        spans.append((at, end))
        at = end + int(rng.uniform(0.08, 0.45) * SAMPLE_RATE)
    return tuple(spans)


def _sound(rng: np.random.Generator, kind: _Kind, spans: tuple[tuple[int, int], ...], length: int) -> Samples:
    track = _ROOM_LEVEL * rng.standard_normal(length).astype(np.float32)
    level = 10 ** (rng.uniform(-10, -4) / 20)
    voice = int(rng.integers(2**31))  # one for the whole clip: every stroke of a bell has the bell's own pitch
    for begin, end in spans:
        wanted = end - begin if kind.held else min(_STRIKE_LENGTH, length - begin)
        track[begin : begin + wanted] += level * kind.voice(np.random.default_rng(voice), wanted)
    return np.asarray(np.clip(track, -1.0, 1.0), np.float32)


def _ground(rng: np.random.Generator) -> Picture:
    """A dull, soft-edged background."""
    coarse = rng.normal(rng.uniform(60, 170), 14, (4, 4, 1)) + rng.normal(0, 8, (4, 4, 3))
    smooth = cv2.resize(np.clip(coarse, 0, 255).astype(np.uint8), (PICTURE_SIZE, PICTURE_SIZE))
    return np.asarray(smooth, np.uint8)


class _Sounding:
    """The shape that makes the sound."""

    def __init__(self, rng: np.random.Generator, kind: _Kind, spans: tuple[tuple[int, int], ...]) -> None:
        self._kind = kind
        self._spans = [(begin / SAMPLE_RATE, end / SAMPLE_RATE) for begin, end in spans]
        self._x, self._y = rng.uniform(0.25, 0.75, 2)
        self._size = rng.uniform(0.10, 0.15)
        self._turn = rng.uniform(0, 2 * np.pi)

    def draw(self, brush: Brush, moment: float) -> None:
        since = next((moment - begin for begin, end in self._spans if begin <= moment < end), None)
        x, y, size = self._x, self._y, self._size
        if since is not None and self._kind.held:  # shakes, five times a second and more
            x += 0.03 * np.sin(2 * np.pi * 5.3 * since + self._turn)
            y += 0.03 * np.cos(2 * np.pi * 4.1 * since + self._turn)
            size *= 1.35
        elif since is not None:
            size *= 1 + 1.2 * (1 - since / _FLASH)
        paint = _brighter(self._kind.paint) if since is not None else self._kind.paint
        _draw_shape(brush, self._kind.shape, (x, y), size, paint)


class _Distractor:
    """A silent shape that drifts, and flashes at times of its own."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._x, self._y = rng.uniform(0.05, 0.95, 2)
        self._drift = rng.normal(0, 0.2, 2)
        self._size = rng.uniform(0.04, 0.08)
        grey = int(rng.uniform(30, 230))
        self._paint = (grey, grey, min(255, grey + int(rng.uniform(0, 40))))
        self._pace, self._turn = rng.uniform(0.5, 1.5), rng.uniform(0, 1)

    def draw(self, brush: Brush, moment: float) -> None:
        x, y = self._x + self._drift[0] * moment, self._y + self._drift[1] * moment
        flashes = (self._pace * moment + self._turn) % 1 < 0.2
        paint = _brighter(self._paint) if flashes else self._paint
        corners = [(x, y - self._size), (x + self._size, y + self._size), (x - self._size, y + self._size)]
        brush.polygon(corners, paint)


def _draw_shape(brush: Brush, shape: str, place: tuple[float, float], size: float, paint: Paint) -> None:
    x, y = place
    if shape == "disc":
        brush.disc(x, y, size, paint)
    elif shape == "box":
        brush.box(x, y, 2 * size, 1.4 * size, paint)
    elif shape == "rod":
        brush.box(x, y, 0.7 * size, 3 * size, paint)
    else:
        for angle in (0.0, np.pi / 3, 2 * np.pi / 3):
            along = size * np.array([np.cos(angle), np.sin(angle)])
            brush.rod((x - along[0], y - along[1]), (x + along[0], y + along[1]), 0.35 * size, paint)


def _brighter(paint: Paint) -> Paint:
    red, green, blue = (min(255, part + 70) for part in paint)
    return red, green, blue
