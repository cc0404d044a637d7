"""Sections in the normal form: which picture and which sound stand where, against films whose truth is known."""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from tests.media import Clip, cut_file, damage_file, make_clip, make_sound, read_number
from v2s_engine.audio import read_sound
from v2s_engine.corpus.footage import read_sync_sound
from v2s_engine.corpus.slate import slate_picture
from v2s_engine.errors import CancelledError, OutputError
from v2s_engine.vegas.normal_form import NormalForm, write_normal_form
from v2s_engine.vegas.sources import FetchFailure
from v2s_engine.video import probe, read_pictures

GRID = [Fraction(step * 64, 1000) for step in range(33)]


class Made(NamedTuple):
    """A normalised section and what was said of it."""

    path: Path
    form: NormalForm

    @property
    def numbers(self) -> list[int]:
        """Numbers of the pictures on screen at each step of the grid."""
        pictures = read_pictures(self.path, GRID, width=self.form.width, height=self.form.height)
        return [read_number(picture) for picture in pictures]

    @property
    def click(self) -> float:
        """Sample at which the sound first is half as loud as it gets."""
        sound = np.abs(read_sound(self.path))
        return float(np.flatnonzero(sound > sound.max() / 2)[0])


def make(media: Path, begin: Fraction | int = 0, duration: Fraction | int = 10) -> Made:
    path = media.with_name("normal.mkv")
    return Made(path, write_normal_form(media, Fraction(begin), Fraction(duration), path))


def expected(clip: Clip, begin: Fraction) -> list[int]:
    return [clip.number_at(begin + time) for time in GRID]


