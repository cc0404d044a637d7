"""What is transparent, brighter than ordinary or stored line by line, as an ordinary screen shows it."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import BrightTransfer, read_number, write_bright_clip, write_clip, write_image
from v2s_engine.bundle import known_bundles
from v2s_engine.corpus.scenes import SceneOptions, make_scene
from v2s_engine.corpus.slate import slate_picture
from v2s_engine.video import probe, read_pictures
from v2s_engine.vision.encoder import Encoder

TIMES = [Fraction(number, 16) for number in range(30)]


def shown(path: Path, times: list[Fraction], size: int = 128) -> NDArray[np.uint8]:
    return np.stack(list(read_pictures(path, times, width=size, height=size)))


@pytest.fixture(scope="module")
def scene() -> list[NDArray[np.uint8]]:
    """Two seconds of things that move and strike, ten pictures a second."""
    return list(make_scene(5, SceneOptions(length=32_000)).frames())


@pytest.fixture(scope="module")
def ordinary(scene: list[NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "ordinary.mkv"
    times = [Fraction(number, 10) for number in range(len(scene))]
    write_clip(path, scene, times, rate=Fraction(10), options={"preset": "ultrafast", "qp": "4"})
    return path


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_a_bright_film_looks_like_the_ordinary_one_of_the_same_scene(
    scene: list[NDArray[np.uint8]], ordinary: Path, tmp_path: Path, transfer: BrightTransfer
) -> None:
    write_bright_clip(tmp_path / "bright.mkv", scene, transfer)
    bright = shown(tmp_path / "bright.mkv", TIMES)
    plain = shown(ordinary, TIMES)

    # Read without regard to its transfer, the film differs by more than 20 levels on average.
    assert np.abs(bright.astype(float) - plain).mean() < 5

    encoder = Encoder(known_bundles()["starter"] / "encoder.onnx")
    seen, meant = (encoder.envelope_of(iter(each), len(TIMES)) for each in (bright, plain))
    assert np.abs(seen.loudness - meant.loudness).mean() < 1  # dB, of about 24 between quiet and loud
    assert np.abs(seen.onset - meant.onset).max() < 0.05


def test_what_is_brighter_than_an_ordinary_screen_is_white_there(tmp_path: Path) -> None:
    values = np.full((64, 64, 3), 65535, np.uint16)  # 10,000 cd/m²
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "gbrp16le"
        stream.codec_context.color_trc, stream.codec_context.color_primaries = 16, 9
        container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb48le")))
        container.mux(stream.encode(None))

    assert (shown(tmp_path / "a.mkv", [Fraction(0)], 32) == 255).all()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".tga"])
def test_transparent_pictures_are_seen_over_black(tmp_path: Path, suffix: str) -> None:
    picture = np.full((64, 64, 4), 200, np.uint8)
    picture[:, :32, 3], picture[:, 32:, 3] = 0, 128
    path = write_image(tmp_path / f"a{suffix}", picture)
    (seen,) = shown(path, [Fraction(0)], 64)

    assert (seen[:, :30] == 0).all()
    assert np.abs(seen[:, 34:].astype(int) - 100).max() <= 1
    assert probe(path).has_alpha


def test_exr_is_stored_as_it_looks_over_black(tmp_path: Path) -> None:
    picture = np.full((64, 64, 4), 200, np.uint8)
    picture[..., 3] = 0  # light that adds to what is behind it, as a flame's
    (seen,) = shown(write_image(tmp_path / "a.exr", picture), [Fraction(0)], 64)

    assert np.abs(seen.astype(int) - 200).max() <= 1


def test_a_transparent_film_is_seen_over_black(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "argb"
        for opacity in (255, 0):
            picture = np.full((64, 64, 4), 200, np.uint8)
            picture[..., 3] = opacity
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba")))
        container.mux(stream.encode(None))
    first, second = shown(path, [Fraction(0), Fraction(1, 25)], 32)

    assert (first == 200).all()
    assert (second == 0).all()
    assert probe(path).has_alpha


def test_opaque_media_say_so(ordinary: Path, tmp_path: Path) -> None:
    assert not probe(ordinary).has_alpha
    assert not probe(write_image(tmp_path / "a.png", np.zeros((32, 32, 3), np.uint8))).has_alpha


@pytest.mark.parametrize("codec", ["libx264", "prores_ks"])
def test_an_interlaced_film_shows_its_pictures(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        options = {"x264-params": "interlaced=1:tff=1:threads=1", "preset": "ultrafast"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = 160, 128
        stream.pix_fmt = "yuv420p" if codec == "libx264" else "yuv422p10le"
        stream.codec_context.flags |= 1 << 18 | 1 << 29  # interlaced coding and motion estimation
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(slate_picture(number, width=160, height=128), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame

    pictures = read_pictures(path, [Fraction(number, 25) for number in (0, 7, 11, 3)], width=96, height=72)
    assert [read_number(picture) for picture in pictures] == [0, 7, 11, 3]
