"""Stretches of sections as files: flash and click stand where they must, pictures copied or encoded anew."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.engine.vegas.sections import HEIGHT, WIDTH, read_samples, write_section
from v2s_engine.corpus.slate import is_flash, read_number
from v2s_engine.digest import file_digest
from v2s_engine.errors import MediaError, MediaNotFoundError, MediaUnreadableError, OutputError
from v2s_engine.vegas.cutting import Stretch, open_section
from v2s_engine.video import probe, read_pictures

NTSC = Fraction(30_000, 1001)
"""No picture but the first stands at a multiple of 2 s."""


def shown(path: Path) -> list[tuple[int, int | None]]:
    """When each picture comes on screen (ms), and its number."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [
            (round(frame.pts * stream.time_base * 1000), read_number(frame.to_ndarray(format="rgb24")))
            for frame in container.decode(video=0)
        ]


def coded(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("b_frames", [0, 3])
def test_where_a_key_frame_begins_a_clip_its_pictures_are_copied_and_its_sound_is_exact(
    tmp_path: Path, b_frames: int
) -> None:
    media, clip = tmp_path / "section.mkv", tmp_path / "clip.mkv"
    samples = write_section(media, rate=Fraction(25), flashes=(60, 110), b_frames=b_frames)

    with open_section(media) as section:
        section.write_clip(clip, Stretch(32_000, 96_000))

    assert shown(clip) == [(40 * n, 50 + n) for n in range(150)]
    assert set(coded(clip)) <= set(coded(media))
    assert np.array_equal(read_samples(clip), samples[32_000:128_000])
    assert probe(clip).duration == 6


def test_elsewhere_the_picture_on_screen_comes_first_and_all_others_at_their_times(tmp_path: Path) -> None:
    media, clip = tmp_path / "section.mkv", tmp_path / "clip.mkv"
    samples = write_section(media, rate=NTSC, flashes=(75, 100))
    whole = shown(media)

    with open_section(media) as section:
        section.write_clip(clip, Stretch(64_000, 64_000))

    standing = max(number for time, number in whole if time <= 4000)
    expected = [(0, standing), *((time - 4000, number) for time, number in whole if 4000 < time < 8000)]
    assert shown(clip) == expected
    assert np.array_equal(read_samples(clip), samples[64_000:128_000])
    assert probe(clip).duration == 4


@pytest.mark.parametrize("rate", [Fraction(25), NTSC])
def test_flash_and_click_fall_together_in_a_clip(tmp_path: Path, rate: Fraction) -> None:
    media, clip = tmp_path / "section.mkv", tmp_path / "clip.mkv"
    flash = 80
    write_section(media, rate=rate, flashes=(flash,))
    begin = 32_000

    with open_section(media) as section:
        section.write_clip(clip, Stretch(begin, 64_000))

    times = [Fraction(n, 1000) for n in range(0, 4000, 5)]
    flashing = [
        time
        for time, picture in zip(times, read_pictures(clip, times, width=WIDTH, height=HEIGHT), strict=True)
        if is_flash(picture)
    ]
    samples = read_samples(clip).astype(int) - np.arange(begin, begin + 64_000) % 997
    first_sound = np.flatnonzero(samples)[0]
    true_begin = flash / rate - 2
    assert abs(flashing[0] - true_begin) <= Fraction(5, 1000)
    assert first_sound == round(true_begin * 16_000) + 1  # a click's sample 0 is 0


def test_a_short_last_piece_is_cut_at_its_own_end(tmp_path: Path) -> None:
    media, clip = tmp_path / "section.mkv", tmp_path / "clip.mkv"
    samples = write_section(media, length=158_400)

    with open_section(media) as section:
        section.write_clip(clip, Stretch(128_000, 30_400))

    assert np.array_equal(read_samples(clip), samples[128_000:])
    assert probe(clip).duration == Fraction(19, 10)


@pytest.mark.parametrize("rate", [24, NTSC, Fraction(24_000, 1001), 30, Fraction(25, 2)])
def test_a_clip_lasts_as_long_as_its_stretch_at_any_rate(tmp_path: Path, rate: Fraction) -> None:
    media, clip = tmp_path / "section.mkv", tmp_path / "clip.mkv"
    write_section(media, rate=Fraction(rate))

    for stretch in (Stretch(0, 64_000), Stretch(32_000, 96_000), Stretch(128_000, 32_000)):
        with open_section(media) as section:
            section.write_clip(clip, stretch)
        assert probe(clip).duration == Fraction(stretch.length, 16_000)


@pytest.mark.parametrize("rate", [Fraction(25), NTSC])
def test_the_same_stretch_is_the_same_bytes(tmp_path: Path, rate: Fraction) -> None:
    write_section(tmp_path / "section.mkv", rate=rate)

    for name in ("one", "two"):
        with open_section(tmp_path / "section.mkv") as section:
            section.write_clip(tmp_path / name, Stretch(32_000, 64_000))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_is_missing_damaged_or_something_else_is_said(tmp_path: Path) -> None:
    media = tmp_path / "section.mkv"
    with pytest.raises(MediaNotFoundError, match="run v2s vegas fetch again"), open_section(media):
        pass
    media.write_bytes(b"no film")
    with pytest.raises(MediaUnreadableError, match="run v2s vegas fetch again"), open_section(media):
        pass
    write_section(media)
    digest = file_digest(media)
    with open_section(media, digest) as section, pytest.raises(MediaError, match="holds 160000 samples; wanted 192000"):
        section.write_clip(tmp_path / "clip.mkv", Stretch(128_000, 64_000))
    media.write_bytes(media.read_bytes()[:-1])
    with pytest.raises(MediaError, match="has changed since it was fetched"), open_section(media, digest):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["section.mkv"]


def test_odd_media_that_cannot_be_written_as_they_should_are_no_fault_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media, clip = tmp_path / "section.mkv", tmp_path / "clip.mkv"
    write_section(media)
    with open_section(media) as section:
        film = section._film
        headless = film(Stretch(0, 64_000))._replace(header=b"no header")
        monkeypatch.setattr(section, "_film", lambda _: headless)
        with pytest.raises(MediaError, match="leave this video out"):
            section.write_clip(clip, Stretch(0, 64_000))
        keyless = headless._replace(pictures=headless.pictures[1:])
        monkeypatch.setattr(section, "_film", lambda _: keyless._replace(header=film(Stretch(0, 32_000)).header))
        with pytest.raises(MediaError, match="just written, holds"):
            section.write_clip(clip, Stretch(0, 64_000))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["section.mkv"]


def test_a_place_that_cannot_be_written_to_is_no_fault_of_the_media(tmp_path: Path) -> None:
    media = tmp_path / "section.mkv"
    write_section(media)
    (tmp_path / "file").touch()
    with open_section(media) as section, pytest.raises(OutputError, match="cannot write"):
        section.write_clip(tmp_path / "file" / "clip.mkv", Stretch(0, 64_000))
