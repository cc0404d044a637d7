"""The preview film: the right picture and the right sound at the right time."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media import make_clip
from tests.plugin.cuts import CLICK_AT, ClickSource, clip, gap, names_in, score, span, timeline, track
from v2s_engine.audio import read_channels, read_sound, write_wav
from v2s_engine.corpus.slate import read_number
from v2s_engine.errors import CancelledError, OutputError
from v2s_engine.progress import Progress
from v2s_engine.video import probe, read_pictures
from v2s_plugin.preview import render_preview


def number_at(film: Path, time: Fraction) -> int:
    """Number of the slate on screen; the slates of these tests are 160 × 120 and stand in the middle."""
    picture = next(read_pictures(film, [time], width=640, height=360))
    return read_number(np.ascontiguousarray(picture[:, 80:560]))


def shot(name: str, start: int, frames: int, rate: float = 25) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, frames, rate))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 s of a from frame 10, 0.48 s of nothing, 1 s of b from frame 5 (at 50 fps) with a over it for 0.4 s."""
    folder: Path = tmp_path_factory.mktemp("film")
    make_clip(folder / "a.mp4", frames=60)
    make_clip(folder / "b.mp4", frames=60, rate=Fraction(50))
    cut = timeline(
        track(shot("a", 10, 25), gap(12, 25), shot("b", 5, 25)),
        track(gap(47, 25), shot("a", 40, 10), name="V2"),
    )
    result = score(cut, folder, ClickSource(), probe=None)
    render_preview(result.timeline, folder, folder / "film.mp4")
    return folder / "film.mp4"


def test_the_film_is_as_long_as_the_timeline_and_small(film: Path) -> None:
    info = probe(film)
    assert info.duration == Fraction(62, 25)
    assert (info.width, info.height, info.rate, info.has_sound) == (640, 360, 25, True)
    assert not [name for name in names_in(film.parent) if "part" in name]


@pytest.mark.parametrize(
    ("frame", "number"),
    [(0, 10), (24, 34), (37, 10), (40, 16), (46, 28), (47, 40), (56, 49), (57, 50), (61, 58)],
)
def test_the_topmost_clip_is_seen_at_its_moment(film: Path, frame: int, number: int) -> None:
    assert number_at(film, Fraction(frame, 25)) == number


def test_gaps_are_black(film: Path) -> None:
    (picture,) = read_pictures(film, [Fraction(30, 25)], width=64, height=36)
    assert picture.mean() < 3


def test_our_sounds_are_heard_where_they_stand(film: Path) -> None:
    sound = np.abs(read_sound(film, 48_000))
    click = Fraction(CLICK_AT, 16_000)
    for start in (Fraction(0), Fraction(37, 25), Fraction(47, 25)):
        at = int((start + click) * 48_000)
        assert sound[at - 600 : at + 900].max() > 0.2
        assert sound[at - 3_000 : at - 900].max() < 0.05


def test_a_panned_sound_is_as_loud_as_a_mono_one_and_stands_on_its_side(tmp_path: Path) -> None:
    """Power in both channels together, of one tone: as mono, panned to the middle, panned to the left."""
    make_clip(tmp_path / "a.mp4", frames=25)
    tone = np.sin(np.arange(48_000) * 0.06).astype(np.float32) / 4
    powers = []
    for left, right in ((None, None), (0.5**0.5, 0.5**0.5), (0.8, 0.6)):
        result = score(timeline(track(shot("a", 0, 25))), tmp_path, ClickSource(), probe=None, force=True)
        (wav,) = [take.path for sound in result.scored for take in sound.takes]
        write_wav(wav, tone if left is None else np.stack([tone * left, tone * right]))
        render_preview(result.timeline, tmp_path, tmp_path / "film.mp4")
        heard = read_channels(tmp_path / "film.mp4", 48_000)[:, 6_000:42_000]
        powers.append(np.mean(np.square(heard), axis=1) / np.mean(np.square(tone)))
    assert np.allclose(powers, [(0.5, 0.5), (0.5, 0.5), (0.64, 0.36)], rtol=0.05)


def test_a_timeline_without_anything_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="timeline is empty"):
        render_preview(timeline(track()), tmp_path, tmp_path / "film.mp4")


def test_media_that_cannot_be_shown_are_black(tmp_path: Path) -> None:
    render_preview(timeline(track(shot("gone", 0, 10))), tmp_path, tmp_path / "film.mp4")
    (picture,) = read_pictures(tmp_path / "film.mp4", [Fraction(0)], width=64, height=36)
    assert picture.mean() < 3


def test_a_cancel_leaves_no_film(tmp_path: Path) -> None:
    progress = Progress()
    progress.cancel.set()
    with pytest.raises(CancelledError):
        render_preview(timeline(track(shot("gone", 0, 10))), tmp_path, tmp_path / "film.mp4", progress)
    assert names_in(tmp_path) == []
