"""Where something moves: a ball is followed, a camera is not."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import write_clip
from v2s_engine.vision.motion_place import motion_places, read_motion_places

WIDTH, HEIGHT, STEPS = 160, 90, 47

Pictures = Iterator[NDArray[np.uint8]]


def ball(places: NDArray[np.float64], *, pan: float = 0.0, textured: bool = True, radius: int = 8) -> Pictures:
    """A ball at places in [-1, 1], before a background that moves to the left by `pan` widths in all."""
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, 6 * WIDTH, 3), dtype=np.uint8)
    ground = cv2.GaussianBlur(noise, (0, 0), 3) if textured else np.full_like(noise, 90)
    for number, place in enumerate(places):
        left = round(pan * WIDTH * number / len(places)) + 2 * WIDTH
        picture = np.ascontiguousarray(ground[:, left : left + WIDTH])
        cv2.circle(picture, (round((place + 1) / 2 * WIDTH), HEIGHT // 2), radius, (240, 220, 60), -1)
        yield picture


@pytest.mark.parametrize("pan", [0.0, 1.5, -1.5])
@pytest.mark.parametrize("textured", [True, False])
@pytest.mark.parametrize("radius", [5, 12])
def test_a_ball_that_crosses_the_picture_is_followed(pan: float, textured: bool, radius: int) -> None:
    way = np.linspace(-0.9, 0.9, STEPS)
    for places in (way, way[::-1]):
        found = motion_places(ball(places, pan=pan, textured=textured, radius=radius))
        assert found.shape == (STEPS,)
        assert np.abs(found - places).mean() < 0.1
        assert np.corrcoef(found, places)[0, 1] > 0.97


def test_a_place_is_kept_while_nothing_moves() -> None:
    struck = np.full(STEPS, 0.6)
    struck[20:24] = 0.7, 0.6, 0.7, 0.6
    found = motion_places(ball(struck))
    np.testing.assert_allclose(found, 0.65, atol=0.1)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 40])
def test_where_nothing_ever_moves_it_is_the_middle(count: int) -> None:
    found = motion_places(ball(np.full(count, 0.8)))
    assert found.shape == (count,)
    assert not found.any()


@pytest.mark.parametrize(("right", "down"), [(1, 0), (4, 0), (-4, 0), (4, 2), (0, 2)])
def test_a_camera_that_pans_over_a_still_scene_moves_nothing(right: int, down: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3 * HEIGHT, 6 * WIDTH, 3), dtype=np.uint8)
    ground = cv2.GaussianBlur(noise, (0, 0), 3)
    corners = ((down * number, 2 * WIDTH + right * number) for number in range(STEPS))
    pictures = (np.ascontiguousarray(ground[top : top + HEIGHT, left : left + WIDTH]) for top, left in corners)
    assert not motion_places(pictures).any()


@pytest.mark.parametrize(("first", "last"), [(1.0, 1.5), (1.5, 1.0)])
def test_a_zoom_pulls_to_the_middle(first: float, last: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (8 * HEIGHT, 8 * WIDTH, 3), dtype=np.uint8)
    scene = cv2.GaussianBlur(noise, (0, 0), 6)

    def seen(zoom: float) -> NDArray[np.uint8]:
        top, left = (round(length * (1 - 1 / zoom) / 2) for length in scene.shape[:2])
        part = scene[top : scene.shape[0] - top, left : scene.shape[1] - left]
        return np.asarray(cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)

    assert np.abs(motion_places(map(seen, np.linspace(first, last, STEPS)))).max() < 0.2


def test_files_are_read_at_the_moments_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    way = np.linspace(-0.9, 0.9, 75)
    write_clip(path, ball(way), [Fraction(n, 25) for n in range(75)])
    times = [Fraction(64 * n, 1000) for n in range(46)]
    forward, backward = read_motion_places(path, times), read_motion_places(path, times[::-1])
    wanted = np.interp([float(time) for time in times], np.arange(75) / 25, way)
    assert np.abs(forward - wanted).mean() < 0.1
    assert np.abs(backward - wanted[::-1]).mean() < 0.1
