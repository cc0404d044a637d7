"""Pictures as the networks want them."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media import make_clip, write_clip
from v2s_engine.errors import MediaNotFoundError
from v2s_engine.vision.framing import LONGEST, middle_square, read_framed, scaled_size

START = [Fraction(0)]


@pytest.mark.parametrize(
    ("shown", "scaled"),
    [
        ((1920, 1080), (114, 64)),
        ((1080, 1920), (64, 114)),
        ((64, 64), (64, 64)),
        ((320, 568), (64, 114)),
        ((20, 10), (128, 64)),
        ((4096, 2), (64 * LONGEST, 64)),
        ((2, 4096), (64, 64 * LONGEST)),
        ((1, 1), (64, 64)),
    ],
)
def test_the_short_side_is_as_asked_and_the_long_one_has_an_end(
    shown: tuple[int, int], scaled: tuple[int, int]
) -> None:
    assert scaled_size(*shown, 64) == scaled


def test_the_square_is_in_the_middle() -> None:
    columns = np.broadcast_to(np.arange(11, dtype=np.uint8)[None, :, None], (4, 11, 3))
    assert middle_square(columns)[0, :, 0].tolist() == [3, 4, 5, 6]
    assert middle_square(columns.transpose(1, 0, 2))[:, 0, 0].tolist() == [3, 4, 5, 6]


def half_and_half(path: Path, width: int, height: int) -> Path:
    """A left red, a middle green and a right blue part: the middle square is green and a disc in it is round."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 3), np.uint8)
    left, right = (width - height) // 2, (width + height) // 2
    picture[:, :left, 0], picture[:, left:right, 1], picture[:, right:, 2] = 255, 255, 255
    disc = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (height / 4) ** 2
    picture[disc] = 255
    write_clip(path, [picture] * 3, [Fraction(i, 25) for i in range(3)], options={"qp": "1"})
    return path


def test_sides_are_cut_off_and_nothing_is_squeezed(tmp_path: Path) -> None:
    (picture,) = read_framed(half_and_half(tmp_path / "a.mp4", 320, 128), START, 64)
    assert picture.shape == (64, 64, 3)
    assert picture.flags.c_contiguous
    assert picture[4, 4:-4].min(axis=0)[1] > 200  # green to both sides
    assert picture[4, 4:-4].max(axis=0)[0] < 80
    white = picture.min(axis=2) > 128
    rows, columns = white.sum(axis=0).max(), white.sum(axis=1).max()
    assert abs(int(rows) - int(columns)) <= 1
    assert abs(int(rows) - 32) <= 2


def test_a_turned_clip_is_framed_as_shown(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=3, width=160, height=96, rotation=90)
    (picture,) = read_framed(clip.path, START, 48)
    assert picture.shape == (48, 48, 3)


@pytest.mark.parametrize(("width", "height"), [(640, 2), (2, 640), (16, 16)])
def test_very_thin_and_very_small_pictures_are_framed_too(tmp_path: Path, width: int, height: int) -> None:
    picture = np.full((height, width, 3), 90, np.uint8)
    write_clip(tmp_path / "a.avi", [picture] * 2, [Fraction(0), Fraction(1, 25)], codec="ffv1", pix_fmt="bgr0")
    (framed,) = read_framed(tmp_path / "a.avi", START, 224)
    assert framed.shape == (224, 224, 3)
    assert np.abs(framed.astype(int) - 90).max() <= 2


def test_errors_are_those_of_the_reader(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError):
        list(read_framed(tmp_path / "nothing.mp4", START, 64))
