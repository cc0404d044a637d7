"""What stands between a scene and its picture, and makes no sound: ground, camera moves, light, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np

from v2s_engine.corpus.brush import Brush, Picture, random_paint
from v2s_engine.grid import SAMPLE_RATE

MARGIN = 1.3
"""The ground is this much larger than what the camera sees, so that it can look around."""


class Ground:
    """What lies behind everything: a shaded, textured wall with random shapes."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        wide, high = int(width * MARGIN), int(height * MARGIN)
        corners = np.array([[random_paint(rng) for _ in range(2)] for _ in range(2)], np.float32)
        shade = np.asarray(cv2.resize(corners, (wide, high), interpolation=cv2.INTER_LINEAR), np.float32)
        for scale in (2, 6, 24):
            grain = rng.normal(0, rng.uniform(0, 14), (high // scale + 1, wide // scale + 1, 1))
            grown = cv2.resize(grain.astype(np.float32), (wide, high), interpolation=cv2.INTER_LINEAR)
            shade = shade + np.asarray(grown, np.float32)[..., None]
        self.picture = np.clip(shade, 0, 255).astype(np.uint8)
        brush = Brush(self.picture, wide, high)
        for _ in range(int(rng.integers(0, 7))):
            x, y, size = rng.uniform(0, brush.aspect), rng.uniform(0, 1), rng.uniform(0.03, 0.4)
            if rng.random() < 0.5:
                brush.disc(x, y, size / 2, random_paint(rng))
            else:
                brush.box(x, y, size, rng.uniform(0.03, 0.5), random_paint(rng))


class Camera:
    """Where the camera looks: still, panning, zooming or held in a shaking hand."""

    def __init__(self, rng: np.random.Generator, length: int) -> None:
        moving = rng.random() < 0.5
        self._pan = rng.normal(0, 0.03, 2) if moving else np.zeros(2)
        self._zoom = rng.normal(0, 0.03) if moving and rng.random() < 0.4 else 0.0
        seconds = length / SAMPLE_RATE
        steps = max(4, int(seconds * rng.uniform(2, 9)))
        reach = rng.uniform(0.002, 0.02) if rng.random() < 0.4 else 0.0
        self._clock = np.linspace(0, seconds, steps)
        self._shake = rng.normal(0, reach, (2, steps))
        self._middle = seconds / 2

    def take(self, canvas: Picture, width: int, height: int, moment: float) -> Picture:
        """The part of a canvas that is seen, `[height, width, 3]`; its middle, if the camera does not move."""
        passed = moment - self._middle
        scale = 1 + self._zoom * passed
        shift = self._pan * passed + [np.interp(moment, self._clock, axis) for axis in self._shake]
        across = width / 2 + shift[0] * height - scale * canvas.shape[1] / 2
        down = height / 2 + shift[1] * height - scale * canvas.shape[0] / 2
        matrix = np.array([[scale, 0, across], [0, scale, down]], np.float32)
        seen = cv2.warpAffine(canvas, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(seen, np.uint8)


class Light:
    """Brightness over time: steady, flickering, fading, switched; none of it makes a sound."""

    def __init__(self, rng: np.random.Generator, length: int) -> None:
        seconds = length / SAMPLE_RATE
        self._flicker = rng.uniform(0.005, 0.06) if rng.random() < 0.3 else 0.0
        self._pitch = rng.uniform(2, 40)
        self._fade = rng.normal(0, 0.06) if rng.random() < 0.3 else 0.0
        self._switch = rng.uniform(0, seconds) if rng.random() < 0.15 else seconds + 1
        self._step = rng.uniform(0.6, 1.4)

    def gain(self, moment: float) -> float:
        """What the picture's brightness is multiplied by."""
        gain = 1 + self._flicker * np.sin(2 * np.pi * self._pitch * moment) + self._fade * moment
        return float(max(0.1, gain * (self._step if moment >= self._switch else 1.0)))


class Sensor:
    """Noise of the sensor and blocks of the compression."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._noise = rng.choice([0.0, rng.uniform(0.5, 7.0)])
        self._quality = int(rng.integers(25, 95)) if rng.random() < 0.6 else None
        self._seed = int(rng.integers(2**31))

    def take(self, picture: Picture, gain: float, number: int) -> Picture:
        """Frame `number` as recorded; its noise follows from the number, so a frame is always the same."""
        taken = picture.astype(np.float32) * gain
        if self._noise:
            grain = np.random.default_rng((self._seed, number)).standard_normal(picture.shape, np.float32)
            taken += self._noise * grain
        recorded: Picture = np.clip(taken, 0, 255).astype(np.uint8)
        if self._quality is None:
            return recorded
        _, coded = cv2.imencode(".jpg", recorded, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        return np.asarray(decoded, np.uint8)
