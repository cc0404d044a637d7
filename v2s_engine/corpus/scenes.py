"""Rendered scenes whose sound is known: moving, hitting, flashing and running things, and much that is silent.

    scene = make_scene(seed=7)
    scene.picture_at(Fraction(1, 2))    # [height, width, 3], the frame on screen half a second in
    scene.sound                         # [L] at 16 kHz
    scene.events                        # samples at which a sound starts

One seed gives one scene, the same on every machine up to rounding of sines. A scene has one shot, or two with a
cut between them; a shot has its own ground, camera, light and actors, and is heard only while it is seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.brush import Brush, Picture
from v2s_engine.corpus.camera import Camera, Ground, Light, Sensor
from v2s_engine.corpus.foley import COLOURS, Samples, rush
from v2s_engine.corpus.movers import Burst, Drifter, Engine, Scraper, Stream, Wheel, mix
from v2s_engine.corpus.strikers import Actor, Ball, Clash, Stick
from v2s_engine.errors import UsageError
from v2s_engine.grid import SAMPLE_RATE

RATES = (
    *(Fraction(rate) for rate in (10, 12, 15, 16, 24, 25, 30, 50, 60)),
    Fraction(24000, 1001),
    Fraction(30000, 1001),
)
"""Frames per second that a scene may have been filmed at."""

ASPECTS = ((128, 128), (160, 120), (192, 108), (96, 144))
"""Pixels (width, height) at which scenes are drawn, before they are scaled to what is asked for."""

FADE_LENGTH = 80  # samples over which a shot's sound is cut in and out

_SOUNDING = (Ball, Stick, Stick, Stick, Clash, Burst, Engine, Wheel, Stream, Scraper)  # what hits comes most often


@dataclass(frozen=True)
class SceneOptions:
    """What scenes are made of. Raises `UsageError` for a scene shorter than half a second."""

    length: int = 4 * SAMPLE_RATE
    """Samples at 16 kHz."""
    width: int = 128
    """Pixels of the pictures that `picture_at` gives; scenes of any aspect ratio are squeezed into it."""
    height: int = 128
    silent: float = 0.1
    """Part of the scenes in which nothing makes a sound."""

    def __post_init__(self) -> None:
        if self.length < SAMPLE_RATE // 2:
            raise UsageError(f"a scene lasts at least {SAMPLE_RATE // 2} samples; got {self.length}")


class Shot:
    """One uncut stretch of a scene, from sample `begin` to sample `end`."""

    def __init__(self, rng: np.random.Generator, options: SceneOptions, begin: int, end: int) -> None:
        self.begin, self.end = begin, end
        length = options.length
        self._size = ASPECTS[rng.integers(len(ASPECTS))]
        aspect = self._size[0] / self._size[1]
        self._ground = Ground(rng, *self._size)
        self._camera, self._light, self._sensor = Camera(rng, length), Light(rng, length), Sensor(rng)
        self._shutter = rng.choice([0.0, rng.uniform(0.2, 1.0)])  # part of a frame's time the shutter is open
        sounding = 0 if rng.random() < options.silent else int(rng.choice([1, 1, 1, 2]))
        kinds = [_SOUNDING[rng.integers(len(_SOUNDING))] for _ in range(sounding)]
        actors: list[Actor] = [kind(rng, length, aspect) for kind in kinds]
        silent: list[Actor] = [Drifter(rng, length, aspect) for _ in range(int(rng.integers(0, 3)))]
        self.actors = [*silent, *actors]

    @property
    def events(self) -> tuple[int, ...]:
        """Samples at which a sound starts in this shot, rising."""
        every = {event for actor in self.actors for event in actor.events}
        return tuple(sorted(event for event in every if self.begin <= event < self.end))

    def sound(self, length: int) -> Samples:
        """`[length]`; 0 outside the shot."""
        track = mix([actor.sound(length) for actor in self.actors], length)
        window = np.zeros(length, np.float32)
        window[self.begin : self.end] = 1.0
        if self.end < length:
            fade = np.linspace(1, 0, FADE_LENGTH, dtype=np.float32)[: self.end - self.begin]
            window[self.end - len(fade) : self.end] = fade
        return track * window

    def frame(self, number: int, rate: Fraction, options: SceneOptions) -> Picture:
        """Frame `number` as filmed, `[height, width, 3]`."""
        moment = float(number / rate)
        blur = [0.0] if self._shutter == 0 else [0.0, 0.33, 0.67, 1.0]
        drawn = [self._draw(moment + part * self._shutter / float(rate)) for part in blur]
        seen = np.mean(drawn, axis=0).astype(np.uint8) if len(drawn) > 1 else drawn[0]
        seen = self._sensor.take(seen, self._light.gain(moment), number)
        wanted = (options.width, options.height)
        return np.asarray(cv2.resize(seen, wanted, interpolation=cv2.INTER_AREA), np.uint8)

    def _draw(self, moment: float) -> Picture:
        width, height = self._size
        canvas = self._ground.picture.copy()
        brush = Brush(canvas, width, height)
        for actor in self.actors:
            actor.draw(brush, moment)
        return self._camera.take(canvas, width, height, moment)


class Scene:
    """Pictures and their sound; see `make_scene`."""

    def __init__(self, seed: int, options: SceneOptions) -> None:
        rng = np.random.default_rng((seed, 0x5CE7E))
        self.options = options
        self.rate = RATES[rng.integers(len(RATES))]
        """Frames per second it was filmed at."""
        cut = int(rng.uniform(0.25, 0.75) * options.length) if rng.random() < 0.2 else options.length
        edges = [0, cut, options.length] if cut < options.length else [0, options.length]
        self._shots = [Shot(rng, options, begin, end) for begin, end in itertools.pairwise(edges)]
        self.events = tuple(event for shot in self._shots for event in shot.events)
        """Samples at which a sound starts, rising."""
        self.sound = self._mix(rng)
        """`[options.length]` at 16 kHz, within [-1, 1]."""

    def picture_at(self, time: Fraction) -> NDArray[np.uint8]:
        """The frame on screen at `time` (seconds from the start): `[height, width, 3]` RGB."""
        number = int(max(time, Fraction(0)) * self.rate)
        sample = number / self.rate * SAMPLE_RATE
        shot = next((shot for shot in self._shots if sample < shot.end), self._shots[-1])
        return shot.frame(number, self.rate, self.options)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Every frame at the scene's own rate."""
        for number in range(int(Fraction(self.options.length, SAMPLE_RATE) * self.rate)):
            yield self.picture_at(number / self.rate)

    def _mix(self, rng: np.random.Generator) -> Samples:
        length = self.options.length
        room = rush(rng, length, level=rng.uniform(-78, -48), colour=COLOURS[rng.integers(3)])
        total = mix([room, *(shot.sound(length) for shot in self._shots)], length)
        return np.clip(total, -1.0, 1.0)


def make_scene(seed: int, options: SceneOptions | None = None) -> Scene:
    """The scene of a seed (0 or more)."""
    return Scene(seed, options or SceneOptions())
