"""Picture files: stills, and image sequences of which every file shows its own number."""

import shutil
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media import cut_file, make_clip, make_sequence, make_still, read_number, write_clip, write_image
from v2s_engine.corpus.slate import slate_picture
from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError, UsageError
from v2s_engine.video import ImageSequence, PictureReader, Pictures, probe, read_pictures

SUFFIXES = [".png", ".jpg", ".tif", ".tiff", ".dpx", ".exr", ".bmp", ".tga"]


def numbers(media: Pictures, times: list[Fraction]) -> list[int | None]:
    return [read_number(picture) for picture in read_pictures(media, times, width=96, height=72)]


def frames(*counts: int, rate: int = 24) -> list[Fraction]:
    return [Fraction(count, rate) for count in counts]


def sequence(folder: Path, suffix: str = ".png", **more: object) -> ImageSequence:
    facts = {"first": 1001, "count": 10, "rate": Fraction(24), "padding": 4}
    return ImageSequence(folder, "shot.", suffix, **(facts | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_still_is_one_picture_whatever_the_moment(tmp_path: Path, suffix: str) -> None:
    path = make_still(tmp_path / f"still{suffix}", number=9)

    assert numbers(path, [Fraction(0), Fraction(5), Fraction(-1), Fraction(7200)]) == [9, 9, 9, 9]
    info = probe(path)
    assert info.still
    assert (info.width, info.height, info.duration, info.has_sound) == (160, 120, 0, False)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_image_sequence_shows_the_file_of_each_moment(tmp_path: Path, suffix: str) -> None:
    media = sequence(make_sequence(tmp_path, range(1001, 1011), suffix=suffix), suffix)

    assert numbers(media, frames(0, 3, 9)) == [1001, 1004, 1010]
    assert numbers(media, [Fraction(7, 48), Fraction(-1), Fraction(99)]) == [1004, 1001, 1010]
    info = probe(media)
    assert not info.still
    assert (info.width, info.height, info.duration, info.rate) == (160, 120, Fraction(10, 24), 24)


def test_light_in_exr_is_shown_as_bright_as_the_same_picture_elsewhere(tmp_path: Path) -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (64, 1, 3))
    light = write_image(tmp_path / "a.exr", grey)
    plain = write_image(tmp_path / "a.png", grey)
    (one,), (other,) = (read_pictures(path, [Fraction(0)], width=256, height=64) for path in (light, plain))

    assert np.abs(one.astype(int) - other).max() <= 1


def test_only_the_files_that_are_looked_at_are_read(tmp_path: Path) -> None:
    media = sequence(make_sequence(tmp_path, [1001, 1004, 1005]))
    with PictureReader(media) as reader:
        shown = [read_number(picture) for picture in reader.read(frames(3, 3, 4), width=96, height=72)]
        assert (shown, reader.decoded, reader.damaged) == ([1004, 1004, 1005], 2, 0)


@pytest.mark.parametrize(
    ("policy", "expected"), [("hold", [1003, 1003, 1003, 1006]), ("black", [1003, None, None, 1006])]
)
def test_a_missing_or_broken_file_goes_by_the_policy(tmp_path: Path, policy: str, expected: list[int | None]) -> None:
    make_sequence(tmp_path, [1001, 1002, 1003, 1006])
    (tmp_path / "shot.1005.png").write_bytes(b"half a picture")
    with PictureReader(sequence(tmp_path, count=6, missing=policy)) as reader:
        pictures = list(reader.read(frames(2, 3, 4, 5), width=96, height=72))
        assert reader.damaged == 2
    # A black picture has no bits set, whose number is 0.
    assert [read_number(picture) if picture.any() else None for picture in pictures] == expected


def test_where_nothing_may_be_missing_the_file_is_named(tmp_path: Path) -> None:
    media = sequence(make_sequence(tmp_path, [1001, 1002, 1004]), count=4, missing="error")

    assert numbers(media, frames(0, 1, 3)) == [1001, 1002, 1004]
    with pytest.raises(MediaNotFoundError, match=r"no such file: .*shot\.1003\.png .*missing frame policy be hold"):
        numbers(media, frames(2))


def test_without_its_first_file_nothing_can_be_held(tmp_path: Path) -> None:
    media = sequence(make_sequence(tmp_path, [1003]), count=3)

    with pytest.raises(MediaNotFoundError, match=r"shot\.1001\.png"):
        probe(media)
    with pytest.raises(MediaNotFoundError, match=r"shot\.1001\.png"):
        numbers(media, frames(1))


def test_steps_signs_and_padding(tmp_path: Path) -> None:
    every_second = sequence(make_sequence(tmp_path / "a", range(2, 12, 2), padding=1), first=2, count=5, padding=1)
    stepped = ImageSequence(tmp_path / "a", "shot.", ".png", first=2, count=5, rate=Fraction(24), padding=1, step=2)

    assert numbers(stepped, frames(0, 1, 2, 3, 9)) == [2, 2, 4, 4, 10]
    assert stepped.duration == Fraction(10, 24)
    assert every_second.path_at(1).name == "shot.3.png"
    assert sequence(tmp_path, first=-2).path_at(0).name == "shot.-0002.png"
    assert str(sequence(tmp_path)) == str(tmp_path / "shot.####.png")


@pytest.mark.parametrize("wrong", [{"rate": Fraction(0)}, {"count": 0}, {"step": 0}, {"missing": "skip"}])
def test_what_is_no_sequence_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"shot\.####\.png"):
        sequence(tmp_path, **wrong)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_a_turned_photograph_is_shown_upright(tmp_path: Path, orientation: int, turns: int) -> None:
    """`orientation` as EXIF numbers it; `turns` are the quarters counter-clockwise that it asks for."""
    upright = slate_picture(9, width=160, height=120)
    stored = write_image(tmp_path / "stored.jpg", np.ascontiguousarray(np.rot90(upright, -turns)))
    entry = struct.pack("<HHHII", 1, 0x112, 3, 1, orientation)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry + bytes(4)
    data = stored.read_bytes()
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])

    assert numbers(photo, [Fraction(0)]) == [9]
    assert (probe(photo).width, probe(photo).height) == (160, 120)


