"""Where in the picture something moves: what a sound is panned by.

    pictures ── optical flow ── less the camera's own ── centroid over the width ── smoothed ──> place in [-1, 1]

The camera's motion is taken as the median of the flow, so a pan or a shake moves nothing; a zoom spreads evenly to both
sides and pulls to the middle. While nothing moves, the place stays where something moved last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from v2s_engine.video import Pictures, probe, read_pictures
from v2s_engine.vision.flow import FlowMeter
from v2s_engine.vision.framing import scaled_size

SHORT_SIDE = 64
"""Pixels of a picture's short side when its motion is measured."""

STILL_SPEED = 0.002
"""Parts of the picture's size per step below which flow is noise."""

VISIBLE_CHANGE = 0.1
"""Parts of full brightness by which a pixel must change to count wholly: what a codec does to a still wall moves, but
hardly shows."""

STILL_ENERGY = 1e-7
"""Mean square of the speed, weighted by the change, below which nothing moves: what a camera's motion leaves over of a
still scene is less, something of a hundredth of the picture that moves by a hundredth of its width is more."""

PATCH_LENGTH = 8
"""Pixels of the patches that the flow is found by: so much more is lost at an edge that leaves the picture."""

SMOOTHING_STEPS = 3.0
"""Standard deviation of the smoothing in steps of 64 ms: a thing that crosses the picture in a second keeps its way."""


def read_motion_places(media: Pictures, times: Sequence[Fraction]) -> NDArray[np.float32]:
    """`motion_places` of the pictures of a medium at `times`, in seconds from its first picture.

    Raises as `read_pictures`.
    """
    info = probe(media)
    width, height = scaled_size(info.width, info.height, SHORT_SIDE)
    return motion_places(read_pictures(media, times, width=width, height=height))


def motion_places(pictures: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Where something moves in each of T successive pictures `[H, W, 3]`, 64 ms apart: `[T]` in [-1, 1].

    -1 is the left edge, 1 the right one, 0 the middle and what stands for "nothing has moved in any of them".
    """
    measured = list(_energies(pictures))
    energy = np.array([total for total, _ in measured])
    moment = np.array([total * centre for total, centre in measured])
    return _held(_smoothed(energy), _smoothed(moment)) if measured else np.zeros(0, np.float32)


def _energies(pictures: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[float, float]]:
    """For each picture, how much moves in it and where the middle of that lies."""
    meter = FlowMeter()
    before: NDArray[np.float32] | None = None
    for picture in pictures:
        flow = meter.step(picture)
        grey = picture.mean(axis=2, dtype=np.float32) / 255
        change = np.abs(grey - (grey if before is None else before))
        before = grey
        camera = np.median(flow, axis=(0, 1))
        speed = np.hypot(*np.moveaxis(flow - camera, -1, 0)) * _stays(flow.shape[:2], camera)
        energy = np.where(speed > STILL_SPEED, speed**2, 0.0) * np.minimum(change / VISIBLE_CHANGE, 1)
        columns = energy.mean(axis=0, dtype=np.float64)
        across = (np.arange(len(columns)) + 0.5) / len(columns) * 2 - 1
        total = float(columns.mean())
        yield total, float((columns * across).mean()) / total if total else 0.0


def _stays(shape: tuple[int, ...], camera: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which pixels `[H, W]` are still in the picture after the camera's motion; the flow of others means nothing."""
    stays = np.ones(shape, np.bool_)
    for axis, shift in ((1, float(camera[0])), (0, float(camera[1]))):
        if abs(shift) > STILL_SPEED:
            length = shape[axis]
            lost = min(int(abs(shift) * length) + PATCH_LENGTH, length)
            edge = slice(0, lost) if shift < 0 else slice(length - lost, None)
            stays[(slice(None), edge) if axis else (edge, slice(None))] = False
    return stays


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    reach = int(4 * SMOOTHING_STEPS)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTHING_STEPS) ** 2)
    return np.convolve(values, kernel / kernel.sum())[reach : reach + len(values)]


def _held(energy: NDArray[np.float64], moment: NDArray[np.float64]) -> NDArray[np.float32]:
    """The centres, where there is energy; elsewhere the last one before, at the start the first one."""
    moving = np.flatnonzero(energy > STILL_ENERGY)
    if not len(moving):
        return np.zeros(len(energy), np.float32)
    last = np.maximum(np.searchsorted(moving, np.arange(len(energy)), side="right") - 1, 0)
    centres = moment[moving] / energy[moving]
    return np.asarray(np.clip(centres[last], -1, 1), np.float32)
