"""What the network is shown of a clip."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.vision.features import CHANNELS, NETWORK_SIZE, PICTURE_SIZE, Looks, observe
from v2s_engine.vision.flow import FlowMeter

SIZE = PICTURE_SIZE


def texture(seed: int, size: int = 2 * SIZE) -> NDArray[np.uint8]:
    """Something with enough detail to be followed."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(rough, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def panned(shift: tuple[int, int], count: int = 4) -> Iterator[NDArray[np.uint8]]:
    """A camera that looks at a texture and moves by `shift` pixels (right, down) per picture."""
    wall = texture(1)
    for number in range(count):
        left, top = 60 + number * shift[0], 60 + number * shift[1]
        yield np.ascontiguousarray(wall[top : top + SIZE, left : left + SIZE])


def look(pictures: Iterator[NDArray[np.uint8]] | list[NDArray[np.uint8]]) -> Looks:
    return Looks.join(observe(pictures, chunk=5))


def test_flow_is_in_parts_of_the_picture_and_says_where_things_go() -> None:
    meter = FlowMeter()
    flows = [meter.step(picture) for picture in panned((3, -2))]

    assert not flows[0].any()
    for flow in flows[1:]:
        middle = flow[20:-20, 20:-20].reshape(-1, 2).mean(axis=0)  # what the camera passes goes the other way
        assert middle == pytest.approx([-3 / SIZE, 2 / SIZE], abs=0.3 / SIZE)


def test_flow_repeats_to_the_bit_whatever_came_before_and_on_any_number_of_threads() -> None:
    pictures = list(panned((5, 1)))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        one = FlowMeter()
        first = [one.step(picture) for picture in pictures]
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(threads)
    other = FlowMeter()
    for picture in panned((-4, 3)):
        other.step(picture)
    other.step(pictures[0])
    again = [other.step(picture) for picture in pictures[1:]]

    assert all(np.array_equal(a, b) for a, b in zip(first[1:], again, strict=True))


def test_flow_wants_one_size() -> None:
    meter = FlowMeter()
    meter.step(np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(UsageError, match="keep their size"):
        meter.step(np.zeros((32, 48, 3), np.uint8))


@pytest.mark.parametrize("chunk", [1, 2, 7, 100])
def test_chunks_do_not_show(chunk: int) -> None:
    pictures = list(panned((2, 2), 9))
    whole, parts = look(pictures), list(observe(pictures, chunk=chunk))

    assert [len(part) for part in parts[:-1]] == [chunk] * (len(parts) - 1)
    assert np.array_equal(Looks.join(parts).network_input(), whole.network_input())


def test_no_pictures_give_no_looks() -> None:
    assert list(observe([], chunk=4)) == []
    assert Looks.empty().network_input().shape == (0, CHANNELS, NETWORK_SIZE, NETWORK_SIZE)


def test_the_input_is_finite_and_in_range() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8) for _ in range(4)]
    pictures += [np.zeros((SIZE, SIZE, 3), np.uint8), np.full((SIZE, SIZE, 3), 255, np.uint8)]
    tensor = look(pictures).network_input()

    assert tensor.shape == (6, CHANNELS, NETWORK_SIZE, NETWORK_SIZE)
    assert tensor.dtype == np.float32
    assert np.isfinite(tensor).all()
    assert np.abs(tensor).max() <= 4.0
    assert tensor[4, :3].max() == -1
    assert tensor[5, :3].min() == 1
    assert tensor[5, 3].mean() == pytest.approx(4.0)  # black to white


def test_a_camera_move_is_taken_out_and_a_moving_thing_is_not() -> None:
    wall, thing = texture(2), texture(3, 40)
    pictures = []
    for number in range(4):
        left = 60 + 4 * number
        picture = np.ascontiguousarray(wall[60 : 60 + SIZE, left : left + SIZE])
        picture[44:84, 20 + 3 * number : 60 + 3 * number] = thing
        pictures.append(picture)
    tensor = look(pictures).network_input()[2:]
    across, rest = tensor[:, 4], tensor[:, 6]
    scale = 10 / SIZE

    assert across[:, 5:15].mean() == pytest.approx(-4 * scale, abs=0.5 * scale)
    assert np.abs(rest[:, 5:15]).mean() < 0.5 * scale
    assert rest[:, 27:37, 18:28].mean() == pytest.approx(7 * scale, abs=1.5 * scale)


def test_a_standing_picture_does_not_move() -> None:
    tensor = look([texture(5, SIZE)] * 3).network_input()

    assert np.abs(tensor[:, 3:]).max() < 1e-3


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\(64, 64, 3\)"):
        list(observe([np.zeros((64, 64, 3), np.uint8)], chunk=1))