def test_a_name_that_looks_like_a_pattern_is_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / "shot%03d #2.png"
    shutil.copyfile(make_still(tmp_path / "plain.png", 5), path)

    assert numbers(path, [Fraction(0)]) == [5]


def test_a_gif_that_moves_is_a_video_and_one_that_does_not_a_still(tmp_path: Path) -> None:
    slates = [slate_picture(number, width=160, height=120) for number in range(5)]
    times = [Fraction(number, 10) for number in range(5)]
    for name, count in (("moving.gif", 5), ("still.gif", 1)):
        write_clip(tmp_path / name, slates[:count], times[:count], rate=Fraction(10), codec="gif", pix_fmt="rgb8")

    assert numbers(tmp_path / "moving.gif", times) == [0, 1, 2, 3, 4]
    assert not probe(tmp_path / "moving.gif").still
    assert probe(tmp_path / "still.gif").still
    assert not probe(make_clip(tmp_path / "one.mp4", frames=1, sound=False).path).still


def test_errors_name_the_file_and_say_what_is_wrong(tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    half = cut_file(make_still(tmp_path / "a.png"), tmp_path / "half.exr", Fraction(1, 2))
    (tmp_path / "shot.1001.mov").touch()
    with pytest.raises(MediaUnreadableError, match=r"shot\.1001\.mov is no picture file"):
        probe(sequence(tmp_path, ".mov"))
    folder = tmp_path / "folder.png"
    folder.mkdir()
    for path, kind in (
        (tmp_path / "gone.png", MediaNotFoundError),
        (text, MediaUnreadableError),
        (half, MediaUnreadableError),
        (folder, MediaUnreadableError),
    ):
        with pytest.raises(kind, match=path.name):
            probe(path)
        with pytest.raises(kind, match=path.name):
            numbers(path, [Fraction(0)])
