"""Which picture is on screen when: every frame of the clips here carries its number."""

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.media import (
    Clip,
    cut_file,
    damage_file,
    make_clip,
    make_cover_art,
    make_sound,
    make_still,
    read_number,
    write_clip,
)
from v2s_engine.corpus.slate import slate_picture
from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError, NoVideoStreamError
from v2s_engine.grid import FRAME_RATE
from v2s_engine.video import PictureReader, decoder, probe, read_pictures, reader

RATES = [Fraction(rate) for rate in (10, 12, 16, 24, 25, 30, 50, 60)] + [
    Fraction(24000, 1001),
    Fraction(30000, 1001),
]


def numbers(path: Path, times: Sequence[Fraction], size: tuple[int, int] = (96, 72)) -> list[int | None]:
    return [read_number(picture) for picture in read_pictures(path, times, width=size[0], height=size[1])]


def steps(begin: Fraction, count: int) -> list[Fraction]:
    """Moments 64 ms apart, as the engine asks for them."""
    return [begin + step / FRAME_RATE for step in range(count)]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """24 s with a key frame every two seconds and pictures that are stored out of order."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return make_clip(path, rate=25, frames=600, key_every=50, b_frames=3, sound=False)


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_frame_rate_shows_the_frame_that_is_on_screen(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    clip = make_clip(tmp_path / f"a{suffix}", rate=rate, frames=24, sound=False)
    times = [*steps(Fraction(0), int(clip.duration * FRAME_RATE) + 1), *clip.times]

    assert numbers(clip.path, times) == [clip.number_at(time) for time in times]
    assert probe(clip.path).duration == clip.duration
    assert probe(clip.path).rate == rate


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate_goes_by_time_not_by_count(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"vfr{suffix}", vfr=True, frames=60, sound=False)
    middles = [(one + other) / 2 for one, other in zip(clip.times, clip.times[1:], strict=False)]
    times = sorted([*clip.times, *middles])

    assert numbers(clip.path, times) == [clip.number_at(time) for time in times]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mov", "prores_ks"), (".avi", "mpeg4"), (".ts", "libx264"), (".webm", "libvpx-vp9"), (".mov", "mjpeg")],
)
def test_containers_and_codecs(tmp_path: Path, suffix: str, codec: str) -> None:
    formats = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p"}
    clip = make_clip(tmp_path / f"a{suffix}", codec=codec, pix_fmt=formats.get(codec, "yuv420p"), frames=30)
    times = [*steps(Fraction(1, 3), 10), Fraction(1, 10)]

    assert numbers(clip.path, times) == [clip.number_at(time) for time in times]
    assert probe(clip.path).duration == clip.duration
    assert probe(clip.path).has_sound


def test_a_stream_without_times_is_counted(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "raw.h264", frames=50, sound=False)

    assert numbers(clip.path, [Fraction(1), Fraction(1, 2), Fraction(9)]) == [25, 12, 49]
    assert probe(clip.path).duration == 2


def test_before_the_start_and_past_the_end(long_clip: Clip) -> None:
    times = [Fraction(-5), Fraction(0), long_clip.duration - Fraction(1, 1000), long_clip.duration, Fraction(7200)]

    assert numbers(long_clip.path, times) == [0, 0, 599, 599, 599]


def test_a_range_in_the_middle_decodes_only_what_it_needs(long_clip: Clip) -> None:
    times = steps(Fraction(121, 10), 31)  # two seconds, 12 s in
    everything = dict(zip(long_clip.times, range(600), strict=True))
    with PictureReader(long_clip.path) as reader:
        got = [read_number(picture) for picture in reader.read(times, width=96, height=72)]
        # The first picture of the file, from the key frame at 12 s to the end of the range, and what the decoder's
        # threads and reordering hold back.
        assert reader.decoded <= 1 + 56 + 8

    assert got == [max(number for time, number in everything.items() if time <= wanted) for wanted in times]


def test_far_apart_moments_are_sought_not_walked_to(long_clip: Clip) -> None:
    times = [Fraction(second) for second in (1, 8, 15, 22)]
    with PictureReader(long_clip.path) as reader:
        assert [read_number(picture) for picture in reader.read(times, width=96, height=72)] == [25, 200, 375, 550]
        assert reader.decoded < 250


def test_a_reversed_clip_does_not_decode_a_group_once_per_picture(long_clip: Clip) -> None:
    times = steps(Fraction(13), 60)[::-1]
    with PictureReader(long_clip.path) as reader:
        got = [read_number(picture) for picture in reader.read(times, width=96, height=72)]
        assert reader.decoded < 200

    assert got == [long_clip.number_at(time) for time in times]


def test_a_reversed_clip_needs_no_more_memory_than_a_window(long_clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "WINDOW_BYTES", 10 * 96 * 72 * 3)
    held = 0
    most = 0
    scaled = PictureReader._shown

    def counting(*args: object) -> object:
        nonlocal held, most
        held, most = held + 1, max(most, held + 1)
        return scaled(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(PictureReader, "_shown", counting)
    times = steps(Fraction(3), 80)[::-1]
    got: list[int | None] = []
    for picture in read_pictures(long_clip.path, times, width=96, height=72):
        got.append(read_number(picture))
        held -= 1

    assert got == [long_clip.number_at(time) for time in times]
    assert most <= 10


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.fractions(min_value=-1, max_value=26, max_denominator=1000), min_size=1, max_size=12))
def test_any_times_in_any_order(long_clip: Clip, times: list[Fraction]) -> None:
    assert numbers(long_clip.path, times) == [long_clip.number_at(time) for time in times]


def test_long_groups_of_pictures_are_not_decoded_again_and_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "one_key.mp4", frames=600, key_every=600, sound=False)
    times = [Fraction(second) for second in range(3, 24, 3)]
    with PictureReader(clip.path) as reader:
        assert [read_number(picture) for picture in reader.read(times, width=96, height=72)] == [
            clip.number_at(time) for time in times
        ]
        assert reader.decoded < 2 * 600


def test_only_the_last_pictures_are_read_to_probe(long_clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    opened = decoder._open

    class Counting:
        """The file, counting the packets that are taken out of it."""

        def __init__(self, container: object) -> None:
            self._container = container

        def __getattr__(self, name: str) -> object:
            return getattr(self._container, name)

        def demux(self, stream: object) -> Iterator[object]:
            nonlocal seen
            for packet in self._container.demux(stream):  # type: ignore[attr-defined]
                seen += 1
                yield packet

    def counting(path: Path) -> tuple[object, object]:
        container, stream = opened(path)
        return Counting(container), stream

    monkeypatch.setattr(decoder, "_open", counting)

    assert probe(long_clip.path).duration == 24
    assert seen < 200


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_open_groups_are_sought_into_rightly(tmp_path: Path, suffix: str) -> None:
    """Pictures shown before a key frame but stored after it lean on pictures that a seek did not decode."""
    times = tuple(Fraction(number, 25) for number in range(400))
    path = tmp_path / f"open{suffix}"
    pictures = (slate_picture(number, width=160, height=120) for number in range(400))
    coding = {"g": "50", "preset": "ultrafast", "x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0:threads=1"}
    write_clip(path, pictures, times, options=coding)

    for key in (100, 200, 300):
        around = [Fraction(key + step, 25) for step in (-3, -2, -1, 0, 1)]
        with PictureReader(path) as reader:
            got = [read_number(picture) for time in around for picture in reader.read([time], width=96, height=72)]
        assert got == [key - 3, key - 2, key - 1, key, key + 1]


def test_pictures_have_exactly_the_size_asked_for(long_clip: Clip) -> None:
    for width, height in ((128, 128), (61, 47), (320, 240)):
        picture = next(iter(read_pictures(long_clip.path, [Fraction(2)], width=width, height=height)))
        assert picture.shape == (height, width, 3)
        assert picture.dtype == "uint8"
        assert read_number(picture) == 50


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_phone_clip_is_shown_upright(tmp_path: Path, rotation: int) -> None:
    clip = make_clip(tmp_path / "turned.mp4", rotation=rotation, width=160, height=96, frames=10, sound=False)

    assert numbers(clip.path, [clip.times[7]]) == [7]
    info = probe(clip.path)
    assert (info.width, info.height) == ((96, 160) if rotation != 180 else (160, 96))


@pytest.mark.parametrize(
    "options",
    [
        {"pix_fmt": "yuv420p10le"},
        {"width": 90, "height": 160},
        {"width": 161, "height": 97, "codec": "ffv1", "pix_fmt": "yuv444p"},
        {"pix_fmt": "yuvj420p"},
    ],
    ids=["10 bit", "portrait", "odd size", "full range"],
)
def test_unusual_pictures(tmp_path: Path, options: dict[str, object]) -> None:
    clip = make_clip(tmp_path / "a.mkv", frames=20, sound=False, **options)  # type: ignore[arg-type]

    assert numbers(clip.path, [clip.times[13], clip.times[2]]) == [13, 2]
    info = probe(clip.path)
    assert (info.width, info.height) == (options.get("width", 160), options.get("height", 120))


@pytest.mark.parametrize("name", ["käse 雪 #1 %03d.mp4", "concat:x.mp4", 'a\'b "c".mp4'])
def test_names_are_only_names(tmp_path: Path, name: str) -> None:
    clip = make_clip(tmp_path / "plain.mp4", frames=5, sound=False)
    named = tmp_path / name
    named.write_bytes(clip.path.read_bytes())

    assert numbers(named, [clip.times[3]]) == [3]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_not_even_text(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "plain.mp4", frames=5, sound=False)
    try:
        named = tmp_path / os.fsdecode(b"bad\xff.mp4")
        named.write_bytes(clip.path.read_bytes())
    except OSError:
        pytest.skip("this file system takes no such names")

    assert numbers(named, [clip.times[3]]) == [3]


def test_a_still_picture_is_one_picture(tmp_path: Path) -> None:
    path = make_still(tmp_path / "still.png", number=9)

    assert numbers(path, [Fraction(0), Fraction(5)]) == [9, 9]


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_the_start_timecode_is_told_as_written(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"a{suffix}", rate=Fraction(30000, 1001), timecode="01:00:00;00", frames=4)

    assert probe(clip.path).start_timecode == "01:00:00;00"


def test_without_timecode_and_sound(long_clip: Clip) -> None:
    info = probe(long_clip.path)

    assert info.start_timecode is None
    assert not info.has_sound
    assert info.media == long_clip.path


def test_damage_in_the_middle_leaves_the_last_good_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", frames=300, key_every=25, sound=False)
    broken = damage_file(clip.path, tmp_path / "broken.mkv", Fraction(45, 100), Fraction(50, 100))
    with PictureReader(broken) as reader:
        got = [read_number(picture) for picture in reader.read(list(clip.times), width=96, height=72)]

    assert len(got) == 300
    assert got != list(range(300))
    assert got[:100] == list(range(100))
    assert got[220:] == list(range(220, 300))


def test_a_file_that_ends_too_soon_shows_its_last_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", frames=200, key_every=25, sound=False)
    short = cut_file(clip.path, tmp_path / "short.mkv", Fraction(1, 2))
    got = numbers(short, [Fraction(1), Fraction(7)])

    assert got[0] == 25
    assert got[1] is not None
    assert 50 < got[1] < 150


def test_errors_say_what_happened(tmp_path: Path) -> None:
    good = make_clip(tmp_path / "good.mp4", frames=5)
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    text = tmp_path / "text.mov"
    text.write_text("not a film " * 500)
    headless = cut_file(good.path, tmp_path / "headless.mp4", Fraction(1, 2))  # its index stood at the end
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:10,\nhttp://localhost:9/a.ts\n")
    notes = tmp_path / "notes.txt"
    notes.write_text("take 3 is the good one\n" * 50)
    cases: list[tuple[Path, type[Exception], str]] = [
        (tmp_path / "gone.mp4", MediaNotFoundError, "no such file"),
        (tmp_path, MediaUnreadableError, "is a folder"),
        (empty, MediaUnreadableError, "Invalid data found"),
        (text, MediaUnreadableError, "Invalid data found"),
        (headless, MediaUnreadableError, "Invalid data found"),
        (playlist, MediaUnreadableError, "is a playlist"),
        (notes, NoVideoStreamError, "no pictures"),
        (make_sound(tmp_path / "sound.wav"), NoVideoStreamError, "found: audio"),
        (make_cover_art(tmp_path / "cover.mp3"), NoVideoStreamError, "no pictures"),
    ]
    for path, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            probe(path)
        assert str(path) in str(caught.value)
        with pytest.raises(kind, match=words):
            list(read_pictures(path, [Fraction(0)], width=64, height=64))


def test_a_file_with_pictures_that_cannot_be_decoded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", frames=50, sound=False)
    data = clip.path.read_bytes()
    first = data.index(b"\x1f\x43\xb6\x75")  # Matroska's first cluster: the header before it stays whole
    broken = damage_file(clip.path, tmp_path / "broken.mkv", Fraction(first + 8, len(data)), Fraction(1))

    with pytest.raises(MediaUnreadableError, match=r"cannot read the pictures of .*broken\.mkv"):
        probe(broken)


def test_real_clips_give_every_picture(shared: Path) -> None:
    for name in ("dog_bento", "walk_footpath", "hit_table"):
        path = shared / "media" / "video" / f"{name}.mp4"
        info = probe(path)
        times = steps(Fraction(0), int(info.duration * FRAME_RATE))
        pictures = list(read_pictures(path, times, width=32, height=32))
        assert len(pictures) == len(times)
        assert len({picture.tobytes() for picture in pictures}) > len(times) // 2
        assert info.has_sound