@pytest.mark.parametrize("begin", [Fraction(0), Fraction(1, 3), Fraction(5, 2)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_pictures_and_sound_stand_where_they_stood(tmp_path: Path, begin: Fraction, suffix: str) -> None:
    rate = Fraction(24000, 1001)
    clip = make_clip(tmp_path / f"a{suffix}", rate=rate, frames=120, flashes=(20, 80), width=96, height=64)
    made = make(clip.path, begin, Fraction(21, 10))
    assert made.numbers == expected(clip, begin)
    assert made.form.length == 33_600
    flash = next(time for time in clip.flash_times if time >= begin) - begin
    assert made.click == pytest.approx(float(flash) * 16_000, abs=4 if suffix == ".mp4" else 20)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_far_into_a_film_they_still_stand_together(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"a{suffix}", rate=10, frames=210, flashes=(30, 195), width=96, height=64)
    made = make(clip.path, Fraction(37, 2), Fraction(21, 10))
    assert made.numbers == expected(clip, Fraction(37, 2))
    assert made.click == pytest.approx(16_000, abs=20)


def test_the_two_last_equally_long_and_begin_with_a_key_frame(tmp_path: Path) -> None:
    made = make(make_clip(tmp_path / "a.mp4", rate=10, frames=47, width=96, height=64).path)
    assert made.form.length == 75_200
    assert len(read_sound(made.path)) == 75_200
    assert probe(made.path).duration == Fraction(47, 10)
    with av.open(str(made.path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        coding = (video.codec_context.name, video.codec_context.pix_fmt, audio.codec_context.name, audio.format.name)
        assert coding == ("h264", "yuv420p", "flac", "s16")
        assert (audio.rate, audio.layout.name) == (16_000, "mono")
        packets = [packet for packet in container.demux(video) if packet.size]
    assert {packet.pts for packet in packets if packet.is_keyframe} >= {0, 2000, 4000}


def test_pictures_at_no_fixed_rate_keep_their_times(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", frames=60, vfr=True, flashes=(30,), width=96, height=64)
    made = make(clip.path, Fraction(1, 2))
    assert made.numbers == expected(clip, Fraction(1, 2))


def test_fast_pictures_are_thinned(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", rate=60, frames=130, width=96, height=64)
    made = make(clip.path)
    with av.open(str(made.path)) as container:
        times = [frame.pts for frame in container.decode(video=0)]
    assert len(times) == 65
    assert min(late - early for early, late in itertools.pairwise(filter(None, times))) >= 33
    assert all(
        0 <= number - found <= 1 for number, found in zip(expected(clip, Fraction(0)), made.numbers, strict=True)
    )


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_films_from_telephones_are_turned_upright(tmp_path: Path, rotation: int) -> None:
    clip = make_clip(tmp_path / "a.mp4", rate=10, frames=23, rotation=rotation, width=160, height=96)
    made = make(clip.path)
    assert (made.form.width, made.form.height) == ((160, 96) if rotation == 180 else (96, 160))
    assert made.numbers == expected(clip, Fraction(0))


@pytest.mark.parametrize(
    ("size", "normal"),
    [((97, 65), (98, 66)), ((1280, 720), (640, 360)), ((720, 1280), (360, 640)), ((90, 70), (90, 70))],
)
def test_pictures_get_a_size_that_fits(tmp_path: Path, size: tuple[int, int], normal: tuple[int, int]) -> None:
    clip = make_clip(tmp_path / "a.mkv", rate=5, frames=11, width=size[0], height=size[1], pix_fmt="yuv444p")
    form = make(clip.path).form
    assert (form.width, form.height) == normal


def write_film(
    path: Path,
    sound: NDArray[np.int16],
    *,
    rate: int = 48_000,
    layout: str = "mono",
    late: Fraction = Fraction(0),
    aspect: Fraction | None = None,
    early: Fraction = Fraction(0),
    gap: tuple[int, int] | None = None,
) -> Path:
    """24 pictures in 2.4 s and PCM `[C, L]`, which begins `late` seconds after them; all is `early` seconds late.

    `gap`: after so many samples, so many are lost.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "x264-params": "threads=1"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        audio = container.add_stream("pcm_s16le", rate=rate, layout=layout)
        assert isinstance(audio, AudioStream)
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(slate_picture(number, width=96, height=64), format="rgb24")
            frame.pts, frame.time_base = int((number / Fraction(10) + early) * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        position = int((late + early) * rate)
        done = 0
        for block in np.split(sound, range(480, sound.shape[1], 480), axis=1):
            lost = gap[1] if gap and done >= gap[0] else 0
            part = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T.reshape(1, -1)), format="s16", layout=layout)
            part.sample_rate, part.time_base, part.pts = rate, Fraction(1, rate), position + done + lost
            container.mux(audio.encode(part))
            done += block.shape[1]
        container.mux(audio.encode(None))
    return path


def click_at(sample: int, length: int, channels: Sequence[int] = (1,)) -> NDArray[np.int16]:
    """A click in the channels that have a 1."""
    sound = np.zeros((len(channels), length), np.int16)
    for channel, sounds in enumerate(channels):
        sound[channel, sample : sample + 240] = 20_000 * sounds
    return sound


def test_sound_that_starts_late_is_late(tmp_path: Path) -> None:
    made = make(write_film(tmp_path / "a.mkv", click_at(4_800, 96_000), late=Fraction(3, 10)))
    assert made.form.length == 36_800  # to the sound's end, 0.3 s + 2 s
    assert made.click == pytest.approx(0.4 * 16_000, abs=20)
    assert not read_sound(made.path)[:4_700].any()


def test_a_film_whose_clock_does_not_begin_at_0_stays_together(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", click_at(24_000, 115_200), early=Fraction(7, 5))
    assert make(film).click == pytest.approx(8_000, abs=20)


def test_lost_sound_is_silence(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", click_at(48_000, 96_000), gap=(24_000, 9_600))
    assert make(film).click == pytest.approx((48_000 + 9_600) / 3, abs=20)


def test_sound_of_many_channels_and_other_rates_becomes_their_mean(tmp_path: Path) -> None:
    sound = click_at(44_100, 105_840, channels=(1, 0, 0, 0, 1, 1))
    made = make(write_film(tmp_path / "a.mkv", sound, rate=44_100, layout="5.1"))
    assert made.click == pytest.approx(16_000, abs=3)
    assert np.median(read_sound(made.path)[16_020:16_070]) == pytest.approx(20_000 / 32_768 / 2, abs=0.02)


@pytest.mark.parametrize(("aspect", "width"), [(Fraction(4, 3), 128), (Fraction(999), 96)])
def test_pixels_that_are_not_square_are_made_square_where_that_can_be(
    tmp_path: Path, aspect: Fraction, width: int
) -> None:
    form = make(write_film(tmp_path / "a.mkv", click_at(0, 115_200), aspect=aspect)).form
    assert (form.width, form.height) == (width, 64)


def test_the_same_content_is_known_in_any_container(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", click_at(9_000, 115_200))
    again = tmp_path / "b.mov"
    with av.open(str(film)) as source, av.open(str(again), "w") as target:
        streams = {each.index: target.add_stream_from_template(each) for each in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    other = write_film(tmp_path / "c.mkv", click_at(9_001, 115_200))
    digests = [make(path).form.content for path in (film, again, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.slow
def test_real_recordings_stay_in_step(tmp_path: Path, shared: Path) -> None:
    """Pictures on the grid and sound against what the project's own readers give of the original."""
    for path in sorted(itertools.chain(*(shared.glob(f"media/**/*{suffix}") for suffix in (".mp4", ".webm", ".ogv")))):
        info = probe(path)
        if not info.has_sound or info.duration < 3:
            continue
        made = Made(tmp_path / "normal.mkv", write_normal_form(path, Fraction(0), Fraction(3), tmp_path / "normal.mkv"))
        sound, real = read_sound(made.path), read_sync_sound(path, made.form.length)
        assert np.corrcoef(sound, np.clip(real, -1, 1))[0, 1] > 0.99, path
        times = [Fraction(step * 64, 1000) for step in range(0, made.form.length // 1024, 4)]
        for shown, seen in zip(
            *(read_pictures(each, times, width=32, height=24) for each in (made.path, path)), strict=True
        ):
            assert np.abs(shown.astype(int) - seen).mean() < 8, path


def failure(media: Path, begin: Fraction | int = 0) -> FetchFailure:
    with pytest.raises(FetchFailure) as caught:
        make(media, begin)
    assert caught.value.lasting
    return caught.value


def test_what_is_no_film_with_sound_is_told_apart(tmp_path: Path) -> None:
    silent = make_clip(tmp_path / "silent.mp4", sound=False, width=96, height=64)
    assert failure(silent.path).kind == "no sound"
    assert failure(make_sound(tmp_path / "sound.mkv", duration=Fraction(3))).kind == "no pictures"
    short = make_clip(tmp_path / "short.mp4", rate=10, frames=18, width=96, height=64)
    assert failure(short.path).kind == "too short"
    page = tmp_path / "page.mp4"
    page.write_text("<!DOCTYPE html><title>sign in</title>")
    assert failure(page).kind == "broken"


def test_a_section_beyond_the_end_says_what_may_be_meant(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", rate=10, frames=23, width=96, height=64)
    found = failure(clip.path, 30)
    assert found.kind == "too short"
    assert "--files-hold section" in str(found)
    assert failure(clip.path, 1).kind == "too short"


def test_damage_within_the_section_is_refused_and_none_of_anybodys_business_elsewhere(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", rate=10, frames=80, key_every=5, width=192, height=128)
    damaged = damage_file(clip.path, tmp_path / "damaged.mp4", Fraction(42, 100), Fraction(43, 100))
    assert failure(damaged, Fraction(5, 2)).kind == "broken"
    assert make(damaged, 0, Fraction(21, 10)).form.length == 33_600


def test_a_file_that_was_cut_short_ends_where_it_ends(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", rate=10, frames=60, width=96, height=64)
    assert failure(cut_file(clip.path, tmp_path / "half.mp4", Fraction(1, 2))).kind == "broken"


def test_a_playlist_does_not_reach_other_files(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.ts", rate=10, frames=30, width=96, height=64)
    for name, text in [
        ("b.mp4", f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{clip.path}\n#EXT-X-ENDLIST\n"),
        ("c.mkv", f"ffconcat version 1.0\nfile '{clip.path}'\n"),
    ]:
        (tmp_path / name).write_text(text)
        assert failure(tmp_path / name).kind == "broken"


def test_a_full_disk_is_no_fault_of_the_video(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", rate=10, frames=23, width=96, height=64)
    with pytest.raises(OutputError, match="free some space"):
        write_normal_form(clip.path, Fraction(0), Fraction(10), Path("/dev/full"))


def test_it_can_be_stopped(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", rate=10, frames=23, width=96, height=64)

    def stopped() -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        write_normal_form(clip.path, Fraction(0), Fraction(10), tmp_path / "b.mkv", stopped)
